//! Several processes on one SQLite file.

use std::time::Duration;

use boltlink_testkit::Server;

use crate::{nodes, server};

/// A second server on the data of the first.
async fn beside(first: &Server) -> Server {
    server().data_dir(first.data_dir()).env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_exact_over_two_processes() {
    let first = server().start().await.unwrap();
    let second = beside(&first).await;
    nodes::a_cap_is_exact(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_one_shows_on_the_other_within_a_second() {
    let first = server().start().await.unwrap();
    let second = beside(&first).await;
    nodes::a_change_shows_within_a_second(&first, &second).await;
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
