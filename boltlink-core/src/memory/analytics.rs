//! Rollups of clicks: the sink that keeps them, and the reader.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    ops::Range,
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use super::click::Ledgers;
use crate::{
    click::{BatchId, ClickBatch},
    error::StoreError,
    id::{ClickId, LinkId, ProducerId},
    sample::{RawClicks, Sampled, Sampler},
    store::{
        AnalyticsReader, Applied, ClickCursor, ClickSink, DeadLetter, Dimension, Interval, LedgerState, LinkClicks,
        Point, RawClick, Scope, Share, Span,
    },
    tally::{LinkDay, Tally, ValueClicks},
    time::{Clock, Timestamp},
};

/// Rollups in this process's memory: the analytics sink and what reads it.
pub struct MemoryAnalytics {
    clock: Arc<dyn Clock>,
    ledgers: Mutex<Ledgers>,
    rollups: RwLock<Tables>,
}

impl MemoryAnalytics {
    /// How many single clicks are kept; those that were kept first are dropped first.
    pub const RAW_CLICKS: usize = 100_000;

    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, ledgers: Mutex::default(), rollups: RwLock::default() }
    }

    /// There are no orphans here.
    fn count(&self, fresh: &[&ClickBatch], now: Timestamp) -> u64 {
        let mut tally = tally();
        tally.add(fresh.iter().copied(), now);
        self.add(&tally)
    }

    fn add(&self, tally: &Tally) -> u64 {
        // Before the rollups are locked, so that readers do not wait for the sums.
        let (hours, days, sample) = (tally.hours().collect(), tally.days().collect(), tally.sample());
        let mut tables = self.rollups.write();
        tables.add(hours, days);
        tables.keep(sample);
        0
    }
}

/// An empty one.
fn tally() -> Tally {
    Tally::of_analytics(Sampler::of_all(RawClicks::default().retention))
}

impl fmt::Debug for MemoryAnalytics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryAnalytics { … }")
    }
}

#[async_trait]
impl ClickSink for MemoryAnalytics {
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError> {
        let now = self.clock.now();
        Ok(self.ledgers.lock().apply(batches, now, |fresh| self.count(fresh, now)))
    }

    fn tally(&self) -> Option<Tally> {
        Some(tally())
    }

    async fn apply_tally(&self, tally: &Arc<Tally>) -> Result<Option<Applied>, StoreError> {
        Ok(self.ledgers.lock().apply_whole(tally, self.clock.now(), |tally| self.add(tally)))
    }

    async fn salvage(&self, batch: &ClickBatch) -> Result<Applied, StoreError> {
        // There is nothing that it would refuse.
        self.apply(std::slice::from_ref(batch)).await
    }

    async fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.ledgers.lock().dead_letters(after, limit))
    }

    async fn dead_letter(&self, id: BatchId) -> Result<Option<DeadLetter>, StoreError> {
        Ok(self.ledgers.lock().dead_letter(id))
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        Ok(self.ledgers.lock().waiting().count() as u64)
    }

    async fn count_missing(&self) -> Result<u64, StoreError> {
        Ok(self.ledgers.lock().missing())
    }

    async fn replay(&self, id: BatchId) -> Result<Applied, StoreError> {
        let now = self.clock.now();
        self.ledgers.lock().replay(id, |fresh| self.count(fresh, now))
    }

    async fn purge(&self, id: BatchId) -> Result<(), StoreError> {
        self.ledgers.lock().take_out(id)
    }

    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError> {
        self.ledgers.lock().set_aside(batch, reason, self.clock.now());
        Ok(())
    }

    async fn applied(&self, producers: &[ProducerId]) -> Result<Vec<LedgerState>, StoreError> {
        Ok(self.ledgers.lock().applied(producers))
    }
}

#[async_trait]
impl AnalyticsReader for MemoryAnalytics {
    async fn total(&self, scope: Scope) -> Result<u64, StoreError> {
        let rollups = self.rollups.read();
        Ok(match scope {
            Scope::Link(link) => rollups.totals.get(&link).copied().unwrap_or(0),
            Scope::Global => rollups.total,
        })
    }

    async fn series(&self, scope: Scope, interval: Interval, span: Span) -> Result<Vec<Point>, StoreError> {
        let Some(span) = range(span.from, span.to) else { return Ok(Vec::new()) };
        let rollups = self.rollups.read();
        Ok(match scope {
            Scope::Link(link) => {
                let hours = rollups.hours.range((link, span.start)..(link, span.end));
                points(hours.map(|((_, hour), clicks)| (*hour, *clicks)), interval)
            }
            Scope::Global => points(rollups.global_hours.range(span).map(|(hour, clicks)| (*hour, *clicks)), interval),
        })
    }

