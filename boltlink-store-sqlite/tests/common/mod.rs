//! What the tests of the file share.

#![allow(dead_code, clippy::unwrap_used)] // Each test binary uses its part; a failure is a panic.

use std::{path::PathBuf, sync::Arc};

use boltlink_core::{
    BatchId, Click, ClickBatch, Clock, EntropyExt, FakeClock, Link, LinkId, ProducerId, Stores, SystemEntropy,
    memory::MemoryLog, store::Inserted, testing::link_at,
};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tempfile::TempDir;

/// A directory of the test's own, for one file.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<FakeClock>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("boltlink.db")
    }

    pub(crate) fn config(&self) -> SqliteConfig {
        SqliteConfig::new(self.path())
    }

    pub(crate) async fn open(&self) -> (SqliteStore, Stores) {
        let store = SqliteStore::open(&self.config(), self.clock.clone()).await.unwrap();
        let stores = store.stores(Arc::new(MemoryLog::new(self.clock.clone(), 1_000_000)));
        (store, stores)
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

/// The steps by which SQLite runs a statement. Its parameters stay unbound: the plan does not depend on them.
pub(crate) async fn plan(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(3).unwrap()).collect()
}

/// Whether a step is this scan, such as `SCAN c`, and not one of a table whose name begins alike.
pub(crate) fn is_scan(step: &str, scan: &str) -> bool {
    step.strip_prefix(scan).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-']))
}
