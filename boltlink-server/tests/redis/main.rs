//! The real binary on a real Postgres and a real Redis: nodes, workers, and all that can be killed or taken away.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

#[path = "../common/nodes.rs"]
mod nodes;
mod outage;
mod place;
mod sharing;
mod workers;

use std::time::Duration;

use boltlink_testkit::Client;
use serde_json::{Value, json};

fn example(slug: &str) -> Value {
    json!({ "target": "https://example.com/", "slug": slug })
}

/// Waits until `condition` holds; gives up after two minutes, as a test would hang otherwise.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(120), wait).await.is_ok(), "{what}");
}

/// Visits a link until it is cached: not before the node has read of its creation in the change log, which evicts it.
/// Returns how many visits that took.
async fn cache(client: &Client, path: &str) -> u64 {
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(client.get(path).await.unwrap().status, 302);
    1
}

/// Waits until `clicks` of the link `id`, the only one, are in its total and in the rollups, and sees that it stays so.
async fn settles_at(client: &Client, id: &str, clicks: u64) {
    let counts = async || (client.clicks(id).await.unwrap_or(0), client.rolled_up().await.unwrap_or(0));
    until("every click is stored", async || {
        let (total, rolled_up) = counts().await;
        total >= clicks && rolled_up >= clicks
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(counts().await, (clicks, clicks));
}
