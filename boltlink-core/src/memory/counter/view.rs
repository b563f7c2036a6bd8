//! The view of clicks that no totals consumer has taken yet.

use std::collections::{BTreeMap, HashMap};

use crate::{click::ClickBatch, id::LinkId};

/// The clicks of one batch per link.
pub(super) type Counts = HashMap<LinkId, u64>;

/// Counts a batch. The dear part of keeping the view.
pub(super) fn count(batch: &ClickBatch) -> Counts {
    let mut counts = Counts::new();
    for link in batch.links() {
        *counts.entry(link).or_default() += 1;
    }
    counts
}

/// Which batches the view shows, by place, and the sums of those that have been counted.
#[derive(Default)]
pub(super) struct View {
    uncounted: BTreeMap<u64, ClickBatch>,
    counted: HashMap<u64, Counts>,
    sums: HashMap<LinkId, u64>,
}

impl View {
    pub(super) fn raise(&mut self, place: u64, batch: &ClickBatch) {
        self.uncounted.insert(place, batch.clone());
    }

    /// The batches before `end` to be counted.
    pub(super) fn uncounted(&self, end: u64) -> impl Iterator<Item = (u64, &ClickBatch)> {
        self.uncounted.range(..end).map(|(place, batch)| (*place, batch))
    }

    /// Shows the batches at these places, unless they were counted or taken down meanwhile.
    pub(super) fn set_counts(&mut self, counted: Vec<(u64, Counts)>) {
        for (place, counts) in counted {
            if self.uncounted.remove(&place).is_none() {
                continue;
            }
            for (link, clicks) in &counts {
                *self.sums.entry(*link).or_default() += clicks;
            }
            self.counted.insert(place, counts);
        }
    }

    /// Shows the batch at `place` no more, if it does.
    pub(super) fn take_down(&mut self, place: u64) {
        if self.uncounted.remove(&place).is_some() {
            return;
        }
        for (link, clicks) in self.counted.remove(&place).into_iter().flatten() {
            if let Some(sum) = self.sums.get_mut(&link) {
                *sum -= clicks;
                if *sum == 0 {
                    self.sums.remove(&link);
                }
            }
        }
    }

    pub(super) fn of(&self, link: LinkId) -> u64 {
        self.sums.get(&link).copied().unwrap_or(0)
    }
}
