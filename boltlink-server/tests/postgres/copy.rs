//! A service that moves to Postgres, and back.

use std::process::{Command, Stdio};

use boltlink_testkit::{Database, Load, Server};

use crate::{nodes::example, server, until};

/// Runs a command of this build in `server`'s folder, with `env`; what it printed, and whether it went well.
fn run(server: &Server, args: &[&str], env: &[(&str, &str)]) -> (bool, String) {
    let ran = server.command().env_remove("DATABASE_URL").envs(env.iter().copied()).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ran.status.success(), text(ran.stdout) + &text(ran.stderr))
}

#[track_caller]
fn export(server: &Server, url: &str) -> String {
    let (ok, text) = run(server, &["export"], &[("DATABASE_URL", url)]);
    assert!(ok, "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_moves_to_postgres_and_back() {
    let database = Database::new().await.unwrap();
    let mut old = Server::builder(env!("CARGO_BIN_EXE_boltlink")).start().await.unwrap();
    let file = format!("sqlite:{}/boltlink.db", old.data_dir().display());
    let id = old.client().make(&example("moves")).await.unwrap();
    old.client().make(&example("newer")).await.unwrap();
    let first_page = old.client().get("/api/v1/links?limit=1").await.unwrap().expect(200).unwrap();
    assert_eq!(Load::new(old.address(), ["/moves"]).requests(300).start().finish().await.answered_with(302), 300);

    let there = [("BOLTLINK_COPY_TO", database.url())];
    let (ok, refused) = run(&old, &["copy"], &there);
    assert!(!ok && refused.contains("is in use; stop the server"), "{refused}");
    old.stop().await.unwrap();
    let (ok, copied) = run(&old, &["copy"], &there);
    assert!(ok && copied.contains("300 clicks"), "{copied}");
    let before = export(&old, &file);
    assert!(before.contains("\"clicks\":300"), "{before}");
    assert_eq!(export(&old, database.url()), before);
    let keys = |url: &str| run(&old, &["keys", "list"], &[("DATABASE_URL", url)]);
    assert_eq!(keys(database.url()), keys(&file));

    // In the same folder, with the same keys.
    let mut new = server(database.url()).data_dir(old.data_dir()).env("BOLTLINK_INITIAL_API_KEY", old.key());
    new = new.env("BOLTLINK_DURABILITY", "acknowledged");
    let mut new = new.start().await.unwrap();
    let client = new.client();
    assert_eq!(client.clicks(&id).await.unwrap(), 300);
    let cursor = first_page["next_cursor"].as_str().unwrap();
    let second_page = client.get(&format!("/api/v1/links?limit=1&cursor={cursor}")).await.unwrap();
    // Signed with the secret.
    assert_eq!(second_page.expect(200).unwrap()["items"][0]["slug"], "moves");
    assert_eq!(client.get("/moves").await.unwrap().status, 302);
    until("counting goes on", async || client.clicks(&id).await.unwrap() == 301).await;
    until("in the statistics too", async || client.rolled_up().await.unwrap() == 301).await;

    let back = [("BOLTLINK_COPY_FROM", database.url()), ("BOLTLINK_COPY_TO", "sqlite:back.db")];
    let (ok, refused) = run(&old, &["copy"], &back);
    assert!(!ok && refused.contains("is in use; stop all servers"), "{refused}");
    assert_eq!(client.get("/moves").await.unwrap().status, 302, "a refusal is no harm");
    new.stop().await.unwrap();
    let (ok, copied) = run(&old, &["copy"], &back);
    assert!(ok && copied.contains("302 clicks"), "{copied}");
    assert_eq!(export(&old, "sqlite:back.db"), export(&old, database.url()));
    assert_eq!(keys("sqlite:back.db"), keys(database.url()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_goes_on_when_it_is_run_again() {
    let database = Database::new().await.unwrap();
    let mut old = Server::builder(env!("CARGO_BIN_EXE_boltlink")).start().await.unwrap();
    old.stop().await.unwrap();
    let urls: String = (0..30_000).map(|number| format!("https://example.com/{number}\n")).collect();
    std::fs::write(old.data_dir().join("urls.txt"), urls).unwrap();
    assert!(run(&old, &["import", "urls.txt"], &[]).0);

    let there = [("BOLTLINK_COPY_TO", database.url())];
    let copy = || -> Command {
        let mut command = old.command();
        command.env_remove("DATABASE_URL").envs(there).arg("copy").stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut running = copy().spawn().unwrap();
    let postgres = [("DATABASE_URL", database.url())];
    until("the copy has begun", async || run(&old, &["doctor"], &postgres).1.contains("run boltlink copy again")).await;
    running.kill().unwrap();
    running.wait().unwrap();

    let refused = server(database.url()).start().await.err().unwrap().to_string();
    assert!(refused.contains("holds a part of another database"), "{refused}");
    let (ok, copied) = run(&old, &["copy"], &there);
    assert!(ok && copied.contains("30,000"), "{copied}");
    let file = format!("sqlite:{}/boltlink.db", old.data_dir().display());
    assert_eq!(export(&old, database.url()), export(&old, &file));
    // The file is free again as well.
    old.restart().await.unwrap();
}
