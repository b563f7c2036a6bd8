//! What servers on one database owe each other, whichever database it is.

#![allow(dead_code)] // Each test binary uses its part.

use std::time::Duration;

use boltlink_testkit::{Client, Load, Server};
use serde_json::{Value, json};

/// 1,000 visitors of both servers at once for 100 visits. Returns the link's id.
pub(crate) async fn a_cap_is_exact(first: &Server, second: &Server) -> String {
    let link = json!({ "target": "https://example.com/", "slug": "capped", "max_visits": 100 });
    let id = first.client().make(&link).await.unwrap();
    let load = |server: &Server| Load::new(server.address(), ["/capped"]).connections(25).requests(500).start();
    let (here, there) = (load(first), load(second));
    let (here, there) = (here.finish().await, there.finish().await);
    assert_eq!(here.answered() + there.answered(), 1_000);
    assert_eq!(here.answered_with(302) + there.answered_with(302), 100, "{here:?} {there:?}");
    assert_eq!(here.answered_with(410) + there.answered_with(410), 900, "{here:?} {there:?}");

    // Both count, each out of its own journal; what the other has not stored yet, neither sees.
    tokio::time::timeout(Duration::from_secs(20), async {
        for server in [first, second] {
            loop {
                let clicks = server.client().clicks(&id).await.unwrap();
                assert!(clicks <= 100, "{clicks}");
                if clicks == 100 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    })
    .await
    .unwrap();
    id
}

/// A creation, an edit and a deletion.
pub(crate) async fn a_change_shows_within_a_second(first: &Server, second: &Server) {
    let (here, there) = (first.client(), second.client());
    assert_eq!(there.get("/shared").await.unwrap().status, 404);

    let id = here.make(&json!({ "target": "https://example.com/", "slug": "shared" })).await.unwrap();
    let second_later = || tokio::time::sleep(Duration::from_secs(1));
    second_later().await;
    assert_eq!(there.get("/shared").await.unwrap().status, 302, "a creation");

    let edit = here.request("PATCH".parse().unwrap(), &format!("/api/v1/links/{id}"));
    let edit = edit.json(&json!({ "target": "https://example.com/new" }));
    here.send(edit).await.unwrap().expect(200).unwrap();
    second_later().await;
    assert_eq!(there.get("/shared").await.unwrap().header("location"), Some("https://example.com/new"), "an edit");

    let deletion = here.request("DELETE".parse().unwrap(), &format!("/api/v1/links/{id}"));
    assert_eq!(here.send(deletion).await.unwrap().status, 204);
    second_later().await;
    assert_eq!(there.get("/shared").await.unwrap().status, 404, "a deletion");
}

/// Kills both servers under the load of `path`, six times, and starts them again. Returns how many visits were redirected,
/// and how many were sent.
pub(crate) async fn are_killed_under_load(first: &mut Server, second: &mut Server, path: &str) -> (u64, u64) {
    let (mut answered, mut sent) = (0, 0);
    for round in 0..6 {
        let load = |server: &Server| Load::new(server.address(), [path]).connections(8).start();
        let (here, there) = (load(first), load(second));
        // Another moment of the nodes' lives in every round, and another node goes first.
        here.answers(20 + round * 137).await.unwrap();
        let killed = if round % 2 == 0 { [&mut *first, &mut *second] } else { [&mut *second, &mut *first] };
        for node in killed {
            node.kill().unwrap();
        }
        for tally in [here.stop().await, there.stop().await] {
            answered += tally.answered_with(302);
            sent += tally.sent();
        }
        first.restart().await.unwrap();
        second.restart().await.unwrap();
    }
    (answered, sent)
}

/// Visits a link once, so that it is cached: not before the node has read of its creation in the change log, which evicts
/// it.
pub(crate) async fn cache(client: &Client, path: &str) {
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(client.get(path).await.unwrap().status, 302);
}

pub(crate) fn example(slug: &str) -> Value {
    json!({ "target": "https://example.com/", "slug": slug })
}

/// Waits until `condition` holds, and gives up after `patience`, as a test would hang otherwise.
pub(crate) async fn until(patience: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(patience, wait).await.is_ok(), "{what}");
}
