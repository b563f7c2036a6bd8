//! The store as a whole.

use std::{fmt, sync::Arc};

use boltlink_core::{
    Clock, LinkId, StoreError, Stores,
    sample::RawClicks,
    store::{Balance, Consumer, CounterStore},
};
use boltlink_store_sql::{
    copy::{Source, Target},
    reconcile,
};

use crate::{
    account::PostgresAccounts,
    analytics::PostgresAnalytics,
    audit::PostgresAudit,
    change::{PostgresChanges, Told},
    click::PostgresClicks,
    config::PostgresConfig,
    copy,
    error::OpenError,
    key::PostgresKeys,
    link::PostgresLinks,
    open::{self, Health, Migrated},
    pool::Pool,
    raw::Raw,
    replica::Readers,
};

/// An open database. Cloning shares its connections.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    readers: Readers,
    clock: Arc<dyn Clock>,
    raw: RawClicks,
    told: Arc<Told>,
}

impl PostgresStore {
    /// Opens the database, which must exist, and brings its schema up to date. Any number of processes may do so at
    /// once: one migrates, the others wait for it.
    ///
    /// # Errors
    /// Why it cannot be served; the database is then as it was.
    pub async fn open(config: &PostgresConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        open::migrate(config).await?;
        let pool = Pool::new(&config.url, config).with_heartbeat();
        let readers = Readers::new(pool.clone(), config.replica.as_ref().map(|url| Pool::new(url, config)));
        Ok(Self { pool, readers, clock, raw: config.raw_clicks, told: Arc::default() })
    }

    /// Brings the schema of the database up to date, without opening it for anything else.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(config: &PostgresConfig) -> Result<Migrated, OpenError> {
        open::migrate(config).await
    }

    /// How many connections are open, and how many of these have nothing to do.
    #[must_use]
    pub fn connections(&self) -> (u32, u32) {
        self.pool.size()
    }

    /// Looks the database over, without changing it.
    ///
    /// # Errors
    /// If it cannot be reached, or cannot be served.
    pub async fn check(config: &PostgresConfig) -> Result<Health, OpenError> {
        open::check(config).await
    }

    /// Opens the database to be copied, and brings its schema up to date before. Others that work on it are a reason to
    /// refuse; until the source is closed, or its connection is, none opens it, and none writes to it.
    ///
    /// Who works on it shows by what is asked for some seconds, which is how long this takes at least; every open store asks
    /// something each second. One that has lost the network is not seen, but cannot write either.
    ///
    /// # Errors
    /// [`OpenError::InUse`], [`OpenError::BeingCopied`], or as [`open`](Self::open).
    pub async fn copy_source(config: &PostgresConfig) -> Result<Source, OpenError> {
        copy::source(config).await
    }

    /// Opens the database to be copied to, and makes its tables if need be. What is in them is for the copy to judge.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn copy_target(config: &PostgresConfig) -> Result<Target, OpenError> {
        copy::target(config).await
    }

    /// The store's traits, with `log` for the clicks on their way.
    #[must_use]
    pub fn stores(&self, log: Arc<dyn CounterStore>) -> Stores {
        let (pool, readers, clock) = (&self.pool, &self.readers, &self.clock);
        let raw = Arc::new(Raw::new(self.raw, clock.now()));
        let sink = |consumer| {
            Arc::new(PostgresClicks { consumer, pool: pool.clone(), clock: clock.clone(), raw: raw.clone() })
        };
        Stores {
            links: Arc::new(PostgresLinks { pool: pool.clone(), readers: readers.clone(), clock: clock.clone() }),
            totals: sink(Consumer::Totals),
            analytics: sink(Consumer::Analytics),
            reader: Arc::new(PostgresAnalytics {
                readers: readers.clone(),
                clock: clock.clone(),
                retention: self.raw.retention,
            }),
            log,
            keys: Arc::new(PostgresKeys { pool: pool.clone(), clock: clock.clone() }),
            accounts: Arc::new(PostgresAccounts { pool: pool.clone(), clock: clock.clone() }),
            changes: Arc::new(PostgresChanges { pool: pool.clone(), told: self.told.clone() }),
            audit: Arc::new(PostgresAudit { pool: pool.clone() }),
        }
    }

    /// What is stored of the clicks of links after `after`, by id, at most `limit`: see [`Balance`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn balances(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Balance>, StoreError> {
        self.pool.read(|| reconcile::page(self.pool.connections(), after, limit)).await
    }

    /// The same of one link, if it exists.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn balance(&self, link: LinkId) -> Result<Option<Balance>, StoreError> {
        self.pool.read(|| reconcile::of(self.pool.connections(), link)).await
    }

    /// Waits for the calls that run, and closes the connections. Later calls on the store's traits fail.
    ///
    /// # Errors
    /// If a connection cannot be closed; nothing that was answered is lost.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await?;
        self.pool.close().await
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresStore { … }")
    }
}
