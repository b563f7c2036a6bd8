//! Who has a database to itself while it is copied, and who is kept out.

use std::{sync::Arc, time::Duration};

use boltlink_core::{FakeClock, Stores, memory::MemoryLog, testing::link_at};
use boltlink_store_postgres::PostgresStore;
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};

use crate::ends::End;

/// Opens the database as a server does, or says why not.
async fn open(end: &End) -> Result<Stores, String> {
    let clock = Arc::new(FakeClock::default());
    let log = Arc::new(MemoryLog::new(clock.clone(), 1_000));
    match end {
        End::Sqlite(_) => {
            let store = SqliteStore::open(&SqliteConfig::new(end.path()), clock).await;
            store.map(|store| store.stores(log)).map_err(|error| error.to_string())
        }
        End::Postgres(place) => {
            let store = PostgresStore::open(&place.config(), clock).await;
            store.map(|store| store.stores(log)).map_err(|error| error.to_string())
        }
    }
}

#[tokio::test]
async fn nobody_opens_a_database_that_is_being_copied() {
    for (end, says) in [(End::sqlite(), "is locked by another process"), (End::postgres().await, "is being copied")] {
        end.migrate().await;
        let source = end.source().await.unwrap();
        let refused = open(&end).await.err().unwrap();
        assert!(refused.contains(says), "{refused}");
        let again = end.source().await.err().unwrap();
        assert!(again.contains("is in use") || again.contains(says), "{again}");
        source.close().await;
        open(&end).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_opens_half_a_copy() {
    let first = End::sqlite();
    first.migrate().await;
    first.run("INSERT INTO meta (key, value) VALUES ('server_secret', 'x')").await;
    for target in [End::sqlite(), End::postgres().await] {
        assert!(first.copy_some(&target, 3).await.is_none());
        let refused = open(&target).await.err().unwrap();
        assert!(refused.contains("run boltlink copy again"), "{refused}");
        assert!(target.source().await.err().unwrap().contains("run boltlink copy again"));
        first.copy_to(&target).await.unwrap();
        open(&target).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_somebody_has_open_is_not_copied() {
    let end = End::sqlite();
    let stores = open(&end).await.unwrap();
    let refused = end.source().await.err().unwrap();
    assert!(refused.contains("is in use; stop the server"), "{refused}");
    // And nothing has happened to who had it open.
    stores.links.insert(&link_at("goes-on", boltlink_core::Timestamp::EPOCH), None).await.unwrap();
}

#[tokio::test]
async fn a_database_that_somebody_works_on_is_not_copied() {
    let end = End::postgres().await;
    let stores = open(&end).await.unwrap();
    let changes = stores.changes.clone();
    let server = tokio::spawn(async move {
        loop {
            changes.head().await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let refused = end.source().await.err().unwrap();
    assert!(refused.contains("is in use; stop all servers"), "{refused}");
    stores.links.insert(&link_at("goes-on", boltlink_core::Timestamp::EPOCH), None).await.unwrap();
    server.abort();
}

#[tokio::test]
async fn who_was_silent_cannot_write_to_what_is_being_copied() {
    let end = End::postgres().await;
    let stores = open(&end).await.unwrap();
    // Waits until nothing has been asked for a while.
    let source = end.source().await.unwrap();
    let refused = stores.links.insert(&link_at("late", boltlink_core::Timestamp::EPOCH), None).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
    assert_eq!(
        stores.links.by_id(boltlink_core::LinkId::from_uuid(uuid::Uuid::nil())).await.unwrap().map(|_| ()),
        None
    );
    source.close().await;
    stores.links.insert(&link_at("late", boltlink_core::Timestamp::EPOCH), None).await.unwrap();
}
