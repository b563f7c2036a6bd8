//! Adding clicks up before they are stored: what both sinks of every store do first.

mod detail;
mod kept;
mod order;
mod text;
mod totals;
mod value;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    hash::Hash,
};

use foldhash::fast::RandomState;

use self::{detail::Detail, totals::Totals};
use crate::{
    click::{BatchId, ClickBatch},
    id::{LinkId, ProducerId},
    ledger::Ledger,
    pace::Pace,
    sample::{Pack, Sampled, Sampler},
    store::Dimension,
    time::Timestamp,
};

/// The clicks of many batches, added up: per link for totals, and for analytics also per hour, per value of each
/// dimension, and with a [sample](crate::sample) of single clicks.
///
/// Adding a click costs a look into a map; for analytics one more for each of its values that is not among the first ones of
/// its link and hour. What it holds grows with the different links, hours and values, not with the clicks.
pub struct Tally {
    batches: BTreeMap<ProducerId, Ledger>,
    count: u64,
    clicks: u64,
    oldest: Option<Timestamp>,
    sums: Sums,
}

/// What is counted.
enum Sums {
    Totals(Totals),
    Analytics(Box<Detail>),
}

/// The clicks of a link and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDay<'a> {
    /// The link.
    pub link: LinkId,
    /// The day ([`Timestamp::day`]).
    pub day: i64,
    /// All of them.
    pub clicks: u64,
    /// The same per value, in the order of dimensions and values. Each dimension has all of them.
    pub values: Vec<ValueClicks<'a>>,
}

/// Clicks that have a value in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueClicks<'a> {
    /// The dimension.
    pub dimension: Dimension,
    /// The value. Not bounded yet: the store knows which ones it has and sends the rest to [`Dimension::OTHER`].
    pub value: &'a str,
    /// The clicks.
    pub clicks: u64,
}

impl Tally {
    /// An empty one that counts clicks per link.
    #[must_use]
    pub fn of_totals() -> Self {
        Self::new(Sums::Totals(Totals::default()))
    }

    /// An empty one that counts them by hours and dimensions, too, and has a sample of them.
    #[must_use]
    pub fn of_analytics(sampler: Sampler) -> Self {
        Self::new(Sums::Analytics(Box::new(Detail::new(sampler))))
    }

    const fn new(sums: Sums) -> Self {
        Self { batches: BTreeMap::new(), count: 0, clicks: 0, oldest: None, sums }
    }

