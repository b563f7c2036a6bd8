//! Statements that write many rows at once.

use boltlink_store_sql::Error;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};

use crate::writer::at_length;

/// How many rows one statement takes. Few sizes, so that every text is prepared once and found
/// again; the largest stays far below SQLite's bound of 32,766 parameters.
const SIZES: [usize; 4] = [512, 64, 8, 1];

/// A statement with one row of parameters, `(?, ?)`, in its text, which it repeats as needed.
///
/// Parameters have no numbers: the driver would look each up by its name among all before it.
pub(crate) struct Batch {
    texts: [String; SIZES.len()],
    columns: usize,
}

impl Batch {
    pub(crate) fn new(template: &str) -> Self {
        // A text without such a row would be a row of its own: the tests would not pass.
        let (head, rest) = template.split_once("(?").unwrap_or((template, ")"));
        let (inner, tail) = rest.split_once(')').unwrap_or((rest, ""));
        let row = format!("(?{inner})");
        Self {
            columns: row.matches('?').count(),
            texts: SIZES.map(|rows| format!("{head}{}{tail}", vec![row.as_str(); rows].join(", "))),
        }
    }

    /// Writes `values`, row after row, and says how many rows were affected by each statement, next
    /// to the rows it was given.
    pub(crate) async fn execute(
        &self,
        db: &impl ConnectionTrait,
        values: Vec<Value>,
        mut affected: impl FnMut(usize, u64),
    ) -> Result<(), Error> {
        let mut values = values.into_iter();
        while let Some((statement, rows)) = self.next(&mut values) {
            affected(rows, db.execute_raw(statement).await?.rows_affected());
        }
        Ok(())
    }

    /// The same of very many rows, which are never all there as values.
    pub(crate) async fn execute_rows<R: Send, const N: usize>(
        &self,
        db: &impl ConnectionTrait,
        rows: impl IntoIterator<Item = R, IntoIter: Send>,
        values: impl Fn(R) -> [Value; N] + Send + Sync,
        mut affected: impl FnMut(usize, u64) + Send,
    ) -> Result<(), Error> {
        let mut rows = rows.into_iter();
        loop {
            let some: Vec<_> = at_length(|| rows.by_ref().take(SIZES[0]).flat_map(&values).collect());
            if some.is_empty() {
                return Ok(());
            }
            self.execute(db, some, &mut affected).await?;
        }
    }

    /// The rows that the statements return for very many rows.
    pub(crate) async fn query_rows<R: Sync, const N: usize>(
        &self,
        db: &impl ConnectionTrait,
        rows: &[R],
        values: impl Fn(&R) -> [Value; N] + Sync,
    ) -> Result<Vec<QueryResult>, Error> {
        let mut found = Vec::new();
        for rows in rows.chunks(SIZES[0]) {
            found.extend(self.query(db, rows.iter().flat_map(&values).collect()).await?);
        }
        Ok(found)
    }

    /// The rows that the statements return for `values`.
    pub(crate) async fn query(&self, db: &impl ConnectionTrait, values: Vec<Value>) -> Result<Vec<QueryResult>, Error> {
        let mut values = values.into_iter();
        let mut found = Vec::new();
        while let Some((statement, _)) = self.next(&mut values) {
            found.extend(db.query_all_raw(statement).await?);
        }
        Ok(found)
    }

    /// The statement for as many of the rows that are left as one can take.
    fn next(&self, values: &mut std::vec::IntoIter<Value>) -> Option<(Statement, usize)> {
        let left = values.len() / self.columns;
        let at = SIZES.iter().position(|rows| *rows <= left)?;
        let values = values.take(SIZES[at] * self.columns);
        Some((Statement::from_sql_and_values(DbBackend::Sqlite, &self.texts[at], values), SIZES[at]))
    }
}
