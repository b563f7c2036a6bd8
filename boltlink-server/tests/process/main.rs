//! The real binary as a stranger meets it: started, loaded, killed, started again.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod crash;
mod guide;
mod input;
mod restart;
mod sharing;

use boltlink_testkit::{Builder, Client, Server};
use serde_json::{Value, json};

/// A server of this build, with nothing said but where it is.
fn server() -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_boltlink"))
}

/// Creates a link and returns its id.
async fn create(client: &Client, link: &Value) -> String {
    let made = client.create(link).await.unwrap().expect(201).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

/// All clicks by the rollups, today and yesterday (a test may run across midnight).
async fn rolled_up(client: &Client) -> u64 {
    let global = client.get("/api/v1/analytics/global").await.unwrap().expect(200).unwrap();
    global["clicks"].as_u64().unwrap()
}

fn example(slug: &str) -> Value {
    json!({ "target": "https://example.com/", "slug": slug })
}
