//! A database that goes away and comes back.

use std::time::Duration;

use boltlink_testkit::{Database, Load, PostgresServer, Proxy};
use serde_json::json;

use crate::{
    nodes::{cache, example},
    server, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn cached_links_go_on_without_the_database_and_every_click_is_counted() {
    let mut postgres = PostgresServer::start().await.unwrap();
    let mut node = server(postgres.url()).start().await.unwrap();
    let client = node.client();
    let id = client.make(&example("cached")).await.unwrap();
    cache(&client, "/cached").await;

    postgres.kill();
    let load = |requests| Load::new(node.address(), ["/cached"]).connections(8).requests(requests).start();
    let away = load(2_000).finish().await;
    assert_eq!(away.answered_with(302), 2_000, "{away:?}");
    let refused = client.create(&json!({ "target": "https://example.com/" })).await.unwrap();
    assert_eq!((refused.status, refused.header("content-type")), (503, Some("application/problem+json")));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(client.get("/unknown").await.unwrap().status, 503, "an outage is not a link that does not exist");
    let ready = client.get("/ready").await.unwrap().expect(200).unwrap();
    assert_eq!(ready["status"], "degraded");

    // Away for some of the clicks, back for the others; the load goes on meanwhile.
    let running = load(3_000);
    postgres.start_again().await.unwrap();
    assert_eq!(running.finish().await.answered_with(302), 3_000);
    until("the database is back", async || client.get("/ready").await.unwrap().text.contains("\"ready\"")).await;
    until("every click is stored", async || client.clicks(&id).await.is_ok_and(|clicks| clicks == 5_001)).await;
    until("in the rollups too", async || client.rolled_up().await.unwrap() == 5_001).await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_during_an_outage_leaves_its_clicks_in_the_journal() {
    let mut postgres = PostgresServer::start().await.unwrap();
    let mut node = server(postgres.url()).env("BOLTLINK_DURABILITY", "acknowledged").start().await.unwrap();
    let id = node.client().make(&example("kept")).await.unwrap();
    assert_eq!(node.client().get("/kept").await.unwrap().status, 302);
    postgres.kill();
    let load = Load::new(node.address(), ["/kept"]).connections(8).requests(500).start().finish().await;
    // An acknowledged click is in the journal, wherever the database is.
    let answered = 1 + load.answered_with(302);
    node.kill().unwrap();
    postgres.start_again().await.unwrap();
    node.restart().await.unwrap();
    let client = node.client();
    until("what the journal kept is stored", async || client.clicks(&id).await.is_ok_and(|clicks| clicks >= answered))
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.clicks(&id).await.unwrap(), answered, "nothing doubles");
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_are_lost_double_nothing() {
    let database = Database::new().await.unwrap();
    let mut url: url::Url = database.url().parse().unwrap();
    let address = url.socket_addrs(|| None).unwrap()[0];
    let proxy = Proxy::start(address).await.unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    let mut node = server(url.as_str()).start().await.unwrap();
    let client = node.client();
    let id = client.make(&example("once")).await.unwrap();
    cache(&client, "/once").await;

    let mut answered = 1;
    for round in 0..6 {
        let load = Load::new(node.address(), ["/once"]).connections(8).requests(400).start();
        // What is sent arrives and is committed, but nobody hears of it; or connections break in the middle.
        proxy.lose_replies(round % 2 == 0);
        proxy.delay(Duration::from_millis(round));
        answered += load.finish().await.answered_with(302);
        tokio::time::sleep(Duration::from_millis(700)).await;
        proxy.cut();
        proxy.lose_replies(false);
    }
    proxy.delay(Duration::ZERO);
    assert_eq!(answered, 2_401, "cached redirects go on");
    until("every click is stored", async || client.clicks(&id).await.is_ok_and(|clicks| clicks >= answered)).await;
    node.stop().await.unwrap();
    node.restart().await.unwrap();
    let client = node.client();
    assert_eq!((client.clicks(&id).await.unwrap(), client.rolled_up().await.unwrap()), (answered, answered));
}
