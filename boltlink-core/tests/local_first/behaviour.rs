//! What one node does.

use std::{sync::Arc, time::Duration};

use boltlink_core::{
    FakeClock, StoreError,
    limit::LocalFirst,
    memory::MemoryLimiter,
    store::{Quota, RateLimiter},
};

use super::{central::Remote, number, per_second};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    clock: Arc<FakeClock>,
    central: Arc<Remote>,
    node: Arc<LocalFirst>,
}

fn world(nodes: u32) -> World {
    let clock = Arc::new(FakeClock::default());
    let central = Arc::new(Remote::new(MemoryLimiter::new(clock.clone())));
    let node = Arc::new(LocalFirst::new(central.clone(), number(nodes), clock.clone()));
    World { clock, central, node }
}

impl World {
    /// How many of `count` checks of one are allowed.
    async fn admitted(&self, quota: &Quota, count: usize) -> usize {
        let mut admitted = 0;
        for _ in 0..count {
            admitted += usize::from(self.node.check("key", quota, 1).await.unwrap().allowed);
        }
        admitted
    }
}

#[tokio::test]
async fn a_busy_key_costs_few_round_trips_and_a_refused_one_none() {
    let (world, quota) = (world(2), per_second(1, 10_000));
    assert_eq!(world.node.lease(&quota), 500);
    assert_eq!(world.admitted(&quota, 10_000).await, 10_000, "one node may have all");
    let calls = world.central.calls();
    assert!(calls < 100, "{calls} round trips");
    assert_eq!(world.admitted(&quota, 10_000).await, 0);
    assert_eq!(world.central.calls(), 0);
    let refusal = world.node.try_check("key", &quota, 1).unwrap();
    assert_eq!((refusal.remaining, refusal.retry_after), (0, Some(SECOND)));
    world.clock.advance(SECOND);
    assert_eq!(world.node.try_check("key", &quota, 1), None);
    assert_eq!(world.admitted(&quota, 10).await, 1);
}

#[tokio::test]
async fn what_is_leased_is_answered_without_waiting_and_counts_as_there() {
    let (world, quota) = (world(1), per_second(1, 1_000));
    world.admitted(&quota, 40).await;
    let mut remaining = world.node.check("key", &quota, 1).await.unwrap().remaining;
    world.central.calls();
    while let Some(decision) = world.node.try_check("key", &quota, 1) {
        remaining -= 1;
        assert_eq!((decision.allowed, decision.limit, decision.remaining), (true, 1_000, remaining));
        assert_eq!(decision.reset_after, SECOND * (1_000 - remaining));
    }
    assert_eq!(world.central.calls(), 0);
    let decision = world.node.check("key", &quota, 1).await.unwrap();
    assert_eq!(decision.remaining, remaining - 1);
}

#[tokio::test]
async fn keys_that_are_seldom_used_lose_nothing_to_leases() {
    let (world, quota) = (world(1), per_second(1, 1_000));
    let mut admitted = 0;
    for _ in 0..500 {
        admitted += world.admitted(&quota, 3).await;
        world.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(admitted, 1_500);
    let left = world.node.check("key", &quota, 0).await.unwrap().remaining;
    assert_eq!(left, 1_000);
}

#[tokio::test]
async fn small_quotas_are_for_the_central_limiter() {
    let (world, quota) = (world(10), per_second(1, 399));
    assert_eq!(world.node.lease(&quota), 0);
    assert_eq!(world.admitted(&quota, 399).await, 399);
    assert_eq!(world.central.calls(), 399);
}

#[tokio::test]
async fn a_limiter_that_is_away_is_stood_in_for_and_asked_again_after_a_pause() {
    let (world, quota) = (world(4), per_second(4, 20));
    world.central.fail(Some(StoreError::unavailable("away")));
    assert_eq!(world.admitted(&quota, 100).await, 5);
    assert_eq!(world.central.calls(), 1);
    assert!(!world.node.try_check("key", &quota, 1).unwrap().allowed, "and nobody waits");
    world.clock.advance(SECOND);
    assert_eq!(world.admitted(&quota, 100).await, 1, "a fourth of the rate");
    assert_eq!(world.central.calls(), 1);

    world.central.fail(None);
    assert_eq!(world.admitted(&quota, 100).await, 0);
    assert_eq!(world.central.calls(), 0);
    world.clock.advance(SECOND);
    assert_eq!(world.admitted(&quota, 100).await, 20);
}

#[tokio::test]
async fn a_limiter_that_says_when_it_is_back_is_left_alone_until_then() {
    let (world, quota) = (world(1), per_second(1, 10));
    let retry = Some(Duration::from_secs(5));
    world.central.fail(Some(StoreError::Unavailable { reason: "away".into(), retry }));
    for (passes, calls) in [(0, 1), (4, 0), (1, 1)] {
        world.clock.advance(Duration::from_secs(passes));
        world.admitted(&quota, 10).await;
        assert_eq!(world.central.calls(), calls);
    }
}

#[tokio::test]
async fn errors_that_are_no_outage_are_passed_on() {
    let (world, quota) = (world(1), per_second(1, 10));
    world.central.fail(Some(StoreError::Invalid { reason: "no".into() }));
    for _ in 0..2 {
        assert!(matches!(world.node.check("key", &quota, 1).await, Err(StoreError::Invalid { .. })));
    }
}

#[tokio::test]
async fn a_limiter_that_answers_at_once_is_asked_at_once() {
    let clock = Arc::new(FakeClock::default());
    let near = LocalFirst::new(Arc::new(MemoryLimiter::new(clock.clone())), number(1), clock);
    let quota = per_second(1, 10);
    assert_eq!(near.try_check("key", &quota, 4).unwrap().remaining, 6);
    assert_eq!(near.check("key", &quota, 4).await.unwrap().remaining, 2);
}

/// Four nodes, each with two threads' worth of callers, some of whom go away while they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_callers_on_many_nodes_share_one_burst() {
    const NODES: u32 = 4;
    let (clock, quota) = (Arc::new(FakeClock::default()), per_second(1, 20_000));
    let central = Arc::new(Remote::new(MemoryLimiter::new(clock.clone())));
    let mut callers = Vec::new();
    for _ in 0..NODES {
        let node = Arc::new(LocalFirst::new(central.clone(), number(NODES), clock.clone()));
        for caller in 0..8 {
            let node = node.clone();
            callers.push(tokio::spawn(async move {
                let mut admitted = 0;
                for turn in 0..2_000 {
                    if caller == 0 && turn % 10 == 0 {
                        // Goes away at the first thing that takes time.
                        drop(tokio::time::timeout(Duration::ZERO, node.check("key", &quota, 0)).await);
                    }
                    admitted += u32::from(node.check("key", &quota, 1).await.unwrap().allowed);
                }
                admitted
            }));
        }
    }
    let mut admitted = 0;
    for caller in callers {
        admitted += caller.await.unwrap();
    }
    // All that came out of the central limiter was admitted, or is in a lease.
    assert!((18_000..=20_000).contains(&admitted), "{admitted}");
    let calls = central.calls();
    assert!(calls < 20_000, "{calls} round trips for 64,000 checks");
}
