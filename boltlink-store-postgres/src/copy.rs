//! The database as an end of a copy.
//!
//! A source is one long transaction, which a pooler gives one connection: it holds a lock that everybody who opens the
//! database looks for, and locks on the tables that let others read only. It ends with the connection, whatever becomes
//! of the process.

use std::time::{Duration, Instant};

use boltlink_store_sql::{
    Error,
    copy::{COPIED, Source, Target, identify},
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqlxPostgresConnector, TransactionTrait,
    sqlx::postgres::PgPoolOptions,
};

use crate::{
    array::statement,
    config::PostgresConfig,
    error::{OpenError, answer},
    open::{self, COPY_LOCK, Purpose},
    partition,
    pool::HEARTBEAT,
};

/// As long as it takes: a page may be large, and the other end slow.
const WITHOUT_END: &str = "SELECT set_config(name, '0', TRUE) FROM pg_settings WHERE name IN \
    ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')";

/// For how long nobody must show. A look does not do: where a pooler lends connections, the one that somebody asked
/// something on last is the one that this copy gets next, and it shows as the copy's own from then on.
const SILENCE: Duration = Duration::from_secs(3 * HEARTBEAT.as_secs());
/// For how long others may go on before they are a reason to refuse: longer than one that has just been stopped shows,
/// and is silent then.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the lock is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(250);

/// Opens the database to be copied.
pub(crate) async fn source(config: &PostgresConfig) -> Result<Source, OpenError> {
    open::migrate(config).await?;
    let db = connect(config);
    match fence(config, &db).await {
        Ok(within) => Ok(Source::new(db, within, answer)),
        Err(error) => {
            // The error that led here is the one to tell.
            let _ = db.close_by_ref().await;
            Err(error)
        }
    }
}

/// Opens the database to be copied to.
pub(crate) async fn target(config: &PostgresConfig) -> Result<Target, OpenError> {
    open::migrate_for(config, Purpose::CopyTo).await?;
    let target = Target::new(connect(config), WITHOUT_END, answer);
    Ok(target.making_days(|db, day| Box::pin(partition::make(db, day))))
}

/// Keeps others from writing, and new ones from opening the database.
async fn fence(config: &PostgresConfig, db: &DatabaseConnection) -> Result<DatabaseTransaction, OpenError> {
    let url = || config.url.to_string();
    let fail = |error| OpenError::from_sql(url(), error);
    identify(db).await.map_err(fail)?;
    let within = db.begin().await.map_err(|error| fail(error.into()))?;
    // In this order: who looked for the lock before it was taken has asked something just now.
    let began = Instant::now();
    while !lock(&within).await.map_err(fail)? {
        // One that was killed has it until the server notices.
        if began.elapsed() > LOCK_PATIENCE {
            return Err(OpenError::BeingCopied { url: url() });
        }
        tokio::time::sleep(POLL).await;
    }
    let began = Instant::now();
    let mut heard = began;
    while heard.elapsed() < SILENCE {
        if others(&within).await.map_err(fail)? > 0 {
            heard = Instant::now();
        }
        if began.elapsed() > PATIENCE {
            return Err(OpenError::InUse { url: url() });
        }
        tokio::time::sleep(POLL).await;
    }
    let sql = format!(
        "SET LOCAL lock_timeout = '5s'; LOCK TABLE {} IN SHARE MODE; SET LOCAL lock_timeout = 0",
        COPIED.join(", ")
    );
    match within.execute_unprepared(&sql).await {
        Ok(_) => Ok(within),
        Err(error) => Err(match answer(error.into()) {
            error if error.is_retryable() => OpenError::InUse { url: url() },
            error => OpenError::Other { url: url(), source: error.into() },
        }),
    }
}

/// Takes the lock that everybody looks for, if nobody else has it.
async fn lock(db: &DatabaseTransaction) -> Result<bool, Error> {
    db.execute_unprepared(WITHOUT_END).await?;
    let sql = format!("SELECT pg_try_advisory_xact_lock({COPY_LOCK})");
    let row = db.query_one_raw(statement(&sql, [])).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false))
}

/// How many connections others have, or have lent by a pooler, that something was asked on in the last seconds.
async fn others(db: &DatabaseTransaction) -> Result<i64, Error> {
    // Within a transaction it would tell for ever what it told first.
    db.execute_unprepared("SELECT pg_stat_clear_snapshot()").await?;
    let row = db.query_one_raw(statement(include_str!("sql/others.sql"), [])).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
}

/// One connection, which is known by its name.
fn connect(config: &PostgresConfig) -> DatabaseConnection {
    let options = config.url.options().application_name("boltlink-copy");
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(config.connect_timeout)
        .idle_timeout(None)
        .max_lifetime(None);
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool.connect_lazy_with(options))
}
