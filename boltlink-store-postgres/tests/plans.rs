//! Queries that must stay quick on a table of any size enter it by an index.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{
    BatchId, Click, ClickBatch, Clock, Link, Stores, Tag, Tags,
    store::{Insert, LinkCursor, LinkFilter, LinkOrder},
};
use boltlink_store_sql::{
    analytics, link,
    list::{self, Source},
};
use common::{Place, texts};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};

/// Tables that grow without bound. Of the partitions those of days have no rows here: all clicks are from before them.
const GROWING: [&str; 9] = [
    "link",
    "link_tag",
    "link_total",
    "rollup_hour",
    "rollup_link_day",
    "rollup_day",
    "rollup_values",
    "click",
    "change_log",
];

async fn plan(db: &DatabaseConnection, sql: &str, values: Vec<Value>) -> String {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, format!("EXPLAIN {sql}"), values);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap() + "\n").collect()
}

/// No growing table is walked but by an index, `index` among them.
async fn assert_indexed(db: &DatabaseConnection, sql: &str, values: Vec<Value>, index: &str) {
    let plan = plan(db, sql, values).await;
    assert!(plan.contains(index), "{sql}\n{plan}");
    for table in GROWING {
        let walks =
            |line: &str| line.contains(&format!("Seq Scan on {table} ")) || line.contains("Seq Scan on click_default ");
        assert!(!plan.lines().any(walks), "{sql}\n{plan}");
    }
}

/// Some thousand links with tags, a few of them off, and clicks of some days.
async fn filled() -> (Place, Stores, DatabaseConnection, Vec<Link>) {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let mut links = Vec::new();
    for number in 0..6_000 {
        place.clock.advance(Duration::from_secs(1));
        let tags = if number % 50 == 0 { vec![format!("t{}", number % 7).parse::<Tag>().unwrap()] } else { Vec::new() };
        links.push(Link {
            tags: Tags::new(tags).unwrap(),
            enabled: number % 5 != 0,
            crawlable: number % 5 == 1,
            domain: if number % 3 == 0 { "go.example".parse().unwrap() } else { place.link("x").domain },
            title: Some(format!("Number {number} of {}", number * 7919 % 6007).parse().unwrap()),
            ..place.link(&format!("slug-{number}"))
        });
    }
    let inserts: Vec<Insert> = links.iter().cloned().map(Insert::from).collect();
    stores.links.insert_many(&inserts).await.unwrap();
    let days: Vec<_> = (0..3).map(|day| place.clock.now().minus(Duration::from_secs(day * 86_400))).collect();
    let clicks = links.iter().flat_map(|link| days.iter().map(|at| Click::bare(link.id, *at)));
    let batch = ClickBatch::new(BatchId { producer: place.producer(), sequence: 1 }, clicks);
    stores.totals.apply(std::slice::from_ref(&batch)).await.unwrap();
    stores.analytics.apply(std::slice::from_ref(&batch)).await.unwrap();
    let db = place.connect().await;
    // And as many rows beside them as a service has after a while: of small tables all is read at once.
    for sql in [
        "INSERT INTO link_total SELECT gen_random_uuid(), 1, 0, 0 FROM generate_series(1, 150000)",
        "INSERT INTO rollup_hour SELECT gen_random_uuid(), n, 1 FROM generate_series(1, 150000) n",
        "INSERT INTO rollup_day SELECT gen_random_uuid(), n % 100, 1, 'x', 1 FROM generate_series(1, 150000) n",
        "INSERT INTO rollup_values SELECT gen_random_uuid(), n % 100, '{}' FROM generate_series(1, 150000) n",
        "INSERT INTO rollup_link_day SELECT link, day - 3 * n, 1 FROM rollup_link_day, generate_series(1, 8) n",
    ] {
        db.execute_unprepared(sql).await.unwrap();
    }
    db.execute_unprepared("VACUUM ANALYZE").await.unwrap();
    (place, stores, db, links)
}

fn id(link: &Link) -> Value {
    (*link.id.as_uuid()).into()
}

#[tokio::test]
async fn main_queries_enter_by_an_index() {
    let (place, _stores, db, links) = filled().await;
    let (link, now) = (&links[3_001], place.clock.now());
    assert_indexed(&db, link::BY_ID, vec![id(link)], "link_pkey").await;
    let slug = vec![link.domain.as_str().into(), link.slug.as_str().into()];
    assert_indexed(&db, link::BY_SLUG, slug, "link_slug").await;
    let mut target: Vec<Value> = vec![
        1_i64.into(),
        (*link.owner.as_uuid()).into(),
        link.domain.as_str().into(),
        link.target.as_str().into(),
        10_i64.into(),
    ];
    assert_indexed(&db, link::BY_TARGET, target.clone(), "link_lasting_by_target").await;
    target[4] = now.as_micros().into();
    target.push(10_i64.into());
    assert_indexed(&db, link::USABLE_BY_TARGET, target, "link_ending_by_target").await;
    let reserve = include_str!("../src/sql/reserve.sql");
    assert_indexed(&db, reserve, vec![id(link), 1_i64.into()], "link_total_pkey").await;

    let (day, hour) = (now.day(), now.hour());
    assert_indexed(&db, analytics::TOTAL, vec![id(link)], "rollup_hour_pkey").await;
    for series in [analytics::SERIES_HOURS, analytics::SERIES_DAYS] {
        let values = vec![id(link), (hour - 48).into(), hour.into()];
        assert_indexed(&db, series, values, "rollup_hour_pkey").await;
    }
    let values = vec![id(link), (day - 2).into(), day.into(), 1_i16.into(), 10_i64.into()];
    for index in ["rollup_day_pkey", "rollup_values_pkey"] {
        assert_indexed(&db, analytics::BREAKDOWN_POSTGRES, values.clone(), index).await;
    }
    let values = vec![(day - 1).into(), (day + 1).into(), 100_i64.into(), 10_i64.into()];
    assert_indexed(&db, &analytics::top_query(day - 1..day + 1), values, "rollup_link_day_top").await;
    let values = vec![id(link), now.as_micros().into(), id(link), (now.as_micros() + 60_000_000).into()];
    assert_indexed(&db, analytics::CLICKS_NEWER, values, "link_at_id_idx").await;
    let values = vec![id(link), 0_i64.into(), now.as_micros().into(), id(link), 10_i64.into()];
    assert_indexed(&db, analytics::CLICKS_PARTITIONED, values, "link_at_id_idx").await;
    let days = [now.day() * 86_400_000_000, now.as_micros()];
    let values = vec![id(link), days[0].into(), days[1].into(), id(link), 10_i64.into()];
    let plan = plan(&db, analytics::CLICKS_PARTITIONED, values).await;
    assert!(plan.contains(&format!("on click_{day}")) && !plan.contains("on click_default"), "{plan}");
    let values = vec![i64::MAX.into(), "1:1:".into(), 100_i64.into()];
    assert_indexed(&db, include_str!("../src/sql/changes_since.sql"), values, "change_log_pkey").await;
}