    /// Adds batches, as of `now`. None may be in it before.
    pub fn add<'a>(&mut self, batches: impl IntoIterator<Item = &'a ClickBatch, IntoIter: Clone>, now: Timestamp) {
        let batches = batches.into_iter();
        match &mut self.sums {
            Sums::Totals(totals) => totals.add(batches.clone()),
            Sums::Analytics(detail) => detail.add(batches.clone(), now),
        }
        for batch in batches {
            // The first one's will do.
            self.oldest = self.oldest.into_iter().chain(batch.entries().next().map(|first| first.at)).min();
            let BatchId { producer, sequence } = batch.id();
            self.batches.entry(producer).or_default().apply(sequence);
            self.count += 1;
            self.clicks += batch.len() as u64;
        }
    }

    /// Which batches are in it: a set of sequences for each producer.
    #[must_use]
    pub const fn batches(&self) -> &BTreeMap<ProducerId, Ledger> {
        &self.batches
    }

    /// Whether a batch is in it.
    #[must_use]
    pub fn contains(&self, id: BatchId) -> bool {
        self.batches.get(&id.producer).is_some_and(|sequences| sequences.contains(id.sequence))
    }

    /// Whether no batch is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// How many batches are in it.
    #[must_use]
    pub const fn batch_count(&self) -> u64 {
        self.count
    }

    /// How many clicks.
    #[must_use]
    pub const fn clicks(&self) -> u64 {
        self.clicks
    }

    /// How many links and hours there are ([`hours`](Self::hours)), which are at least as many as links and days; of a tally
    /// [of analytics](Self::of_analytics).
    #[must_use]
    pub fn rows(&self) -> usize {
        self.detail().map_or(0, Detail::rows)
    }

    /// About when the oldest of them was made.
    #[must_use]
    pub const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.sums {
            Sums::Totals(totals) => totals.weight(),
            Sums::Analytics(detail) => detail.weight(),
        }
    }

    /// The clicks of one link, of a tally [of totals](Self::of_totals).
    #[must_use]
    pub fn clicks_of(&self, link: LinkId) -> u64 {
        match &self.sums {
            Sums::Totals(totals) => totals.of(link),
            Sums::Analytics(_) => 0,
        }
    }

    /// Brings what is counted in the order in which it is stored, with an offer of the core now and then; but for the values of
    /// a link and day, which are sorted as they are taken. Whoever asks for totals, hours, days or packs first does so
    /// otherwise, without an offer. It costs a sort of the links and hours, of values beyond the first ones of those, and of
    /// the single clicks.
    pub fn arrange(&self, pace: &mut Pace) {
        match &self.sums {
            Sums::Totals(totals) => {
                totals.sorted(pace);
            }
            Sums::Analytics(detail) => {
                detail.order(pace);
            }
        }
    }

    /// The clicks per link, in the order of the links (the order in which rows are locked).
    #[must_use]
    pub fn totals(&self) -> Cow<'_, [(LinkId, u64)]> {
        match &self.sums {
            Sums::Totals(totals) => totals.sorted(&mut Pace::unbroken()).into(),
            Sums::Analytics(detail) => {
                let mut totals: Vec<_> = detail.hours().map(|(link, _, clicks)| (link, clicks)).collect();
                add_up(&mut totals, |(link, _)| *link, |(_, clicks)| clicks);
                totals.into()
            }
        }
    }

    /// The clicks per link and hour ([`Timestamp::hour`]), in this order; of a tally [of analytics](Self::of_analytics).
    pub fn hours(&self) -> impl Iterator<Item = (LinkId, i64, u64)> {
        self.detail().into_iter().flat_map(Detail::hours)
    }

    /// The clicks per hour, of all links together, in the order of hours; of a tally [of analytics](Self::of_analytics).
    pub fn hours_of_all(&self) -> impl Iterator<Item = (i64, u64)> {
        self.detail().into_iter().flat_map(Detail::hours_of_all)
    }

    /// The clicks per link and day with their values, in this order; of a tally [of analytics](Self::of_analytics). They are
    /// put together as they are taken.
    pub fn days(&self) -> impl Iterator<Item = LinkDay<'_>> {
        self.detail().into_iter().flat_map(Detail::days)
    }

    /// The single clicks to be kept, in no order. For each link they stand for as many as it has, but for those that are
    /// too old to be kept.
    #[must_use]
    pub fn sample(&self) -> Vec<Sampled<'_>> {
        self.detail().map(|detail| detail.sample().collect()).unwrap_or_default()
    }

    /// The same, packed, in the order of links. They are packed as they are taken: all at once would be as much memory
    /// again.
    pub fn packs(&self) -> impl Iterator<Item = Pack<'_>> {
        self.detail().into_iter().flat_map(Detail::packs)
    }

    fn detail(&self) -> Option<&Detail> {
        match &self.sums {
            Sums::Totals(_) => None,
            Sums::Analytics(detail) => Some(detail),
        }
    }

    /// Forgets everything but the memory that it took to count, or the better part of it if little of that was needed: to
    /// grow into new memory costs more than to count.
    pub fn clear(&mut self) {
        let Self { batches, count, clicks, oldest, sums } = self;
        batches.clear();
        (*count, *clicks, *oldest) = (0, 0, None);
        match sums {
            Sums::Totals(totals) => totals.clear(),
            Sums::Analytics(detail) => detail.clear(),
        }
    }
}

/// Makes neighbours with the same key one, whose clicks are those of both.
fn add_up<T, K: PartialEq>(list: &mut Vec<T>, key: impl Fn(&T) -> K, clicks: impl Fn(&mut T) -> &mut u64) {
    list.dedup_by(|next, sum| {
        let same = key(next) == key(sum);
        *clicks(sum) += if same { *clicks(next) } else { 0 };
        same
    });
}

/// Whether so much room is far more than was needed.
const fn is_spare(capacity: usize, used: usize) -> bool {
    capacity / 4 > used
}

fn empty<T>(list: &mut Vec<T>) {
    let used = list.len();
    list.clear();
    if is_spare(list.capacity(), used) {
        list.shrink_to(used);
    }
}

fn empty_map<K: Eq + Hash, V>(map: &mut HashMap<K, V, RandomState>) {
    let used = map.len();
    map.clear();
    if is_spare(map.capacity(), used) {
        map.shrink_to(used);
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, clicks, .. } = self;
        f.debug_struct("Tally").field("batches", batches).field("clicks", clicks).finish_non_exhaustive()
    }
}
