//! Adding clicks up before they are stored: what both sinks of every store do first.

mod kept;
mod text;
mod value;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    fmt,
    hash::Hash,
};

use foldhash::fast::RandomState;

use self::{
    kept::{Kept, Quoted},
    value::{Said, Values},
};
use crate::{
    click::{BatchId, ClickBatch, clamp_skew},
    id::{LinkId, ProducerId},
    ledger::Ledger,
    sample::{Pack, Sampled, Sampler, Share},
    store::Dimension,
    time::Timestamp,
};

/// The clicks of many batches, added up: per link for totals, and for analytics also per hour, per value of each
/// dimension, and with a [sample](crate::sample) of single clicks.
///
/// Adding a click costs about a look into a map for totals, and four for analytics. What it holds grows with the different
/// links, hours and values, not with the clicks.
pub struct Tally {
    batches: BTreeMap<ProducerId, Ledger>,
    count: u64,
    clicks: u64,
    oldest: Option<Timestamp>,
    /// Of a link and an hour, or [`TOTAL`], the place in `rows`.
    places: HashMap<(LinkId, i64), u32, RandomState>,
    rows: Vec<Row>,
    detail: Option<Box<Detail>>,
}

/// The hour of all clicks, where hours are not told apart.
const TOTAL: i64 = 0;

/// The clicks of a link in an hour.
#[derive(Debug)]
struct Row {
    link: LinkId,
    hour: i64,
    clicks: u64,
    /// The last click that is kept, and how many it stands for so far.
    kept: Option<(u32, u64)>,
}

/// What only analytics needs.
#[derive(Debug)]
struct Detail {
    sampler: Sampler,
    values: Values,
    /// The clicks of a row per value.
    by_value: HashMap<(u32, u32), u64, RandomState>,
    kept: Kept,
}

/// The clicks of a link and day that have a value in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueClicks<'a> {
    /// The link.
    pub link: LinkId,
    /// The day ([`Timestamp::day`]).
    pub day: i64,
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
        Self::new(None)
    }

    /// An empty one that counts them by hours and dimensions, too, and has a sample of them.
    #[must_use]
    pub fn of_analytics(sampler: Sampler) -> Self {
        let (values, by_value, kept) = (Values::default(), HashMap::default(), Kept::default());
        Self::new(Some(Box::new(Detail { sampler, values, by_value, kept })))
    }

    fn new(detail: Option<Box<Detail>>) -> Self {
        let (places, rows) = (HashMap::default(), Vec::new());
        Self { batches: BTreeMap::new(), count: 0, clicks: 0, oldest: None, places, rows, detail }
    }

    /// Adds batches, as of `now`. None may be in it before.
    pub fn add<'a>(&mut self, batches: impl IntoIterator<Item = &'a ClickBatch, IntoIter: Clone>, now: Timestamp) {
        let batches = batches.into_iter();
        let clicks = batches.clone().map(|batch| batch.len() as u64).sum();
        let mut share = self.detail.as_ref().map(|detail| detail.sampler.begin(clicks, now));
        for batch in batches {
            // The first one's will do.
            self.oldest = self.oldest.into_iter().chain(batch.entries().next().map(|first| first.at)).min();
            match &mut share {
                None => batch.links().for_each(|link| _ = self.count(link, TOTAL)),
                Some(share) => self.add_in_detail(batch, share, now),
            }
            let BatchId { producer, sequence } = batch.id();
            self.batches.entry(producer).or_default().apply(sequence);
            self.count += 1;
            self.clicks += batch.len() as u64;
        }
        if let (Some(detail), Some(share)) = (&self.detail, share) {
            detail.sampler.end(share);
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

    /// About when the oldest of them was made.
    #[must_use]
    pub const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let detail = self.detail.as_ref();
        let detail = detail.map_or(0, |more| more.values.weight() + more.kept.weight() + more.by_value.len() * 32);
        self.rows.len() * (size_of::<Row>() + 48) + detail
    }

    /// The clicks of one link, of a tally [of totals](Self::of_totals).
    #[must_use]
    pub fn clicks_of(&self, link: LinkId) -> u64 {
        self.places.get(&(link, TOTAL)).map_or(0, |place| self.rows[*place as usize].clicks)
    }

    /// The clicks per link, in the order of the links (the order in which rows are locked).
    #[must_use]
    pub fn totals(&self) -> Vec<(LinkId, u64)> {
        let mut totals: Vec<_> = self.rows.iter().map(|row| (row.link, row.clicks)).collect();
        totals.sort_unstable_by_key(|(link, _)| *link);
        totals.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            sum.1 += if same { next.1 } else { 0 };
            same
        });
        totals
    }

    /// The clicks per link and hour ([`Timestamp::hour`]), in this order; of a tally [of analytics](Self::of_analytics).
    #[must_use]
    pub fn hours(&self) -> Vec<(LinkId, i64, u64)> {
        let mut hours: Vec<_> = self.rows.iter().map(|row| (row.link, row.hour, row.clicks)).collect();
        hours.sort_unstable();
        hours
    }

    /// The clicks per link, day, dimension and value, in this order; of a tally [of analytics](Self::of_analytics).
    #[must_use]
    pub fn values(&self) -> Vec<ValueClicks<'_>> {
        let Some(detail) = &self.detail else { return Vec::new() };
        let clicks = |(&(place, number), &clicks): (&(u32, u32), &u64)| {
            let Row { link, hour, .. } = self.rows[place as usize];
            let (dimension, value) = detail.values.text(number);
            ValueClicks { link, day: hour.div_euclid(24), dimension, value, clicks }
        };
        let mut values: Vec<_> = detail.by_value.iter().map(clicks).collect();
        values.sort_unstable();
        values.dedup_by(|next, sum| {
            let same = ValueClicks { clicks: 0, ..*next } == ValueClicks { clicks: 0, ..*sum };
            sum.clicks += if same { next.clicks } else { 0 };
            same
        });
        values
    }

    /// The single clicks to be kept, in no order. For each link they stand for as many as it has, but for those that are
    /// too old to be kept.
    #[must_use]
    pub fn sample(&self) -> Vec<Sampled<'_>> {
        let Some(detail) = &self.detail else { return Vec::new() };
        self.rows.iter().flat_map(|row| detail.kept_of(row)).collect()
    }

    /// The same, packed, in the order of links. They are packed as they are taken: all at once would be as much memory
    /// again.
    pub fn packs(&self) -> impl Iterator<Item = Pack<'_>> {
        let mut rows: Vec<_> = self.rows.iter().filter(|row| row.kept.is_some()).collect();
        rows.sort_unstable_by_key(|row| (row.link, row.hour));
        let packs = |detail| rows.into_iter().flat_map(move |row| Detail::packs_of(detail, row));
        self.detail.as_deref().map(packs).into_iter().flatten()
    }

    /// Forgets everything but the memory that it took, or the better part of it if little of that was needed: to grow into
    /// new memory costs more than to count.
    pub fn clear(&mut self) {
        let Self { batches, count, clicks, oldest, places, rows, detail } = self;
        batches.clear();
        (*count, *clicks, *oldest) = (0, 0, None);
        empty_map(places);
        empty(rows);
        if let Some(detail) = detail {
            let Detail { sampler: _, values, by_value, kept } = &mut **detail;
            values.clear();
            empty_map(by_value);
            kept.clear();
        }
    }
}

