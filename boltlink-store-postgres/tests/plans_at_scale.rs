//! Every statement that the store runs, on tables of a hundred thousand rows: none walks one of them.
//!
//! The server tells how it goes about each statement, those of triggers too, as it really runs it: by its module
//! auto_explain, in notices to the connection, which the driver passes on as events.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use boltlink_core::{
    Clock,
    testing::{Fixture, everything},
};
use boltlink_store_postgres::PostgresStore;
use common::Place;
use serde_json::Value;
use tracing::{
    Event,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
};

const ROWS: &str = "100000";

/// After five times Postgres may plan a statement once and for all, whatever is asked for.
const ROUNDS: u32 = 6;

/// Of how many rows at most something may be sorted, by the planner's estimate.
const FEW: f64 = 10_000.0;

/// The tables that stay small, however long a service runs.
const SMALL: [&str; 3] = ["change_trim", "meta", "seaql_migrations"];

/// What walks on purpose, and why that is as it should be.
const WALKS: &[(&str, &str)] = &[
    ("SELECT COUNT(*) FROM quarantine", "counts what waits for an operator, all of which there is"),
    ("SELECT 1 FROM api_key LIMIT 1", "looks whether there is a row"),
];

#[tokio::test]
async fn nothing_walks_a_table_that_grows() {
    let place = Place::new().await;
    // Of the database, so that each connection to it has them from its start.
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
        "auto_explain.log_format = json",
        "auto_explain.log_level = notice",
        // Statements that are as cheap as can be are not to be compiled first.
        "jit = off",
    ] {
        let alter = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ', current_database()) || $s${setting}$s$; END $$"
        );
        place.database.execute(alter).await.unwrap();
    }
    place.open().await.0.close().await.unwrap();
    let now = place.clock.now();
    let fill = include_str!("sql/fill.sql")
        .replace("{now}", &now.as_micros().to_string())
        .replace("{day}", &now.day().to_string())
        .replace("{rows}", ROWS);
    place.database.execute(fill).await.unwrap();
    place.database.execute("VACUUM ANALYZE").await.unwrap();

    let heard = Heard::default();
    let notices = Targets::new().with_target("sqlx::postgres::notice", tracing::Level::INFO);
    // For this thread, on which all of the test runs.
    let _seen =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(heard.clone().with_filter(notices)));
    let (store, stores) = place.open().await;
    let fixture = Fixture::new(stores, place.clock.clone());
    for round in 0..ROUNDS {
        everything(&fixture, round).await;
        balances(&store).await;
    }
    store.close().await.unwrap();
    let plans = heard.0.lock().unwrap().clone();
    assert!(plans.len() > 100, "only {} statements were heard of: is auto_explain installed?", plans.len());
    let bad: Vec<_> = plans.values().filter_map(complaint).collect();
    assert!(bad.is_empty(), "{} of {} plans:\n\n{}", bad.len(), plans.len(), bad.join("\n\n"));
}

async fn balances(store: &PostgresStore) {
    let page = store.balances(None, 10).await.unwrap();
    store.balances(Some(page[0].link), 10).await.unwrap();
    store.balance(page[0].link).await.unwrap();
}

/// What is wrong with a plan, if something is.
fn complaint(plan: &Value) -> Option<String> {
    let sql = plan["Query Text"].as_str().unwrap();
    let walks_on_purpose = WALKS.iter().any(|(part, _)| sql.contains(part));
    let wrong = wrong(&plan["Plan"], false)?;
    let ours = !sql.contains("pg_catalog") && !walks_on_purpose;
    ours.then(|| format!("{wrong}:\n{sql}\n{}", shown(&plan["Plan"], 1)))
}

/// What is wrong with a node or one below it. `limited`: what it finds is asked for row by row, up to a limit.
fn wrong(node: &Value, limited: bool) -> Option<String> {
    let (kind, table) = (text(node, "Node Type"), text(node, "Relation Name"));
    let grows = !table.is_empty() && !table.starts_with("pg_") && !SMALL.contains(&table);
    let children = node["Plans"].as_array().map_or(&[][..], Vec::as_slice);
    let rows = |node: &Value| node["Plan Rows"].as_f64().unwrap_or_default();
    match kind {
        "Seq Scan" if grows => return Some(format!("walks {table}")),
        // An index from end to end.
        "Index Scan" | "Index Only Scan" if grows && node["Index Cond"].is_null() && !limited => {
            return Some(format!("walks all of {}", text(node, "Index Name")));
        }
        "Sort" | "Incremental Sort" if children.iter().any(|child| rows(child) > FEW) => {
            return Some(format!("sorts {} rows", children.iter().map(rows).fold(0.0, f64::max)));
        }
        _ => {}
    }
    let limited = match kind {
        "Limit" => true,
        // These pass on what they get as they get it.
        "Nested Loop" | "Merge Join" | "Append" | "Merge Append" | "Subquery Scan" | "Memoize" | "LockRows" => limited,
        _ => false,
    };
    children.iter().find_map(|child| wrong(child, limited))
}

fn text<'a>(node: &'a Value, name: &str) -> &'a str {
    node[name].as_str().unwrap_or_default()
}

/// A plan as one reads it.
fn shown(node: &Value, depth: usize) -> String {
    let details = ["Relation Name", "Index Name", "Index Cond", "Filter", "Sort Key", "Plan Rows", "Total Cost"];
    let details: Vec<_> =
        details.iter().filter(|name| !node[**name].is_null()).map(|name| node[*name].to_string()).collect();
    let mut lines = format!("{}{} {}\n", "  ".repeat(depth), text(node, "Node Type"), details.join(" "));
    for child in node["Plans"].as_array().into_iter().flatten() {
        lines += &shown(child, depth + 1);
    }
    lines
}

/// The plans of the statements that were run: of each text those that differ in more than numbers.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeMap<String, Value>>>);

impl<S: tracing::Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let Some((_, plan)) = said.0.split_once("plan:\n") else { return };
        let plan: Value = serde_json::from_str(plan).unwrap();
        let key = format!("{}\n{}", text(&plan, "Query Text"), outline(&plan["Plan"]));
        self.0.lock().unwrap().insert(key, plan);
    }
}

/// The nodes of a plan.
fn outline(node: &Value) -> String {
    let children: Vec<_> = node["Plans"].as_array().into_iter().flatten().map(outline).collect();
    format!("{} {} ({})", text(node, "Node Type"), text(node, "Relation Name"), children.join(", "))
}

#[derive(Default)]
struct Said(String);

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
