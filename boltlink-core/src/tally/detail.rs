//! What analytics needs of clicks.

use std::{cmp::Reverse, collections::HashMap};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::{
    ValueClicks,
    kept::{Kept, Quoted},
    value::{Said, Values},
};
use crate::{
    click::{ClickBatch, clamp_skew},
    id::LinkId,
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
}

/// The clicks of a link in an hour.
#[derive(Debug, Default)]
struct Row {
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
}

impl Detail {
    pub(super) fn new(sampler: Sampler) -> Self {
        let (values, by_value, kept) = (Values::default(), HashMap::default(), Kept::default());
        Self { sampler, rows: IndexMap::default(), values, by_value, kept }
    }

    /// Adds batches, as of `now`.
    pub(super) fn add<'a>(&mut self, batches: impl Iterator<Item = &'a ClickBatch> + Clone, now: Timestamp) {
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
        let rows = self.rows.len() * (size_of::<(LinkId, i64)>() + size_of::<Row>() + 32);
        rows + self.values.weight() + self.kept.weight() + self.by_value.len() * 32
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn hours(&self) -> Vec<(LinkId, i64, u64)> {
        let mut hours: Vec<_> = self.rows.iter().map(|((link, hour), row)| (*link, *hour, row.clicks)).collect();
        hours.sort_unstable();
        hours
    }

    pub(super) fn values(&self) -> Vec<ValueClicks<'_>> {
        let value = |(link, hour): (LinkId, i64), number, clicks| {
            let (dimension, value) = self.values.text(number);
            ValueClicks { link, day: hour.div_euclid(24), dimension, value, clicks }
        };
        let few = self.rows.iter().flat_map(|(key, row)| {
            let counted = row.few.iter().take_while(|(_, clicks)| *clicks > 0);
            counted.map(|(number, clicks)| value(*key, *number, u64::from(*clicks)))
        });
        let keys = self.rows.keys();
        let others =
            self.by_value.iter().map(|((place, number), clicks)| value(keys[*place as usize], *number, *clicks));
        let mut values: Vec<_> = few.chain(others).collect();
        values.sort_unstable();
        values.dedup_by(|next, sum| {
            let same = ValueClicks { clicks: 0, ..*next } == ValueClicks { clicks: 0, ..*sum };
            sum.clicks += if same { next.clicks } else { 0 };
            same
        });
        values
    }

    pub(super) fn sample(&self) -> impl Iterator<Item = Sampled<'_>> {
        self.rows.iter().flat_map(|((link, _), row)| self.kept_of(*link, row))
    }

    pub(super) fn packs(&self) -> impl Iterator<Item = Pack<'_>> {
        let mut rows: Vec<_> = self.rows.iter().filter(|(_, row)| row.kept.is_some()).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows.into_iter().flat_map(|((link, _), row)| {
            let mut clicks: Vec<_> = self.kept_of(*link, row).collect();
            clicks.sort_unstable_by_key(|click| Reverse((click.at, click.id)));
            Pack::all_of(&clicks)
        })
    }

    fn kept_of(&self, link: LinkId, row: &Row) -> impl Iterator<Item = Sampled<'_>> {
        row.kept.into_iter().flat_map(move |last| self.kept.row(last, link))
    }

    pub(super) fn clear(&mut self) {
        let Self { sampler: _, rows, values, by_value, kept } = self;
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
                detail.add(std::iter::once(batch), now);
            }
            let hours: Vec<_> = by_hour.into_iter().map(|((link, hour), clicks)| (link, hour, clicks)).collect();
            prop_assert_eq!(detail.hours(), hours);
            let values = detail.values().into_iter();
            let values: Vec<_> =
                values.map(|row| ((row.link, row.day, row.dimension, row.value.to_owned()), row.clicks)).collect();
            prop_assert_eq!(values, by_value.into_iter().collect::<Vec<_>>());
        }
    }
}
