//! The real binary on a real Postgres and a real Redis: nodes, workers, and all that can be killed or taken away.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

#[path = "../common/collector.rs"]
#[allow(dead_code)] // Each test binary uses its part.
mod collector;
mod groups;
mod limits;
mod monitoring;
#[path = "../common/nodes.rs"]
mod nodes;
mod outage;
mod place;
mod sharing;
mod traces;
mod workers;

use std::time::Duration;

use boltlink_testkit::Client;

/// Waits until `condition` holds, for two minutes.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    nodes::until(Duration::from_secs(120), what, condition).await;
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
