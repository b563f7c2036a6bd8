//! What a page of a list of links costs, the first one and one deep within: `cargo bench --bench page`. How that grows with the
//! number of links is what the bench `lists` tells.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod support;

use boltlink_core::{
    Stores,
    store::{Insert, LinkCursor, LinkFilter, LinkOrder},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::{Named, links};
use tokio::runtime::Runtime;

const LINKS: usize = 10_000;
const PAGE: u32 = 50;
/// Links stored at a time.
const BULK: usize = 1_000;

fn pages(criterion: &mut Criterion, runtime: &Runtime, Named { name, store, .. }: &Named<Stores>) {
    let links = links(LINKS);
    let middle = LinkCursor::of(&links[LINKS / 2], LinkOrder::Newest);
    for links in links.chunks(BULK) {
        let links: Vec<_> = links.iter().cloned().map(Insert::from).collect();
        runtime.block_on(store.links.insert_many(&links)).unwrap();
    }
    let filter = LinkFilter::default();
    let mut group = criterion.benchmark_group("page");
    group.throughput(Throughput::Elements(PAGE.into()));
    for (what, after) in [("first", None), ("deep within", Some(middle))] {
        group.bench_function(format!("{what}/{name}"), |bencher| {
            bencher.to_async(runtime).iter(|| async {
                let page = store.links.list(&filter, LinkOrder::Newest, after, PAGE).await.unwrap();
                assert_eq!(page.len(), PAGE as usize);
                page
            });
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let runtime = support::runtime();
    for database in runtime.block_on(support::databases()) {
        pages(criterion, &runtime, &database);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
