//! Whether totals and rollups, which different consumers keep, agree.

use boltlink_core::LinkId;
use sea_orm::{ConnectionTrait, QueryResult};

use crate::{
    Error,
    row::{Columns, signed, unsigned},
};

/// What is stored of a link's clicks, twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The link.
    pub link: LinkId,
    /// Its total.
    pub total: u64,
    /// What of the total no rollup shows: clicks from before an import. Negative for a link that came back with fewer
    /// clicks than it had when it was deleted.
    pub opening: i64,
    /// The sum of its rollups.
    pub rollups: u64,
}

impl Balance {
    /// Clicks that are in the total and not in the rollups; negative for the contrary. 0 at rest.
    #[must_use]
    pub fn difference(&self) -> i64 {
        signed(self.total) - self.opening - signed(self.rollups)
    }
}

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
