//! Redis, Postgres, the network or the disk go away, and come back perhaps with an older memory.

use std::time::Duration;

use boltlink_testkit::{Load, Persistence, PostgresServer, Proxy, Server};

use crate::{
    nodes::{cache, example},
    place::{OwnRedis, Worker, server, through},
    settles_at, until,
};

async fn redirects(node: &Server, path: &str, requests: u64) -> u64 {
    let tally = Load::new(node.address(), [path]).connections(8).requests(requests).start().finish().await;
    assert_eq!(tally.answered_with(302), requests, "a cached link is always redirected: {tally:?}");
    requests
}

/// Kills Redis under load and starts it again, several times.
async fn survives_kills(persistence: Persistence) {
    let mut place = OwnRedis::new(persistence).await;
    let node = place.server().start().await.unwrap();
    let id = node.client().make(&example("cached")).await.unwrap();
    let mut clicks = 1;
    cache(&node.client(), "/cached").await;
    for round in 0..4 {
        let load = Load::new(node.address(), ["/cached"]).connections(8).requests(2_000).start();
        load.answers(100 + round * 333).await.unwrap();
        place.redis.kill();
        clicks += load.finish().await.answered_with(302);
        place.redis.restart().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300 * round)).await;
    }
    assert_eq!(clicks, 8_001, "cached links are always redirected");
    settles_at(&node.client(), &id, clicks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_keeps_every_write_may_be_killed() {
    survives_kills(Persistence::AppendAlways).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_keeps_all_but_the_last_second_may_be_killed() {
    survives_kills(Persistence::AppendEverySecond).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_keeps_nothing_may_be_killed() {
    survives_kills(Persistence::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_be_away_for_ten_seconds() {
    let mut place = OwnRedis::new(Persistence::AppendAlways).await;
    let node = place.server().start().await.unwrap();
    let id = node.client().make(&example("cached")).await.unwrap();
    let mut clicks = 1;
    cache(&node.client(), "/cached").await;
    place.redis.kill();
    for _ in 0..10 {
        clicks += redirects(&node, "/cached", 300).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    place.redis.restart().await.unwrap();
    settles_at(&node.client(), &id, clicks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_hang() {
    let place = OwnRedis::new(Persistence::None).await;
    let node = place.server().start().await.unwrap();
    let id = node.client().make(&example("cached")).await.unwrap();
    let mut clicks = 1;
    cache(&node.client(), "/cached").await;
    place.redis.freeze().unwrap();
    for _ in 0..5 {
        clicks += redirects(&node, "/cached", 300).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    place.redis.thaw().unwrap();
    settles_at(&node.client(), &id, clicks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_snapshot_brings_back_what_was_settled_and_nothing_counts_twice() {
    let mut place = OwnRedis::new(Persistence::Snapshot).await;
    // Nobody stores at first, so that the snapshot is full of what will be stored.
    let node = place.server().env("BOLTLINK_WORKERS", "none").start().await.unwrap();
    let id = node.client().make(&example("cached")).await.unwrap();
    let mut clicks = 1;
    cache(&node.client(), "/cached").await;
    clicks += redirects(&node, "/cached", 2_000).await;
    until("all is in Redis", async || node.client().clicks(&id).await.unwrap() == clicks).await;
    place.redis.save_snapshot().await.unwrap();

    let workers = ["aggregator", "analytics"].map(|kind| Worker::start(&node, kind));
    settles_at(&node.client(), &id, clicks).await;
    clicks += redirects(&node, "/cached", 1_000).await;
    // Some of these are stored, some are in Redis only, when it goes back in time.
    tokio::time::sleep(Duration::from_millis(400)).await;
    place.redis.restore_snapshot().await.unwrap();
    clicks += redirects(&node, "/cached", 500).await;
    place.redis.restart().await.unwrap();
    let shown = node.client().clicks(&id).await.unwrap();
    assert!(shown <= clicks, "{shown} of {clicks}: the view of another life is not shown");
    settles_at(&node.client(), &id, clicks).await;
    drop(workers);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_may_be_away_for_more_than_a_minute() {
    let place = OwnRedis::new(Persistence::AppendEverySecond).await;
    let mut postgres = PostgresServer::start().await.unwrap();
    let node = server(postgres.url(), place.redis.url()).start().await.unwrap();
    let id = node.client().make(&example("cached")).await.unwrap();
    let mut clicks = 1;
    cache(&node.client(), "/cached").await;
    postgres.kill();
    for _ in 0..22 {
        clicks += redirects(&node, "/cached", 100).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    postgres.start_again().await.unwrap();
    settles_at(&node.client(), &id, clicks).await;
    assert!(!node.output().contains("set aside"), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_cuts_and_lost_replies_on_the_way_to_redis_double_nothing() {
    let place = OwnRedis::new(Persistence::None).await;
    let target = url::Url::parse(place.redis.url()).unwrap().socket_addrs(|| None).unwrap()[0];
    let proxy = Proxy::start(target).await.unwrap();
    let node = server(place.database.url(), &through(place.redis.url(), proxy.address())).start().await.unwrap();
    let id = node.client().make(&example("once")).await.unwrap();
    let mut clicks = 1;
    cache(&node.client(), "/once").await;
    for round in 0..8 {
        let load = Load::new(node.address(), ["/once"]).connections(8).requests(400).start();
        proxy.lose_replies(round % 2 == 0);
        proxy.delay(Duration::from_millis(round * 5));
        clicks += load.finish().await.answered_with(302);
        tokio::time::sleep(Duration::from_millis(400)).await;
        let shown = node.client().clicks(&id).await.unwrap();
        assert!(shown <= clicks, "{shown} of {clicks}");
        proxy.cut();
        proxy.lose_replies(false);
    }
    proxy.delay(Duration::ZERO);
    assert_eq!(clicks, 3_201, "cached links are always redirected");
    settles_at(&node.client(), &id, clicks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_comes_after_newer_clicks_is_counted() {
    let mut place = OwnRedis::new(Persistence::AppendAlways).await;
    let mut old = place.server().env("BOLTLINK_DURABILITY", "acknowledged").start().await.unwrap();
    let new = place.server().env("BOLTLINK_INITIAL_API_KEY", old.key()).start().await.unwrap();
    let id = old.client().make(&example("both")).await.unwrap();
    let mut clicks = 2;
    cache(&old.client(), "/both").await;
    cache(&new.client(), "/both").await;
    place.redis.kill();
    // These are in a journal only, and their node dies.
    clicks += redirects(&old, "/both", 300).await;
    old.kill().unwrap();
    place.redis.restart().await.unwrap();
    clicks += redirects(&new, "/both", 700).await;
    until("the newer ones count", async || new.client().clicks(&id).await.unwrap() >= 701).await;
    old.restart().await.unwrap();
    settles_at(&new.client(), &id, clicks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_no_redirect_and_clicks_wait_in_memory() {
    let mut place = OwnRedis::new(Persistence::None).await;
    // No file may grow beyond this. To the journal that is what a full disk is: a write that fails.
    let limited = format!("trap '' XFSZ; ulimit -f 64; exec {} \"$@\"", env!("CARGO_BIN_EXE_boltlink"));
    let node = Server::builder("bash")
        .arg("-c")
        .arg(limited)
        .arg("boltlink")
        .env("DATABASE_URL", place.database.url())
        .env("REDIS_URL", place.redis.url())
        .start()
        .await
        .unwrap();
    let id = node.client().make(&example("cached")).await.unwrap();
    let mut clicks = 1;
    cache(&node.client(), "/cached").await;
    place.redis.kill();
    for _ in 0..10 {
        clicks += redirects(&node, "/cached", 1_000).await;
    }
    assert!(node.output().contains("journal"), "{}", node.output());
    place.redis.restart().await.unwrap();
    // What found no room on the disk waited in memory, which has room for these.
    settles_at(&node.client(), &id, clicks).await;
}
