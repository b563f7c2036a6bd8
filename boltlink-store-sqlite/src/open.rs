//! Opening a file: first a look that changes nothing, then the work.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink_store_sql::{
    Error,
    observe::observed,
    schema::{self, SchemaState},
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxSqliteConnector, Statement,
    sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::{config::SqliteConfig, error::OpenError, queue::Queue, writer::transaction};

/// Marks our files: "BLTL".
const APPLICATION_ID: i32 = 0x424c_544c;

/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How long to try again while other processes do the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// After so many of SQLite's instructions there is a look at the time: those that write rows take microseconds.
const LOOK: i32 = 20;

/// What bringing the schema up to date came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The migrations that were applied now, in their order.
    pub applied: Vec<String>,
    /// The version of the schema by now.
    pub version: u32,
}

/// How a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The version of its schema.
    pub version: u32,
    /// The version of the schema that this release writes. If it is greater, a migration is due.
    pub known_version: u32,
    /// What is damaged; empty if nothing is.
    pub problems: Vec<String>,
}

pub(crate) struct Opened {
    pub(crate) writing: DatabaseConnection,
    /// Of those who write by it.
    pub(crate) queue: Arc<Queue>,
    pub(crate) reading: DatabaseConnection,
    pub(crate) migrated: Migrated,
}

impl Opened {
    pub(crate) async fn close(&self) {
        for connections in [&self.reading, &self.writing] {
            // What was committed stays committed.
            if let Err(error) = connections.close_by_ref().await {
                tracing::warn!(%error, "a connection could not be closed");
            }
        }
    }
}

/// Opens the file and brings its schema up to date.
pub(crate) async fn open(config: &SqliteConfig) -> Result<Opened, OpenError> {
    let fail = |error: Error| OpenError::from_sql(config.path.clone(), error);
    if !is_empty(config)? {
        let state = look(config).await?;
        refuse_newer(config, state)?;
        refuse_half(config, state)?;
    }
    let began = Instant::now();
    let queue = Arc::new(Queue::default());
    loop {
        // Switching a new file to WAL mode does not wait for others that are about to: try again.
        match open_for_writing(config, &queue).await.map_err(|error| match error {
            Refused::Newer(error) => error,
            Refused::Sql(error) => fail(error),
        }) {
            Err(OpenError::Locked { .. }) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
            Ok((writing, migrated)) => {
                let reading = connect(config.reading(), config.readers.max(1)).await.map_err(fail)?;
                let [writing, reading] = [writing, reading].map(|db| observed(db, config.observer.as_ref()));
                return Ok(Opened { writing, queue, reading, migrated });
            }
        }
    }
}

enum Refused {
    Newer(OpenError),
    Sql(Error),
}

async fn open_for_writing(
    config: &SqliteConfig,
    queue: &Arc<Queue>,
) -> Result<(DatabaseConnection, Migrated), Refused> {
    let queue = queue.clone();
    let db = connect_stepping(config.writing(), move || queue.step()).await.map_err(Refused::Sql)?;
    let migrated = migrate(config, &db).await;
    if migrated.is_err() {
        // The error that led here is the one to tell.
        let _ = db.close_by_ref().await;
    }
    Ok((db, migrated?))
}

/// Applies what is pending, if something is.
async fn migrate(config: &SqliteConfig, db: &DatabaseConnection) -> Result<Migrated, Refused> {
    let state = schema::state(db).await.map_err(Refused::Sql)?;
    refuse_newer(config, state).map_err(Refused::Newer)?;
    if !state.is_behind() {
        return Ok(Migrated { applied: Vec::new(), version: state.version });
    }
    let locked = transaction(db, |db| {
        Box::pin(async move {
            // Another process may have been faster.
            let state = schema::state(db).await?;
            if !state.can_be_served() || !state.is_behind() {
                return Ok((state, Vec::new()));
            }
            db.execute_unprepared(&format!("PRAGMA application_id = {APPLICATION_ID}")).await?;
            let applied = schema::migrate(db).await?;
            Ok((schema::state(db).await?, applied))
        })
    });
    let (state, applied) = locked.await.map_err(Refused::Sql)?;
    refuse_newer(config, state).map_err(Refused::Newer)?;
    Ok(Migrated { applied, version: state.version })
}

fn refuse_newer(config: &SqliteConfig, state: SchemaState) -> Result<(), OpenError> {
    if state.can_be_served() {
        Ok(())
    } else {
        Err(OpenError::TooNew { path: config.path.clone(), version: state.version })
    }
}

fn refuse_half(config: &SqliteConfig, state: SchemaState) -> Result<(), OpenError> {
    if state.half_copied { Err(OpenError::HalfCopied { path: config.path.clone() }) } else { Ok(()) }
}

/// Opens the file for this process alone, on one connection, and brings its schema up to date. One that holds half a
/// copy will do. While the connection is open, the file must not be opened by other means: closing it would unlock it.
pub(crate) async fn open_alone(config: &SqliteConfig) -> Result<(DatabaseConnection, SchemaState), OpenError> {
    if !is_empty(config)? {
        refuse_newer(config, look(config).await?)?;
    }
    let in_use = |error| match error {
        OpenError::Locked { path } => OpenError::InUse { path },
        error => error,
    };
    let fail = |error| in_use(OpenError::from_sql(config.path.clone(), error));
    // The first look at the file takes the lock, and fails if another process has it open.
    let db = connect(config.alone(), 1).await.map_err(fail)?;
    let opened = async {
        migrate(config, &db).await.map_err(|refused| match refused {
            Refused::Newer(error) => error,
            Refused::Sql(error) => fail(error),
        })?;
        schema::state(&db).await.map_err(fail)
    };
    match opened.await {
        Ok(state) => Ok((db, state)),
        Err(error) => {
            // The error that led here is the one to tell.
            let _ = db.close_by_ref().await;
            Err(error)
        }
    }
}

