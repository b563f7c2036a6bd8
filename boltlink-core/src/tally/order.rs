//! The order in which clicks are stored.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{detail::Row, kept::Kept};
use crate::{id::LinkId, pace::Pace};

/// The rows of a tally in the order of their keys, which each pass over them follows.
#[derive(Debug, Default)]
pub(super) struct Order {
    places: Vec<Place>,
    /// The clicks of a row per value, of those that are not in it: its number, the value's, and how many.
    others: Vec<(u32, u32, u64)>,
    /// The clicks that are kept, those of each row together and newest first.
    kept: Vec<u32>,
    /// Clicks per hour, of all links.
    hours: BTreeMap<i64, u64>,
}

/// Where a row is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) link: LinkId,
    pub(super) hour: i64,
    /// The number of the row.
    pub(super) row: u32,
    /// Where those of its clicks end that are kept.
    kept_to: u32,
}

impl Order {
    /// Sorts them, in pieces.
    pub(super) fn of<'a>(
        rows: impl ExactSizeIterator<Item = (&'a (LinkId, i64), &'a Row)>,
        others: impl Iterator<Item = (u32, u32, u64)>,
        kept: &Kept,
        pace: &mut Pace,
    ) -> Self {
        // To grow takes long where it is much.
        let (places, all_kept) = (Vec::with_capacity(rows.len()), Vec::with_capacity(kept.len()));
        let mut order = Self { places, kept: all_kept, ..Self::default() };
        let mut last = Vec::with_capacity(rows.len());
        for ((&(link, hour), row), number) in rows.zip(0..) {
            order.places.push(Place { link, hour, row: number, kept_to: 0 });
            *order.hours.entry(hour).or_default() += row.clicks();
            last.push(row.last_kept());
            pace.tick();
        }
        pace.sort(&mut order.places);
        order.others.extend(others.inspect(|_| pace.tick()));
        pace.sort(&mut order.others);
        let mut clicks = Vec::new();
        for place in &mut order.places {
            pace.tick();
            let of_row = kept.back_from(last[place.row as usize]);
            clicks.extend(of_row.map(|which| (Reverse(kept.age(which)), which)).inspect(|_| pace.tick()));
            pace.sort(&mut clicks);
            order.kept.extend(clicks.drain(..).map(|(_, which)| which));
            place.kept_to = order.kept.len() as u32;
        }
        order
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The places of each link and day.
    pub(super) fn days(&self) -> impl Iterator<Item = (LinkId, i64, &[Place])> {
        let day = |place: &Place| (place.link, place.hour.div_euclid(24));
        self.places.chunk_by(move |a, b| day(a) == day(b)).map(move |places| {
            let (link, day) = day(&places[0]);
            (link, day, places)
        })
    }

    /// Clicks per hour, of all links.
    pub(super) fn hours(&self) -> impl Iterator<Item = (i64, u64)> {
        self.hours.iter().map(|(hour, clicks)| (*hour, *clicks))
    }

    /// The clicks of a row per value.
    pub(super) fn values<'a>(&'a self, place: &'a Place, row: &'a Row) -> impl Iterator<Item = (u32, u64)> {
        let others = if row.is_crowded() {
            let from = self.others.partition_point(|other| other.0 < place.row);
            &self.others[from..]
        } else {
            &[]
        };
        let others = others.iter().take_while(move |other| other.0 == place.row);
        row.few().chain(others.map(|(_, value, clicks)| (*value, *clicks)))
    }

    /// The clicks of each row that are kept, newest first.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&Place, &[u32])> {
        let mut from = 0;
        self.places.iter().map(move |place| {
            let kept = &self.kept[from..place.kept_to as usize];
            from = place.kept_to as usize;
            (place, kept)
        })
    }
}
