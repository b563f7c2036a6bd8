//! What analytics needs of clicks.

use std::{collections::HashMap, sync::OnceLock};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::{
    LinkDay, ValueClicks,
    kept::{Kept, Quoted},
    order::{Order, Place},
    value::{Said, Values},
};
use crate::{
    click::{ClickBatch, clamp_skew},
    id::LinkId,
    pace::Pace,
    sample::{Pack, Sampled, Sampler, Share},
    time::Timestamp,
};

/// Clicks per link and hour, and per value of each dimension, and a sample of them.
#[derive(Debug)]
pub(super) struct Detail {
    sampler: Sampler,
    rows: IndexMap<(LinkId, i64), Row, RandomState>,
    values: Values,
    /// The clicks of a row per value, as far as they are not there.
    by_value: HashMap<(u32, u32), u64, RandomState>,
    kept: Kept,
    /// Once somebody has asked.
    order: OnceLock<Order>,
}

/// The clicks of a link in an hour.
#[derive(Debug, Default)]
pub(super) struct Row {
    clicks: u64,
    /// The last click that is kept, and how many it stands for so far.
    kept: Option<(u32, u64)>,
    /// The values that came first, and how often: most links have no others, and these are where the row is.
    few: [(u32, u32); FEW],
}

/// The dimensions share them. With its key and hash a row takes two lines of a processor's cache.
const FEW: usize = 8;
const _: () = assert!(size_of::<(u64, (LinkId, i64), Row)>() <= 128);

impl Row {
    /// Counts a value, if there is room.
    fn count(&mut self, value: u32) -> bool {
        for (number, clicks) in &mut self.few {
            if *clicks == 0 {
                *number = value;
            }
            if *number == value && *clicks < u32::MAX {
                *clicks += 1;
                return true;
            }
        }
        false
    }

    /// The values that are here, and how often.
    pub(super) fn few(&self) -> impl Iterator<Item = (u32, u64)> {
        let few = self.few.iter().take_while(|(_, clicks)| *clicks > 0);
        few.map(|(value, clicks)| (*value, u64::from(*clicks)))
    }

    pub(super) const fn clicks(&self) -> u64 {
        self.clicks
    }

    pub(super) fn last_kept(&self) -> Option<u32> {
        self.kept.map(|(which, _)| which)
    }

    /// Whether there may be more elsewhere.
    pub(super) const fn is_crowded(&self) -> bool {
        self.few[FEW - 1].1 > 0
    }
}

impl Detail {
    pub(super) fn new(sampler: Sampler) -> Self {
        let (values, by_value, kept) = (Values::default(), HashMap::default(), Kept::default());
        Self { sampler, rows: IndexMap::default(), values, by_value, kept, order: OnceLock::new() }
    }

