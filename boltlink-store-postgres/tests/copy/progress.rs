//! Copies that are interrupted, and begun anew.

use boltlink_core::{FakeClock, memory::MemoryLog, store::ChangeLog, testing::link_at};
use boltlink_store_postgres::PostgresStore;
use boltlink_store_sql::copy::{CopyError, Step};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use std::sync::Arc;

use crate::ends::End;

/// Rows for a few pages: small ones, and some of a megabyte.
async fn fill(end: &End) {
    end.migrate().await;
    end.run(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7000)
         INSERT INTO rollup_hour (link, hour, clicks) SELECT zeroblob(16), i, i FROM n;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8)
         INSERT INTO quarantine (consumer, producer, sequence, payload, reason, at)
         SELECT 1 + i % 2, zeroblob(16), i, randomblob(1000000), 'x', i FROM n;
         INSERT INTO audit (id, at, account, action, object, certain)
         VALUES (zeroblob(16), 0, zeroblob(16), 'link.created', 'x', TRUE);
         INSERT INTO meta (key, value) VALUES ('server_secret', 'x')",
    )
    .await;
}

#[tokio::test]
async fn an_interrupted_copy_goes_on_where_it_was() {
    for end in [End::sqlite(), End::postgres().await] {
        let first = End::sqlite();
        fill(&first).await;
        let (mut tries, mut steps) = (0, 1);
        let copied = loop {
            // Killed after one page, then after two, …
            match first.copy_some(&end, steps).await {
                Some(done) => break done.unwrap(),
                None => (tries, steps) = (tries + 1, steps + 3),
            }
            assert!(tries < 50, "gets nowhere");
        };
        assert!(tries > 3 && copied.resumed, "{tries}");
        let hours = copied.tables.iter().find(|table| table.name == "rollup_hour").unwrap();
        assert_eq!((hours.rows, hours.clicks), (7_000, Some(7_000 * 7_001 / 2)));
        let sums = "SELECT CAST(count(*) AS TEXT) || ' ' || CAST(sum(length(payload)) AS TEXT) FROM quarantine";
        assert_eq!(end.texts(sums).await, ["8 8000000"]);
    }
}

#[tokio::test]
async fn what_changed_between_the_tries_is_copied_anew() {
    let (first, second) = (End::sqlite(), End::postgres().await);
    fill(&first).await;
    let mut before = None;
    let among_the_hours = |step: &Step| step.table == "rollup_hour" && step.rows > *before.get_or_insert(step.rows);
    assert!(first.copy_until(&second, among_the_hours).await.is_none());
    first
        .run(
            "UPDATE rollup_hour SET clicks = 0 WHERE hour = 1; DELETE FROM quarantine WHERE sequence = 1;
             INSERT INTO audit (id, at, account, action, object, certain)
             VALUES (randomblob(16), 0, zeroblob(16), 'link.deleted', 'x', TRUE)",
        )
        .await;
    let error = first.copy_to(&second).await.unwrap_err();
    assert!(matches!(&error, CopyError::Differs { tables } if tables.contains(&"rollup_hour")), "{error}");
    let copied = first.copy_to(&second).await.unwrap();
    let rows: Vec<_> = copied.tables.iter().map(|table| table.rows).filter(|rows| *rows > 0).collect();
    assert_eq!((copied.resumed, rows), (true, vec![2, 7, 7_000, 1]));
    assert_eq!(second.texts("SELECT clicks::text FROM rollup_hour WHERE hour = 1").await, ["0"]);
}

#[tokio::test]
async fn nothing_is_copied_on_top_of_something() {
    let (first, other) = (End::sqlite(), End::sqlite());
    fill(&first).await;
    fill(&other).await;
    for target in [End::sqlite(), End::postgres().await] {
        assert!(first.copy_some(&target, 1).await.is_none());
        let error = other.copy_to(&target).await.unwrap_err();
        assert!(matches!(error, CopyError::OtherSource), "{error}");
        first.copy_to(&target).await.unwrap();
        let error = first.copy_to(&target).await.unwrap_err();
        assert!(matches!(error, CopyError::NotEmpty { .. }), "{error}");
    }
}

/// A cursor into the log of the copy leads to what is changed there, and to nothing of before.
#[tokio::test]
async fn the_copy_has_a_log_of_changes_of_its_own() {
    let (first, second, third) = (End::sqlite(), End::postgres().await, End::sqlite());
    fill(&first).await;
    first.run("INSERT INTO change_log (kind, subject, at) VALUES (1, '/old', 0), (1, '/older', 0)").await;
    first.copy_to(&second).await.unwrap();
    second.copy_to(&third).await.unwrap();
    let clock = Arc::new(FakeClock::default());
    let log = Arc::new(MemoryLog::new(clock.clone(), 1_000));
    let End::Postgres(place) = &second else { unreachable!() };
    let postgres = PostgresStore::open(&place.config(), clock.clone()).await.unwrap().stores(log.clone());
    let sqlite = SqliteStore::open(&SqliteConfig::new(third.path()), clock.clone()).await.unwrap().stores(log);
    for stores in [postgres, sqlite] {
        let start = stores.changes.head().await.unwrap();
        let link = link_at("new", boltlink_core::Clock::now(&*clock));
        stores.links.insert(&link, None).await.unwrap();
        let expected = boltlink_core::store::Change::Link(link.domain, link.slug);
        let log: &dyn ChangeLog = &*stores.changes;
        let boltlink_core::store::Changes::Some { changes, .. } = log.since(start, 10).await.unwrap() else { panic!() };
        assert_eq!(changes, [expected]);
    }
}
