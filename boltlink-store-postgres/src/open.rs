//! Opening a database: first a look that changes nothing, then the work.

use std::time::Duration;

use boltlink_core::StoreError;
use boltlink_store_sql::{
    Error,
    schema::{self, SchemaState},
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqlxPostgresConnector,
    Statement, TransactionTrait,
    sqlx::{ConnectOptions, Connection, Row, postgres::PgPoolOptions},
};

use crate::{
    config::PostgresConfig,
    error::{OLDEST_SERVER, OpenError},
};

/// Who migrates takes this lock: "BLTL".
const MIGRATION_LOCK: i64 = 0x424c_544c;

/// Who copies from a database holds this lock: "BLTC". Who opens it looks whether somebody does.
pub(crate) const COPY_LOCK: i64 = 0x424c_5443;

/// What bringing the schema up to date came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The migrations that were applied now, in their order.
    pub applied: Vec<String>,
    /// The version of the schema by now.
    pub version: u32,
}

/// How a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The version of the server.
    pub server: String,
    /// The version of its schema; 0 if it has none yet.
    pub version: u32,
    /// The version of the schema that this release writes. If it is greater, a migration is due.
    pub known_version: u32,
    /// The version of the PgBouncer in between, if there is one and it lets this user ask.
    pub pgbouncer: Option<String>,
    /// Whether lists by text have an index; without it they walk all links. Needs the extension `pg_trgm`.
    pub text_index: bool,
    /// What will not work; empty if nothing is wrong.
    pub problems: Vec<String>,
}

/// Brings the schema up to date, unless the database is being copied, or is half a copy.
pub(crate) async fn migrate(config: &PostgresConfig) -> Result<Migrated, OpenError> {
    migrate_for(config, Purpose::Use).await
}

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read and write it.
    Use,
    /// To be copied to: it may hold half a copy.
    CopyTo,
}

/// Brings the schema up to date.
pub(crate) async fn migrate_for(config: &PostgresConfig, purpose: Purpose) -> Result<Migrated, OpenError> {
    let fail = |error| OpenError::from_sql(config.url.to_string(), error);
    let (db, pooler) = tokio::join!(connect(config), pooler(config));
    let db = db?;
    // It would work for a while, until two connections are given each other's statements.
    if let Some(pooler) = pooler.filter(Pooler::loses_statements) {
        return Err(OpenError::Pooler { url: config.url.to_string(), reason: format!("PgBouncer {}", pooler.version) });
    }
    let migrated = async {
        refuse_server(config, &db).await?;
        if !is_free(&db).await.map_err(fail)? {
            return Err(OpenError::BeingCopied { url: config.url.to_string() });
        }
        let state = schema::state(&db).await.map_err(fail)?;
        refuse_newer(config, state)?;
        if purpose == Purpose::Use {
            refuse_half(config, state)?;
        }
        if !state.is_behind() {
            return Ok(Migrated { applied: Vec::new(), version: state.version });
        }
        let (state, applied) = migrate_under_lock(&db).await.map_err(fail)?;
        refuse_newer(config, state)?;
        Ok(Migrated { applied, version: state.version })
    };
    let migrated = migrated.await;
    // The error that led here is the one to tell.
    let _ = db.close_by_ref().await;
    migrated
}

