//! Writing rollups.

use boltlink_core::{LinkId, tally::Tally};
use boltlink_store_sql::{Error, rollups};
use sea_orm::{ConnectionTrait, Value};

use crate::array::{bigints, ids, statement, texts};

/// Rows written by one statement at most, so that each is done long before its time is over, however many there are.
pub(crate) const ROWS: usize = 20_000;

/// The same of links and days with their values: those that are stored are in memory meanwhile.
const DAYS: usize = 2_000;

/// How many statements a tally takes at most, its single clicks included.
pub(crate) fn statements(tally: &Tally) -> u32 {
    let statements = |tables: u64, rows: u64, most: usize| tables * (rows / most as u64 + 1);
    // Of the links and hours: hours, days, and values, which are read and written.
    let rows = tally.rows() as u64;
    let all = statements(2, rows, ROWS) + statements(2, rows, DAYS) + statements(1, tally.clicks(), ROWS);
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// Adds to the rollups that are stored.
///
/// Whoever writes the same link and day waits at its row in `rollup_link_day`, so that what is then read of its values is
/// what they are added to.
pub(crate) async fn add(db: &impl ConnectionTrait, tally: &Tally) -> Result<(), Error> {
    let (hours, values) = (tally.hours(), tally.values());
    for rows in rollups::hours(&hours).chunks(ROWS) {
        db.execute_raw(statement(include_str!("sql/hours_add.sql"), numbers(rows))).await?;
    }
    for rows in rollups::days(&hours).chunks(ROWS) {
        db.execute_raw(statement(include_str!("sql/link_days_add.sql"), numbers(rows))).await?;
    }
    for groups in rollups::groups(&values).chunks(DAYS) {
        let keys = [ids(groups.iter().map(|(of, _)| of.0)), bigints(groups.iter().map(|(of, _)| of.1))];
        let stored = db.query_all_raw(statement(include_str!("sql/values_stored.sql"), keys.clone())).await?;
        let rows = rollups::values(groups, &stored)?;
        let [links, days] = keys;
        let clicks = texts(rows.iter().map(|(_, clicks)| clicks.as_str()));
        db.execute_raw(statement(include_str!("sql/values_add.sql"), [links, days, clicks])).await?;
    }
    Ok(())
}

fn numbers(rows: &[(LinkId, i64, i64)]) -> [Value; 3] {
    [ids(rows.iter().map(|row| row.0)), bigints(rows.iter().map(|row| row.1)), bigints(rows.iter().map(|row| row.2))]
}
