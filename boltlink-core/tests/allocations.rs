//! What a cached visit allocates: nothing.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use boltlink_core::{Actor, Domain, Forward, NewLink, Outcome, Shortener, TargetRules, TargetUrl, Visit, Visitor};

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches a thread-local
// without a destructor, so it neither allocates nor fails.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What so many visits of a cached link allocate.
async fn allocations(visited: usize, new: impl FnOnce(NewLink) -> NewLink, query: &str) -> u64 {
    let shortener = Shortener::builder().build().await.unwrap();
    let target = TargetUrl::parse("https://example.com/x?y#z", &TargetRules::default()).unwrap();
    let link = shortener.create(&Actor::OPERATOR, new(NewLink::to(target))).await.unwrap();
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
    let visits = |number: usize| {
        for _ in 0..number {
            assert!(matches!(shortener.try_visit(&visit), Some(Outcome::Redirect(_))));
        }
    };
    shortener.visit(&visit).await.unwrap();
    // A buffer grows once to its full size (512 clicks); emptied by the recorder's thread, it is used again.
    visits(200);

    let before = ALLOCATIONS.get();
    visits(visited);
    let allocations = ALLOCATIONS.get() - before;
    shortener.shutdown().await;
    allocations
}

/// What is allowed: visits that filled a group (every 512th, at this pace) wrote it to where it goes, on this thread.
const fn groups(visited: usize) -> u64 {
    (visited as u64 / 512 + 1) * 40
}

#[tokio::test]
async fn a_cached_visit_allocates_nothing() {
    let allocations = allocations(10_000, |new| new, "").await;
    assert!(allocations <= groups(10_000), "{allocations} allocations");
}

#[tokio::test]
async fn a_query_that_is_not_forwarded_costs_nothing() {
    let path = |new| NewLink { forward: Forward { query: false, path: true }, ..new };
    for allocations in [allocations(10_000, |new| new, "a=b").await, allocations(10_000, path, "a=b").await] {
        assert!(allocations <= groups(10_000), "{allocations} allocations");
    }
}

#[tokio::test]
async fn forwarding_costs_nothing_where_there_is_nothing_to_forward() {
    let both = |new| NewLink { forward: Forward { query: true, path: true }, ..new };
    let allocations = allocations(10_000, both, "").await;
    assert!(allocations <= groups(10_000), "{allocations} allocations");
}