    /// Adds batches, as of `now`.
    pub(super) fn add<'a>(&mut self, batches: impl Iterator<Item = &'a ClickBatch> + Clone, now: Timestamp) {
        self.order.take();
        let clicks = batches.clone().map(|batch| batch.len() as u64).sum();
        let mut share = self.sampler.begin(clicks, now);
        batches.for_each(|batch| self.add_batch(batch, &mut share, now));
        self.sampler.end(share);
    }

    /// Counts the clicks of a batch, and keeps those that are to be of the sample.
    fn add_batch(&mut self, batch: &ClickBatch, share: &mut Share, now: Timestamp) {
        let Self { rows, values, by_value, kept, .. } = self;
        let texts = batch.texts();
        let (mut said, mut quoted) = (Said::by(&texts), Quoted::from(&texts));
        for (index, entry) in batch.entries().enumerate() {
            let at = clamp_skew(entry.at, now);
            let row = rows.entry((entry.link, at.hour()));
            let place = row.index() as u32;
            let row = row.or_default();
            row.clicks += 1;
            for value in said.of(&entry, values) {
                if !row.count(value) {
                    *by_value.entry((place, value)).or_default() += 1;
                }
            }
            if share.is_too_old(at) {
                continue;
            }
            let due = share.is_due();
            match &mut row.kept {
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

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        let rows = self.rows.len() * (size_of::<(LinkId, i64)>() + size_of::<Row>() + 32 + size_of::<Place>());
        rows + self.values.weight() + self.kept.weight() + self.by_value.len() * 32
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Brings all of it in order, in pieces, unless it is.
    pub(super) fn order(&self, pace: &mut Pace) -> &Order {
        self.order.get_or_init(|| {
            let others = self.by_value.iter().map(|((row, value), clicks)| (*row, *value, *clicks));
            Order::of(self.rows.iter(), others, &self.kept, pace)
        })
    }

    pub(super) fn hours(&self) -> impl Iterator<Item = (LinkId, i64, u64)> {
        let places = self.order(&mut Pace::unbroken()).places().iter();
        places.map(|place| (place.link, place.hour, self.row(place).clicks))
    }

    pub(super) fn hours_of_all(&self) -> impl Iterator<Item = (i64, u64)> {
        self.order(&mut Pace::unbroken()).hours()
    }

    pub(super) fn days(&self) -> impl Iterator<Item = LinkDay<'_>> {
        let order = self.order(&mut Pace::unbroken());
        order.days().map(|(link, day, places)| {
            let clicks = places.iter().map(|place| self.row(place).clicks).sum();
            LinkDay { link, day, clicks, values: self.values_of(order, places) }
        })
    }

    /// What rows have in common, value by value.
    fn values_of(&self, order: &Order, places: &[Place]) -> Vec<ValueClicks<'_>> {
        let mut values: Vec<_> = places
            .iter()
            .flat_map(|place| order.values(place, self.row(place)))
            .map(|(number, clicks)| {
                let (dimension, value) = self.values.text(number);
                ValueClicks { dimension, value, clicks }
            })
            .collect();
        values.sort_unstable();
        super::add_up(&mut values, |value| (value.dimension, value.value), |value| &mut value.clicks);
        values
    }

    fn row(&self, place: &Place) -> &Row {
        &self.rows[place.row as usize]
    }

    pub(super) fn sample(&self) -> impl Iterator<Item = Sampled<'_>> {
        self.rows.iter().flat_map(move |((link, _), row)| {
            row.kept.into_iter().flat_map(move |last| {
                let all = self.kept.back_from(Some(last.0));
                all.map(move |which| self.kept.click(which, last, *link))
            })
        })
    }

    pub(super) fn packs(&self) -> impl Iterator<Item = Pack<'_>> {
        self.order(&mut Pace::unbroken()).kept().flat_map(move |(place, kept)| {
            let last = self.row(place).kept.unwrap_or_default();
            Pack::all_of(kept.iter().map(move |which| self.kept.click(*which, last, place.link)))
        })
    }

    pub(super) fn clear(&mut self) {
        let Self { sampler: _, rows, values, by_value, kept, order } = self;
        order.take();
        let used = rows.len();
        rows.clear();
        if super::is_spare(rows.capacity(), used) {
            rows.shrink_to(used);
        }
        values.clear();
        super::empty_map(by_value);
        kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{
        click::{BatchId, Click},
        id::ProducerId,
        sample::RawClicks,
        store::Dimension,
    };

    #[test]
    fn a_count_that_is_full_goes_on_elsewhere() {
        let mut row = Row { few: [(7, u32::MAX); FEW], ..Row::default() };
        row.few[FEW - 1] = (0, 0);
        assert!(row.count(7));
        assert_eq!(row.few[FEW - 1], (7, 1));
        row.few[FEW - 1] = (8, 1);
        assert!(!row.count(7));
    }

    proptest! {
        /// However many values a link has.
        #[test]
        fn everything_is_counted(
            clicks in prop::collection::vec((0..3_u8, 0..50_u64, 0..20_u8, 0..4_usize), 1..400),
            size in 1..100_usize,
        ) {
            let languages = ["de", "en", "fr", ""];
            let producer = ProducerId::from_uuid(Uuid::from_u128(1));
            let hour = |hours: u64| Timestamp::EPOCH.plus(std::time::Duration::from_secs(hours * 3_600));
            let link = |number: u8| LinkId::from_uuid(Uuid::from_u128(number.into()));
            let pages: Vec<_> = (0..20).map(|number| format!("https://{number}.example.com/")).collect();
            let made: Vec<_> = clicks.chunks(size).zip(1..).map(|(clicks, sequence)| {
                let clicks = clicks.iter().map(|(number, hours, page, language)| Click {
                    link: link(*number),
                    at: hour(*hours),
                    referrer: Some(&pages[usize::from(*page)]),
                    user_agent: None,
                    language: Some(languages[*language]),
                    visitor: None,
                    network: None,
                });
                ClickBatch::new(BatchId { producer, sequence }, clicks)
            }).collect();
            let (mut by_hour, mut by_value) = (BTreeMap::new(), BTreeMap::new());
            for (number, hours, page, language) in clicks {
                let (id, hours) = (link(number), hours as i64);
                *by_hour.entry((id, hours)).or_insert(0) += 1;
                let values = [
                    (Dimension::Referrer, format!("{page}.example.com")),
                    (Dimension::Language, languages[language].to_owned()),
                ];
                for (dimension, value) in values {
                    *by_value.entry((id, hours / 24, dimension, value)).or_insert(0) += 1;
                }
            }
            let now = hour(1_000);
            let mut detail = Detail::new(Sampler::new(RawClicks::default(), now));
            for batch in &made {
                let before: u64 = detail.hours().map(|(.., clicks)| clicks).sum();
                detail.add(std::iter::once(batch), now);
                prop_assert_eq!(detail.hours().map(|(.., clicks)| clicks).sum::<u64>(), before + batch.len() as u64);
            }
            let hours: Vec<_> = by_hour.into_iter().map(|((link, hour), clicks)| (link, hour, clicks)).collect();
            prop_assert_eq!(detail.hours().collect::<Vec<_>>(), hours);
            let of_day = |LinkDay { link, day, clicks, values }| {
                for dimension in Dimension::ALL {
                    let of = values.iter().filter(|value| value.dimension == dimension);
                    assert_eq!(of.map(|value| value.clicks).sum::<u64>(), clicks);
                }
                values.into_iter().map(move |row| ((link, day, row.dimension, row.value.to_owned()), row.clicks))
            };
            let values: Vec<_> = detail.days().flat_map(of_day).collect();
            prop_assert_eq!(values, by_value.into_iter().collect::<Vec<_>>());
            detail.clear();
            prop_assert!(detail.hours().next().is_none() && detail.days().next().is_none());
        }
    }
}