impl Detail {
    fn kept_of(&self, row: &Row) -> impl Iterator<Item = Sampled<'_>> {
        row.kept.into_iter().flat_map(move |last| self.kept.row(last, row.link))
    }

    fn packs_of(&self, row: &Row) -> Vec<Pack<'_>> {
        let mut clicks: Vec<_> = self.kept_of(row).collect();
        clicks.sort_unstable_by_key(|click| Reverse((click.at, click.id)));
        Pack::all_of(&clicks)
    }
}

/// Room beyond what was needed, that is kept all the same.
const SPARE: usize = 4;

fn empty<T>(list: &mut Vec<T>) {
    let used = list.len();
    list.clear();
    if list.capacity() / SPARE > used {
        list.shrink_to(used);
    }
}

fn empty_map<K: Eq + Hash, V>(map: &mut HashMap<K, V, RandomState>) {
    let used = map.len();
    map.clear();
    if map.capacity() / SPARE > used {
        map.shrink_to(used);
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, clicks, rows, .. } = self;
        f.debug_struct("Tally").field("batches", batches).field("clicks", clicks).field("rows", &rows.len()).finish()
    }
}

impl Tally {
    /// Counts a click, and says in which row.
    fn count(&mut self, link: LinkId, hour: i64) -> u32 {
        let place = *self.places.entry((link, hour)).or_insert_with(|| {
            self.rows.push(Row { link, hour, clicks: 0, kept: None });
            (self.rows.len() - 1) as u32
        });
        self.rows[place as usize].clicks += 1;
        place
    }

    /// Counts the clicks of a batch by their dimensions, too, and keeps those that are to be of the sample.
    fn add_in_detail(&mut self, batch: &ClickBatch, share: &mut Share, now: Timestamp) {
        let texts = batch.texts();
        let (mut said, mut quoted) = (Said::by(&texts), Quoted::from(&texts));
        for (index, entry) in batch.entries().enumerate() {
            let at = clamp_skew(entry.at, now);
            let place = self.count(entry.link, at.hour());
            let Some(Detail { values, by_value, kept, .. }) = self.detail.as_deref_mut() else { return };
            for value in said.of(&entry, values) {
                *by_value.entry((place, value)).or_default() += 1;
            }
            if share.is_too_old(at) {
                continue;
            }
            let due = share.is_due();
            match &mut self.rows[place as usize].kept {
                Some((_, clicks)) if !due => *clicks += 1,
                // The first of a row always is.
                last => {
                    if let Some((which, clicks)) = *last {
                        kept.set_weight(which, clicks);
                    }
                    share.take();
                    let id = batch.click_id(index, at);
                    *last = Some((kept.push(&entry, &mut quoted, (id, at), last.map(|(which, _)| which)), 1));
                }
            }
        }
    }
}
