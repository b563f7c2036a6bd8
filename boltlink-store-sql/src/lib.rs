//! What BoltLink's SQL stores share: the schema and its migrations, the way between rows and domain
//! types, and the queries whose text is the same for every engine.
//!
//! Nothing here opens a connection or a transaction: that is the engine crate's part, and so is the
//! hot path of the click sinks, which every engine does in its own way. Functions that write take
//! the transaction they are part of.

pub mod account;
pub mod analytics;
pub mod audit;
pub mod change;
pub mod copy;
pub mod dead;
mod error;
pub mod key;
pub mod ledger;
pub mod link;
pub mod list;
pub mod meta;
mod migration;
pub mod observe;
pub mod reconcile;
pub mod rollups;
pub mod row;
pub mod schema;
pub mod slug_case;

pub use error::Error;

use sea_orm::{ConnectionTrait, ExecResult, QueryResult, Statement, Value};

/// The statement `sql` with its values, for the engine behind `db`.
fn statement(db: &impl ConnectionTrait, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

async fn execute(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<ExecResult, Error> {
    Ok(db.execute_raw(statement(db, sql, values)).await?)
}

async fn one(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, Error> {
    Ok(db.query_one_raw(statement(db, sql, values)).await?)
}

async fn all(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, Error> {
    Ok(db.query_all_raw(statement(db, sql, values)).await?)
}
