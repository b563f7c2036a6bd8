//! Queries that must stay quick on a table of any size enter it by an index.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::{
    Clock, Tag, Tags,
    store::{LinkCursor, LinkFilter, LinkOrder},
};
use boltlink_store_sql::{
    analytics, change, link,
    list::{self, Source},
};
use common::{Place, is_scan, plan};
use sea_orm::{Database, DatabaseConnection};

/// Every table is searched, but for what may be walked in the order of an index up to a limit, and
/// nothing is sorted that should come in order.
async fn assert_indexed(db: &DatabaseConnection, sql: &str, index: &str, ordered: bool) {
    let plan = plan(db, sql).await;
    let text = plan.join("\n");
    assert!(text.contains(index), "{sql}\n{text}");
    for step in &plan {
        let ways = ["link_by_time", "link_by_change", "link_off", "link_crawlable"];
        let walk = step.starts_with("SCAN l USING") && ways.iter().any(|way| step.contains(way));
        // Rows that the statement brings along, or has just found by an index; or what is within one (JSON).
        let given = step.ends_with("CONSTANT ROWS")
            || ["SCAN v", "SCAN page", "SCAN (subquery", "SCAN c", "SCAN found", "SCAN j VIRTUAL TABLE"]
                .iter()
                .any(|scan| is_scan(step, scan));
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
    for index in ["link_lasting_by_target", "link_ending_by_target", "link_off_by_target"] {
        let index = format!("{index} (target_hash=? AND owner=? AND domain=?");
        assert_indexed(&db, link::BY_TARGET, &index, false).await;
    }
    assert_indexed(&db, change::SINCE, "INTEGER PRIMARY KEY (rowid>?)", true).await;
    assert_indexed(&db, change::TRIMMED, "change_log_by_time (at<?)", true).await;
}

#[tokio::test]
async fn every_list_comes_in_the_order_of_an_index() {
    let (place, db) = database().await;
    let link = place.link("any");
    let cursor = LinkCursor { at: place.clock.now(), id: link.id };
    let (owner, domain) = (Some(link.owner), Some(link.domain.clone()));
    let (newest, changed) = (LinkOrder::Newest, LinkOrder::LatestChange);
    let none = LinkFilter::default;
    for (filter, order, index) in [
        (none(), newest, "link_by_time"),
        (LinkFilter { owner, ..none() }, newest, "link_by_owner"),
        (LinkFilter { domain: domain.clone(), ..none() }, newest, "link_by_domain"),
        (LinkFilter { owner, domain: domain.clone(), ..none() }, newest, "link_by_owner_and_domain"),
        (LinkFilter { created_from: Some(cursor.at), ..none() }, LinkOrder::Oldest, "link_by_time"),
        (LinkFilter { enabled: Some(false), ..none() }, newest, "link_off"),
        (LinkFilter { owner, enabled: Some(false), ..none() }, newest, "link_off_by_owner"),
        (LinkFilter { domain, crawlable: Some(true), ..none() }, newest, "link_crawlable"),
        (none(), changed, "link_by_change"),
        (LinkFilter { owner, ..none() }, changed, "link_by_owner_and_change"),
    ] {
        assert_indexed(&db, &list::query(&filter, order, None, 50, &[]).0, index, true).await;
        let next = list::query(&filter, order, Some(cursor), 50, &[]).0;
        assert_indexed(&db, &next, index, true).await;
        let plan = plan(&db, &next).await;
        assert!(plan[0].starts_with("SEARCH l"), "{next}\n{plan:?}");
        let sign = if order.is_descending() { "<" } else { ">" };
        assert!(plan[0].contains(&format!("_at,id){sign}(?,?)")), "{next}\n{plan:?}");
    }
}

/// A page of each tag comes in the order of the tag's index; only these few rows are sorted together.
#[tokio::test]
async fn tags_are_read_by_their_own_index() {
    let (place, db) = database().await;
    let link = place.link("any");
    let cursor = LinkCursor { at: place.clock.now(), id: link.id };
    let tags = ["a", "b"].map(|tag| tag.parse::<Tag>().unwrap());
    let sources: Vec<_> = tags.iter().map(Source::tag).collect();
    for (owner, index) in [
        (None, "SEARCH g USING PRIMARY KEY (tag=?"),
        (Some(link.owner), "SEARCH g USING COVERING INDEX link_tag_by_owner (tag=? AND owner=?"),
    ] {
        let filter = LinkFilter { owner, tags: Tags::new(tags.to_vec()).unwrap(), ..LinkFilter::default() };
        for after in [None, Some(cursor)] {
            for sources in [&sources[..1], &sources] {
                let sql = list::query(&filter, LinkOrder::Newest, after, 50, sources).0;
                assert_indexed(&db, &sql, index, false).await;
                let plan = plan(&db, &sql).await;
                let sorted = plan.iter().filter(|step| step.contains("TEMP B-TREE FOR ORDER BY")).count();
                assert!(sorted <= 1, "{sql}\n{plan:?}");
            }
        }
    }
}

#[tokio::test]
async fn usable_links_are_found_among_any_number_of_others() {
    let (_place, db) = database().await;
    for index in [
        "link_lasting_by_target (target_hash=? AND owner=? AND domain=?)",
        "link_ending_by_target (target_hash=? AND owner=? AND domain=? AND expires_at>?)",
    ] {
        assert_indexed(&db, link::USABLE_BY_TARGET, index, false).await;
    }
}

#[tokio::test]
async fn texts_are_found_by_the_text_index() {
    let (_place, db) = database().await;
    let plan = plan(&db, include_str!("../src/sql/text_search.sql")).await.join("\n");
    // What it says of a virtual table that an index was found for.
    assert!(plan.contains("SCAN link_text VIRTUAL TABLE INDEX"), "{plan}");
}

#[tokio::test]
async fn rollups_are_read_by_ranges_of_their_keys() {
    let (_place, db) = database().await;
    assert_indexed(&db, analytics::TOTAL, "PRIMARY KEY (link=?)", true).await;
    assert_indexed(&db, analytics::SERIES_HOURS, "PRIMARY KEY (link=? AND hour>? AND hour<?)", true).await;
    // These group and sort what the range gave them.
    assert_indexed(&db, analytics::SERIES_DAYS, "PRIMARY KEY (link=? AND hour>? AND hour<?)", false).await;
    assert_indexed(&db, analytics::BREAKDOWN_SQLITE, "PRIMARY KEY (link=? AND day>? AND day<?)", false).await;
    assert_indexed(&db, analytics::CLICKS, "click_by_link (link=? AND at>? AND (at,id)<(?,?))", true).await;
    assert_indexed(&db, analytics::CLICKS_NEWER, "click_by_link (link=? AND at>? AND at<?)", true).await;
    let top = analytics::top_query(20_000..20_003);
    let plan = plan(&db, &top).await.join("\n");
    assert_eq!(plan.matches("COVERING INDEX rollup_link_day_top (day=?)").count(), 3, "{plan}");
    assert!(plan.contains("SEARCH r USING PRIMARY KEY (link=? AND day>? AND day<?)"), "{plan}");
    let prune = include_str!("../src/sql/clicks_prune.sql");
    assert_indexed(&db, prune, "click_by_time (at<?)", true).await;
}

#[tokio::test]
async fn clicks_find_their_rows_by_key() {
    let (_place, db) = database().await;
    for (sql, index) in [
        (include_str!("../src/sql/totals_add.sql"), "SEARCH t USING PRIMARY KEY (link=?)"),
        (include_str!("../src/sql/totals_missing.sql"), "SEARCH t USING PRIMARY KEY (link=?)"),
        (include_str!("../src/sql/values_stored.sql"), "SEARCH r USING PRIMARY KEY (link=? AND day=?)"),
        (
            include_str!("../src/sql/ids_known.sql"),
            "SEARCH l EXISTS USING COVERING INDEX sqlite_autoindex_link_1 (id=?)",
        ),
    ] {
        // With as many rows as they are used with: of a few, SQLite rather looks each up than walks a whole table.
        let (head, tail) = sql.split_once("(?").unwrap();
        let (row, tail) = tail.split_once(')').unwrap();
        let row = format!("(?{row})");
        for rows in [3, 512] {
            assert_indexed(&db, &format!("{head}{}{tail}", vec![&*row; rows].join(", ")), index, false).await;
        }
    }
}
