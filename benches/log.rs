//! What a batch costs on its way: `cargo bench --bench log`.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod support;

use std::sync::Arc;

use boltlink_core::{
    journal::{Journal, JournalConfig},
    store::{Consumer, CounterStore, Delivery},
};
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use support::{CLICKS, Named, Recorded, links};
use tokio::runtime::Runtime;

type Log = Named<Arc<dyn CounterStore>>;

/// A full batch is added, sealed to both consumers, and settled by both.
fn round(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, Log { name, store: log, .. }: &Log) {
    let mut recorded = Recorded::new(links(64).iter().map(|link| link.id));
    group.bench_function(format!("add, seal and settle/{name}"), |bencher| {
        let setup = || recorded.batch(CLICKS);
        let round = |batch| async move {
            log.add(&batch, Delivery::First).await.unwrap();
            for consumer in Consumer::ALL {
                let sealed = log.seal(consumer, 1).await.unwrap();
                assert_eq!(sealed.len(), 1);
                log.settle(consumer, &[sealed[0].id()]).await.unwrap();
            }
        };
        bencher.to_async(runtime).iter_batched(setup, round, BatchSize::PerIteration);
    });
}

/// A full batch is appended to a journal, and released.
fn journal(group: &mut BenchmarkGroup<'_, WallTime>, synced: bool) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(JournalConfig::new(dir.path())).unwrap();
    let mut recorded = Recorded::new(links(64).iter().map(|link| link.id));
    let mut log = journal.begin(recorded.producer()).unwrap();
    let name = if synced { "append, sync and release/journal" } else { "append and release/journal" };
    group.bench_function(name, |bencher| {
        let setup = || recorded.batch(CLICKS);
        let round = |batch| {
            log.append(&batch).unwrap();
            if synced {
                log.sync().unwrap();
            }
            log.release(|_| true).unwrap();
        };
        bencher.iter_batched(setup, round, BatchSize::PerIteration);
    });
}

fn all(criterion: &mut Criterion) {
    let runtime = support::runtime();
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Elements(CLICKS as u64));
    for log in &runtime.block_on(support::logs()) {
        round(&mut group, &runtime, log);
    }
    for synced in [false, true] {
        journal(&mut group, synced);
    }
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
