//! What it costs to ask a rate limiter, the central one or one in front of it: `cargo bench --bench limiter`.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod support;

use std::{hint::black_box, num::NonZeroU32, sync::Arc, time::Duration};

use boltlink_core::{
    limit::LocalFirst,
    store::{Quota, RateLimiter},
};
use criterion::{Criterion, criterion_group, criterion_main};
use support::Named;
use tokio::runtime::Runtime;

type Limiter = Named<Arc<dyn RateLimiter>>;

/// A check that asks whoever has to be asked.
fn checks(criterion: &mut Criterion, runtime: &Runtime, name: &str, limiter: &dyn RateLimiter) {
    // So large that nobody is refused.
    let quota = Quota::new(NonZeroU32::new(100_000_000).unwrap(), Duration::from_secs(100)).unwrap();
    let mut group = criterion.benchmark_group("limiter");
    group.bench_function(name, |bencher| {
        bencher.to_async(runtime).iter(|| async {
            match limiter.try_check(black_box("192.0.2.7"), &quota, 1) {
                Some(decision) => decision,
                None => limiter.check("192.0.2.7", &quota, 1).await.unwrap(),
            }
        });
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let runtime = support::runtime();
    for Limiter { name, store: central, .. } in &runtime.block_on(support::limiters()) {
        checks(criterion, &runtime, &format!("central/{name}"), &**central);
        let local = LocalFirst::new(central.clone(), NonZeroU32::MIN, support::clock());
        checks(criterion, &runtime, &format!("local first/{name}"), &local);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
