//! The tables: which are copied, and what they are like, as the database itself says.

use boltlink_core::{StoreError, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, Value};

use super::datum::{Datum, Kind, Row};
use crate::{Error, row::Columns};

/// The tables that are copied, links before what hangs on them.
pub const COPIED: [&str; 15] = [
    "link",
    "link_total",
    "idempotency",
    "api_key",
    "account",
    "session",
    "audit",
    "ledger",
    "quarantine",
    "rollup_hour",
    "rollup_link_day",
    "rollup_day",
    "rollup_values",
    "click",
    "meta",
];

/// The tables that are not, as each database has its own: what follows from links by triggers, and the log of changes,
/// which tells processes that have a database open; none has a target open.
pub const REBUILT: [&str; 6] =
    ["link_tag", "link_document", "link_text", "change_log", "change_trim", "seaql_migrations"];

/// Single clicks have no primary key on Postgres, and on SQLite one that says nothing; this index has each once.
const CLICK_KEY: [&str; 3] = ["link", "at", "id"];
const CLICK_PLACE: &str = "place";

/// What a database keeps about itself, and what is kept of a copy while it runs.
const NOT_OWN: &str =
    "t.key NOT IN ('schema_version', 'oldest_compatible', 'database_id', 'copy') AND substr(t.key, 1, 5) <> 'copy:'";

/// Values in one statement, at most: SQLite takes 32,766.
const MOST_VALUES: usize = 30_000;
const MOST_ROWS: usize = 500;

/// A table of one database.
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: Vec<Column>,
    /// The places of the columns by which its rows are told apart and put in order.
    key: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    kind: Kind,
}

impl Table {
    /// Asks the database what the table is like.
    pub(super) async fn describe(db: &impl ConnectionTrait, name: &'static str) -> Result<Self, Error> {
        let sql = match db.get_database_backend() {
            DbBackend::Sqlite => "SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid",
            _ => include_str!("../sql/table_columns.postgres.sql"),
        };
        let mut columns = Vec::new();
        let mut key = Vec::new();
        for row in crate::all(db, sql, [name.into()]).await? {
            let row = Columns(&row);
            let (column, kind, place): (String, String, i64) = (row.at(0)?, row.at(1)?, row.at(2)?);
            let place = if name == "click" {
                if column == CLICK_PLACE {
                    continue;
                }
                CLICK_KEY.iter().position(|key| *key == column).map(|place| place + 1)
            } else {
                usize::try_from(place).ok().filter(|place| *place > 0)
            };
            let kind = Kind::named(&kind)
                .ok_or_else(|| unfit(format!("the column {column} of {name} has the type {kind}")))?;
            key.extend(place.map(|place| (place, columns.len())));
            columns.push(Column { name: column, kind });
        }
        if key.is_empty() {
            return Err(unfit(format!("the table {name} is missing, or has no key")));
        }
        key.sort_unstable();
        Ok(Self { name, columns, key: key.into_iter().map(|(_, at)| at).collect() })
    }

    /// The same table with its columns in the order of those of `other`, which must have the same.
    pub(super) fn arranged_as(self, other: &Self) -> Result<Self, Error> {
        let differs = || unfit(format!("the table {} has other columns than that of the source", self.name));
        let columns = other.columns.iter().map(|column| {
            let own = self.columns.iter().find(|own| own.name == column.name && own.kind.is_like(column.kind));
            own.cloned().ok_or_else(differs)
        });
        let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
        let names = |table: &Self| table.key.iter().map(|at| table.columns[*at].name.clone()).collect::<Vec<_>>();
        if columns.len() != self.columns.len() || names(&self) != names(other) {
            return Err(differs());
        }
        Ok(Self { name: self.name, columns, key: other.key.clone() })
    }

