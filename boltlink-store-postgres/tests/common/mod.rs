//! What the tests of the database share.

#![allow(dead_code, clippy::unwrap_used)] // Each test binary uses its part; a failure is a panic.

use std::sync::Arc;

use boltlink_core::{
    BatchId, Click, ClickBatch, Clock, EntropyExt, FakeClock, Link, LinkId, ProducerId, Stores, SystemEntropy,
    memory::MemoryLog, store::Inserted, testing::link_at,
};
use boltlink_store_postgres::{PostgresConfig, PostgresStore};
use boltlink_testkit::Database;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// A database, and a clock that stands still.
pub(crate) struct Place {
    pub(crate) database: Database,
    pub(crate) clock: Arc<FakeClock>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self { database: Database::new().await.unwrap(), clock: Arc::default() }
    }

    pub(crate) fn config(&self) -> PostgresConfig {
        PostgresConfig::new(self.database.url()).unwrap()
    }

    pub(crate) async fn open(&self) -> (PostgresStore, Stores) {
        self.open_with(&self.config()).await
    }

    pub(crate) async fn open_with(&self, config: &PostgresConfig) -> (PostgresStore, Stores) {
        let store = PostgresStore::open(config, self.clock.clone()).await.unwrap();
        let stores = store.stores(Arc::new(MemoryLog::new(self.clock.clone(), 1_000_000)));
        (store, stores)
    }

    /// A look from outside.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        let mut options = sea_orm::ConnectOptions::new(self.database.direct_url());
        options.max_connections(4).sqlx_logging(false);
        sea_orm::Database::connect(options).await.unwrap()
    }

    pub(crate) fn link(&self, slug: &str) -> Link {
        link_at(slug, self.clock.now())
    }

    pub(crate) async fn store_link(&self, stores: &Stores, link: Link) -> LinkId {
        assert_eq!(stores.links.insert(&link, None).await.unwrap(), Inserted::Created);
        link.id
    }

    pub(crate) fn producer(&self) -> ProducerId {
        SystemEntropy.producer_id(self.clock.now())
    }

    pub(crate) fn batch(&self, producer: ProducerId, sequence: u64, clicks: &[(LinkId, usize)]) -> ClickBatch {
        let clicks =
            clicks.iter().flat_map(|(link, count)| std::iter::repeat_n(Click::bare(*link, self.clock.now()), *count));
        ClickBatch::new(BatchId { producer, sequence }, clicks)
    }
}

/// The first column of all rows, as text.
pub(crate) async fn texts(db: &impl ConnectionTrait, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
