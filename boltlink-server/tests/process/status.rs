//! How a running server is, as the command line tells it.

use boltlink_testkit::Load;
use serde_json::Value;

use crate::{nodes::example, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_told_of() {
    let server = server().start().await.unwrap();
    server.client().make(&example("seen")).await.unwrap();
    let status = |args: &[&str]| {
        let mut command = server.command();
        // Where it really listens: the port was for the system to choose.
        command.env("BOLTLINK_LISTEN", server.address().to_string()).args(args).output().unwrap()
    };
    let load = Load::new(server.address(), ["/seen"]).connections(2).start();
    load.answers(50).await.unwrap();
    let told = tokio::task::block_in_place(|| status(&["status", "--json"]));
    load.stop().await;
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["ready"]["status"], "ready");
    assert!(told["visits_per_second"].as_f64().unwrap() > 0.0, "{told}");
    assert!(told["visits"]["redirect"].as_f64().unwrap() >= 50.0, "{told}");
    assert!(told["visits_within_ms"]["p99"].as_f64().is_some(), "{told}");
    assert_eq!(told["totals"]["dead_letters"], 0.0);

    let lines = tokio::task::block_in_place(|| status(&["status"]));
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert!(lines.contains("visits_per_second") && lines.contains("p99"), "{lines}");
    for args in [&["doctor", "--health"][..], &["status"]] {
        assert!(tokio::task::block_in_place(|| status(args)).status.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_not_well() {
    let place = tempfile::tempdir().unwrap();
    // A port that nobody has.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for args in [&["doctor", "--health"][..], &["status"], &["top"]] {
        let mut command = server().command_in(place.path());
        let told = command.env("BOLTLINK_LISTEN", free.to_string()).args(args).output().unwrap();
        assert_eq!(told.status.code(), Some(1), "{args:?}");
        assert!(String::from_utf8_lossy(&told.stderr).contains("answers on"), "{told:?}");
    }
}