    async fn breakdown(
        &self,
        link: LinkId,
        by: Dimension,
        from: i64,
        to: i64,
        limit: u32,
    ) -> Result<Vec<Share>, StoreError> {
        let Some(days) = range(from, to) else { return Ok(Vec::new()) };
        let rollups = self.rollups.read();
        let mut sums = HashMap::<&str, u64>::new();
        for (_, values) in rollups.values.range((link, by, days.start)..(link, by, days.end)) {
            for (value, clicks) in values {
                *sums.entry(value).or_default() += clicks;
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
        sums.truncate(limit as usize);
        Ok(sums.into_iter().map(|(value, clicks)| Share { value: value.to_owned(), clicks }).collect())
    }

    async fn top(&self, from: i64, to: i64, limit: u32) -> Result<Vec<LinkClicks>, StoreError> {
        let Some(days) = range(from, to) else { return Ok(Vec::new()) };
        let rollups = self.rollups.read();
        let mut sums = HashMap::<LinkId, u64>::new();
        for ((_, link), clicks) in rollups.days.range((days.start, FIRST)..(days.end, FIRST)) {
            *sums.entry(*link).or_default() += clicks;
        }
        let mut top: Vec<_> = sums.into_iter().map(|(link, clicks)| LinkClicks { link, clicks }).collect();
        top.sort_unstable_by_key(|one| (Reverse(one.clicks), one.link));
        top.truncate(limit as usize);
        Ok(top)
    }

    async fn clicks(
        &self,
        link: LinkId,
        from: Timestamp,
        to: Timestamp,
        after: Option<ClickCursor>,
        limit: u32,
    ) -> Result<Vec<RawClick>, StoreError> {
        let rollups = self.rollups.read();
        let Some(clicks) = rollups.raw.get(&link) else { return Ok(Vec::new()) };
        let before = after.map_or((to, FIRST_CLICK), |after| (after.at, after.id).min((to, FIRST_CLICK)));
        let from = (from, FIRST_CLICK);
        if from >= before {
            return Ok(Vec::new());
        }
        Ok(clicks.range(from..before).rev().take(limit as usize).map(|(_, click)| click.clone()).collect())
    }
}

/// Before every id.
const FIRST: LinkId = LinkId::from_uuid(Uuid::nil());
const FIRST_CLICK: ClickId = ClickId::from_uuid(Uuid::nil());

/// `None` if nothing lies between: a map panics at a range that ends before it starts.
fn range(from: i64, to: i64) -> Option<Range<i64>> {
    (from < to).then_some(from..to)
}

/// Ascending hours as points of the interval.
fn points(hours: impl Iterator<Item = (i64, u64)>, interval: Interval) -> Vec<Point> {
    let mut points = Vec::<Point>::new();
    for (hour, clicks) in hours {
        let at = match interval {
            Interval::Hour => hour,
            Interval::Day => hour.div_euclid(24),
        };
        match points.last_mut() {
            Some(last) if last.at == at => last.clicks += clicks,
            _ => points.push(Point { at, clicks }),
        }
    }
    points
}

#[derive(Default)]
struct Tables {
    total: u64,
    totals: HashMap<LinkId, u64>,
    hours: BTreeMap<(LinkId, i64), u64>,
    /// Of all links, so that a look at everything costs no more than a look at one.
    global_hours: BTreeMap<i64, u64>,
    days: BTreeMap<(i64, LinkId), u64>,
    raw: HashMap<LinkId, BTreeMap<(Timestamp, ClickId), RawClick>>,
    /// What is in `raw`, the first kept first.
    kept: VecDeque<(LinkId, (Timestamp, ClickId))>,
    values: BTreeMap<(LinkId, Dimension, i64), BTreeMap<String, u64>>,
}

impl Tables {
    fn add(&mut self, hours: Vec<(LinkId, i64, u64)>, days: Vec<LinkDay<'_>>) {
        for (link, hour, clicks) in hours {
            self.total += clicks;
            *self.totals.entry(link).or_default() += clicks;
            *self.hours.entry((link, hour)).or_default() += clicks;
            *self.global_hours.entry(hour).or_default() += clicks;
        }
        for LinkDay { link, day, clicks, values } in days {
            *self.days.entry((day, link)).or_default() += clicks;
            for ValueClicks { dimension, value, clicks } in values {
                add_value(self.values.entry((link, dimension, day)).or_default(), value, clicks);
            }
        }
    }
}

impl Tables {
    fn keep(&mut self, clicks: Vec<Sampled<'_>>) {
        for sampled in clicks {
            let (link, place) = (sampled.click.link, (sampled.at, sampled.id));
            self.raw.entry(link).or_default().insert(place, sampled.to_raw());
            self.kept.push_back((link, place));
        }
        while self.kept.len() > MemoryAnalytics::RAW_CLICKS {
            let Some((link, place)) = self.kept.pop_front() else { return };
            if let Some(clicks) = self.raw.get_mut(&link) {
                clicks.remove(&place);
                if clicks.is_empty() {
                    self.raw.remove(&link);
                }
            }
        }
    }
}

/// Adds to a link's values of a day, which stay within [`Dimension::MAX_VALUES`].
fn add_value(row: &mut BTreeMap<String, u64>, value: &str, clicks: u64) {
    if let Some(sum) = row.get_mut(value) {
        *sum += clicks;
        return;
    }
    let kept = row.len() - usize::from(row.contains_key(Dimension::OTHER));
    let fits = kept < Dimension::MAX_VALUES;
    let value = if fits { value } else { Dimension::OTHER };
    *row.entry(value.to_owned()).or_default() += clicks;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        BatchId, Click, Timestamp,
        memory::Memory,
        random::{EntropyExt, SeededEntropy},
        time::FakeClock,
    };

    const HOUR: i64 = 3_600_000_000;

    /// Applies these clicks: the second of the link's name, the time, the referring page.
    async fn apply(clicks: &[(u128, i64, &str)]) -> Arc<MemoryAnalytics> {
        let clock = Arc::new(FakeClock::default());
        let producer = SeededEntropy::new(1).producer_id(clock.now());
        let clicks = clicks.iter().map(|(link, at, referrer)| Click {
            referrer: Some(*referrer),
            ..Click::bare(link_id(*link), Timestamp::from_micros(*at).unwrap())
        });
        let batch = ClickBatch::new(BatchId { producer, sequence: 1 }, clicks);
        let analytics = Memory::new(clock).analytics;
        analytics.apply(&[batch]).await.unwrap();
        analytics
    }

    fn link_id(n: u128) -> LinkId {
        LinkId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[tokio::test]
    async fn series_are_of_hours_and_days_within_the_span() {
        let hours = [0, 23, 23, 24, 50].map(|hour| (1, hour * HOUR, ""));
        let analytics = apply(&[hours.as_slice(), &[(2, 23 * HOUR, "")]].concat()).await;
        let series = async |scope, interval, from, to| {
            let points = analytics.series(scope, interval, Span { from, to }).await.unwrap();
            points.into_iter().map(|point| (point.at, point.clicks)).collect::<Vec<_>>()
        };
        let link = Scope::Link(link_id(1));
        assert_eq!(series(link, Interval::Hour, 1, 50).await, [(23, 2), (24, 1)]);
        assert_eq!(series(link, Interval::Day, 1, 51).await, [(0, 2), (1, 1), (2, 1)]);
        assert_eq!(series(Scope::Global, Interval::Day, 0, 24).await, [(0, 4)]);
        assert_eq!(series(link, Interval::Day, 50, 1).await, []);
        assert_eq!(analytics.total(link).await.unwrap(), 5);
        assert_eq!(analytics.total(Scope::Global).await.unwrap(), 6);
        assert_eq!(analytics.total(Scope::Link(link_id(3))).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn breakdowns_are_bounded_and_sorted() {
        let hosts: Vec<_> = (0..150).map(|n| format!("https://{n:03}.example/")).collect();
        let mut clicks: Vec<_> = hosts.iter().map(|host| (1, 0, &**host)).collect();
        clicks.extend([(1, 0, ""), (1, 0, ""), (1, 48 * HOUR, "https://000.example/"), (2, 0, "https://x.example/")]);
        let analytics = apply(&clicks).await;
        let breakdown = async |from, to, limit| {
            let shares = analytics.breakdown(link_id(1), Dimension::Referrer, from, to, limit).await.unwrap();
            shares.into_iter().map(|share| (share.value, share.clicks)).collect::<Vec<_>>()
        };
        let all = breakdown(0, 3, 1_000).await;
        assert_eq!(all.len(), Dimension::MAX_VALUES + 1);
        assert_eq!(all.iter().map(|(_, clicks)| clicks).sum::<u64>(), 153);
        let top = [(Dimension::OTHER, 51), ("", 2), ("000.example", 2), ("001.example", 1)];
        assert_eq!(breakdown(0, 3, 4).await, top.map(|(value, clicks)| (value.to_owned(), clicks)));
        assert_eq!(breakdown(1, 3, 4).await, [("000.example".to_owned(), 1)]);
        assert_eq!(breakdown(3, 0, 4).await, []);
    }
}
