//! Reading rollups.

use std::{cmp::Reverse, ops::Range};

use boltlink_core::{
    ClickId, LinkId, Timestamp,
    sample::Pack,
    store::{CONTENDERS, ClickCursor, Dimension, Interval, LinkClicks, Point, RawClick, Scope, Share, Span},
};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use uuid::Uuid;

use crate::{
    Error,
    row::{Columns, raw_clicks, unsigned},
};

/// The link under whose id the rollups of all links together are kept.
pub const GLOBAL: LinkId = LinkId::from_uuid(Uuid::nil());

/// The text of [`total`].
pub const TOTAL: &str = "SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM rollup_hour WHERE link = $1";
/// The text of [`series`] by hours.
pub const SERIES_HOURS: &str = include_str!("sql/series_hours.sql");
/// The text of [`series`] by days.
pub const SERIES_DAYS: &str = include_str!("sql/series_days.sql");
/// The text of [`clicks`].
pub const CLICKS: &str = concat!(include_str!("sql/clicks.sql"), "ORDER BY at DESC, id DESC LIMIT $5");
/// The same where clicks are partitioned by time: partitions are chosen by single columns.
pub const CLICKS_PARTITIONED: &str =
    concat!(include_str!("sql/clicks.sql"), "AND at <= $3 ORDER BY at DESC, id DESC LIMIT $5");
/// The text that finds, for [`clicks`], rows that reach back.
pub const CLICKS_NEWER: &str = include_str!("sql/clicks_newer.sql");
/// The text of [`breakdown`] for SQLite.
pub const BREAKDOWN_SQLITE: &str = include_str!("sql/breakdown.sqlite.sql");
/// The text of [`breakdown`] for Postgres.
pub const BREAKDOWN_POSTGRES: &str = include_str!("sql/breakdown.postgres.sql");

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
    let sql = if db.get_database_backend() == DbBackend::Sqlite { BREAKDOWN_SQLITE } else { BREAKDOWN_POSTGRES };
    let rows = crate::all(db, sql, values).await?;
    let share = |row| {
        let row = Columns(row);
        Ok(Share { value: row.at(0)?, clicks: unsigned(row.at(1)?) })
    };
    rows.iter().map(share).collect()
}

/// See [`AnalyticsReader::top`](boltlink_core::store::AnalyticsReader::top).
///
/// # Errors
/// The driver's.
pub async fn top(db: &impl ConnectionTrait, days: Range<i64>, limit: u32) -> Result<Vec<LinkClicks>, Error> {
    if days.is_empty() {
        return Ok(Vec::new());
    }
    let values = [days.start.into(), days.end.into(), (CONTENDERS as i64).into(), i64::from(limit).into()];
    let rows = crate::all(db, &top_query(days), values).await?;
    let link = |row| {
        let row = Columns(row);
        Ok(LinkClicks { link: LinkId::from_uuid(row.uuid(0)?), clicks: unsigned(row.at(1)?) })
    };
    rows.iter().map(link).collect()
}

/// The text of [`top`]: the most clicked links of each day by rollup_link_day_top, and the sums of these by the
/// primary key, one by one: joined, Postgres would rather read all days of all links.
#[must_use]
pub fn top_query(days: Range<i64>) -> String {
    let of_day = |day: i64| {
        format!(
            "SELECT link FROM (SELECT link FROM rollup_link_day WHERE day = {day} ORDER BY clicks DESC, link LIMIT $3) \
             AS page"
        )
    };
    let contenders: Vec<_> = days.map(of_day).collect();
    format!(
        "WITH contender (link) AS ({}) SELECT c.link, (SELECT CAST(SUM(r.clicks) AS BIGINT) FROM rollup_link_day r \
         WHERE r.link = c.link AND r.day >= $1 AND r.day < $2) FROM contender c ORDER BY 2 DESC, 1 LIMIT $4",
        contenders.join(" UNION ")
    )
}

/// See [`AnalyticsReader::clicks`](boltlink_core::store::AnalyticsReader::clicks).
///
/// # Errors
/// The driver's, or a damaged row.
pub async fn clicks(
    db: &impl ConnectionTrait,
    link: LinkId,
    span: Range<Timestamp>,
    after: Option<ClickCursor>,
    limit: u32,
) -> Result<Vec<RawClick>, Error> {
    // Before the end, or before the last page's last click: whichever is earlier.
    let end = (span.end, ClickId::from_uuid(Uuid::nil()));
    let end = after.map_or(end, |after| (after.at, after.id).min(end));
    let place = |(at, id): Place| [at.as_micros().into(), (*id.as_uuid()).into()];
    let link: Value = (*link.as_uuid()).into();

    let [at, id] = place(end);
    let reach = end.0.plus(Pack::SPAN).as_micros();
    let newer = crate::all(db, CLICKS_NEWER, [link.clone(), at, id, reach.into()]).await?;
    let mut found = Found { clicks: Vec::new(), within: (span.start, end) };
    newer.iter().try_for_each(|row| found.take(row).map(drop))?;

    let sql = if db.get_database_backend() == DbBackend::Sqlite { CLICKS } else { CLICKS_PARTITIONED };
    // A row has one click, or many: not more rows than are needed, and of rows with one click not many times.
    let (mut before, mut rows) = (end, limit.min(FIRST_ROWS));
    loop {
        let [at, id] = place(before);
        let values = [link.clone(), span.start.as_micros().into(), at, id, i64::from(rows).into()];
        let page = crate::all(db, sql, values).await?;
        for row in &page {
            before = found.take(row)?;
        }
        // All that is not read yet is before the last row.
        let is_over = page.len() < rows as usize;
        if is_over || found.clicks.iter().filter(|click| (click.at, click.id) >= before).count() >= limit as usize {
            break;
        }
        rows = limit.min(rows.saturating_mul(2));
    }
    found.clicks.sort_unstable_by_key(|click| Reverse((click.at, click.id)));
    found.clicks.truncate(limit as usize);
    Ok(found.clicks)
}

/// Rows that are read at first: of packed ones that is more than a page.
const FIRST_ROWS: u32 = 32;

/// The place of a click among those of its link.
type Place = (Timestamp, ClickId);

/// Clicks of some rows, those that are asked for: from a moment on, and before a place.
struct Found {
    clicks: Vec<RawClick>,
    within: (Timestamp, Place),
}

impl Found {
    /// Takes those of a row, and says where that stands: at its newest.
    fn take(&mut self, row: &QueryResult) -> Result<Place, Error> {
        let clicks = raw_clicks(row)?;
        let newest = clicks.first().map_or(self.within.1, |newest| (newest.at, newest.id));
        let (from, end) = self.within;
        self.clicks.extend(clicks.into_iter().filter(|click| click.at >= from && (click.at, click.id) < end));
        Ok(newest)
    }
}

fn link_of(scope: Scope) -> Uuid {
    *match scope {
        Scope::Link(link) => link,
        Scope::Global => GLOBAL,
    }
    .as_uuid()
}
