//! The contracts, kept by the SQLite store: every test has a file of its own.

#![allow(clippy::unwrap_used)] // A failure is a panic.

use std::sync::Arc;

use boltlink_core::{FakeClock, memory::MemoryLog, testing::Fixture};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};

async fn fixture() -> Fixture {
    let clock = Arc::new(FakeClock::default());
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&SqliteConfig::new(dir.path().join("boltlink.db")), clock.clone()).await.unwrap();
    let log = Arc::new(MemoryLog::new(clock.clone(), 1_000_000));
    // Fields are dropped in their order: the file is closed before its directory goes.
    Fixture::new(store.stores(log), clock).keeping((store, dir))
}

boltlink_core::store_suites!(fixture);
