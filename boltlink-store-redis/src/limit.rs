//! Rate limits that all nodes share.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use boltlink_core::{
    Clock, StoreError,
    store::{Decision, Quota, RateLimiter},
};
use redis::Script;

use crate::{keys, store::Inner};

static LIMIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/limit.lua")));

/// GCRA in one script, by the server's clock: however the nodes' clocks differ, they share one quota. A script is one
/// atomic step. A server whose clock goes backwards, or one that takes over with another clock, refuses no longer than
/// one burst takes to come back; one that forgets gives every key its burst anew.
pub(crate) struct RedisLimiter {
    redis: Arc<Inner>,
    clock: Option<Arc<dyn Clock>>,
}

impl RedisLimiter {
    pub(crate) const fn new(redis: Arc<Inner>, clock: Option<Arc<dyn Clock>>) -> Self {
        Self { redis, clock }
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn check(&self, key: &str, quota: &Quota, cost: u32) -> Result<Decision, StoreError> {
        let (interval, tolerance) = (quota.interval_micros(), quota.tolerance_micros());
        let mut call = LIMIT.key(keys::limit(&self.redis.config.prefix, key));
        call.arg(interval).arg(tolerance).arg(cost);
        if let Some(clock) = &self.clock {
            call.arg(clock.now().as_micros());
        }
        let (allowed, owed, missing): (bool, i64, f64) = self.redis.limits.invoke("limit", &call).await?;
        Ok(Decision {
            allowed,
            limit: quota.burst(),
            remaining: u32::try_from(tolerance.saturating_sub(owed) / interval.max(1)).unwrap_or(0),
            reset_after: micros(owed),
            // Whole, and below 2⁵³ µs, for every cost that a burst can bear.
            retry_after: (!allowed && cost <= quota.burst()).then(|| micros(missing as i64)),
        })
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}
