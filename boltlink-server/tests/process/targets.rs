//! The file of hosts to which no link may lead.

use std::{fs, time::Duration};

use serde_json::json;

use crate::{nodes, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_blocklist_is_followed_while_the_server_runs() {
    let place = tempfile::tempdir().unwrap();
    let list = place.path().join("blocklist.txt");
    let missing = server().env("BOLTLINK_TARGET_BLOCKLIST", &list).start().await.err().unwrap().to_string();
    assert!(missing.contains("blocklist.txt cannot be used") && missing.contains("fix:"), "{missing}");
    fs::write(&list, "evil.example\nhttps://evil.example/\n").unwrap();
    let wrong = server().env("BOLTLINK_TARGET_BLOCKLIST", &list).start().await.err().unwrap().to_string();
    assert!(wrong.contains("line 2"), "{wrong}");

    fs::write(&list, "evil.example\n").unwrap();
    let server = server().env("BOLTLINK_TARGET_BLOCKLIST", &list).start().await.unwrap();
    let client = server.client();
    let status = async |target: &str| client.create(&json!({ "target": target })).await.unwrap().status;
    assert_eq!((status("https://a.evil.example/").await, status("https://worse.example/").await), (422, 201));
    let doctor = server.command().arg("doctor").output().unwrap();
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("has 1 entries"), "{doctor:?}");

    fs::write(&list, "evil.example\nworse.example\n").unwrap();
    let follows = async |target: &str, wanted| {
        let what = format!("{target} is answered {wanted}");
        nodes::until(Duration::from_secs(60), &what, async || status(target).await == wanted).await;
    };
    follows("https://worse.example/", 422).await;
    // What cannot be read changes nothing.
    fs::write(&list, "what is this?\n").unwrap();
    nodes::until(Duration::from_secs(60), "it is told", async || server.output().contains("stays so")).await;
    assert_eq!(status("https://worse.example/").await, 422);
    fs::write(&list, "").unwrap();
    follows("https://worse.example/", 201).await;
    follows("https://evil.example/", 201).await;
}
