//! What a visit costs the engine, and how much of it is the click: `cargo bench --bench visit`.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod support;

use std::hint::black_box;

use boltlink_core::{
    Actor, Domain, NewLink, Outcome, Purpose, Shortener, Stores, TargetRules, TargetUrl, Visit, Visitor,
};
use criterion::{Criterion, criterion_group, criterion_main};
use support::Named;

/// Visits of a cached link: one that is not counted, one that is, and one of a slug that is known to be free. Stores are not asked,
/// but clicks go into them meanwhile.
fn visits(criterion: &mut Criterion, Named { name, store, .. }: &Named<Stores>) {
    let runtime = support::runtime();
    // By another: who hears of a change forgets the link for a moment.
    let maker = Shortener::builder().stores(store.clone()).visits(false).consumers([]);
    let maker = runtime.block_on(maker.build()).unwrap();
    let target = "https://www.example.com/articles/2026/11/000000?utm_source=newsletter&utm_medium=email";
    let link = NewLink::to(TargetUrl::parse(target, &TargetRules::default()).unwrap());
    let link = runtime.block_on(maker.create(&Actor::OPERATOR, link)).unwrap().link;
    let shortener = runtime.block_on(Shortener::builder().stores(store.clone()).build()).unwrap();
    let domain = Domain::default_domain();
    let visitor = Visitor {
        address: Some([192, 0, 2, 7].into()),
        referrer: Some(b"https://www.google.com/"),
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
        language: Some(b"de-DE,de;q=0.9,en;q=0.8"),
    };
    let follow = Visit { visitor, ..Visit::new(&domain, link.slug.as_str()) };
    let peek = Visit { purpose: Purpose::Peek, ..follow };
    let free = Visit { slug: "nothing", ..follow };

    let mut group = criterion.benchmark_group("visit");
    for (what, visit) in [("not counted", peek), ("counted", follow), ("slug is free", free)] {
        let outcome = runtime.block_on(shortener.visit(&visit)).unwrap();
        assert_eq!(matches!(outcome, Outcome::Redirect(_)), what != "slug is free");
        group.bench_function(format!("{what}/{name}"), |bencher| {
            bencher.iter(|| shortener.try_visit(black_box(&visit)).unwrap());
        });
    }
    group.finish();
    // A store would take minutes for all the clicks that came at this pace, and there is nothing more to be seen.
    drop(shortener);
    runtime.shutdown_background();
}

fn all(criterion: &mut Criterion) {
    for database in support::runtime().block_on(support::databases()) {
        visits(criterion, &database);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
