//! Every statement that the store runs, on tables of a hundred thousand rows: none walks one of them.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use boltlink_core::{
    Clock,
    testing::{Fixture, everything},
};
use boltlink_store_sqlite::SqliteStore;
use common::{Place, is_scan, plan};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tracing::{Event, field::Field, field::Visit};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
};

const ROWS: &str = "100000";

/// What walks on purpose, and why that is as it should be.
const WALKS: &[(&str, &str)] = &[
    ("SELECT COUNT(*) FROM quarantine", "counts what waits for an operator, all of which there is"),
    ("SELECT 1 FROM api_key LIMIT 1", "looks whether there is a row"),
    ("SELECT 1 FROM meta LIMIT 1", "looks whether the file can be read"),
    ("SELECT seq FROM sqlite_sequence", "a row for each table that has a sequence"),
];

/// What sorts what it has found, and why that is little.
const SORTS: &[(&str, &str)] = &[
    (" LIMIT 2000", "links to one target that will end, 2,000 at most"),
    ("WHERE l.id IN (SELECT id FROM found)", "a page of links, of each state"),
    ("FROM link_tag g", "a page of each tag; in the order of changes, of tags that few links have"),
    ("link_text MATCH", "what the text index has found, if that is little"),
    ("FROM rollup_day", "the values of a link's days, of which so many are kept"),
    ("FROM contender c", "the most clicked links of each day"),
    ("DELETE FROM session", "the sessions of an account"),
    ("NOT l.enabled", "the links that are off, which are few, in the order of changes"),
    ("WHERE l.crawlable ", "the links for crawlers, likewise"),
    ("l.created_at >= $", "what was made since some day, in the order of changes: no index has both"),
    ("l.created_at < $", "what was made before some day, likewise"),
];

#[tokio::test]
async fn nothing_walks_a_table_that_grows() {
    let heard = Heard::default();
    let seen = tracing_subscriber::registry()
        .with(heard.clone().with_filter(Targets::new().with_target("sqlx::query", tracing::Level::TRACE)));
    // For all threads: statements run on one of their connection's.
    tracing::subscriber::set_global_default(seen).unwrap();
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    let now = place.clock.now();
    let fill = include_str!("sql/fill.sql")
        .replace("{now}", &now.as_micros().to_string())
        .replace("{day}", &now.day().to_string())
        .replace("{rows}", ROWS);
    let mut whole = db.get_sqlite_connection_pool().acquire().await.unwrap();
    sea_orm::sqlx::raw_sql(sea_orm::sqlx::AssertSqlSafe(fill)).execute(&mut *whole).await.unwrap();
    drop(whole);
    let (store, stores) = place.open().await;
    heard.0.lock().unwrap().clear();
    everything(&Fixture::new(stores, place.clock.clone()), 0).await;
    balances(&store).await;
    let statements = heard.0.lock().unwrap().clone();
    store.close().await.unwrap();
    assert!(statements.len() > 100, "only {} statements were heard of", statements.len());
    for walk in ["SELECT * FROM click WHERE link + 0 = 1", "SELECT * FROM change_log WHERE kind + 0 = 1"] {
        assert!(complaint(&db, walk).await.is_some(), "{walk}");
    }
    // Without statistics, which a file has none of by itself, and with those of whoever runs ANALYZE.
    for statistics in ["", "ANALYZE"] {
        db.execute_unprepared(statistics).await.unwrap();
        let mut bad = Vec::new();
        for sql in &statements {
            bad.extend(complaint(&db, sql).await);
        }
        let all = bad.join("\n\n");
        assert!(bad.is_empty(), "{statistics} {} of {} statements:\n\n{all}", bad.len(), statements.len());
    }
}

async fn balances(store: &SqliteStore) {
    let page = store.balances(None, 10).await.unwrap();
    store.balances(Some(page[0].link), 10).await.unwrap();
    store.balance(page[0].link).await.unwrap();
}

/// What is wrong with the plan of a statement, if something is.
async fn complaint(db: &DatabaseConnection, sql: &str) -> Option<String> {
    let verb = sql.split_whitespace().next()?;
    if !["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"].contains(&verb.to_uppercase().as_str())
        && !sql.starts_with("--")
    {
        return None;
    }
    let plan = plan(db, sql).await;
    let known = |all: &[(&str, &str)]| all.iter().any(|(part, _)| sql.contains(part));
    let walks = plan.iter().any(|step| step.starts_with("SCAN") && !is_bounded(step, sql)) && !known(WALKS);
    let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY")) && !known(SORTS);
    (walks || sorts).then(|| format!("{sql}\n    {}", plan.join("\n    ")))
}

/// Whether a scan is of rows that the statement brings along or has just found, or in an order, up to a limit.
fn is_bounded(step: &str, sql: &str) -> bool {
    let given = [
        "SCAN v",
        "SCAN page",
        "SCAN (subquery",
        "SCAN c",
        "SCAN found",
        "SCAN contender",
        "SCAN link_text VIRTUAL TABLE INDEX",
        // The values within a row (JSON).
        "SCAN j VIRTUAL TABLE INDEX",
    ];
    step.ends_with("CONSTANT ROWS")
        || step.ends_with("CONSTANT ROW")
        || step.ends_with("VALUES CLAUSE")
        || given.iter().any(|scan| is_scan(step, scan))
        // The table itself is an index by its key, which is the order of entries.
        || ((step.contains(" USING ") || step == "SCAN audit") && sql.contains(" LIMIT ") && !sql.contains("l.id IN ("))
}

/// The statements that were run.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeSet<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        // A short statement is its own summary.
        let text = if said.statement.is_empty() { said.summary } else { said.statement };
        self.0.lock().unwrap().insert(text.trim().to_owned());
    }
}

#[derive(Default)]
struct Said {
    summary: String,
    statement: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
