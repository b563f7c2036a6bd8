//! What it costs to read a slug: `cargo bench --bench slug`.

use std::hint::black_box;

use boltlink_core::{SlugCase, SlugRules};
use criterion::{Criterion, criterion_group, criterion_main};

const SLUGS: [(&str, &str); 4] = [
    ("random", "aZ3kQ9x"),
    ("long", "a-rather-long-slug-that-somebody-has-chosen-for-a-campaign-in-2026"),
    ("in another script", "кратко"),
    ("percent-encoded", "%D0%BA%D1%80%D0%B0%D1%82%D0%BA%D0%BE"),
];

fn slugs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slug");
    for case in [SlugCase::Sensitive, SlugCase::Insensitive] {
        let rules = SlugRules { case, unicode: true };
        for (what, slug) in SLUGS {
            group.bench_function(format!("{what}/{case}"), |bencher| {
                bencher.iter(|| rules.parse_segment(black_box(slug)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, slugs);
criterion_main!(benches);
