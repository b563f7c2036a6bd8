//! Workers as processes of their own, and what becomes of clicks when they are killed.

use std::time::Duration;

use boltlink_testkit::{Client, Load, Server};
use tokio::time::sleep;

use crate::{
    nodes::example,
    place::{Place, Worker},
    settles_at,
};

/// Pauses before a kill, by a seed that a failure prints.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("the seed is {seed}");
        Self(seed)
    }

    fn next(&mut self, below_ms: u64) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % below_ms)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_killed_at_any_moment_leave_every_count_exact() {
    let place = Place::new().await;
    let fast = [("BOLTLINK_FLUSH_INTERVAL", "200ms")];
    let node = place.server().env("BOLTLINK_WORKERS", "none").start().await.unwrap();
    let id = node.client().make(&example("one")).await.unwrap();
    let mut moments = Moments::new();
    let mut clicks = 0;
    for round in 0..12 {
        let load = Load::new(node.address(), ["/one"]).connections(8).requests(500).start();
        let kind = if round % 2 == 0 { "aggregator" } else { "analytics" };
        let workers = [kind, kind, "aggregator", "analytics"].map(|kind| Worker::start_with(&node, kind, &fast));
        tokio::time::sleep(Duration::from_millis(200) + moments.next(900)).await;
        for worker in workers {
            worker.kill();
            tokio::time::sleep(moments.next(50)).await;
        }
        clicks += load.finish().await.answered_with(302);
    }
    assert_eq!(clicks, 6_000);
    // The leases of the dead run out after half a minute.
    let workers = ["aggregator", "analytics"].map(|kind| Worker::start(&node, kind));
    settles_at(&node.client(), &id, clicks).await;
    drop(workers);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_die_at_any_step_leave_every_count_exact() {
    let place = Place::new().await;
    let node = place.server().env("BOLTLINK_WORKERS", "none").start().await.unwrap();
    let id = node.client().make(&example("one")).await.unwrap();
    let mut moments = Moments::new();
    let mut clicks = 0;
    let steps = ["Sealed", "Written", "Applied", "Settled"]
        .map(|step| [("aggregator", "Totals", step), ("analytics", "Analytics", step)]);
    for (kind, consumer, step) in steps.into_iter().flatten().cycle().take(12) {
        // A totals worker that dies leaves totals and rollups apart; nobody mends that before the end.
        let place = format!("{consumer}.{step}.{}", 1 + moments.next(2).as_millis());
        let env = [("BOLTLINK_FLUSH_INTERVAL", "200ms"), ("BOLTLINK_ABORT_AT", place.as_str())];
        let mut worker = Worker::start_with(&node, kind, &env);
        while worker.lives() {
            assert!(clicks < 100_000, "it never came to {place}");
            let load = Load::new(node.address(), ["/one"]).connections(4).requests(20).start();
            clicks += load.finish().await.answered_with(302);
            // A worker with much to store takes its time.
            sleep(Duration::from_millis(10)).await;
        }
    }
    // The leases of the dead run out after half a minute.
    let workers = ["aggregator", "analytics"].map(|kind| Worker::start(&node, kind));
    settles_at(&node.client(), &id, clicks).await;
    drop(workers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stops_in_order_and_another_takes_over() {
    let place = Place::new().await;
    let mut node: Server = place.server().env("BOLTLINK_WORKERS", "analytics").start().await.unwrap();
    let id = node.client().make(&example("one")).await.unwrap();
    let worker = Worker::start(&node, "aggregator");
    // It has begun to work once it has settled the first click: before that a signal would just end it.
    let client = node.client();
    assert_eq!(Load::new(node.address(), ["/one"]).requests(1).start().finish().await.answered_with(302), 1);
    while client.clicks(&id).await.unwrap() == 0 || waiting(&client, "totals").await > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    let load = Load::new(node.address(), ["/one"]).connections(8).requests(2_000).start();
    load.answers(1_000).await.unwrap();
    let status = worker.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!(load.finish().await.answered_with(302), 2_000);
    let _worker = Worker::start(&node, "aggregator");
    settles_at(&node.client(), &id, 2_001).await;
    node.stop().await.unwrap();
}

/// How many batches a consumer has still to store.
async fn waiting(client: &Client, consumer: &str) -> u64 {
    let queue = client.get("/api/v1/admin/queue").await.unwrap().expect(200).unwrap();
    let depths = queue["consumers"].as_array().unwrap();
    depths.iter().find(|depth| depth["consumer"] == consumer).unwrap()["batches"].as_u64().unwrap()
}
