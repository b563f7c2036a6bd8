//! Writing rollups.

use std::sync::LazyLock;

use boltlink_core::{LinkId, tally::Tally};
use boltlink_store_sql::{Error, rollups};
use sea_orm::{ConnectionTrait, Value};

use crate::{batch::Batch, effect::at_length};

static HOURS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/hours_add.sql")));
static LINK_DAYS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/link_days_add.sql")));
static STORED: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/values_stored.sql")));
static VALUES: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/values_add.sql")));

/// Links and days whose values are in memory at a time, as they are stored.
const DAYS: usize = 512;

/// Adds to the rollups that are stored.
pub(crate) async fn add(db: &impl ConnectionTrait, tally: &Tally) -> Result<(), Error> {
    let (hours, values) = at_length(|| (tally.hours(), tally.values()));
    HOURS.execute_rows(db, &rollups::hours(&hours), number, |_, _| {}).await?;
    LINK_DAYS.execute_rows(db, &rollups::days(&hours), number, |_, _| {}).await?;
    for groups in rollups::groups(&values).chunks(DAYS) {
        let stored = STORED.query_rows(db, groups, |((link, day), _)| [id(*link), (*day).into()]).await?;
        let rows = at_length(|| rollups::values(groups, &stored))?;
        let row = |((link, day), clicks): (rollups::Group, String)| [id(link), day.into(), clicks.into()];
        VALUES.execute_rows(db, rows, row, |_, _| {}).await?;
    }
    Ok(())
}

fn number(&(link, at, number): &(LinkId, i64, i64)) -> [Value; 3] {
    [id(link), at.into(), number.into()]
}

fn id(link: LinkId) -> Value {
    (*link.as_uuid()).into()
}
