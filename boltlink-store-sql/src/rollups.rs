//! The rows that rollups are written as, in the order of their keys: neighbours share pages, and whoever writes the same
//! ones waits instead of holding up others in a circle.

use std::collections::{BTreeMap, BTreeSet};

use boltlink_core::{LinkId, store::Dimension, tally::ValueClicks};

use crate::{analytics::GLOBAL, row::signed};

/// A link and a day.
pub type Group = (LinkId, i64);

/// The values that are kept of some links and days, by the dimension's code.
pub type Kept = BTreeMap<Group, BTreeMap<i16, BTreeSet<String>>>;

/// A row of `rollup_day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueRow<'a> {
    /// The link.
    pub link: LinkId,
    /// The day.
    pub day: i64,
    /// The dimension's code.
    pub dimension: i16,
    /// The value.
    pub value: &'a str,
    /// The clicks.
    pub clicks: i64,
}

/// The rows of `rollup_hour`: link, hour, clicks. Those of all links together come first.
#[must_use]
pub fn hours(hours: &[(LinkId, i64, u64)]) -> Vec<(LinkId, i64, i64)> {
    let mut global: BTreeMap<i64, u64> = BTreeMap::new();
    for (_, hour, clicks) in hours {
        *global.entry(*hour).or_default() += clicks;
    }
    let global = global.iter().map(|(hour, clicks)| (GLOBAL, *hour, signed(*clicks)));
    global.chain(hours.iter().map(|(link, hour, clicks)| (*link, *hour, signed(*clicks)))).collect()
}

/// The rows of `rollup_link_day`: link, day, clicks.
#[must_use]
pub fn days(hours: &[(LinkId, i64, u64)]) -> Vec<(LinkId, i64, i64)> {
    let same_day =
        |a: &(LinkId, i64, u64), b: &(LinkId, i64, u64)| (a.0, a.1.div_euclid(24)) == (b.0, b.1.div_euclid(24));
    let day = |hours: &[(LinkId, i64, u64)]| {
        let (link, hour, _) = hours[0];
        (link, hour.div_euclid(24), signed(hours.iter().map(|hour| hour.2).sum()))
    };
    hours.chunk_by(same_day).map(day).collect()
}

/// Links and days, each with the number of values beyond which it may get more than [`Dimension::MAX_VALUES`] of a
/// dimension. There are few such, and only of these the values need be read. All dimensions of the day are counted
/// together: one look instead of one for each.
#[must_use]
pub fn rooms(values: &[ValueClicks<'_>]) -> Vec<(LinkId, i64, i64)> {
    let room = |day: &[ValueClicks<'_>]| {
        let most = day.chunk_by(|a, b| a.dimension == b.dimension).map(<[_]>::len).max().unwrap_or_default();
        (day[0].link, day[0].day, signed(Dimension::MAX_VALUES as u64) - signed(most as u64))
    };
    values.chunk_by(|a, b| (a.link, a.day) == (b.link, b.day)).map(room).collect()
}

/// The rows of `rollup_day`. `kept` has what is stored of the links and days that have no room.
#[must_use]
pub fn values<'a>(values: &[ValueClicks<'a>], kept: &Kept) -> Vec<ValueRow<'a>> {
    let mut rows = Vec::with_capacity(values.len());
    for values in values.chunk_by(|a, b| (a.link, a.day, a.dimension) == (b.link, b.day, b.dimension)) {
        let ValueClicks { link, day, dimension, .. } = values[0];
        let dimension = dimension.code();
        let mut put = |value, clicks| rows.push(ValueRow { link, day, dimension, value, clicks: signed(clicks) });
        match kept.get(&(link, day)) {
            None => values.iter().for_each(|row| put(row.value, row.clicks)),
            Some(kept) => {
                bounded(values, kept.get(&dimension)).into_iter().for_each(|(value, clicks)| put(value, clicks));
            }
        }
    }
    rows
}

/// `values` with what finds no room beside `kept` put together as [`Dimension::OTHER`].
fn bounded<'a>(values: &[ValueClicks<'a>], kept: Option<&BTreeSet<String>>) -> BTreeMap<&'a str, u64> {
    let known = |value: &str| value == Dimension::OTHER || kept.is_some_and(|kept| kept.contains(value));
    let used = kept.map_or(0, |kept| kept.iter().filter(|value| *value != Dimension::OTHER).count());
    let mut room = Dimension::MAX_VALUES.saturating_sub(used);
    let mut bounded = BTreeMap::new();
    for ValueClicks { value, clicks, .. } in values {
        let value = if known(value) {
            value
        } else if room > 0 {
            room -= 1;
            value
        } else {
            Dimension::OTHER
        };
        *bounded.entry(value).or_default() += clicks;
    }
    bounded
}
