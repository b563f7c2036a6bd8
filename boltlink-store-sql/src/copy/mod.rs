//! Copies everything a database holds to another one, of the same kind or the other.
//!
//! Tables go one after the other, in pages in the order of their keys, so that memory is bounded. A page and the place it
//! ends at are one transaction of the target: whoever is interrupted goes on from there. In the end both databases are
//! read again, and compared row by row.
//!
//! The engine crates open the two ends. While a [`Source`] is open nobody else writes to it; a target is not opened by
//! anybody but a copy until that has ended well.

mod datum;
mod marker;
mod table;
mod verify;

use std::{collections::BTreeSet, pin::Pin};

use boltlink_core::StoreError;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};

use crate::{Error, schema};

pub(crate) use marker::KEY as HALF_DONE_KEY;
pub use marker::identify;
pub use table::{COPIED, REBUILT};

use self::{marker::Marker, table::Table};

/// Rows are read so many bytes at a time, about.
const PAGE_BYTES: usize = 1 << 20;
const LARGEST_PAGE: usize = 2_000;
/// Rows of unknown size are read so many at first.
const FIRST_PAGE: usize = 20;

/// Single clicks of more days than this are kept where those are that have no place of their own.
const MOST_DAYS: usize = 1_000;

/// A database to copy from, which nobody writes to as long as this lives.
pub struct Source {
    db: DatabaseConnection,
    within: DatabaseTransaction,
    answer: fn(Error) -> StoreError,
}

impl Source {
    /// For engine crates: a transaction in `db` that keeps others from writing for as long as it lasts. `answer` says
    /// what the driver's errors mean.
    #[must_use]
    pub fn new(db: DatabaseConnection, within: DatabaseTransaction, answer: fn(Error) -> StoreError) -> Self {
        Self { db, within, answer }
    }

    /// Lets others write again. Dropping it does the same, some time later.
    pub async fn close(self) {
        // It has read, no more: there is nothing to lose.
        let _ = self.within.rollback().await;
        let _ = self.db.close().await;
    }

    fn failed(&self, error: Error) -> CopyError {
        CopyError::Source((self.answer)(error))
    }
}

/// A database to copy to.
pub struct Target {
    db: DatabaseConnection,
    begin: &'static str,
    make_day: Option<MakeDay>,
    answer: fn(Error) -> StoreError,
}

/// Makes the place for the single clicks of a day, as [`Timestamp::day`](boltlink_core::Timestamp::day) counts it, if there is none.
pub type MakeDay =
    for<'a> fn(&'a DatabaseTransaction, i64) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

impl Target {
    /// For engine crates: `begin` is run at the beginning of every transaction.
    #[must_use]
    pub fn new(db: DatabaseConnection, begin: &'static str, answer: fn(Error) -> StoreError) -> Self {
        Self { db, begin, make_day: None, answer }
    }

    /// For engine crates that keep each day's single clicks apart.
    #[must_use]
    pub fn making_days(self, make_day: MakeDay) -> Self {
        Self { make_day: Some(make_day), ..self }
    }

    /// Lets go of the database.
    ///
    /// # Errors
    /// If it cannot be closed; nothing that was copied is lost.
    pub async fn close(self) -> Result<(), StoreError> {
        self.db.close().await.map_err(|error| (self.answer)(error.into()))
    }

    fn failed(&self, error: Error) -> CopyError {
        CopyError::Target((self.answer)(error))
    }

    async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        let transaction = self.db.begin().await?;
        if !self.begin.is_empty() {
            transaction.execute_unprepared(self.begin).await?;
        }
        Ok(transaction)
    }
}

/// Why a copy has not ended well. What was copied stays, and the next try goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The schema is one that this release does not know the whole of.
    #[error(
        "the {end} has schema version {version}, but this release copies version {}; use the newer release",
        schema::VERSION
    )]
    Schema {
        /// Source or target.
        end: &'static str,
        /// The version of its schema.
        version: u32,
    },
    /// There is something in the target already.
    #[error("the target is not empty: its table {table} has rows; copy into a new database")]
    NotEmpty {
        /// A table with rows.
        table: &'static str,
    },
    /// The target holds a part of something else.
    #[error("the target holds a part of another database, of which a copy was begun; copy into a new one")]
    OtherSource,
    /// Another copy into the same target has taken over.
    #[error("another copy into the same target is running")]
    TakenOver,
    /// What was copied is not what is in the source: it has been written to between the tries.
    #[error(
        "the source has changed since the copy was begun, in {}; nothing is lost: run the same again, and these are copied anew",
        tables.join(", ")
    )]
    Differs {
        /// Where the two differ. These have been emptied in the target.
        tables: Vec<&'static str>,
    },
    /// The source could not be read.
    #[error("the source: {0}")]
    Source(#[source] StoreError),
    /// The target could not be written or read.
    #[error("the target: {0}")]
    Target(#[source] StoreError),
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Rows are written to the target.
    Copying,
    /// Both ends are read and compared.
    Verifying,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What is going on.
    pub phase: Phase,
    /// With which table.
    pub table: &'static str,
    /// Rows that this phase has done, in all tables; those of earlier tries included.
    pub rows: u64,
    /// Rows that this phase has to do.
    pub of: u64,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The tables that were, in their order.
    pub tables: Vec<CopiedTable>,
    /// Whether an earlier try had begun.
    pub resumed: bool,
}

/// What was copied of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: u64,
    /// The sum of its clicks, if it counts any.
    pub clicks: Option<i128>,
}

