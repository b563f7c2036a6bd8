//! A Redis, and what it is used for.

use std::{fmt, sync::Arc};

use boltlink_core::{
    Clock, StoreError,
    store::{ChangeLog, CounterStore, RateLimiter},
};

use crate::{
    config::RedisConfig,
    connect::Client,
    error::OpenError,
    health::{self, Health},
    lane::Lane,
    limit::RedisLimiter,
    log::RedisLog,
    waking::Waking,
};

/// A Redis. Cloning it is cheap; all clones share a few connections.
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: RedisConfig,
    pub(crate) client: Arc<Client>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Recorders hand over their batches here, and readers ask for what is pending.
    pub(crate) clicks: Lane,
    /// Consumers get their batches here, megabytes at a time.
    pub(crate) consumers: Lane,
    /// Everything that is short and waited for.
    pub(crate) limits: Lane,
}

impl RedisStore {
    /// The Redis of `config`. Nothing is connected before it is needed, so this works while the server is away;
    /// [`check`](Self::check) tells whether it is.
    ///
    /// `clock` says when a consumer's lease runs out.
    ///
    /// # Errors
    /// If the driver cannot use the address.
    pub fn new(config: &RedisConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let client = Client::new(config).map_err(|error| OpenError::from_driver(config.url.to_string(), &error))?;
        let client = Arc::new(client);
        let lane = || Lane::new(client.clone(), config.observer.clone());
        let inner = Inner {
            config: config.clone(),
            clock,
            clicks: lane(),
            consumers: lane(),
            limits: lane(),
            client: client.clone(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks each server that the address names what it is and how it is set up. A connection of its own for each.
    ///
    /// # Errors
    /// If one cannot be reached, is too old, or would throw clicks away when its memory is full.
    pub async fn check(&self) -> Result<Health, OpenError> {
        let url = self.inner.config.url.to_string();
        health::check(&self.inner.client, self.inner.config.connect_timeout, &url).await
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner.limits.query("ping", &redis::cmd("PING")).await
    }

    /// The log of clicks between recorders and consumers.
    #[must_use]
    pub fn log(&self) -> Arc<dyn CounterStore> {
        Arc::new(RedisLog::new(self.inner.clone()))
    }

    /// Rate limits that all processes share, by the server's clock.
    #[must_use]
    pub fn limiter(&self) -> Arc<dyn RateLimiter> {
        Arc::new(RedisLimiter::new(self.inner.clone(), None))
    }

    /// Rate limits by another clock than the server's, which all processes must share. For tests.
    #[must_use]
    pub fn limiter_by(&self, clock: Arc<dyn Clock>) -> Arc<dyn RateLimiter> {
        Arc::new(RedisLimiter::new(self.inner.clone(), Some(clock)))
    }

    /// `changes`, but that processes tell each other at once when they have written something. Where Redis is away,
    /// they find out by their next poll.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn waking(&self, changes: Arc<dyn ChangeLog>) -> Arc<dyn ChangeLog> {
        Arc::new(Waking::new(self.inner.clone(), changes))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("url", &self.inner.config.url).finish_non_exhaustive()
    }
}
