//! Histograms of how long things take.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::RwLock;
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// The bounds of the buckets, in microseconds: from what a cached redirect takes to what a store that hangs does.
const BOUNDS: [u64; 18] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// How many took how long.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// The last one is of what took longer than all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    // Nearly all are in one of the first.
    BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len())
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

impl Histogram {
    pub(crate) fn observe(&self, took: Duration) {
        self.buckets[bucket(took)].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos(took), Relaxed);
    }

    /// The same of `count` that took as long each, where only one thread ever does so: no bus has to be locked.
    pub(crate) fn observe_alone(&self, count: u64, took: Duration) {
        let add = |to: &AtomicU64, some: u64| to.store(to.load(Relaxed).wrapping_add(some), Relaxed);
        add(&self.buckets[bucket(took)], count);
        add(&self.nanos, nanos(took).saturating_mul(count));
    }
}

/// Some histograms as one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    buckets: [u64; BOUNDS.len() + 1],
    nanos: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Relaxed);
        }
        self.nanos += histogram.nanos.load(Relaxed);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, some) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += some;
        }
        self.nanos += other.nanos;
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(self.buckets).collect();
        encoder.encode_histogram::<NoLabelSet>(self.nanos as f64 / 1e9, self.count(), &buckets, None)
    }
}

/// Histograms by label.
#[derive(Debug)]
pub(crate) struct Durations<L>(RwLock<HashMap<L, Arc<Histogram>>>);

impl<L> Default for Durations<L> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<L: Ord + Hash + Clone> Durations<L> {
    pub(crate) fn observe(&self, labels: &L, took: Duration) {
        if let Some(histogram) = self.0.read().get(labels) {
            return histogram.observe(took);
        }
        self.0.write().entry(labels.clone()).or_default().observe(took);
    }

    pub(crate) fn sums(&self) -> BTreeMap<L, Sum> {
        let sum = |histogram: &Arc<Histogram>| {
            let mut sum = Sum::default();
            sum.add(histogram);
            sum
        };
        self.0.read().iter().map(|(labels, histogram)| (labels.clone(), sum(histogram))).collect()
    }
}

/// Writes a family of histograms, in the order of their labels.
pub(crate) fn encode<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    sums: &BTreeMap<L, Sum>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (labels, sum) in sums {
        sum.encode(&mut family.encode_family(labels)?)?;
    }
    Ok(())
}
