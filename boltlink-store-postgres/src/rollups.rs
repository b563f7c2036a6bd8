//! Writing rollups.

use boltlink_core::{LinkId, tally::Tally};
use boltlink_store_sql::{
    Error,
    rollups::{self, StoredValues},
    row::signed,
};
use sea_orm::{ConnectionTrait, Value};

use crate::array::{bigints, ids, statement};

/// Rows written by one statement at most, so that each is done long before its time is over, however many there are.
pub(crate) const ROWS: usize = 20_000;

/// The same of links and days: their values are in memory meanwhile, with those that are stored.
const DAYS: usize = 2_000;

/// How many statements a tally takes at most, its single clicks included.
pub(crate) fn statements(tally: &Tally) -> u32 {
    let statements = |tables: u64, rows: u64, most: usize| tables * (rows / most as u64 + 1);
    // Of the links and hours: hours, with at most as many of all links together; and days, whose values are read and written.
    let rows = tally.rows() as u64;
    let all = statements(1, 2 * rows, ROWS) + statements(3, rows, DAYS) + statements(1, tally.clicks(), ROWS);
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// Adds to the rollups that are stored.
///
/// Whoever writes the same link and day waits at its row in `rollup_link_day`, so that what is then read of its values is
/// what they are added to.
pub(crate) async fn add(db: &impl ConnectionTrait, tally: &Tally) -> Result<(), Error> {
    let mut hours = rollups::hours(tally);
    while let Some(rows) = next(&mut hours, ROWS) {
        db.execute_raw(statement(include_str!("sql/hours_add.sql"), numbers(&rows))).await?;
    }
    let mut days = tally.days();
    while let Some(some) = next(&mut days, DAYS) {
        let rows: Vec<_> = some.iter().map(|day| (day.link, day.day, signed(day.clicks))).collect();
        let [links, days, clicks] = numbers(&rows);
        let keys = [links.clone(), days.clone()];
        db.execute_raw(statement(include_str!("sql/link_days_add.sql"), [links, days, clicks])).await?;
        let stored = db.query_all_raw(statement(include_str!("sql/values_stored.sql"), keys.clone())).await?;
        let stored = StoredValues::read(&stored)?;
        let clicks = some.iter().map(|day| stored.row_of(day)).collect::<Result<Vec<String>, _>>()?;
        let [links, days] = keys;
        db.execute_raw(statement(include_str!("sql/values_add.sql"), [links, days, clicks.into()])).await?;
    }
    Ok(())
}

/// Up to so many more, if there are any.
fn next<T>(rows: &mut impl Iterator<Item = T>, most: usize) -> Option<Vec<T>> {
    let some: Vec<_> = rows.take(most).collect();
    (!some.is_empty()).then_some(some)
}

fn numbers(rows: &[(LinkId, i64, i64)]) -> [Value; 3] {
    [ids(rows.iter().map(|row| row.0)), bigints(rows.iter().map(|row| row.1)), bigints(rows.iter().map(|row| row.2))]
}