/// Everything that is pending in one transaction, which whoever is killed leaves nothing of.
async fn migrate_under_lock(db: &DatabaseConnection) -> Result<(SchemaState, Vec<String>), Error> {
    let transaction = db.begin().await?;
    match migrate_within(&transaction).await {
        Ok(done) => {
            transaction.commit().await?;
            Ok(done)
        }
        Err(error) => {
            // What cannot be rolled back is not committed either.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

async fn migrate_within(db: &DatabaseTransaction) -> Result<(SchemaState, Vec<String>), Error> {
    // As long as it takes, and as long as others take that do the same.
    db.execute_unprepared(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL synchronous_commit = on",
    )
    .await?;
    db.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    // Another process may have been faster.
    let state = schema::state(db).await?;
    if !state.can_be_served() || !state.is_behind() {
        return Ok((state, Vec::new()));
    }
    let applied = schema::migrate(db).await?;
    Ok((schema::state(db).await?, applied))
}

/// Looks a database over without changing it.
pub(crate) async fn check(config: &PostgresConfig) -> Result<Health, OpenError> {
    let fail = |error| OpenError::from_sql(config.url.to_string(), error);
    let db = connect(config).await?;
    let found = async {
        let server = refuse_server(config, &db).await?;
        let state = schema::state(&db).await.map_err(fail)?;
        refuse_newer(config, state)?;
        refuse_half(config, state)?;
        let sql = "SELECT (to_regclass('link_text') IS NOT NULL)::text, pg_is_in_recovery()::text";
        let row = one(&db, sql).await.map_err(fail)?;
        Ok((server, state, row))
    };
    let found: Result<_, OpenError> = found.await;
    let _ = db.close_by_ref().await;
    let (server, state, row) = found?;
    let is = |index| row.get(index).is_some_and(|text: &String| text == "true");
    let pooler = pooler(config).await;
    let mut problems = Vec::new();
    if is(1) {
        problems.push("the server is a standby, which only reads: use the address of the primary".to_owned());
    }
    if let Some(Pooler { version, .. }) = pooler.as_ref().filter(|pooler| pooler.loses_statements()) {
        problems.push(format!(
            "PgBouncer {version} loses prepared statements in transaction mode: use 1.21 or newer, with \
             max_prepared_statements = 200"
        ));
    }
    Ok(Health {
        server,
        version: state.version,
        known_version: schema::VERSION,
        pgbouncer: pooler.map(|pooler| pooler.version),
        text_index: is(0),
        problems,
    })
}

fn refuse_newer(config: &PostgresConfig, state: SchemaState) -> Result<(), OpenError> {
    if state.can_be_served() {
        Ok(())
    } else {
        Err(OpenError::TooNew { url: config.url.to_string(), version: state.version })
    }
}

fn refuse_half(config: &PostgresConfig, state: SchemaState) -> Result<(), OpenError> {
    if state.half_copied { Err(OpenError::HalfCopied { url: config.url.to_string() }) } else { Ok(()) }
}

/// Whether nobody copies the database just now.
async fn is_free(db: &DatabaseConnection) -> Result<bool, Error> {
    let sql = format!("SELECT pg_try_advisory_xact_lock_shared({COPY_LOCK})::text");
    Ok(one(db, &sql).await?.first().is_some_and(|free| free == "true"))
}

/// The version of the server, if it will do.
async fn refuse_server(config: &PostgresConfig, db: &DatabaseConnection) -> Result<String, OpenError> {
    let url = || config.url.to_string();
    let sql = "SELECT current_setting('server_version'), current_setting('server_version_num'), \
               current_setting('server_encoding')";
    let row = one(db, sql).await.map_err(|error| OpenError::from_sql(url(), error))?;
    let mut row = row.into_iter();
    let mut next = || row.next().unwrap_or_default();
    let (version, number, encoding) = (next(), next(), next());
    if number.parse().is_ok_and(|number: i32| number < OLDEST_SERVER) {
        return Err(OpenError::TooOld { url: url(), version });
    }
    if encoding != "UTF8" {
        return Err(OpenError::Encoding { url: url(), encoding });
    }
    Ok(version)
}

/// One connection, or why there is none: a pool would only say that it took too long.
async fn connect(config: &PostgresConfig) -> Result<DatabaseConnection, OpenError> {
    let url = || config.url.to_string();
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(config.connect_timeout);
    let first = tokio::time::timeout(config.connect_timeout, config.url.options().connect()).await;
    let first = first.map_err(|_| OpenError::Unreachable {
        url: url(),
        reason: format!("no answer within {} s", config.connect_timeout.as_secs()),
    })?;
    match first {
        Ok(connection) => {
            // It has done its part if it is gone already.
            let _ = connection.close().await;
            Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool.connect_lazy_with(config.url.options())))
        }
        Err(error) => Err(OpenError::from_sql(url(), Error::Driver(DbErr::Conn(RuntimeErr::SqlxError(error.into()))))),
    }
}

/// A PgBouncer in front of the database.
#[derive(Debug)]
struct Pooler {
    version: String,
    /// Whether a client keeps its connection to the server; `None` where that is not told.
    by_session: Option<bool>,
}

impl Pooler {
    fn loses_statements(&self) -> bool {
        is_too_old(&self.version) && self.by_session == Some(false)
    }
}

/// What PgBouncer says on its console, which it shows as a database of that name.
async fn pooler(config: &PostgresConfig) -> Option<Pooler> {
    let asking = async {
        let mut console = config.url.options().database("pgbouncer").connect().await.ok()?;
        let version = sea_orm::sqlx::raw_sql("SHOW VERSION").fetch_one(&mut console).await;
        let settings = sea_orm::sqlx::raw_sql("SHOW CONFIG").fetch_all(&mut console).await.unwrap_or_default();
        let _ = console.close().await;
        let version: String = version.ok()?.try_get(0).ok()?;
        let mode = settings.iter().find(|row| row.try_get::<&str, _>(0).is_ok_and(|name| name == "pool_mode"));
        let by_session = mode.and_then(|row| row.try_get::<&str, _>(1).ok()).map(|mode| mode == "session");
        Some(Pooler { version: version.strip_prefix("PgBouncer ")?.to_owned(), by_session })
    };
    tokio::time::timeout(Duration::from_secs(2), asking).await.ok()?
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let version = (numbers.next().flatten(), numbers.next().flatten());
    version.0.is_some() && version < (Some(1), Some(21))
}

/// The texts in the first row.
async fn one(db: &DatabaseConnection, sql: &str) -> Result<Vec<String>, Error> {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let row = row.ok_or_else(|| StoreError::backend("a question has no answer"))?;
    Ok((0..row.column_names().len()).map(|at| row.try_get_by_index(at)).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_poolers_are_told() {
        for (version, old) in [("1.18.0", true), ("1.20.1", true), ("1.21.0", false), ("1.25.2", false), ("2.0", false)]
        {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }
}
