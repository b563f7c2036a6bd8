//! Writing rollups.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use boltlink_core::{LinkId, rollup::Rollups, store::Dimension};
use boltlink_store_sql::{Error, analytics::GLOBAL, row::signed};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use crate::batch::Batch;

static HOURS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/hours_add.sql")));
static LINK_DAYS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/link_days_add.sql")));
static VALUES: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/values_add.sql")));
static CROWDED: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/days_crowded.sql")));

/// A link and a day.
type Group = (LinkId, i64);

/// Adds the rollups to those that are stored. Rows are written in the order of their keys, so that
/// neighbours share pages.
pub(crate) async fn add(db: &impl ConnectionTrait, rollups: &Rollups) -> Result<(), Error> {
    let mut global: BTreeMap<i64, u64> = BTreeMap::new();
    for ((_, hour), clicks) in &rollups.hours {
        *global.entry(*hour).or_default() += clicks;
    }
    let global = global.iter().map(|(hour, clicks)| ((GLOBAL, *hour), *clicks));
    let hours = global.chain(rollups.hours.iter().map(|(key, clicks)| (*key, *clicks)));
    let rows = hours.flat_map(|((link, hour), clicks)| [id(link), hour.into(), signed(clicks).into()]).collect();
    HOURS.execute(db, rows, |_, _| {}).await?;

    let mut days: BTreeMap<Group, u64> = BTreeMap::new();
    for ((link, hour), clicks) in &rollups.hours {
        *days.entry((*link, hour.div_euclid(24))).or_default() += clicks;
    }
    let rows =
        days.iter().flat_map(|((link, day), clicks)| [id(*link), (*day).into(), signed(*clicks).into()]).collect();
    LINK_DAYS.execute(db, rows, |_, _| {}).await?;

    let crowded = crowded(db, rollups).await?;
    let mut rows = Vec::with_capacity(rollups.values.len() * 5);
    let mut put = |link, day, dimension: Dimension, value: &str, clicks| {
        rows.extend([id(link), Value::from(day), dimension.code().into(), value.into(), signed(clicks).into()]);
    };
    for (&(link, day, dimension), values) in &rollups.values {
        match crowded.get(&(link, day)) {
            None => values.iter().for_each(|(value, clicks)| put(link, day, dimension, value, *clicks)),
            Some(kept) => {
                let kept = kept.get(&dimension.code());
                bounded(values, kept).iter().for_each(|(value, clicks)| put(link, day, dimension, value, *clicks));
            }
        }
    }
    VALUES.execute(db, rows, |_, _| {}).await
}

/// The values that are kept of the links and days which could get more than
/// [`Dimension::MAX_VALUES`] of a dimension, by the dimension's code. There are few such, and only
/// these are worth reading.
async fn crowded(
    db: &impl ConnectionTrait,
    rollups: &Rollups,
) -> Result<BTreeMap<Group, BTreeMap<i16, BTreeSet<String>>>, Error> {
    let mut most: BTreeMap<Group, usize> = BTreeMap::new();
    for ((link, day, _), values) in &rollups.values {
        let most = most.entry((*link, *day)).or_default();
        *most = values.len().max(*most);
    }
    // All dimensions of the day are counted together: one look instead of one for each.
    let room = |new: usize| signed(Dimension::MAX_VALUES as u64) - signed(new as u64);
    let rows = most.iter().flat_map(|((link, day), new)| [id(*link), (*day).into(), room(*new).into()]).collect();
    let mut crowded = BTreeMap::new();
    for row in CROWDED.query(db, rows).await? {
        let group = (LinkId::from_uuid(row.try_get_by_index::<Uuid>(0)?), row.try_get_by_index(1)?);
        crowded.insert(group, kept(db, group).await?);
    }
    Ok(crowded)
}

/// The values that are kept of a link and day.
async fn kept(db: &impl ConnectionTrait, (link, day): Group) -> Result<BTreeMap<i16, BTreeSet<String>>, Error> {
    let sql = include_str!("sql/day_values.sql");
    let rows = db.query_all_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, [id(link), day.into()])).await?;
    let mut kept: BTreeMap<i16, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        kept.entry(row.try_get_by_index(0)?).or_default().insert(row.try_get_by_index(1)?);
    }
    Ok(kept)
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

fn id(link: LinkId) -> Value {
    (*link.as_uuid()).into()
}