#[tokio::test]
async fn lists_come_in_the_order_of_an_index() {
    let (_place, _stores, db, links) = filled().await;
    let link = &links[3_000];
    let cursor = LinkCursor { at: link.created_at, id: link.id };
    let none = LinkFilter::default;
    let (newest, changed) = (LinkOrder::Newest, LinkOrder::LatestChange);
    for (filter, order, index) in [
        (none(), newest, "link_by_time"),
        (LinkFilter { enabled: Some(false), ..none() }, newest, "link_off"),
        (LinkFilter { crawlable: Some(true), ..none() }, newest, "link_crawlable"),
        (LinkFilter { domain: Some(link.domain.clone()), ..none() }, newest, "link_by"),
        (LinkFilter { owner: Some(link.owner), ..none() }, changed, "_change"),
    ] {
        for after in [None, Some(cursor)] {
            let (sql, values) = list::query(&filter, order, after, 50, &[]);
            assert_indexed(&db, &sql, values.clone(), index).await;
            let plan = plan(&db, &sql, values).await;
            assert!(!plan.lines().any(|line| line.trim_start().starts_with("->  Sort")), "{sql}\n{plan}");
        }
    }
    let tags = ["t1", "t2"].map(|tag| tag.parse::<Tag>().unwrap());
    let sources: Vec<_> = tags.iter().map(Source::tag).collect();
    let filter = LinkFilter { tags: Tags::new(tags.to_vec()).unwrap(), ..none() };
    let (sql, values) = list::query(&filter, newest, Some(cursor), 50, &sources);
    assert_indexed(&db, &sql, values, "link_tag_pkey").await;
}

#[tokio::test]
async fn texts_are_found_by_the_text_index() {
    let (place, stores, db, links) = filled().await;
    let filter = LinkFilter { text: Some("of 4321".parse().unwrap()), ..LinkFilter::default() };
    let found = stores.links.list(&filter, LinkOrder::Newest, None, 10).await.unwrap();
    assert!(!found.is_empty() && found.iter().all(|found| filter.passes(&found.link)));
    // Asked as the store asks, while the server says how it goes about it.
    let text = "lower(replace(replace(l.slug || E'\\n' || l.target || E'\\n' || coalesce(l.title, '') || E'\\n' || \
                coalesce(l.note, ''), U&'\\212A', 'k'), U&'\\0130', 'i')) LIKE '%4321%'";
    let sql = format!("SELECT l.id FROM link l WHERE {text} ORDER BY l.created_at DESC, l.id DESC LIMIT 50");
    assert_indexed(&db, &sql, Vec::new(), "link_text").await;

    // Without the index the same is found.
    db.execute_unprepared("DROP INDEX link_text").await.unwrap();
    let again = stores.links.list(&filter, LinkOrder::Newest, None, 10).await.unwrap();
    assert_eq!(again.len(), found.len());
    let health = boltlink_store_postgres::PostgresStore::check(&place.config()).await.unwrap();
    assert!(!health.text_index && links.len() == 6_000);
    assert_eq!(texts(&db, "SELECT extname::text FROM pg_extension WHERE extname = 'pg_trgm'").await, ["pg_trgm"]);
}

/// What a statement must cost at most, by the server's guess: by default it compiles those to machine code that cost more,
/// which takes a hundred times as long as what is asked here.
const COMPILED: f64 = 100_000.0;

#[tokio::test]
async fn what_is_asked_all_the_time_is_not_compiled_on_a_database_that_nobody_has_analyzed() {
    let place = Place::new().await;
    let (_store, _stores) = place.open().await;
    let db = place.connect().await;
    db.execute_unprepared(
        "INSERT INTO change_log (kind, subject, at) SELECT 1, gen_random_uuid()::text, n FROM generate_series(1, 100000) n",
    )
    .await
    .unwrap();
    let snapshot = "SELECT pg_current_snapshot()::text, pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, snapshot)).await.unwrap().unwrap();
    let (snapshot, oldest): (String, i64) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
    let values = vec![oldest.into(), snapshot.into(), 10_000_i64.into()];
    let plan = plan(&db, include_str!("../src/sql/changes_since.sql"), values).await;
    let cost: f64 = plan.split("..").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(cost < COMPILED, "{plan}");
}
