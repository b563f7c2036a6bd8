//! One database, several stores; futures that are dropped half-way; and a server that is slow or away.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{
    BatchId, Click, ClickBatch, Clock, Link, LinkId, Timestamp,
    store::{Dimension, Interval, Scope, Span},
    testing::sharing,
};
use common::{Place, texts};
use sea_orm::{ConnectionTrait, TransactionTrait};

#[tokio::test(flavor = "multi_thread")]
async fn reservations_stay_exact_over_two_stores() {
    let place = Place::new().await;
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    sharing::reservations_stay_exact(&first, &second, place.clock.now()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_to_two_stores_takes_effect_once() {
    let place = Place::new().await;
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    sharing::a_batch_takes_effect_once(&first, &second, place.clock.now()).await;
}

/// Every batch goes to both stores, in groups that overlap and in opposite orders, over the same links.
#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_neither_wait_in_a_circle_nor_count_twice() {
    const BATCHES: u64 = 40;
    let place = Place::new().await;
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    let mut links: Vec<LinkId> = Vec::new();
    for number in 0..20 {
        links.push(place.store_link(&first, place.link(&format!("n{number}"))).await);
    }
    let producers = [place.producer(), place.producer(), place.producer()];
    let mut batches = Vec::new();
    for sequence in 1..=BATCHES {
        for producer in producers {
            let clicks: Vec<_> = links.iter().map(|link| (*link, 1)).collect();
            batches.push(place.batch(producer, sequence, &clicks));
        }
    }
    let mut tasks = Vec::new();
    for (stores, turned) in [(&first, false), (&second, true)] {
        for (sink, start) in [(&stores.totals, 0), (&stores.analytics, 0), (&stores.totals, 7), (&stores.analytics, 7)]
        {
            let (sink, mut batches) = (sink.clone(), batches[start..].to_vec());
            if turned {
                batches.reverse();
            }
            tasks.push(tokio::spawn(async move {
                for group in batches.chunks(5) {
                    sink.apply(group).await.unwrap();
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let each = BATCHES * producers.len() as u64;
    for link in &links {
        assert_eq!(first.links.by_id(*link).await.unwrap().unwrap().clicks, each);
        assert_eq!(first.reader.total(Scope::Link(*link)).await.unwrap(), each);
    }
    assert_eq!(second.reader.total(Scope::Global).await.unwrap(), each * links.len() as u64);
    let days = first.reader.series(Scope::Global, Interval::Day, Span { from: i64::MIN / 100, to: i64::MAX / 100 });
    assert_eq!(days.await.unwrap().iter().map(|point| point.clicks).sum::<u64>(), each * links.len() as u64);
    assert_eq!(deadlocks(&place).await, ["0"]);
}

async fn deadlocks(place: &Place) -> Vec<String> {
    let db = place.connect().await;
    texts(&db, "SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()").await
}

/// Of a day that they share, each in an hour of its own: they meet at links and days only, which are written some at a time.
#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_of_many_links_do_not_wait_in_a_circle() {
    let place = Place::new().await;
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    let links: Vec<LinkId> = (0..4_500).map(|number| place.link(&format!("n{number}")).id).collect();
    let day = place.clock.now().day() - 1;
    let day_began = Timestamp::EPOCH.plus(Duration::from_secs(day.unsigned_abs() * 24 * 3_600));
    let mut tasks = Vec::new();
    for (hour, stores) in (0..).zip([&first, &second]) {
        let (sink, producer, mut links) = (stores.analytics.clone(), place.producer(), links.clone());
        if hour == 1 {
            links.reverse();
        }
        tasks.push(tokio::spawn(async move {
            let at = day_began.plus(Duration::from_secs(hour * 3_600));
            for sequence in 1..=5 {
                let clicks = links.iter().map(|link| Click::bare(*link, at));
                sink.apply(&[ClickBatch::new(BatchId { producer, sequence }, clicks)]).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for link in links.iter().step_by(499) {
        let shares = first.reader.breakdown(*link, Dimension::Language, day, day + 1, 9).await.unwrap();
        assert_eq!(shares.iter().map(|share| share.clicks).collect::<Vec<_>>(), [10]);
    }
    assert_eq!(deadlocks(&place).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_nothing_or_the_whole() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("dropped")).await;
    let producer = place.producer();
    for sequence in 1..=60 {
        let batch = place.batch(producer, sequence, &[(link, 1)]);
        let patience = Duration::from_micros(sequence * 150);
        // Whichever comes first: the point is that either may.
        let _ = tokio::time::timeout(patience, stores.totals.apply(&[batch])).await;
    }
    // A call on the same ledger waits for what the dropped ones left running, or comes before it.
    let last = place.batch(producer, 61, &[(link, 1)]);
    stores.totals.apply(&[last]).await.unwrap();
    let db = place.connect().await;
    let busy = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'boltlink' AND state <> 'idle'";
    while !texts(&db, busy).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let state = stores.totals.applied(&[producer]).await.unwrap().remove(0);
    let applied = (1..=61).filter(|sequence| state.has_dealt_with(*sequence)).count();
    assert_eq!(stores.links.by_id(link).await.unwrap().unwrap().clicks, applied as u64);
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_unavailable() {
    let place = Place::new().await;
    let mut config = place.config();
    (config.max_connections, config.acquire_timeout) = (1, Duration::from_secs(1));
    let (_store, stores) = place.open_with(&config).await;
    let link = place.store_link(&stores, place.link("held")).await;
    let db = place.connect().await;
    let holder = db.begin().await.unwrap();
    holder.execute_unprepared("SELECT 1 FROM link FOR UPDATE").await.unwrap();
    let links = stores.links.clone();
    let deleting = tokio::spawn(async move { links.delete(link, None).await });
    while texts(&db, "SELECT pid::text FROM pg_locks WHERE NOT granted").await.is_empty() {
        tokio::task::yield_now().await;
    }
    let error = stores.links.by_id(link).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("no connection"), "{error}");
    holder.rollback().await.unwrap();
    deleting.await.unwrap().unwrap();
    assert!(stores.links.by_id(link).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_unavailable() {
    let place = Place::new().await;
    let mut config = place.config();
    config.lock_timeout = Duration::from_millis(50);
    let (_store, stores) = place.open_with(&config).await;
    let link = place.store_link(&stores, place.link("held")).await;
    let db = place.connect().await;
    let holder = db.begin().await.unwrap();
    holder.execute_unprepared("SELECT 1 FROM link FOR UPDATE").await.unwrap();
    let error = stores.links.delete(link, None).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("holds"), "{error}");
    holder.rollback().await.unwrap();
    stores.links.delete(link, None).await.unwrap();
}

#[tokio::test]
async fn connections_that_the_server_closed_are_not_noticed() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("kept")).await;
    let db = place.connect().await;
    let close = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'boltlink'";
    for _ in 0..3 {
        assert!(!texts(&db, close).await.is_empty());
        assert!(stores.links.by_id(link).await.unwrap().is_some());
        texts(&db, close).await;
        let batch = place.batch(place.producer(), 1, &[(link, 1)]);
        assert_eq!(stores.totals.apply(&[batch]).await.unwrap().clicks, 1);
    }
}

/// As after a failover behind one address: the sessions that are open lead to a server that only reads by now.
#[tokio::test]
async fn connections_that_turned_read_only_are_left() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
    let name = texts(&db, "SELECT current_database()::text").await.remove(0);
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.unwrap();
    // Its connection is a new one, and reads only.
    let (_other, replica) = {
        let config = place.config();
        let store = boltlink_store_postgres::PostgresStore::open(&config, place.clock.clone()).await.unwrap();
        let stores = store.stores(stores.log.clone());
        (store, stores)
    };
    let error = replica.links.insert(&place.link("refused"), None).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("read-only"), "{error}");
    db.execute_unprepared("SET default_transaction_read_only = off").await.unwrap();
    db.execute_unprepared(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await.unwrap();
    // What looks after the database once a second may have opened another connection that reads only. Each is refused
    // once, and left: all that the pool may have, and no more.
    for _ in 0..place.config().max_connections {
        match replica.links.insert(&place.link("taken"), None).await {
            Err(error) if error.is_retryable() => {}
            inserted => return assert_eq!(inserted.unwrap(), boltlink_core::store::Inserted::Created),
        }
    }
    panic!("connections that read only are kept");
}

/// A database that is set to answer before it has written: within the store's transactions it is not.
#[tokio::test]
async fn what_is_answered_is_on_disk_whatever_the_default() {
    let place = Place::new().await;
    let db = place.connect().await;
    let name = texts(&db, "SELECT current_database()::text").await.remove(0);
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await.unwrap();
    let (_store, stores) = place.open().await;
    // What the transactions of the store are set to, seen by a trigger within them.
    db.execute_unprepared(
        "CREATE TABLE seen (setting TEXT); CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$; \
         CREATE TRIGGER look AFTER INSERT OR UPDATE ON link_total FOR EACH STATEMENT EXECUTE FUNCTION look()",
    )
    .await
    .unwrap();
    let link = Link { max_visits: Some(5.try_into().unwrap()), ..place.link("capped") };
    let link = place.store_link(&stores, link).await;
    assert_eq!(stores.links.reserve(link, 2).await.unwrap(), 2);
    stores.totals.apply(&[place.batch(place.producer(), 1, &[(link, 1)])]).await.unwrap();
    assert_eq!(texts(&db, "SELECT DISTINCT setting FROM seen").await, ["on"]);
    assert_eq!(texts(&db, "SELECT COUNT(*)::text FROM seen").await, ["3"]);
}
