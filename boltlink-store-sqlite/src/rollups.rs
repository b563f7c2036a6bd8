//! Writing rollups.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use boltlink_core::{
    LinkId,
    tally::{Tally, ValueClicks},
};
use boltlink_store_sql::{
    Error,
    rollups::{self, Group, Kept},
};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use crate::{batch::Batch, effect::at_length};

static HOURS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/hours_add.sql")));
static LINK_DAYS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/link_days_add.sql")));
static VALUES: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/values_add.sql")));
static CROWDED: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/days_crowded.sql")));

/// Adds to the rollups that are stored.
pub(crate) async fn add(db: &impl ConnectionTrait, tally: &Tally) -> Result<(), Error> {
    let (hours, values) = at_length(|| (tally.hours(), tally.values()));
    HOURS.execute_rows(db, &rollups::hours(&hours), triple, |_, _| {}).await?;
    LINK_DAYS.execute_rows(db, &rollups::days(&hours), triple, |_, _| {}).await?;

    let kept = crowded(db, &values).await?;
    let row = |row: &rollups::ValueRow<'_>| {
        [id(row.link), row.day.into(), row.dimension.into(), row.value.into(), row.clicks.into()]
    };
    VALUES.execute_rows(db, &rollups::values(&values, &kept), row, |_, _| {}).await
}

/// The values that are kept of the links and days which have no room.
async fn crowded(db: &impl ConnectionTrait, values: &[ValueClicks<'_>]) -> Result<Kept, Error> {
    let mut crowded = Kept::new();
    for row in CROWDED.query_rows(db, &rollups::rooms(values), triple).await? {
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

fn triple(&(link, at, number): &(LinkId, i64, i64)) -> [Value; 3] {
    [id(link), at.into(), number.into()]
}

fn id(link: LinkId) -> Value {
    (*link.as_uuid()).into()
}
