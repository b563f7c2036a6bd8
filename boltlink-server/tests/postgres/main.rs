//! The real binary on a real Postgres: several nodes, killed nodes, and a database that goes away.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod nodes;
mod outage;

use std::time::Duration;

use boltlink_testkit::{Builder, Client, Server};
use serde_json::{Value, json};

/// A server of this build on the database at `url`, with a journal of its own.
fn server(url: &str) -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_boltlink")).env("DATABASE_URL", url)
}

/// Creates a link to a page and returns its id.
async fn create(client: &Client, slug: &str) -> String {
    create_as(client, &json!({ "target": "https://example.com/", "slug": slug })).await
}

async fn create_as(client: &Client, link: &Value) -> String {
    let made = client.create(link).await.unwrap().expect(201).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

/// All clicks by the rollups, today and yesterday (a test may run across midnight).
async fn rolled_up(client: &Client) -> u64 {
    let global = client.get("/api/v1/analytics/global").await.unwrap().expect(200).unwrap();
    global["clicks"].as_u64().unwrap()
}

/// Waits until `condition` holds; gives up after a minute, as a test would hang otherwise.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok(), "{what}");
}
