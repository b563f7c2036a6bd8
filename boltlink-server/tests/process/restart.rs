//! Stopping and starting.

use boltlink_testkit::Load;
use serde_json::json;

use crate::{nodes::example, server};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_still_there_after_a_restart() {
    let mut server = server().start().await.unwrap();
    let client = server.client();
    let fields = json!({
        "target": "https://example.com/path?q=1#top", "slug": "keep", "title": "A title", "note": "A note\nof two lines",
        "tags": ["b", "a"], "redirect": 308, "max_visits": 1000, "expires_at": "2999-01-01T00:00:00Z",
    });
    let id = client.make(&fields).await.unwrap();
    for _ in 0..7 {
        assert_eq!(client.get("/keep").await.unwrap().status, 308);
    }
    server.stop().await.unwrap();
    let journal = server.data_dir().join("journal");
    let left = std::fs::read_dir(journal).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(left, 0, "a clean stop leaves no journal behind");

    server.restart().await.unwrap();
    let client = server.client();
    let link = client.link(&id).await.unwrap().expect(200).unwrap();
    assert_eq!(link["clicks"], 7);
    assert_eq!(link["tags"], json!(["a", "b"]));
    for field in ["target", "slug", "title", "note", "redirect", "max_visits", "expires_at"] {
        assert_eq!(link[field], fields[field], "{field}");
    }
    assert_eq!(client.rolled_up().await.unwrap(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_nothing() {
    let mut server = server().start().await.unwrap();
    let id = server.client().make(&example("busy")).await.unwrap();
    let load = Load::new(server.address(), ["/busy"]).connections(8).start();
    load.answers(500).await.unwrap();
    server.stop().await.unwrap();
    let tally = load.stop().await;
    server.restart().await.unwrap();
    let clicks = server.client().clicks(&id).await.unwrap();
    assert!(tally.answered_with(302) <= clicks && clicks <= tally.sent(), "{clicks} of {tally:?}");
    assert_eq!(server.client().rolled_up().await.unwrap(), clicks);
}
