//! The order in which clicks are stored.

use super::detail::Row;
use crate::{id::LinkId, pace::Pace};

/// The rows of a tally in the order of their keys, which each pass over them follows.
#[derive(Debug)]
pub(super) struct Order {
    rows: Vec<Place>,
    /// The clicks of a row per value, of those that are not in it: its place, the value's number, and how many.
    others: Vec<(u32, u32, u64)>,
}

/// Link, hour, and where its row is.
pub(super) type Place = (LinkId, i64, u32);

impl Order {
    /// Sorts them, in pieces.
    pub(super) fn of(
        rows: impl Iterator<Item = (LinkId, i64)>,
        others: impl Iterator<Item = (u32, u32, u64)>,
        pace: &mut Pace,
    ) -> Self {
        let rows = rows.zip(0..).inspect(|_| pace.tick());
        let mut rows: Vec<Place> = rows.map(|((link, hour), place)| (link, hour, place)).collect();
        pace.sort(&mut rows);
        let mut others: Vec<_> = others.inspect(|_| pace.tick()).collect();
        pace.sort(&mut others);
        Self { rows, others }
    }

    pub(super) fn rows(&self) -> &[Place] {
        &self.rows
    }

    /// The rows of each link and day.
    pub(super) fn days(&self) -> impl Iterator<Item = (LinkId, i64, &[Place])> {
        let day = |(link, hour, _): &Place| (*link, hour.div_euclid(24));
        self.rows.chunk_by(move |a, b| day(a) == day(b)).map(move |rows| {
            let (link, day) = day(&rows[0]);
            (link, day, rows)
        })
    }

    /// The clicks of a row per value.
    pub(super) fn values<'a>(&'a self, place: u32, row: &'a Row) -> impl Iterator<Item = (u32, u64)> {
        let others = if row.is_crowded() {
            let from = self.others.partition_point(|other| other.0 < place);
            &self.others[from..]
        } else {
            &[]
        };
        let others = others.iter().take_while(move |other| other.0 == place);
        row.few().chain(others.map(|(_, value, clicks)| (*value, *clicks)))
    }
}
