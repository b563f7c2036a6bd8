//! Reading rollups.

use boltlink_core::{
    LinkId,
    store::{Dimension, Interval, Point, Scope, Share, Span},
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::{
    Error,
    row::{Columns, unsigned},
};

/// The link under whose id the rollups of all links together are kept.
pub const GLOBAL: LinkId = LinkId::from_uuid(Uuid::nil());

/// The text of [`total`].
pub const TOTAL: &str = "SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM rollup_hour WHERE link = $1";
/// The text of [`series`] by hours.
pub const SERIES_HOURS: &str = include_str!("sql/series_hours.sql");
/// The text of [`series`] by days.
pub const SERIES_DAYS: &str = include_str!("sql/series_days.sql");
/// The text of [`breakdown`].
pub const BREAKDOWN: &str = include_str!("sql/breakdown.sql");

/// See [`AnalyticsReader::total`](boltlink_core::store::AnalyticsReader::total).
///
/// # Errors
/// The driver's.
pub async fn total(db: &impl ConnectionTrait, scope: Scope) -> Result<u64, Error> {
    let row = crate::one(db, TOTAL, [link_of(scope).into()]).await?;
    row.map_or(Ok(0), |row| Ok(unsigned(Columns(&row).at(0)?)))
}

/// See [`AnalyticsReader::series`](boltlink_core::store::AnalyticsReader::series).
///
/// # Errors
/// The driver's.
pub async fn series(
    db: &impl ConnectionTrait,
    scope: Scope,
    interval: Interval,
    span: Span,
) -> Result<Vec<Point>, Error> {
    let sql = match interval {
        Interval::Hour => SERIES_HOURS,
        Interval::Day => SERIES_DAYS,
    };
    let rows = crate::all(db, sql, [link_of(scope).into(), span.from.into(), span.to.into()]).await?;
    let point = |row| {
        let row = Columns(row);
        Ok(Point { at: row.at(0)?, clicks: unsigned(row.at(1)?) })
    };
    rows.iter().map(point).collect()
}

/// See [`AnalyticsReader::breakdown`](boltlink_core::store::AnalyticsReader::breakdown).
///
/// # Errors
/// The driver's.
pub async fn breakdown(
    db: &impl ConnectionTrait,
    link: LinkId,
    by: Dimension,
    from: i64,
    to: i64,
    limit: u32,
) -> Result<Vec<Share>, Error> {
    let values = [(*link.as_uuid()).into(), from.into(), to.into(), by.code().into(), i64::from(limit).into()];
    let rows = crate::all(db, BREAKDOWN, values).await?;
    let share = |row| {
        let row = Columns(row);
        Ok(Share { value: row.at(0)?, clicks: unsigned(row.at(1)?) })
    };
    rows.iter().map(share).collect()
}

fn link_of(scope: Scope) -> Uuid {
    *match scope {
        Scope::Link(link) => link,
        Scope::Global => GLOBAL,
    }
    .as_uuid()
}
