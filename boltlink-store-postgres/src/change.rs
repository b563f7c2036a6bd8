//! The change log.
//!
//! Transactions become visible in another order than they begin in. So a place in the log is not an id but a snapshot:
//! what comes after it is what was not visible in it. A cursor holds the oldest transaction that was running then
//! (`xmin`), from which on there may be rows not seen; the snapshot itself is remembered here, so that nothing is told
//! twice. Who comes with a cursor that is not remembered is told again what is visible from its `xmin` on.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use boltlink_core::{
    StoreError, Timestamp,
    store::{Change, ChangeCursor, ChangeLog, Changes},
};
use boltlink_store_sql::{
    Error, change,
    row::{signed, unsigned},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::{
    array::{statement, texts},
    pool::Pool,
};

/// For how long after they count as gone rows stay, to tell who has missed one of them.
const LINGER_MICROS: i64 = 24 * 3_600 * 1_000_000;

pub(crate) struct PostgresChanges {
    pub(crate) pool: Pool,
    pub(crate) told: Arc<Told>,
}

#[async_trait]
impl ChangeLog for PostgresChanges {
    async fn head(&self) -> Result<ChangeCursor, StoreError> {
        let sql = "SELECT pg_current_snapshot()::text";
        let head = || async {
            let row = self.pool.connections().query_one_raw(statement(sql, [])).await?;
            let text: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
            Ok(self.told.remember(Snapshot::parse(&text.unwrap_or_default())?))
        };
        self.pool.read(head).await
    }

    async fn since(&self, cursor: ChangeCursor, limit: u32) -> Result<Changes, StoreError> {
        self.pool.read(|| since(self.pool.connections(), &self.told, cursor, limit)).await
    }

    async fn trim(&self, before: Timestamp) -> Result<(), StoreError> {
        self.pool.write(move |db| Box::pin(trim(db, before))).await
    }
}

/// Writes many changes to the log, as part of the transaction that makes them.
pub(crate) async fn note(db: &impl ConnectionTrait, changes: &[Change], now: Timestamp) -> Result<(), Error> {
    let rows: Vec<_> = changes.iter().filter_map(change::kept).collect();
    let sql = "INSERT INTO change_log (kind, subject, at) \
               SELECT kind, subject, $3 FROM unnest($1::smallint[], $2::text[]) AS v (kind, subject)";
    let values = [
        rows.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().into(),
        texts(rows.iter().map(|(_, subject)| subject.as_str())),
        now.as_micros().into(),
    ];
    db.execute_raw(statement(sql, values)).await?;
    Ok(())
}

async fn since(db: &impl ConnectionTrait, told: &Told, cursor: ChangeCursor, limit: u32) -> Result<Changes, Error> {
    let seen = told.snapshot(cursor);
    let values = [signed(seen.xmin).into(), seen.to_string().into(), (i64::from(limit) + 1).into()];
    // At least one row: the state of the log stands beside every change.
    let rows = db.query_all_raw(statement(include_str!("sql/changes_since.sql"), values)).await?;
    let state = rows.first().ok_or_else(|| StoreError::backend("the table change_trim has no row"))?;
    let now = Snapshot::parse(&state.try_get_by_index::<String>(0)?)?;
    let trimmed: i64 = state.try_get_by_index(1)?;
    let (gone, gone_by): (i64, i64) = (state.try_get_by_index(2)?, state.try_get_by_index(3)?);
    // A database that was restored counts transactions anew.
    let goes_back = now.xmin < seen.xmin;
    // Of the rows that are gone for good only the last transaction is known.
    let misses = !seen.sees(unsigned(gone_by)) && !seen.sees_all_until(unsigned(gone));
    let next = told.remember(now);
    let everything = Changes::Everything { next };
    if goes_back || misses {
        return Ok(everything);
    }
    let mut changes = Vec::new();
    let mut count = 0;
    for row in &rows {
        let Some(at) = row.try_get_by_index::<Option<i64>>(6)? else { continue };
        count += 1;
        // A row that says nothing readable still says that something changed; nobody may miss it.
        let (true, Ok(change)) = (at >= trimmed && count <= limit, change::read(row, 4)) else { return Ok(everything) };
        changes.extend(change);
    }
    Ok(Changes::Some { changes, next })
}

/// Lets what was made before `before` count as gone, and drops what has done so for long.
async fn trim(db: &DatabaseTransaction, before: Timestamp) -> Result<(), Error> {
    let before = before.as_micros();
    // One at a time: two would delete the same rows, each in an order of its own.
    db.execute_unprepared("SELECT 1 FROM change_trim FOR UPDATE").await?;
    db.execute_raw(statement(include_str!("sql/changes_trim.sql"), [before.into(), LINGER_MICROS.into()])).await?;
    Ok(())
}

/// Which transactions a statement sees.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    /// All before this one have ended.
    xmin: u64,
    /// This one and all after it have not.
    xmax: u64,
    /// Nor have these.
    running: Vec<u64>,
}

