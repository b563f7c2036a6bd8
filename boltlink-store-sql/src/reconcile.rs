//! Whether totals and rollups, which different consumers keep, agree.

use boltlink_core::{LinkId, store::Balance};
use sea_orm::{ConnectionTrait, QueryResult};

use crate::{
    Error,
    row::{Columns, unsigned},
};

// By hours, as `rollup_link_day` lacks what releases counted that did not know it.
const SELECT: &str = "SELECT link, clicks, opening, \
                      (SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM rollup_hour r WHERE r.link = t.link) \
                      FROM link_total t";

/// The balances of the links after `after`, by id, at most `limit`. Costs one index range a link.
///
/// # Errors
/// The driver's.
pub async fn page(db: &impl ConnectionTrait, after: Option<LinkId>, limit: u32) -> Result<Vec<Balance>, Error> {
    let sql = format!("{SELECT} WHERE link > $1 ORDER BY link LIMIT $2");
    let after = after.map_or(uuid::Uuid::nil(), |link| *link.as_uuid());
    crate::all(db, &sql, [after.into(), i64::from(limit).into()]).await?.iter().map(balance).collect()
}

/// The balance of one link, if it exists.
///
/// # Errors
/// The driver's.
pub async fn of(db: &impl ConnectionTrait, link: LinkId) -> Result<Option<Balance>, Error> {
    let sql = format!("{SELECT} WHERE link = $1");
    crate::one(db, &sql, [(*link.as_uuid()).into()]).await?.as_ref().map(balance).transpose()
}

fn balance(row: &QueryResult) -> Result<Balance, Error> {
    let row = Columns(row);
    Ok(Balance {
        link: LinkId::from_uuid(row.at(0)?),
        total: unsigned(row.at(1)?),
        opening: row.at(2)?,
        rollups: unsigned(row.at(3)?),
    })
}
