//! What a cached visit allocates: nothing, and of what becomes of its click only a share in what a batch does.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{sync::Arc, time::Duration};

use boltlink_core::{
    Actor, Domain, Forward, NewLink, Outcome, Shortener, Stores, SystemClock, TargetRules, TargetUrl, Visit, Visitor,
};

/// Counts what all threads allocate, the one that records clicks too.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How many visits are counted.
const VISITS: u64 = 10_000;

/// What becomes of their clicks meanwhile allocates about 25 times for a batch, which at this pace has some hundreds of them:
/// together less than one for each tenth visit. So this many show that visits allocate.
const ALLOWED: u64 = VISITS / 2;

/// One test, as allocations are the process's.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cached_visit_allocates_nothing() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let forward = |query, path| move |new| NewLink { forward: Forward { query, path }, ..new };
    let said = [
        ("nothing is forwarded", allocations(|new| new, "").await),
        ("a query is not forwarded", allocations(|new| new, "a=b").await),
        ("a query is not, but a path would be", allocations(forward(false, true), "a=b").await),
        ("there is nothing to forward", allocations(forward(true, true), "").await),
    ];
    println!("{said:?}");
    for (when, allocations) in said {
        assert!(allocations <= ALLOWED, "{when}: {allocations} allocations");
    }
}

/// What visits of a cached link allocate.
async fn allocations(new: impl FnOnce(NewLink) -> NewLink, query: &str) -> u64 {
    let stores = Stores::in_memory(Arc::new(SystemClock));
    // Made by another: who hears of a change forgets the link for a moment.
    let maker = Shortener::builder().stores(stores.clone()).visits(false).consumers([]).build().await.unwrap();
    let target = TargetUrl::parse("https://example.com/x?y#z", &TargetRules::default()).unwrap();
    let link = maker.create(&Actor::OPERATOR, new(NewLink::to(target))).await.unwrap();
    // What clicks add up to is stored in the end: the store in memory keeps every single one, with its texts.
    let builder = Shortener::builder().stores(stores).flush_interval(Duration::from_secs(3_600));
    let shortener = builder.build().await.unwrap();
    let domain = Domain::default_domain();
    let visit = Visit {
        visitor: Visitor {
            address: Some([192, 0, 2, 7].into()),
            referrer: Some(b"https://a.example/"),
            user_agent: Some(b"Browser/1.0"),
            language: Some(b"de-DE,de"),
        },
        query,
        ..Visit::new(&domain, link.link.slug.as_str())
    };
    let visits = |number: u64| {
        for _ in 0..number {
            assert!(matches!(shortener.try_visit(&visit), Some(Outcome::Redirect(_))));
        }
    };
    shortener.visit(&visit).await.unwrap();
    // Buffers grow once to their full size; emptied, they are used again.
    visits(2_000);
    let before = dhat::HeapStats::get().total_blocks;
    visits(VISITS);
    let allocations = dhat::HeapStats::get().total_blocks - before;
    shortener.shutdown().await;
    allocations
}