impl Snapshot {
    /// Reads it as Postgres writes it: `10:20:10,14,15`.
    fn parse(text: &str) -> Result<Self, Error> {
        let read = || {
            let mut parts = text.split(':');
            let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let running = parts.next()?.split(',').filter(|xact| !xact.is_empty());
            Some(Self { xmin, xmax, running: running.map(|xact| xact.parse().ok()).collect::<Option<_>>()? })
        };
        Ok(read().ok_or_else(|| StoreError::backend("the database told a snapshot that cannot be read"))?)
    }

    fn sees(&self, xact: u64) -> bool {
        xact < self.xmin || xact < self.xmax && !self.running.contains(&xact)
    }

    fn sees_all_until(&self, xact: u64) -> bool {
        xact < self.xmin || xact < self.xmax && self.running.iter().all(|running| *running > xact)
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running: Vec<_> = self.running.iter().map(u64::to_string).collect();
        write!(f, "{}:{}:{}", self.xmin, self.xmax, running.join(","))
    }
}

/// The snapshots behind the cursors that were given out last.
///
/// A cursor is the snapshot's `xmin`, and in its last 16 bits the how-manieth of that `xmin` it is.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<VecDeque<(ChangeCursor, Snapshot)>>);

/// How many snapshots are remembered.
const REMEMBERED: usize = 64;
/// The last bits of the last cursor of one `xmin`, which nothing is remembered of.
const LAST: u64 = 0xffff;

impl Told {
    fn remember(&self, snapshot: Snapshot) -> ChangeCursor {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = snapshot.xmin << 16;
        let newest = all.back().map_or(0, |(cursor, _)| cursor.0);
        let cursor = if newest < first {
            first
        } else if newest < first + LAST - 1 {
            newest + 1
        } else {
            // One of another task has come in between, or there have been too many.
            return ChangeCursor(first + LAST);
        };
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        all.push_back((ChangeCursor(cursor), snapshot));
        ChangeCursor(cursor)
    }

    /// The snapshot behind a cursor: if it is not remembered, one that sees the least.
    fn snapshot(&self, cursor: ChangeCursor) -> Snapshot {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|(known, _)| *known == cursor).map(|(_, snapshot)| snapshot.clone());
        // Transactions begin with the third.
        let xmin = (cursor.0 >> 16).max(1);
        known.unwrap_or(Snapshot { xmin, xmax: xmin, running: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::parse(text).unwrap()
    }

    #[test]
    fn snapshots_are_read_and_written() {
        for text in ["10:10:", "10:20:10,14,15"] {
            assert_eq!(snapshot(text).to_string(), text);
        }
        for text in ["", "10", "10:11", "a:b:", "10:20:x"] {
            assert!(Snapshot::parse(text).is_err(), "{text}");
        }
        let seen = snapshot("10:20:10,14");
        let visible: Vec<_> = (8..23).filter(|xact| seen.sees(*xact)).collect();
        assert_eq!(visible, [8, 9, 11, 12, 13, 15, 16, 17, 18, 19]);
        assert!(seen.sees_all_until(9) && !seen.sees_all_until(10) && !seen.sees_all_until(20));
    }

    #[test]
    fn each_cursor_leads_to_its_own_snapshot() {
        let told = Told::default();
        let snapshots = ["10:10:", "10:12:10", "10:13:10,12", "12:13:12"].map(snapshot);
        let cursors = snapshots.clone().map(|snapshot| told.remember(snapshot));
        assert!(cursors.is_sorted());
        for (cursor, snapshot) in cursors.iter().zip(&snapshots) {
            assert_eq!(told.snapshot(*cursor), *snapshot);
        }
        // Late, but never two by one name.
        let late = told.remember(snapshot("10:14:10"));
        assert_eq!(told.snapshot(late), snapshot("10:10:"));
        for _ in 0..REMEMBERED {
            told.remember(snapshot("13:13:"));
        }
        assert_eq!(told.snapshot(cursors[2]), snapshot("10:10:"));
    }
}
