//! A standby takes over behind one address.

use std::time::Duration;

use boltlink_testkit::{Load, PostgresServer, Proxy};
use serde_json::json;

use crate::{server, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_standby_takes_over_and_nothing_is_missing() {
    let mut primary = PostgresServer::start().await.unwrap();
    let standby = primary.synchronous_standby().await.unwrap();
    let address = |server: &PostgresServer| url::Url::parse(server.url()).unwrap().socket_addrs(|| None).unwrap()[0];
    let proxy = Proxy::start(address(&primary)).await.unwrap();
    let mut url = url::Url::parse(primary.url()).unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    let mut node = server(url.as_str()).start().await.unwrap();
    let client = node.client();
    let link = |number: usize| json!({ "target": "https://example.com/", "slug": format!("l{number}") });
    let id = client.make(&link(0)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(client.get("/l0").await.unwrap().status, 302);

    // Links are made and a link is followed all the time.
    let load = Load::new(node.address(), ["/l0"]).connections(4).start();
    let writer = tokio::spawn({
        let client = client.clone();
        async move {
            let mut made = vec![0];
            for number in 1..400 {
                let reply = client.create(&link(number)).await.unwrap();
                match reply.status {
                    201 => made.push(number),
                    // Whether it was made is not known.
                    503 => tokio::time::sleep(Duration::from_millis(50)).await,
                    other => panic!("{other}: {}", reply.text),
                }
            }
            made
        }
    });
    load.answers(500).await.unwrap();
    primary.kill();
    standby.promote().await.unwrap();
    proxy.switch(address(&standby));
    proxy.cut();
    until("links are made again", async || {
        client.create(&json!({ "target": "https://example.com/after" })).await.unwrap().status == 201
    })
    .await;
    let made = writer.await.unwrap();
    let tally = load.stop().await;
    assert_eq!(tally.answered(), tally.answered_with(302), "cached redirects go on: {tally:?}");
    let (answered, sent) = (1 + tally.answered_with(302), 1 + tally.sent());
    for number in &made {
        let found = client.get(&format!("/l{number}")).await.unwrap();
        assert_eq!(found.status, 302, "a link that was made is there: {number}");
    }
    let sent = sent + u64::from(made.contains(&0));
    until("every click is stored", async || client.clicks(&id).await.is_ok_and(|clicks| clicks > answered)).await;
    node.stop().await.unwrap();
    node.restart().await.unwrap();
    let client = node.client();
    let clicks = client.clicks(&id).await.unwrap();
    assert!(answered < clicks && clicks <= sent, "{answered} answered, {clicks} counted, {sent} sent");
    let others = made.len() as u64 - 1;
    assert_eq!(client.rolled_up().await.unwrap(), clicks + others);
}
