//! Nodes on Redis as it is run at large: a cluster, a sentinel, TLS.

use boltlink_testkit::{Database, Load, Persistence, RedisCluster, RedisOverTls, RedisSentinel};

use crate::{nodes::example, place::server, settles_at, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_is_killed_under_load() {
    let database = Database::new().await.unwrap();
    let mut cluster = RedisCluster::start().await.unwrap();
    let node = server(database.url(), cluster.url()).env("BOLTLINK_DURABILITY", "acknowledged").start().await.unwrap();
    let client = node.client();
    let id = client.make(&example("cluster")).await.unwrap();
    let load = Load::new(node.address(), ["/cluster"]).connections(4).requests(6_000).start();
    for killed in 0..3 {
        load.answers(1_500 * (killed + 1)).await.unwrap();
        let redis = &mut cluster.nodes()[usize::try_from(killed).unwrap()];
        redis.kill();
        redis.restart().await.unwrap();
    }
    let tally = load.finish().await;
    assert_eq!(tally.answered_with(302), 6_000);
    settles_at(&client, &id, 6_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_behind_a_sentinel_is_killed_under_load() {
    let database = Database::new().await.unwrap();
    let mut group = RedisSentinel::start(Persistence::AppendEverySecond).await.unwrap();
    let node = server(database.url(), &group.url()).env("BOLTLINK_DURABILITY", "acknowledged").start().await.unwrap();
    let client = node.client();
    let id = client.make(&example("sentinel")).await.unwrap();
    let load = Load::new(node.address(), ["/sentinel"]).connections(4).requests(6_000).start();
    load.answers(2_000).await.unwrap();
    let [first, second] = group.servers();
    first.kill();
    let tally = load.finish().await;
    assert_eq!(tally.answered_with(302), 6_000);
    settles_at(&client, &id, 6_000).await;
    until("the other one is promoted", async || second.call(&["SET", "x", "1"]).await.is_ok()).await;
    until("and found", async || client.get("/ready").await.unwrap().text.contains("\"ready\"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_if_the_system_does() {
    let database = Database::new().await.unwrap();
    let redis = RedisOverTls::start().await.unwrap();
    let node = server(database.url(), redis.url()).env("SSL_CERT_FILE", redis.authority()).start().await.unwrap();
    let client = node.client();
    assert_eq!(client.get("/ready").await.unwrap().expect(200).unwrap()["status"], "ready");
    let id = client.make(&example("encrypted")).await.unwrap();
    let tally = Load::new(node.address(), ["/encrypted"]).connections(2).requests(100).start().finish().await;
    assert_eq!(tally.answered_with(302), 100);
    settles_at(&client, &id, 100).await;

    let stranger = node.command().arg("doctor").env_remove("SSL_CERT_FILE").output().unwrap();
    let said = String::from_utf8_lossy(&stranger.stdout);
    assert!(!stranger.status.success() && said.contains("SSL_CERT_FILE"), "{stranger:?}");
    assert!(!said.contains("throw-away"), "{said}");
}
