//! Writing rollups.

use std::collections::BTreeMap;

use boltlink_core::{
    LinkId,
    store::Dimension,
    tally::{Tally, ValueClicks},
};
use boltlink_store_sql::{
    Error,
    rollups::{self, Kept},
};
use sea_orm::{ConnectionTrait, Value};
use uuid::Uuid;

use crate::array::{bigints, ids, statement, texts};

/// Rows written by one statement at most, so that each is done long before its time is over, however many there are.
pub(crate) const ROWS: usize = 20_000;

/// How many statements [`add`] is at most, and what is written of the tally beside.
pub(crate) fn statements(tally: &Tally) -> u32 {
    // Hours, days, rooms and single clicks, and a value of each dimension.
    let rows_of_a_click = 4 + Dimension::ALL.len() as u64;
    u32::try_from(rows_of_a_click * (tally.clicks() / ROWS as u64 + 1)).unwrap_or(u32::MAX)
}

/// Adds to the rollups that are stored.
///
/// Whoever writes the same link and day waits at its row in `rollup_link_day`, so that what is then read of its values is
/// what they are bounded by.
pub(crate) async fn add(db: &impl ConnectionTrait, tally: &Tally) -> Result<(), Error> {
    let (hours, values) = (tally.hours(), tally.values());
    for rows in rollups::hours(&hours).chunks(ROWS) {
        db.execute_raw(statement(include_str!("sql/hours_add.sql"), triples(rows))).await?;
    }
    for rows in rollups::days(&hours).chunks(ROWS) {
        db.execute_raw(statement(include_str!("sql/link_days_add.sql"), triples(rows))).await?;
    }
    let kept = crowded(db, &values).await?;
    for rows in rollups::values(&values, &kept).chunks(ROWS) {
        let columns = [
            ids(rows.iter().map(|row| row.link)),
            bigints(rows.iter().map(|row| row.day)),
            rows.iter().map(|row| row.dimension).collect::<Vec<_>>().into(),
            texts(rows.iter().map(|row| row.value)),
            bigints(rows.iter().map(|row| row.clicks)),
        ];
        db.execute_raw(statement(include_str!("sql/values_add.sql"), columns)).await?;
    }
    Ok(())
}

/// The values that are kept of the links and days which have no room.
async fn crowded(db: &impl ConnectionTrait, values: &[ValueClicks<'_>]) -> Result<Kept, Error> {
    let sql = include_str!("sql/days_crowded.sql");
    let mut kept = Kept::new();
    for rooms in rollups::rooms(values).chunks(ROWS) {
        for row in db.query_all_raw(statement(sql, triples(rooms))).await? {
            let group = (LinkId::from_uuid(row.try_get_by_index::<Uuid>(0)?), row.try_get_by_index(1)?);
            let values: &mut BTreeMap<i16, _> = kept.entry(group).or_default();
            if let Some(dimension) = row.try_get_by_index(2)? {
                values.entry(dimension).or_default().insert(row.try_get_by_index(3)?);
            }
        }
    }
    Ok(kept)
}

fn triples(rows: &[(LinkId, i64, i64)]) -> [Value; 3] {
    [ids(rows.iter().map(|row| row.0)), bigints(rows.iter().map(|row| row.1)), bigints(rows.iter().map(|row| row.2))]
}
