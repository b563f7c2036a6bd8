//! Who has a database to itself while it is copied, and who is kept out.

use std::{sync::Arc, time::Duration};

use boltlink_core::{FakeClock, Stores, memory::MemoryLog, testing::link_at};
use boltlink_store_postgres::{PostgresConfig, PostgresStore};
use boltlink_store_sql::copy::COPIED;
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use boltlink_testkit::Proxy;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_has_open_is_not_copied() {
    let end = End::postgres().await;
    let stores = open(&end).await.unwrap();
    // Though nothing is asked of the store: a worker may have nothing to do for hours.
    let refused = end.source().await.err().unwrap();
    assert!(refused.contains("is in use; stop all servers"), "{refused}");
    stores.links.insert(&link_at("goes-on", boltlink_core::Timestamp::EPOCH), None).await.unwrap();
    drop(stores);
    end.source().await.unwrap().close().await;
}

/// What it asked while the network was silent may never be answered; it shows again all the same.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_whose_network_was_silent_for_a_while_is_seen() {
    let end = End::postgres().await;
    let End::Postgres(place) = &end else { unreachable!() };
    let mut url: url::Url = place.database.url().parse().unwrap();
    let server = url.socket_addrs(|| None).unwrap()[0];
    let network = Proxy::start(server).await.unwrap();
    url.set_port(Some(network.address().port())).unwrap();
    let mut config = PostgresConfig::new(url.as_str()).unwrap();
    (config.acquire_timeout, config.statement_timeout) = (Duration::from_secs(1), Duration::from_secs(1));
    config.max_connections = 2;
    let (_store, stores) = place.open_with(&config).await;
    stores.keys.list(None, None, 1).await.unwrap();
    // All is quiet by then, and a connection open that is asked next for a sign of life.
    tokio::time::sleep(Duration::from_millis(300)).await;
    network.delay(Duration::from_secs(3_600));
    // The next sign of life is under way by then.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    network.delay(Duration::ZERO);
    let refused = end.source().await.err().unwrap();
    assert!(refused.contains("is in use; stop all servers"), "{refused}");
}

/// A pooler lends one connection to whoever asks next. So what a server asked something on may be what the copy is lent
/// then, and the server shows only when it asks again, on another one.
#[tokio::test]
async fn somebody_who_shows_only_once_the_copy_has_begun_is_seen() {
    let end = End::postgres().await;
    end.migrate().await;
    let lent = end.connect().await;
    let server = async {
        let begun = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while rows(&lent, begun).await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(900)).await;
        loop {
            rows(&lent, "SET application_name = 'boltlink'").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            rows(&lent, "SET application_name = 'other'").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let refused = tokio::select! {
        opened = end.source() => opened.err().unwrap(),
        () = server => unreachable!(),
    };
    assert!(refused.contains("is in use; stop all servers"), "{refused}");
}

async fn rows(db: &DatabaseConnection, sql: &str) -> usize {
    db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().len()
}

#[tokio::test]
async fn who_is_not_seen_can_read_what_is_being_copied_but_not_write() {
    let end = End::postgres().await;
    end.migrate().await;
    let source = end.source().await.unwrap();
    let stranger = end.connect().await;
    assert!(!end.texts("SELECT key FROM meta").await.is_empty());
    for table in COPIED {
        let within = stranger.begin().await.unwrap();
        let write = format!("SET LOCAL lock_timeout = 10; DELETE FROM {table}");
        let refused = within.execute_unprepared(&write).await.unwrap_err().to_string();
        assert!(refused.contains("lock timeout"), "{table}: {refused}");
        within.rollback().await.unwrap();
    }
    source.close().await;
    end.run("DELETE FROM link").await;
}