/// Looks a file over without changing it.
pub(crate) async fn check(config: &SqliteConfig) -> Result<Health, OpenError> {
    // Opened to be read: a check must not make the file.
    let file = File::open(&config.path).map_err(|error| OpenError::from_io(config.path.clone(), error))?;
    inspect(config, &file)?;
    let state = look(config).await?;
    let version = state.version;
    refuse_newer(config, state)?;
    refuse_half(config, state)?;
    let fail = |error| OpenError::from_sql(config.path.clone(), error);
    let db = connect(config.looking(), 1).await.map_err(fail)?;
    let report = text_rows(&db, "PRAGMA quick_check(20)").await;
    let _ = db.close_by_ref().await;
    let problems = report.map_err(fail)?.into_iter().filter(|line| line != "ok").collect();
    Ok(Health { version, known_version: schema::VERSION, problems })
}

/// Whether the file has nothing in it yet. It is made if it does not exist, which also tells
/// whether it can be.
fn is_empty(config: &SqliteConfig) -> Result<bool, OpenError> {
    let fail = |error: io::Error| OpenError::from_io(config.path.clone(), error);
    if fs::metadata(&config.path).is_ok_and(|file| file.is_dir()) {
        return Err(OpenError::Directory { path: config.path.clone() });
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // The file holds the server's secret: nobody else on the machine need read it. SQLite gives
    // its -wal and -shm files the same mode.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    inspect(config, &options.open(&config.path).map_err(fail)?)
}

/// Whether the file is empty; if it is not, it must be a database. SQLite itself would take a very
/// short file for a new one, and overwrite it.
fn inspect(config: &SqliteConfig, mut file: &File) -> Result<bool, OpenError> {
    let fail = |error: io::Error| OpenError::from_io(config.path.clone(), error);
    if file.metadata().map_err(fail)?.is_dir() {
        return Err(OpenError::Directory { path: config.path.clone() });
    }
    let mut head = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut head).map_err(fail)?;
    if head.is_empty() {
        return Ok(true);
    }
    if head == MAGIC { Ok(false) } else { Err(OpenError::NotADatabase { path: config.path.clone() }) }
}

/// What the file says of its schema; refuses other programs' databases.
async fn look(config: &SqliteConfig) -> Result<SchemaState, OpenError> {
    let fail = |error| OpenError::from_sql(config.path.clone(), error);
    let db = connect(config.looking(), 1).await.map_err(fail)?;
    let found = async {
        // In this order: a file that another process is filling just now has its tables last.
        let tables = text_rows(&db, "SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1").await?;
        let ours = text_rows(
            &db,
            &format!("SELECT 'ours' FROM pragma_application_id WHERE application_id = {APPLICATION_ID}"),
        )
        .await?;
        Ok((tables.is_empty() || !ours.is_empty(), schema::state(&db).await?))
    };
    let found: Result<_, Error> = found.await;
    let _ = db.close_by_ref().await;
    match found.map_err(fail)? {
        (true, state) => Ok(state),
        (false, _) => Err(OpenError::Foreign { path: config.path.clone() }),
    }
}

async fn text_rows(db: &DatabaseConnection, sql: &str) -> Result<Vec<String>, Error> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Connections that stay open: their prepared statements and pages are worth keeping.
pub(crate) async fn connect(options: SqliteConnectOptions, connections: u32) -> Result<DatabaseConnection, Error> {
    connected(pool(connections), options).await
}

/// One connection that stays open. `step` is called all the while a statement takes, on the thread that works; not while it
/// syncs, or moves the write-ahead log into the file.
async fn connect_stepping(
    options: SqliteConnectOptions,
    step: impl Fn() + Clone + Send + Sync + 'static,
) -> Result<DatabaseConnection, Error> {
    let pool = pool(1).after_connect(move |connection, _| {
        let step = step.clone();
        Box::pin(async move {
            connection.lock_handle().await?.set_progress_handler(LOOK, move || {
                step();
                // Go on.
                true
            });
            Ok(())
        })
    });
    connected(pool, options).await
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

async fn connected(pool: SqlitePoolOptions, options: SqliteConnectOptions) -> Result<DatabaseConnection, Error> {
    let connections =
        pool.connect_with(options).await.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(connections))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_long_statement_has_many_steps_and_all_of_its_effect() {
        let folder = tempfile::tempdir().unwrap();
        let config = SqliteConfig::new(folder.path().join("links.db"));
        assert!(is_empty(&config).unwrap());
        let steps = Arc::new(AtomicU32::new(0));
        let counted = steps.clone();
        let step = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        let db = connect_stepping(config.writing(), step).await.unwrap();
        db.execute_unprepared("CREATE TABLE t (n INTEGER)").await.unwrap();
        let before = steps.load(Ordering::Relaxed);
        let rows: Vec<_> = (0..512).map(|n| format!("({n})")).collect();
        let insert = format!("INSERT INTO t VALUES {}", rows.join(", "));
        assert_eq!(db.execute_unprepared(&insert).await.unwrap().rows_affected(), 512);
        assert!(steps.load(Ordering::Relaxed) - before >= 50);
        assert_eq!(text_rows(&db, "SELECT CAST(COUNT(*) AS TEXT) FROM t").await.unwrap(), ["512"]);
        db.close_by_ref().await.unwrap();
    }
}
