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

/// A server of this build on the database at `url`, with a journal of its own.
fn server(url: &str) -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_boltlink")).env("DATABASE_URL", url)
}

/// Waits until `condition` holds, for a minute.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    nodes::until(Duration::from_secs(60), what, condition).await;
}
