//! Several processes on one SQLite file.

use std::time::Duration;

use boltlink_testkit::{Load, Server};
use serde_json::json;

use crate::{create, example, server};

/// A second server on the data of the first.
async fn beside(first: &Server) -> Server {
    server().data_dir(first.data_dir()).env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_exact_over_two_processes() {
    let first = server().start().await.unwrap();
    let second = beside(&first).await;
    let mut link = example("capped");
    link["max_visits"] = json!(100);
    let id = create(&first.client(), &link).await;
    let load = |server: &Server| Load::new(server.address(), ["/capped"]).connections(25).requests(500).start();
    let (here, there) = (load(&first), load(&second));
    let (here, there) = (here.finish().await, there.finish().await);
    assert_eq!(here.answered() + there.answered(), 1_000);
    assert_eq!(here.answered_with(302) + there.answered_with(302), 100, "{here:?} {there:?}");
    assert_eq!(here.answered_with(410) + there.answered_with(410), 900, "{here:?} {there:?}");

    // Both count, each out of its own journal; what the other has not stored yet, neither sees.
    tokio::time::timeout(Duration::from_secs(20), async {
        for server in [&first, &second] {
            while server.client().clicks(&id).await.unwrap() < 100 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    })
    .await
    .unwrap();
    for server in [&first, &second] {
        assert_eq!(server.client().clicks(&id).await.unwrap(), 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_one_shows_on_the_other_within_a_second() {
    let first = server().start().await.unwrap();
    let second = beside(&first).await;
    let (here, there) = (first.client(), second.client());
    assert_eq!(there.get("/shared").await.unwrap().status, 404);

    let id = create(&here, &example("shared")).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_works_beside_a_running_server() {
    let server = server().start().await.unwrap();
    assert_eq!(server.client().get("/by-hand").await.unwrap().status, 404);
    let made = server.command().args(["shorten", "https://example.com/x", "--slug", "by-hand"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert!(String::from_utf8_lossy(&made.stdout).contains("/by-hand"), "{made:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let found = server.client().get("/by-hand").await.unwrap();
    assert_eq!((found.status, found.header("location")), (302, Some("https://example.com/x")));
}
