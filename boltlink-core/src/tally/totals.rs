//! What totals need of clicks.

use std::{collections::HashMap, sync::OnceLock};

use foldhash::fast::RandomState;

use crate::{click::ClickBatch, id::LinkId, pace::Pace};

/// Clicks per link.
#[derive(Debug, Default)]
pub(super) struct Totals {
    clicks: HashMap<LinkId, u64, RandomState>,
    /// The same in the order in which they are stored, once somebody has asked.
    sorted: OnceLock<Vec<(LinkId, u64)>>,
}

impl Totals {
    pub(super) fn add<'a>(&mut self, batches: impl Iterator<Item = &'a ClickBatch>) {
        self.sorted.take();
        batches.flat_map(ClickBatch::links).for_each(|link| *self.clicks.entry(link).or_default() += 1);
    }

    pub(super) fn of(&self, link: LinkId) -> u64 {
        self.clicks.get(&link).copied().unwrap_or(0)
    }

    pub(super) fn sorted(&self, pace: &mut Pace) -> &[(LinkId, u64)] {
        self.sorted.get_or_init(|| {
            let totals = self.clicks.iter().inspect(|_| pace.tick());
            let mut totals: Vec<_> = totals.map(|(link, clicks)| (*link, *clicks)).collect();
            pace.sort(&mut totals);
            totals
        })
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        self.clicks.len() * 72
    }

    pub(super) fn clear(&mut self) {
        super::empty_map(&mut self.clicks);
        self.sorted.take();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{BatchId, Click, ProducerId, Timestamp};

    #[test]
    fn what_is_added_after_they_were_sorted_counts_too() {
        let link = |number| LinkId::from_uuid(Uuid::from_u128(number));
        let batch = |links: &[u128]| {
            let clicks = links.iter().map(|number| Click::bare(link(*number), Timestamp::EPOCH));
            ClickBatch::new(BatchId { producer: ProducerId::from_uuid(Uuid::from_u128(1)), sequence: 1 }, clicks)
        };
        let mut totals = Totals::default();
        totals.add(std::iter::once(&batch(&[3, 1, 3])));
        assert_eq!(totals.sorted(&mut Pace::begin()), [(link(1), 1), (link(3), 2)]);
        totals.add(std::iter::once(&batch(&[2, 3])));
        assert_eq!(totals.sorted(&mut Pace::begin()), [(link(1), 1), (link(2), 1), (link(3), 3)]);
        totals.clear();
        assert_eq!(totals.sorted(&mut Pace::begin()), []);
    }
}
