//! Where the file is.

use std::{path::PathBuf, sync::Arc, time::Duration};

use boltlink_core::{sample::RawClicks, store::Observer};
use log::LevelFilter;
use sea_orm::sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};

/// How to open a store.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The database file; made if it does not exist, in a directory that does.
    pub path: PathBuf,
    /// How many connections read at the same time. Default: 4.
    pub readers: u32,
    /// When what was committed is synced to the disk. Default: [`Sync::EachCommit`].
    pub sync: Sync,
    /// Which single clicks are kept. Default: 500 a second, for 30 days.
    pub raw_clicks: RawClicks,
    /// Who is told of every statement, and how long it took. Default: nobody.
    pub observer: Option<Arc<dyn Observer>>,
}

/// When what was committed is synced to the disk. A killed process loses nothing of it either way; a power cut may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sync {
    /// Before a call that writes is answered.
    #[default]
    EachCommit,
    /// When the store is [closed](crate::SqliteStore::close), for work that can be done again, such as an import: many
    /// times as fast on a disk that takes its time to sync, and others wait less for their turn.
    OnClose,
}

impl SqliteConfig {
    /// The store in the file `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readers: 4, sync: Sync::default(), raw_clicks: RawClicks::default(), observer: None }
    }

    /// The one connection that writes. `FULL`: what was answered survives a power cut. `NORMAL` syncs only what is
    /// moved from the write-ahead log into the file, so that the file is whole at any moment, if perhaps an old one.
    pub(crate) fn writing(&self) -> SqliteConnectOptions {
        self.connection()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match self.sync {
                Sync::EachCommit => SqliteSynchronous::Full,
                Sync::OnClose => SqliteSynchronous::Normal,
            })
            // A burst of clicks must not leave a huge write-ahead log behind.
            .pragma("journal_size_limit", "67108864")
            // In pages, as many as that: rows of an import touch pages all over the file, and a page that is touched
            // again and again is then copied into it once.
            .pragma("wal_autocheckpoint", "16384")
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "MEMORY")
    }

    /// The one connection of a process that has the file for itself: it takes the file's lock when it first looks at it,
    /// and keeps it (<https://www.sqlite.org/pragma.html#pragma_locking_mode>).
    pub(crate) fn alone(&self) -> SqliteConnectOptions {
        self.writing().locking_mode(SqliteLockingMode::Exclusive)
    }

    /// The connections that read.
    pub(crate) fn reading(&self) -> SqliteConnectOptions {
        self.connection().pragma("query_only", "ON")
    }

    /// A connection that can change nothing, for a look before anything is touched.
    pub(crate) fn looking(&self) -> SqliteConnectOptions {
        self.connection().read_only(true)
    }

    fn connection(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .foreign_keys(false)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(200)
            // Their texts, without values, for whoever asks for them.
            .log_statements(LevelFilter::Trace)
            .log_slow_statements(LevelFilter::Off, Duration::MAX)
    }
}

/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
