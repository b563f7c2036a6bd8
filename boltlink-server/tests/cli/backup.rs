//! A copy of the database, made beside a server.

use crate::Folder;

#[cfg(unix)] // A clean stop is a signal.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_whoever_writes_meanwhile() {
    use boltlink_testkit::{Load, Server};
    use serde_json::json;

    let mut server = Server::builder(env!("CARGO_BIN_EXE_boltlink")).start().await.unwrap();
    let client = server.client();
    let id =
        client.make(&json!({ "target": "https://example.com/", "slug": "kept", "title": "a title" })).await.unwrap();
    let first = Load::new(server.address(), ["/kept"]).requests(500).start().finish().await;
    assert_eq!(first.answered_with(302), 500);
    let folder = Folder::new();
    let data = server.data_dir().to_str().unwrap().to_owned();
    let backup = |file: &str| folder.run(&["backup", file, "--data-dir", &data]);
    // Whatever is stored by then, it is in it.
    while client.rolled_up().await.unwrap() < 500 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let load = Load::new(server.address(), ["/kept"]).connections(4).start();
    load.answers(100).await.unwrap();
    let ran = backup("backup.db");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("is in backup.db"), "{ran:?}");
    let later = load.stop().await;
    assert_eq!(later.answered_with(302), later.sent());
    let again = backup("backup.db");
    assert!(again.code == Some(1) && again.err.contains("backup.db exists"), "{again:?}");
    assert!(backup("nowhere/backup.db").err.contains("cannot write nowhere/backup.db"));
    assert_eq!(folder.files(), ["backup.db"], "nothing else is left");
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join("backup.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds the server's secret");
    }
    server.stop().await.unwrap();
    // At rest totals and rollups agree, and in a copy.
    assert_eq!(backup("rest.db").code, Some(0));

    // Restored elsewhere, it is what it was, with the keys that there were.
    let restored = folder.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    std::fs::rename(folder.path().join("backup.db"), restored.join("boltlink.db")).unwrap();
    let doctor = ["doctor", "--data-dir", "restored", "--listen", "127.0.0.1:0"];
    let found = folder.run(&doctor);
    assert!(found.code == Some(0), "{found:?}");
    let other = Server::builder(env!("CARGO_BIN_EXE_boltlink"))
        .env("BOLTLINK_INITIAL_API_KEY", server.key())
        .data_dir(&restored);
    let other = other.start().await.unwrap();
    let clicks = other.client().clicks(&id).await.unwrap();
    assert!((500..=500 + later.sent()).contains(&clicks), "{clicks}");
    let found = other.client().get("/api/v1/links?text=title").await.unwrap().expect(200).unwrap();
    assert_eq!(found["items"][0]["slug"], "kept", "the index of texts, too");
    drop(other);

    std::fs::remove_dir_all(&restored).unwrap();
    std::fs::create_dir(&restored).unwrap();
    std::fs::rename(folder.path().join("rest.db"), restored.join("boltlink.db")).unwrap();
    let found = folder.run(&[&doctor[..], &["--reconcile"]].concat());
    let told = format!("1 links, {} clicks: totals and rollups agree", 500 + later.sent());
    assert!(found.code == Some(0) && found.out.contains(&told), "{found:?}");
}

#[test]
fn what_is_no_database_is_not_backed_up() {
    let folder = Folder::new();
    folder.write("boltlink.db", "not a database at all");
    assert!(folder.fails(&["backup", "copy.db"]).contains("is not an SQLite database"));
    let postgres = [("DATABASE_URL", "postgres://u:secret@127.0.0.1:1/x")];
    let refused = folder.run_with(&["backup", "copy.db"], &postgres, "");
    assert!(refused.code == Some(1) && refused.err.contains("pg_dump"), "{refused:?}");
    assert_eq!(folder.files(), ["boltlink.db"]);
}
