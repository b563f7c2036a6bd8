//! Writing rollups.

use std::sync::LazyLock;

use boltlink_core::{
    LinkId,
    tally::{LinkDay, Tally},
};
use boltlink_store_sql::{
    Error,
    rollups::{self, StoredValues},
    row::signed,
};
use sea_orm::{ConnectionTrait, Value};

use crate::{batch::Batch, queue::Queue, writer::at_length};

static HOURS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/hours_add.sql")));
static LINK_DAYS: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/link_days_add.sql")));
static STORED: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/values_stored.sql")));
static VALUES: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/values_add.sql")));

/// Links and days whose values are in memory at a time, as they are stored.
const DAYS: usize = 512;

/// Adds to the rollups that are stored.
pub(crate) async fn add(db: &impl ConnectionTrait, tally: &Tally, queue: &Queue) -> Result<(), Error> {
    let hours = rollups::hours(tally).inspect(|_| queue.step());
    HOURS.execute_rows(db, hours, |(link, hour, clicks)| [id(link), hour.into(), clicks.into()], |_, _| {}).await?;
    let mut days = tally.days();
    loop {
        let some: Vec<_> = at_length(|| days.by_ref().inspect(|_| queue.step()).take(DAYS).collect());
        if some.is_empty() {
            return Ok(());
        }
        let row = |day: &LinkDay<'_>| [id(day.link), day.day.into(), signed(day.clicks).into()];
        LINK_DAYS.execute_rows(db, &some, row, |_, _| {}).await?;
        let stored = STORED.query_rows(db, &some, |day| [id(day.link), day.day.into()]).await?;
        let rows = at_length(|| {
            let stored = StoredValues::read(&stored)?;
            let row = |day: &LinkDay<'_>| {
                queue.step();
                Ok([id(day.link), day.day.into(), stored.row_of(day)?.into()])
            };
            some.iter().map(row).collect::<Result<Vec<_>, Error>>()
        })?;
        VALUES.execute(db, rows.into_iter().flatten().collect(), |_, _| {}).await?;
    }
}

fn id(link: LinkId) -> Value {
    (*link.as_uuid()).into()
}
