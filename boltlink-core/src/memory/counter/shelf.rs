//! What one consumer has still to settle.

use std::collections::{BTreeSet, HashMap};

use super::LEASE;
use crate::time::Timestamp;

/// The places of the batches that a consumer has not settled: waiting, or leased until some moment.
#[derive(Default)]
pub(super) struct Shelf {
    waiting: BTreeSet<u64>,
    leased: HashMap<u64, Timestamp>,
    /// `leased` by its ends.
    ends: BTreeSet<(Timestamp, u64)>,
}

impl Shelf {
    pub(super) fn put(&mut self, place: u64) {
        self.waiting.insert(place);
    }

    /// The oldest `limit` places that nobody holds, leased from now on.
    pub(super) fn lease(&mut self, limit: usize, now: Timestamp) -> Vec<u64> {
        self.take_back(now);
        let end = now.plus(LEASE);
        let places: Vec<u64> = std::iter::from_fn(|| self.waiting.pop_first()).take(limit).collect();
        for place in &places {
            self.leased.insert(*place, end);
            self.ends.insert((end, *place));
        }
        places
    }

    /// The batch at `place` is settled.
    pub(super) fn take(&mut self, place: u64) {
        self.waiting.remove(&place);
        if let Some(end) = self.leased.remove(&place) {
            self.ends.remove(&(end, place));
        }
    }

    pub(super) fn holds(&self, place: u64) -> bool {
        self.waiting.contains(&place) || self.leased.contains_key(&place)
    }

    /// How many batches it holds, and the place of the oldest.
    pub(super) fn held(&self) -> (u64, Option<u64>) {
        let oldest = self.waiting.first().copied().into_iter().chain(self.leased.keys().copied()).min();
        ((self.waiting.len() + self.leased.len()) as u64, oldest)
    }

    /// Ends the leases that ran out, and those that last longer than any does: the clock went
    /// backwards since, and nobody knows how long they have run.
    fn take_back(&mut self, now: Timestamp) {
        while let Some((_, place)) = self.ends.first().copied().filter(|(end, _)| *end <= now) {
            self.take(place);
            self.put(place);
        }
        while let Some((_, place)) = self.ends.last().copied().filter(|(end, _)| *end > now.plus(LEASE)) {
            self.take(place);
            self.put(place);
        }
    }
}
