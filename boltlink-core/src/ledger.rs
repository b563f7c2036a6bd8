//! What a consumer remembers of a producer's batches, so that each takes effect once.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use crate::{click::ClickBatch, id::ProducerId, time::Timestamp};

/// The batches of one producer that one consumer has applied: all up to `highest` but for the holes.
///
/// Batches may come late, twice and out of order; a hole is one that has not come yet. Small,
/// however many batches there were: a row holds a number and a few ranges.
///
/// Text form of the holes, for stores: `3-5,9`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    highest: u64,
    /// Ascending, apart from one another, all below `highest`.
    holes: Vec<RangeInclusive<u64>>,
}

/// A row of a store holds something that no ledger can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored ledger is damaged")]
pub struct DamagedLedger;

impl Ledger {
    /// Puts together what a store kept.
    ///
    /// # Errors
    /// If the holes are not ascending ranges below `highest`.
    pub fn from_parts(highest: u64, holes: &str) -> Result<Self, DamagedLedger> {
        let mut ledger = Self { highest, holes: Vec::new() };
        let mut floor = 0;
        for range in holes.split(',').filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first = u64::from_str(first).map_err(|_| DamagedLedger)?;
            let last = u64::from_str(last).map_err(|_| DamagedLedger)?;
            if first <= floor || last < first || last >= highest {
                return Err(DamagedLedger);
            }
            floor = last + 1;
            ledger.holes.push(first..=last);
        }
        Ok(ledger)
    }

    /// The highest sequence applied; 0 if none was.
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// The sequences below [`highest`](Self::highest) that have not come. Holes that stay are losses.
    #[must_use]
    pub fn holes(&self) -> &[RangeInclusive<u64>] {
        &self.holes
    }

    /// How many batches the [holes](Self::holes) are of.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.holes.iter().map(|hole| hole.end() - hole.start() + 1).sum()
    }

    /// What has been applied, as ranges, ascending and apart from one another.
    pub fn applied(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        let begins = std::iter::once(1).chain(self.holes.iter().map(|hole| hole.end() + 1));
        let ends = self.holes.iter().map(|hole| hole.start() - 1).chain([self.highest]);
        // Nothing lies before a hole that begins at 1, or in an empty ledger.
        begins.zip(ends).map(|(begin, end)| begin..=end).filter(|range| !range.is_empty())
    }

    /// The holes in their text form.
    #[must_use]
    pub fn holes_text(&self) -> String {
        use fmt::Write;
        let mut text = String::new();
        for hole in &self.holes {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = if hole.start() == hole.end() {
                write!(text, "{comma}{}", hole.start())
            } else {
                write!(text, "{comma}{}-{}", hole.start(), hole.end())
            };
        }
        text
    }

    /// Whether `sequence` has been applied.
    #[must_use]
    pub fn contains(&self, sequence: u64) -> bool {
        (1..=self.highest).contains(&sequence) && self.hole_at(sequence).is_err()
    }

    /// Notes that `sequence` takes effect. False if it already has: a duplicate, to be dropped.
    /// Sequences begin at 1; 0 is never new.
    pub fn apply(&mut self, sequence: u64) -> bool {
        if sequence > self.highest {
            if sequence > self.highest + 1 {
                self.holes.push(self.highest + 1..=sequence - 1);
            }
            self.highest = sequence;
            return true;
        }
        let Ok(at) = self.hole_at(sequence) else { return false };
        let (first, last) = (*self.holes[at].start(), *self.holes[at].end());
        let left = (first < sequence).then(|| first..=sequence - 1);
        let right = (sequence < last).then(|| sequence + 1..=last);
        self.holes.splice(at..=at, left.into_iter().chain(right));
        true
    }

    fn hole_at(&self, sequence: u64) -> Result<usize, usize> {
        self.holes.binary_search_by(|hole| {
            if *hole.end() < sequence {
                std::cmp::Ordering::Less
            } else if *hole.start() > sequence {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
    }
}

/// A batch of an unknown producer that began longer ago than this is set aside, not applied: its
/// row may have been forgotten, and then nobody can tell whether it took effect before.
pub const MAX_UNKNOWN_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A row is kept this long after its producer's last batch.
pub const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whether a batch whose producer has no row can be trusted to be new.
#[must_use]
pub fn may_begin(producer: ProducerId, now: Timestamp) -> bool {
    now.since(producer.began_at()) <= MAX_UNKNOWN_AGE
}

/// Batches sorted by what is to become of them.
#[derive(Debug, Default)]
pub struct Sifted<'a> {
    /// To be applied, each once.
    pub fresh: Vec<&'a ClickBatch>,
    /// To be put into quarantine.
    pub quarantined: Vec<&'a ClickBatch>,
    /// How many are to be dropped.
    pub duplicates: u64,
}

/// Judges batches by the rows of their producers, read (and locked) in the transaction that will
/// store the rows as they are left here. `rows` need not have a row for every producer.
pub fn sift<'a>(batches: &'a [ClickBatch], rows: &mut BTreeMap<ProducerId, Ledger>, now: Timestamp) -> Sifted<'a> {
    let mut sifted = Sifted::default();
    for batch in batches {
        let id = batch.id();
        let row = match rows.entry(id.producer) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(free) if may_begin(id.producer, now) => free.insert(Ledger::default()),
            Entry::Vacant(_) => {
                sifted.quarantined.push(batch);
                continue;
            }
        };
        if row.apply(id.sequence) {
            sifted.fresh.push(batch);
        } else {
            sifted.duplicates += 1;
        }
    }
    sifted
}

/// Judges batches that were added up and can only be applied together: notes them all in the rows, if all of them are
/// [fresh](Sifted::fresh). If not it answers false, and the rows must not be stored.
#[must_use]
pub fn sift_whole(
    batches: &BTreeMap<ProducerId, Ledger>,
    rows: &mut BTreeMap<ProducerId, Ledger>,
    now: Timestamp,
) -> bool {
    batches.iter().all(|(producer, sequences)| {
        let row = match rows.entry(*producer) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(free) if may_begin(*producer, now) => free.insert(Ledger::default()),
            Entry::Vacant(_) => return false,
        };
        sequences.applied().flatten().all(|sequence| row.apply(sequence))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_set(sequences in prop::collection::vec(0_u64..40, 0..120)) {
            let mut ledger = Ledger::default();
            let mut applied = BTreeSet::new();
            for sequence in sequences {
                prop_assert_eq!(ledger.apply(sequence), sequence > 0 && applied.insert(sequence));
                let read = Ledger::from_parts(ledger.highest(), &ledger.holes_text());
                prop_assert_eq!(read.as_ref(), Ok(&ledger));
            }
            for sequence in 0..45 {
                prop_assert_eq!(ledger.contains(sequence), applied.contains(&sequence));
            }
            prop_assert_eq!(ledger.applied().flatten().collect::<Vec<_>>(), applied.iter().copied().collect::<Vec<_>>());
            let missing: u64 = ledger.holes().iter().map(|hole| hole.end() - hole.start() + 1).sum();
            prop_assert_eq!(ledger.highest() - missing, applied.len() as u64);
        }
    }

    #[test]
    fn refuses_damaged_rows() {
        for holes in ["x", "0", "5-4", "3,3", "4-6,6", "9-10", "1-"] {
            assert_eq!(Ledger::from_parts(10, holes), Err(DamagedLedger), "{holes}");
        }
    }
}