    /// How many rows there are to be copied.
    pub(super) async fn count(&self, db: &impl ConnectionTrait) -> Result<u64, Error> {
        let sql = format!("SELECT count(*) FROM {} t WHERE {}", self.name, self.own());
        let row = crate::one(db, &sql, []).await?;
        let count: Option<i64> = row.map(|row| Columns(&row).at(0)).transpose()?;
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
    }

    /// Reads up to `limit` rows after the one with the key `after`, in the order of keys.
    pub(super) async fn page(
        &self,
        db: &impl ConnectionTrait,
        after: Option<&[Datum]>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        // By the columns' own names: what is selected of them may have the same, and has no index.
        let key: Vec<_> = self.key.iter().map(|at| format!("t.{}", self.columns[*at].name)).collect();
        let key = key.join(", ");
        let mut sql = format!("SELECT {} FROM {} t WHERE {}", self.selected(), self.name, self.own());
        let mut values: Vec<Value> = Vec::new();
        if let Some(after) = after {
            values.extend(self.key.iter().zip(after).map(|(at, datum)| self.columns[*at].kind.value(datum)));
            sql += &format!(" AND ({key}) > ({})", placeholders(1, values.len()));
        }
        sql += &format!(" ORDER BY {key} LIMIT {limit}");
        let rows = crate::all(db, &sql, values).await?;
        let read = |row| self.columns.iter().enumerate().map(|(at, column)| column.kind.read(row, at)).collect();
        rows.iter().map(read).collect()
    }

    /// The key of a row.
    pub(super) fn key_of(&self, row: &Row) -> Vec<Datum> {
        self.key.iter().map(|at| row[*at].clone()).collect()
    }

    /// The clicks that a row counts, in tables that count them.
    pub(super) fn clicks_of(&self, row: &Row) -> Option<i64> {
        let at = self.columns.iter().position(|column| column.name == "clicks")?;
        if let Datum::Int(clicks) = row[at] { Some(clicks) } else { None }
    }

    /// The day of a single click, unless it is one that cannot be.
    pub(super) fn day_of(&self, row: &Row) -> Option<i64> {
        let at = self.columns.iter().position(|column| self.name == "click" && column.name == "at")?;
        let Datum::Int(micros) = row[at] else { return None };
        Timestamp::from_micros(micros).map(Timestamp::day).filter(|day| *day >= 0)
    }

    /// Adds rows.
    pub(super) async fn insert(&self, db: &impl ConnectionTrait, rows: &[Row]) -> Result<(), Error> {
        let width = self.columns.len();
        let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
        for rows in rows.chunks((MOST_VALUES / width).clamp(1, MOST_ROWS)) {
            let tuples: Vec<_> =
                (0..rows.len()).map(|row| format!("({})", placeholders(row * width + 1, width))).collect();
            let sql = format!("INSERT INTO {} ({}) VALUES {}", self.name, names.join(", "), tuples.join(", "));
            let values = rows.iter().flat_map(|row| self.columns.iter().zip(row));
            crate::execute(db, &sql, values.map(|(column, datum)| column.kind.value(datum))).await?;
        }
        Ok(())
    }

    /// Empties it.
    pub(super) async fn clear(&self, db: &impl ConnectionTrait) -> Result<(), Error> {
        let sql = format!("DELETE FROM {} AS t WHERE {}", self.name, self.own());
        crate::execute(db, &sql, []).await?;
        Ok(())
    }

    fn selected(&self) -> String {
        let columns: Vec<_> =
            self.columns.iter().map(|column| column.kind.selected(&format!("t.{}", column.name))).collect();
        columns.join(", ")
    }

    /// Which rows belong to the contents, rather than to the database.
    fn own(&self) -> &'static str {
        if self.name == "meta" { NOT_OWN } else { "TRUE" }
    }
}

fn placeholders(from: usize, count: usize) -> String {
    let all: Vec<_> = (from..from + count).map(|number| format!("${number}")).collect();
    all.join(", ")
}

fn unfit(what: String) -> Error {
    StoreError::backend(format!("{what}: this release cannot copy it")).into()
}
