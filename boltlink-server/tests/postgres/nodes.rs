//! Nodes on one database.

use boltlink_testkit::{Database, Load, Server};
use serde_json::json;

use crate::{create, create_as, rolled_up, server, until};

/// Two nodes on a database of their own, which is to live as long as they do.
async fn two_nodes() -> (Server, Server, Database) {
    let database = Database::new().await.unwrap();
    let first = server(database.url()).start().await.unwrap();
    let second = server(database.url()).env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    (first, second, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_exact_over_two_nodes() {
    let (first, second, _database) = two_nodes().await;
    let link = json!({ "target": "https://example.com/", "slug": "capped", "max_visits": 100 });
    let id = create_as(&first.client(), &link).await;
    let load = |server: &Server| Load::new(server.address(), ["/capped"]).connections(25).requests(500).start();
    let (here, there) = (load(&first), load(&second));
    let (here, there) = (here.finish().await, there.finish().await);
    assert_eq!(here.answered() + there.answered(), 1_000);
    assert_eq!(here.answered_with(302) + there.answered_with(302), 100, "{here:?} {there:?}");
    assert_eq!(here.answered_with(410) + there.answered_with(410), 900, "{here:?} {there:?}");
    for server in [&first, &second] {
        until("both nodes' clicks are stored", async || server.client().clicks(&id).await.unwrap() == 100).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_one_node_shows_on_the_other() {
    let (first, second, _database) = two_nodes().await;
    let (here, there) = (first.client(), second.client());
    // Asked for before, so that the answer is cached.
    assert_eq!(there.get("/shared").await.unwrap().status, 404);
    let id = create(&here, "shared").await;
    until("a creation", async || there.get("/shared").await.unwrap().status == 302).await;

    let edit = here.request("PATCH".parse().unwrap(), &format!("/api/v1/links/{id}"));
    let edit = edit.json(&json!({ "target": "https://example.com/new" }));
    here.send(edit).await.unwrap().expect(200).unwrap();
    let leads_to_new =
        async || there.get("/shared").await.unwrap().header("location") == Some("https://example.com/new");
    until("an edit", leads_to_new).await;

    let deletion = here.request("DELETE".parse().unwrap(), &format!("/api/v1/links/{id}"));
    assert_eq!(here.send(deletion).await.unwrap().status, 204);
    until("a deletion", async || there.get("/shared").await.unwrap().status == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_lose_no_acknowledged_click() {
    let database = Database::new().await.unwrap();
    let node = || server(database.url()).env("BOLTLINK_DURABILITY", "acknowledged");
    let mut first = node().start().await.unwrap();
    let mut second = node().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    let id = create(&first.client(), "one").await;
    let (mut answered, mut sent) = (0, 0);
    for round in 0..6 {
        let load = |server: &Server| Load::new(server.address(), ["/one"]).connections(8).start();
        let (here, there) = (load(&first), load(&second));
        // Another moment of the nodes' lives in every round, and another node goes first.
        here.answers(20 + round * 137).await.unwrap();
        let killed = if round % 2 == 0 { [&mut first, &mut second] } else { [&mut second, &mut first] };
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
    // A clean stop stores everything that was recovered.
    for node in [&mut first, &mut second] {
        node.stop().await.unwrap();
    }
    first.restart().await.unwrap();
    let counted = first.client().clicks(&id).await.unwrap();
    assert!(answered <= counted && counted <= sent, "{answered} answered, {counted} counted, {sent} sent");
    assert_eq!(counted, rolled_up(&first.client()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_works_beside_the_nodes_and_shows_no_password() {
    let (first, _second, database) = two_nodes().await;
    let made = first.command().args(["shorten", "https://example.com/x", "--slug", "by-hand"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    until("what was made by hand", async || first.client().get("/by-hand").await.unwrap().status == 302).await;

    let exported = first.command().arg("export").output().unwrap();
    assert!(exported.status.success() && String::from_utf8_lossy(&exported.stdout).contains("by-hand"), "{exported:?}");
    let migrated = first.command().arg("migrate").output().unwrap();
    assert!(String::from_utf8_lossy(&migrated.stdout).contains("was up to date"), "{migrated:?}");

    let url = database.url().replace("postgres@", "postgres:hunter2@");
    let doctor = first.command().arg("doctor").env("DATABASE_URL", url).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.success() && said.contains("answers, Postgres") && !said.contains("hunter2"), "{doctor:?}");
}
