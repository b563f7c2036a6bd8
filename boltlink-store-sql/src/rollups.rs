//! The rows that rollups are written as, in the order of their keys: neighbours share pages, and whoever writes the same
//! ones waits instead of holding up others in a circle.

use std::collections::{BTreeMap, BTreeSet};

use boltlink_core::{LinkId, rollup::Rollups, store::Dimension};

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
pub fn hours(rollups: &Rollups) -> Vec<(LinkId, i64, i64)> {
    let mut global: BTreeMap<i64, u64> = BTreeMap::new();
    for ((_, hour), clicks) in &rollups.hours {
        *global.entry(*hour).or_default() += clicks;
    }
    let global = global.iter().map(|(hour, clicks)| (GLOBAL, *hour, signed(*clicks)));
    global.chain(rollups.hours.iter().map(|((link, hour), clicks)| (*link, *hour, signed(*clicks)))).collect()
}

/// The rows of `rollup_link_day`: link, day, clicks.
#[must_use]
pub fn days(rollups: &Rollups) -> Vec<(LinkId, i64, i64)> {
    let mut days: BTreeMap<Group, u64> = BTreeMap::new();
    for ((link, hour), clicks) in &rollups.hours {
        *days.entry((*link, hour.div_euclid(24))).or_default() += clicks;
    }
    days.iter().map(|((link, day), clicks)| (*link, *day, signed(*clicks))).collect()
}

/// Links and days, each with the number of values beyond which it may get more than [`Dimension::MAX_VALUES`] of a
/// dimension. There are few such, and only of these the values need be read. All dimensions of the day are counted
/// together: one look instead of one for each.
#[must_use]
pub fn rooms(rollups: &Rollups) -> Vec<(LinkId, i64, i64)> {
    let mut most: BTreeMap<Group, usize> = BTreeMap::new();
    for ((link, day, _), values) in &rollups.values {
        let most = most.entry((*link, *day)).or_default();
        *most = values.len().max(*most);
    }
    let room = |new: usize| signed(Dimension::MAX_VALUES as u64) - signed(new as u64);
    most.iter().map(|((link, day), new)| (*link, *day, room(*new))).collect()
}

/// The rows of `rollup_day`. `kept` has what is stored of the links and days that have no room.
#[must_use]
pub fn values<'a>(rollups: &'a Rollups, kept: &Kept) -> Vec<ValueRow<'a>> {
    let mut rows = Vec::with_capacity(rollups.values.len());
    for (&(link, day, dimension), values) in &rollups.values {
        let dimension = dimension.code();
        let mut put = |value, clicks| rows.push(ValueRow { link, day, dimension, value, clicks: signed(clicks) });
        match kept.get(&(link, day)) {
            None => values.iter().for_each(|(value, clicks)| put(value, *clicks)),
            Some(kept) => {
                bounded(values, kept.get(&dimension)).into_iter().for_each(|(value, clicks)| put(value, clicks));
            }
        }
    }
    rows
}

/// `values` with what finds no room beside `kept` put together as [`Dimension::OTHER`].
fn bounded<'a>(values: &'a BTreeMap<String, u64>, kept: Option<&BTreeSet<String>>) -> BTreeMap<&'a str, u64> {
    let known = |value: &str| value == Dimension::OTHER || kept.is_some_and(|kept| kept.contains(value));
    let used = kept.map_or(0, |kept| kept.iter().filter(|value| *value != Dimension::OTHER).count());
    let mut room = Dimension::MAX_VALUES.saturating_sub(used);
    let mut bounded = BTreeMap::new();
    for (value, clicks) in values {
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