/// Copies everything, goes on where an earlier try was interrupted, and compares both ends. `seen` is told after each
/// page.
///
/// If the future is dropped, that is an interruption like any other.
///
/// # Errors
/// Why the target is not a copy of the source; it is then one for nobody but the next try.
pub async fn copy(source: &Source, target: &Target, mut seen: impl FnMut(Step)) -> Result<Copied, CopyError> {
    let from = |error| source.failed(error);
    let to = |error| target.failed(error);
    for (end, version) in [
        ("source", schema::state(&source.within).await.map_err(from)?.version),
        ("target", schema::state(&target.db).await.map_err(to)?.version),
    ] {
        if version != schema::VERSION {
            return Err(CopyError::Schema { end, version });
        }
    }
    let mut tables = Vec::with_capacity(COPIED.len());
    for name in COPIED {
        let read = Table::describe(&source.within, name).await.map_err(from)?;
        let written = Table::describe(&target.db, name).await.map_err(to)?.arranged_as(&read).map_err(to)?;
        let rows = read.count(&source.within).await.map_err(from)?;
        tables.push(Pair { read, written, rows });
    }
    let origin = marker::identity(&source.within).await.map_err(from)?;
    let (marker, resumed) = Marker::take(target, &tables, &origin).await?;

    let of = tables.iter().map(|table| table.rows).sum();
    // An earlier try may have copied rows that are gone from the source by now.
    let mut tell = |phase, table, rows: u64| seen(Step { phase, table, rows: rows.min(of), of });
    let mut rows = 0;
    for table in &tables {
        let name = table.read.name;
        rows += copy_table(source, target, &marker, table, &mut |done| tell(Phase::Copying, name, rows + done)).await?;
    }

    let mut differing = Vec::new();
    let mut copied = Copied { tables: Vec::new(), resumed };
    rows = 0;
    for table in &tables {
        let name = table.read.name;
        let mut step = |done| tell(Phase::Verifying, name, rows + done);
        let there = verify::sum(&source.within, &table.read, &mut step).await.map_err(from)?;
        let here = verify::sum(&target.db, &table.written, &mut |_| ()).await.map_err(to)?;
        rows += there.rows;
        if there != here {
            differing.push(table);
        }
        copied.tables.push(CopiedTable { name, rows: there.rows, clicks: there.clicks });
    }
    if differing.is_empty() {
        marker.remove(target).await?;
        return Ok(copied);
    }
    for table in &differing {
        marker.start_over(target, &table.written).await?;
    }
    Err(CopyError::Differs { tables: differing.iter().map(|table| table.read.name).collect() })
}

/// A table at both ends.
struct Pair {
    read: Table,
    written: Table,
    /// How many rows the source has of it.
    rows: u64,
}

/// Copies what is missing of one table, and returns how many rows the target has of it.
async fn copy_table(
    source: &Source,
    target: &Target,
    marker: &Marker,
    table: &Pair,
    seen: &mut impl FnMut(u64),
) -> Result<u64, CopyError> {
    let from = |error| source.failed(error);
    let mut place = marker.place(target, table.read.name).await?;
    let mut size = FIRST_PAGE;
    let mut days = BTreeSet::new();
    seen(place.rows);
    while !place.done {
        let page = table.read.page(&source.within, place.after.as_deref(), size).await.map_err(from)?;
        place.done = page.len() < size;
        place.rows += page.len() as u64;
        place.after = page.last().map(|row| table.read.key_of(row)).or(place.after);
        let of_page: BTreeSet<_> = page.iter().filter_map(|row| table.read.day_of(row)).collect();
        let new: Vec<_> = of_page.difference(&days).copied().take(MOST_DAYS.saturating_sub(days.len())).collect();
        marker.store(target, &table.written, &page, &place, &new).await?;
        days.extend(new);
        seen(place.rows);
        size = next_size(size, &page);
    }
    Ok(place.rows)
}

/// How many rows to read next, by how large those were.
fn next_size(size: usize, page: &[datum::Row]) -> usize {
    let bytes: usize = page.iter().flatten().map(datum::Datum::bytes).sum();
    let fitting = page.len() * PAGE_BYTES / bytes.max(1);
    fitting.clamp(1, (size * 4).min(LARGEST_PAGE))
}
