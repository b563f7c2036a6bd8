//! Metrics in Prometheus' text format.

use std::{fmt, sync::atomic::Ordering::Relaxed, time::Duration};

use boltlink_core::{
    Clock, Counters, Error, Gauges, RedirectKind, Shortener, SystemClock,
    store::{Backlog, Consumer},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet, prometheus_text},
    metrics::{MetricType, exemplar::Exemplar},
    registry::Registry,
};
use tokio::time::{error::Elapsed, timeout};

use super::{
    Metrics, OUTCOMES, Request, Route,
    durations::{self, Sum},
    process,
};
use crate::throttle::Decisions;

/// How long what has to be asked for may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// All metrics. What a store or Redis does not tell in time is left out.
pub(crate) async fn render(metrics: &Metrics, shortener: &Shortener, decisions: Option<Decisions>) -> String {
    let (totals, analytics) =
        tokio::join!(Queue::of(shortener, Consumer::Totals), Queue::of(shortener, Consumer::Analytics));
    let snapshot = Snapshot {
        metrics: metrics.clone(),
        counters: shortener.counters(),
        gauges: shortener.gauges(),
        queues: [totals, analytics],
        decisions,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Queue {
    consumer: Consumer,
    backlog: Option<Backlog>,
    dead_letters: Option<u64>,
    missing: Option<u64>,
}

impl Queue {
    async fn of(shortener: &Shortener, consumer: Consumer) -> Self {
        // Each by itself: a log that does not answer must not take the database's answers along.
        let backlog = timeout(PATIENCE, shortener.backlog(consumer));
        let dead_letters = timeout(PATIENCE, shortener.dead_letter_count(consumer));
        let missing = timeout(PATIENCE, shortener.missing_batches(consumer));
        let (backlog, dead_letters, missing) = tokio::join!(backlog, dead_letters, missing);
        let told = |answer: Result<Result<u64, Error>, Elapsed>| answer.ok()?.ok();
        let backlog = backlog.ok().and_then(Result::ok);
        Self { consumer, backlog, dead_letters: told(dead_letters), missing: told(missing) }
    }
}

/// Everything, as of one moment.
#[derive(Debug)]
struct Snapshot {
    metrics: Metrics,
    counters: Counters,
    gauges: Gauges,
    queues: [Queue; 2],
    decisions: Option<Decisions>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.times(encoder)?;
        self.links(encoder)?;
        self.clicks(encoder)?;
        self.queues(encoder)?;
        let pools = self.metrics.0.pools.lock();
        let states = pools.iter().flat_map(|pool| {
            let (open, idle) = (pool.connections)();
            [("busy", open.saturating_sub(idle)), ("idle", idle)].map(|(state, count)| ((pool.name, state), count))
        });
        let states = states.map(|((name, state), count)| ([("pool", name), ("state", state)], f64::from(count)));
        let help = "Open connections to the database";
        gauges(encoder, "boltlink_database_connections", help, states)?;
        let most = pools.iter().map(|pool| ([("pool", pool.name)], f64::from(pool.most)));
        gauges(encoder, "boltlink_database_connections_most", "How many there are at most", most)?;
        drop(pools);
        let runtimes = self.metrics.0.runtimes.lock();
        let tasks: usize = runtimes.iter().map(|runtime| runtime.metrics().num_alive_tasks()).sum();
        drop(runtimes);
        gauge(
            encoder,
            "boltlink_tasks",
            "Tasks of the process: connections, requests and what runs behind them",
            tasks as f64,
        )?;
        process::encode(encoder)
    }
}

impl Snapshot {
    fn times(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let inner = &self.metrics.0;
        let mut requests = inner.requests.sums();
        for (place, kind) in RedirectKind::ALL.iter().enumerate() {
            let labels = Request { method: "GET", route: Route::link(), status_code: kind.code() };
            let mut sum = Sum::default();
            inner.lanes.lock().iter().for_each(|lane| sum.add(&lane.0[place]));
            if sum.count() > 0 {
                requests.entry(labels).or_default().merge(&sum);
            }
        }
        let help = "How long answers took to be made, from the moment the request was read";
        durations::encode(encoder, ("http_request_duration_seconds", help), &requests)?;
        let help = "How long statements to the database took";
        durations::encode(encoder, ("db_query_duration_seconds", help), &inner.queries.sums())?;
        let help = "How long calls to Redis took";
        durations::encode(encoder, ("redis_operation_duration_seconds", help), &inner.commands.sums())
    }

    fn links(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let inner = &self.metrics.0;
        let mut outcomes: Vec<u64> = inner.outcomes.iter().map(|count| count.load(Relaxed)).collect();
        for lane in inner.lanes.lock().iter() {
            let mut sum = Sum::default();
            lane.0.iter().for_each(|histogram| sum.add(histogram));
            outcomes[0] += sum.count();
        }
        let outcomes = OUTCOMES.iter().zip(outcomes).map(|(outcome, count)| ([("outcome", *outcome)], count as f64));
        counters(encoder, "boltlink_visits", "Visits, by what became of them", outcomes)?;
        let Gauges { links_cached, links_cached_bytes, .. } = self.gauges;
        let help = "Links that were not cached when they were asked for";
        counter(encoder, "boltlink_links_loaded", help, self.counters.links_loaded as f64)?;
        gauge(encoder, "boltlink_links_cached", "Links that are cached", links_cached as f64)?;
        let help = "About how much memory they take";
        gauge(encoder, "boltlink_links_cached_bytes", help, links_cached_bytes as f64)?;
        let Some(Decisions { allowed, refused }) = self.decisions else { return Ok(()) };
        let decisions = [("allowed", allowed), ("refused", refused)];
        let decisions = decisions.map(|(decision, count)| ([("decision", decision)], count as f64));
        counters(encoder, "boltlink_limiter_decisions", "Whether somebody came too often", decisions)
    }

    fn clicks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Counters { clicks_recorded, batches_recorded, clicks_lost, clicks_unacknowledged, .. } = self.counters;
        let Counters { clicks_in_totals, clicks_in_analytics, clicks_dead, stores_failed, .. } = self.counters;
        for (name, help, count) in [
            ("boltlink_clicks_recorded", "Clicks that were recorded", clicks_recorded),
            ("boltlink_click_batches_recorded", "Batches they were recorded in", batches_recorded),
            ("boltlink_clicks_lost", "Clicks that were redirected, but will never be counted", clicks_lost),
            (
                "boltlink_clicks_unacknowledged",
                "Clicks that were redirected although nothing durable took them in time",
                clicks_unacknowledged,
            ),
            ("boltlink_clicks_dead", "Clicks that a store refused for good", clicks_dead),
            ("boltlink_stores_failed", "Attempts to store clicks that failed and are made again", stores_failed),
        ] {
            counter(encoder, name, help, count as f64)?;
        }
        let stored = [(Consumer::Totals, clicks_in_totals), (Consumer::Analytics, clicks_in_analytics)];
        let stored = stored.map(|(consumer, count)| ([("consumer", consumer.name())], count as f64));
        counters(encoder, "boltlink_clicks_stored", "Clicks that this process has stored", stored)?;
        let Gauges { batches_undelivered, journal_bytes, .. } = self.gauges;
        let help = "Batches of clicks that are on their way to the click log";
        gauge(encoder, "boltlink_batches_undelivered", help, batches_undelivered as f64)?;
        let help = "Clicks that are in the journal until they are stored";
        gauge(encoder, "boltlink_journal_bytes", help, journal_bytes as f64)
    }

    fn queues(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let each = |value: fn(&Queue) -> Option<f64>| {
            self.queues.iter().filter_map(move |queue| Some(([("consumer", queue.consumer.name())], value(queue)?)))
        };
        let batches = |queue: &Queue| queue.backlog.map(|backlog| backlog.batches as f64);
        gauges(encoder, "boltlink_queue_batches", "Batches of clicks that wait to be stored", each(batches))?;
        let lag = |queue: &Queue| {
            let oldest = queue.backlog?.oldest;
            Some(oldest.map_or(0.0, |oldest| SystemClock.now().since(oldest).as_secs_f64()))
        };
        gauges(encoder, "boltlink_queue_lag_seconds", "How long the oldest of them has waited", each(lag))?;
        let dead = |queue: &Queue| queue.dead_letters.map(|count| count as f64);
        let help = "Batches of which a store refused something, and that wait for an operator";
        gauges(encoder, "boltlink_dead_letters", help, each(dead))?;
        let missing = |queue: &Queue| queue.missing.map(|count| count as f64);
        let help = "Batches that have not come, of which later ones of their producer have";
        gauges(encoder, "boltlink_ledger_holes", help, each(missing))
    }
}

pub(super) fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    family.encode_counter(&value, NO_EXEMPLAR)
}

fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let put = |mut one: MetricEncoder<'_>, value| one.encode_counter(&value, NO_EXEMPLAR);
    family(encoder, (name, help, MetricType::Counter), values, put)
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;

pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let put = |mut one: MetricEncoder<'_>, value| one.encode_gauge(&value);
    family(encoder, (name, help, MetricType::Gauge), values, put)
}

/// One metric with labels. Of what is not known nothing is said.
fn family<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&str, &str, MetricType),
    values: impl IntoIterator<Item = (L, f64)>,
    put: impl Fn(MetricEncoder<'_>, f64) -> fmt::Result,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in values {
        put(family.encode_family(&labels)?, value)?;
    }
    Ok(())
}
