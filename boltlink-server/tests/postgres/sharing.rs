//! Nodes on one database.

use boltlink_testkit::{Database, Server};

use crate::{
    nodes::{self, example},
    server, until,
};

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
    nodes::a_cap_is_exact(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_one_node_shows_on_the_other_within_a_second() {
    let (first, second, _database) = two_nodes().await;
    nodes::a_change_shows_within_a_second(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_lose_no_acknowledged_click() {
    let database = Database::new().await.unwrap();
    let node = || server(database.url()).env("BOLTLINK_DURABILITY", "acknowledged");
    let mut first = node().start().await.unwrap();
    let mut second = node().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    let id = first.client().make(&example("one")).await.unwrap();
    let (answered, sent) = nodes::are_killed_under_load(&mut first, &mut second, "/one").await;
    // A clean stop stores everything that was recovered.
    for node in [&mut first, &mut second] {
        node.stop().await.unwrap();
    }
    first.restart().await.unwrap();
    let counted = first.client().clicks(&id).await.unwrap();
    assert!(answered <= counted && counted <= sent, "{answered} answered, {counted} counted, {sent} sent");
    assert_eq!(counted, first.client().rolled_up().await.unwrap());
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
