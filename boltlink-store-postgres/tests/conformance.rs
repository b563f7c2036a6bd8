//! The contracts, kept by the Postgres store: every test has a database of its own.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::sync::Arc;

use boltlink_core::{FakeClock, memory::MemoryLog, testing::Fixture};
use boltlink_store_postgres::{PostgresConfig, PostgresStore};
use boltlink_testkit::Database;

async fn fixture() -> Fixture {
    let clock = Arc::new(FakeClock::default());
    let database = Database::new().await.unwrap();
    let store = PostgresStore::open(&PostgresConfig::new(database.url()).unwrap(), clock.clone()).await.unwrap();
    let log = Arc::new(MemoryLog::new(clock.clone(), 1_000_000));
    // Fields are dropped in their order: the connections are closed before the database goes.
    Fixture::new(store.stores(log), clock).keeping((store, database))
}

boltlink_core::store_suites!(fixture);
