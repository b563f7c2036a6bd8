//! The real binary on a real Postgres: several nodes, killed nodes, and a database that goes away.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod copy;
mod failover;
#[path = "../common/nodes.rs"]
mod nodes;
mod outage;
mod poison;
mod sharing;

use std::time::Duration;

use boltlink_testkit::{Builder, Server};
use serde_json::{Value, json};

/// A server of this build on the database at `url`, with a journal of its own.
fn server(url: &str) -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_boltlink")).env("DATABASE_URL", url)
}

fn example(slug: &str) -> Value {
    json!({ "target": "https://example.com/", "slug": slug })
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
