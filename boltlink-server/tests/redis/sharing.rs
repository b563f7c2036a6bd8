//! Nodes with a Redis between them.

use std::time::Duration;

use boltlink_testkit::{Load, Persistence, Proxy};

use crate::{
    nodes::{self, cache, example},
    place::{OwnRedis, Place, server, through},
    settles_at, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_one_node_shows_on_the_other_within_a_second() {
    let place = Place::new().await;
    let (first, second) = place.two_nodes().await;
    nodes::a_change_shows_within_a_second(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_shows_within_a_second_although_nobody_is_told() {
    let place = OwnRedis::new(Persistence::None).await;
    let target = url::Url::parse(place.redis.url()).unwrap().socket_addrs(|| None).unwrap()[0];
    let proxy = Proxy::start(target).await.unwrap();
    let url = through(place.redis.url(), proxy.address());
    let first = server(place.database.url(), &url).start().await.unwrap();
    let second = server(place.database.url(), &url).env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    proxy.refuse(true);
    proxy.cut();
    nodes::a_change_shows_within_a_second(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_exact_over_two_nodes_although_redis_forgets() {
    let place = OwnRedis::new(Persistence::None).await;
    let first = place.server().start().await.unwrap();
    let second = place.server().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    let flushed = async {
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            place.redis.call(&["FLUSHALL"]).await.unwrap();
        }
    };
    let ((), id) = tokio::join!(flushed, nodes::a_cap_is_exact(&first, &second));
    settles_at(&first.client(), &id, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_shows_the_clicks_of_another_before_they_are_stored() {
    let place = Place::new().await;
    let first = place.server().env("BOLTLINK_WORKERS", "none").start().await.unwrap();
    let node = place.server().env("BOLTLINK_WORKERS", "none").env("BOLTLINK_INITIAL_API_KEY", first.key());
    let second = node.start().await.unwrap();
    let id = first.client().make(&example("live")).await.unwrap();
    let tally = Load::new(first.address(), ["/live"]).connections(4).requests(500).start().finish().await;
    assert_eq!(tally.answered_with(302), 500);
    until("what waits in Redis shows", async || second.client().clicks(&id).await.unwrap() == 500).await;
    assert_eq!(second.client().rolled_up().await.unwrap(), 0, "nobody stores");

    // Whoever comes to store finds it.
    let third = place.server().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    settles_at(&third.client(), &id, 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_lose_no_acknowledged_click() {
    let place = Place::new().await;
    let node = || place.server().env("BOLTLINK_DURABILITY", "acknowledged");
    let mut first = node().start().await.unwrap();
    let mut second = node().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    let id = first.client().make(&example("one")).await.unwrap();
    let (answered, sent) = nodes::are_killed_under_load(&mut first, &mut second, "/one").await;
    let client = first.client();
    until("every answered click is counted", async || client.clicks(&id).await.is_ok_and(|n| n >= answered)).await;
    until("and in the rollups", async || client.rolled_up().await.unwrap() == client.clicks(&id).await.unwrap()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let counted = client.clicks(&id).await.unwrap();
    assert!(answered <= counted && counted <= sent, "{answered} answered, {counted} counted, {sent} sent");
    assert_eq!(counted, client.rolled_up().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_redis_is_told() {
    let mut place = OwnRedis::new(Persistence::None).await;
    let node = place.server().start().await.unwrap();
    let client = node.client();
    let health = client.get("/health").await.unwrap().expect(200).unwrap();
    assert_eq!(health["dependencies"][1]["name"], "redis");
    assert_eq!(client.get("/ready").await.unwrap().expect(200).unwrap()["status"], "ready");
    let strict = place.server().env("BOLTLINK_READY_REQUIRES", "redis").start().await.unwrap();
    let doctor = node.command().arg("doctor").output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.success() && said.contains("appendonly is off"), "{doctor:?}");
    assert!(said.contains("with more, set BOLTLINK_NODES"), "{said}");

    place.redis.kill();
    until("the outage shows", async || client.get("/ready").await.unwrap().text.contains("degraded")).await;
    let ready = client.get("/ready").await.unwrap().expect(200).unwrap();
    assert!(ready["reason"].as_str().unwrap().contains("redis"), "{ready}");
    let health = client.get("/health").await.unwrap().expect(200).unwrap();
    assert_eq!(health["dependencies"][1]["status"], "down", "{health}");
    until("who requires it is not ready", async || strict.client().get("/ready").await.unwrap().status == 503).await;
    assert_eq!(strict.client().get("/health").await.unwrap().status, 503);

    // A node starts without Redis, too.
    let late = place.server().env("BOLTLINK_INITIAL_API_KEY", node.key()).start().await.unwrap();
    let id = late.client().make(&example("late")).await.unwrap();
    cache(&late.client(), "/late").await;
    place.redis.restart().await.unwrap();
    settles_at(&client, &id, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_evicts_is_refused() {
    let place = OwnRedis::new(Persistence::None).await;
    place.redis.call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await.unwrap();
    let refused = place.server().start().await.err().unwrap().to_string();
    assert!(refused.contains("noeviction"), "{refused}");
    place.redis.call(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await.unwrap();
    place.server().start().await.unwrap();
}
