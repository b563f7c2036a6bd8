//! Queries that must stay quick on a table of any size enter it by an index.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::{
    Clock,
    store::{LinkCursor, LinkFilter},
};
use boltlink_store_sql::{analytics, change, link};
use common::Place;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

async fn plan(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    // Parameters stay unbound: the plan does not depend on them.
    let statement = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(3).unwrap()).collect()
}

/// Every table is searched, but for what may be walked in the order of an index up to a limit, and
/// nothing is sorted that should come in order.
async fn assert_indexed(db: &DatabaseConnection, sql: &str, index: &str, ordered: bool) {
    let plan = plan(db, sql).await;
    let text = plan.join("\n");
    assert!(text.contains(index), "{sql}\n{text}");
    for step in &plan {
        let walk = step.starts_with("SCAN l USING") && step.contains("link_by_time");
        let given = step == "SCAN v" || step.ends_with("CONSTANT ROWS");
        assert!(!step.starts_with("SCAN") || walk || given, "{sql}\n{text}");
        assert!(!ordered || !step.contains("TEMP B-TREE"), "{sql}\n{text}");
    }
}

async fn database() -> (Place, DatabaseConnection) {
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    (place, db)
}

#[tokio::test]
async fn look_ups_enter_by_an_index() {
    let (_place, db) = database().await;
    assert_indexed(&db, link::BY_ID, "sqlite_autoindex_link_1 (id=?)", true).await;
    assert_indexed(&db, link::BY_SLUG, "link_slug (domain=? AND slug=?)", true).await;
    assert_indexed(&db, link::BY_TARGET, "link_by_target (target_hash=? AND owner=? AND domain=?)", true).await;
    assert_indexed(&db, change::SINCE, "INTEGER PRIMARY KEY (rowid>?)", true).await;
    assert_indexed(&db, change::TRIMMED, "change_log_by_time (at<?)", true).await;
}

#[tokio::test]
async fn every_list_comes_in_the_order_of_an_index() {
    let (place, db) = database().await;
    let link = place.link("any");
    let cursor = LinkCursor { created_at: place.clock.now(), id: link.id };
    for (owner, domain, index) in [
        (None, None, "link_by_time"),
        (Some(link.owner), None, "link_by_owner"),
        (None, Some(link.domain.clone()), "link_by_domain"),
        (Some(link.owner), Some(link.domain.clone()), "link_by_owner_and_domain"),
    ] {
        let filter = LinkFilter { owner, domain };
        assert_indexed(&db, &link::list_query(&filter, None, 50).0, index, true).await;
        let next = link::list_query(&filter, Some(cursor), 50).0;
        assert_indexed(&db, &next, index, true).await;
        assert!(plan(&db, &next).await[0].starts_with("SEARCH l"), "{next}");
        assert!(plan(&db, &next).await[0].contains("(created_at,id)<(?,?)"), "{next}");
    }
}

#[tokio::test]
async fn rollups_are_read_by_ranges_of_their_keys() {
    let (_place, db) = database().await;
    assert_indexed(&db, analytics::TOTAL, "PRIMARY KEY (link=?)", true).await;
    assert_indexed(&db, analytics::SERIES_HOURS, "PRIMARY KEY (link=? AND hour>? AND hour<?)", true).await;
    // These group and sort what the range gave them.
    assert_indexed(&db, analytics::SERIES_DAYS, "PRIMARY KEY (link=? AND hour>? AND hour<?)", false).await;
    assert_indexed(&db, analytics::BREAKDOWN, "PRIMARY KEY (link=? AND day>? AND day<?)", false).await;
}

#[tokio::test]
async fn clicks_find_their_rows_by_key() {
    let (_place, db) = database().await;
    for (sql, index) in [
        (include_str!("../src/sql/totals_add.sql"), "SEARCH link_total USING PRIMARY KEY (link=?)"),
        (include_str!("../src/sql/totals_missing.sql"), "SEARCH t USING PRIMARY KEY (link=?)"),
        (include_str!("../src/sql/days_crowded.sql"), "SEARCH r USING PRIMARY KEY (link=? AND day=?)"),
    ] {
        // With several rows, as they are used.
        let (head, tail) = sql.split_once("(?").unwrap();
        let (row, tail) = tail.split_once(')').unwrap();
        let many = format!("{head}(?{row}), (?{row}), (?{row}){tail}");
        assert_indexed(&db, &many, index, false).await;
    }
}
