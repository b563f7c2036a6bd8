//! What it costs to make clicks take effect in a store, by batch, added up to a tally before, and row by row:
//! `cargo bench --bench sink`.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod support;

use std::{cell::RefCell, sync::Arc};

use boltlink_core::{
    ClickBatch, LinkId, Stores,
    store::{ClickSink, Consumer},
};
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use support::{CLICKS, Named, Recorded, links};
use tokio::runtime::Runtime;

/// Links that are clicked, which are some of more.
const LINKS: usize = 256;
/// Full batches that take effect together.
const BATCHES: usize = 8;

/// The same number of clicks, in each of the ways.
fn ways(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, name: &str, sink: &dyn ClickSink, ids: &[LinkId]) {
    let recorded = RefCell::new(Recorded::new(ids.iter().copied()));
    let batches = |count: usize, clicks: usize| -> Vec<ClickBatch> {
        (0..count).map(|_| recorded.borrow_mut().batch(clicks)).collect()
    };
    let full = || batches(BATCHES, CLICKS);
    // An eighth of them, as it takes so long: what is told is per click.
    let single = || batches(CLICKS, 1);

    group.throughput(Throughput::Elements((BATCHES * CLICKS) as u64));
    group.bench_function(format!("batches/{name}"), |bencher| {
        let apply = |batches: Vec<ClickBatch>| async move { sink.apply(&batches).await.unwrap() };
        bencher.to_async(runtime).iter_batched(full, apply, BatchSize::PerIteration);
    });
    if sink.tally().is_some() {
        group.bench_function(format!("tally/{name}"), |bencher| {
            let apply = |batches: Vec<ClickBatch>| async move {
                let mut tally = sink.tally().unwrap();
                tally.add(&batches, support::clock().now());
                sink.apply_tally(&Arc::new(tally)).await.unwrap().unwrap()
            };
            bencher.to_async(runtime).iter_batched(full, apply, BatchSize::PerIteration);
        });
    }
    group.throughput(Throughput::Elements(CLICKS as u64));
    group.bench_function(format!("row by row/{name}"), |bencher| {
        let apply = |clicks: Vec<ClickBatch>| async move {
            for click in clicks {
                sink.apply(&[click]).await.unwrap();
            }
        };
        bencher.to_async(runtime).iter_batched(single, apply, BatchSize::PerIteration);
    });
}

fn all(criterion: &mut Criterion) {
    let runtime = support::runtime();
    let links = links(LINKS);
    let ids: Vec<_> = links.iter().map(|link| link.id).collect();
    let inserts: Vec<_> = links.into_iter().map(Into::into).collect();
    let databases = runtime.block_on(support::databases());
    for Named { store, .. } in &databases {
        runtime.block_on(store.links.insert_many(&inserts)).unwrap();
    }
    for consumer in Consumer::ALL {
        let mut group = criterion.benchmark_group(format!("sink of {}", consumer.name()));
        group.sample_size(10);
        for Named { name, store, .. } in &databases {
            ways(&mut group, &runtime, name, sink(store, consumer), &ids);
        }
        group.finish();
    }
}

fn sink(stores: &Stores, consumer: Consumer) -> &dyn ClickSink {
    match consumer {
        Consumer::Totals => &*stores.totals,
        Consumer::Analytics => &*stores.analytics,
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
