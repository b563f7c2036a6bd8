//! What SQLite's errors mean.

use std::{io, path::PathBuf};

use boltlink_core::StoreError;
use boltlink_store_sql::{Error, schema};
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Why a file could not be opened as a store. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A directory stands where the file should.
    #[error("{} is a directory; give the path of a database file, such as {}", path.display(), path.join("boltlink.db").display())]
    Directory {
        /// The path that was given.
        path: PathBuf,
    },
    /// The directory that the file should be made in does not exist.
    #[error("cannot create {}: its directory does not exist; create the directory first", path.display())]
    NoDirectory {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file, or the directory it is in, cannot be written to.
    #[error("cannot write to {}: {reason}; make the file and its directory writable for this user, or choose another data directory", path.display())]
    ReadOnly {
        /// The path that was given.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not an SQLite database.
    #[error("{} is not an SQLite database; move it away, or choose another path", path.display())]
    NotADatabase {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file is a database of another program.
    #[error("{} is a database of another program; choose another path", path.display())]
    Foreign {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{} is damaged ({reason}); restore it from a backup, or save what can be read with: sqlite3 {} .recover", path.display(), path.display())]
    Corrupt {
        /// The path that was given.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// A newer release has changed the schema in a way that this one cannot serve.
    #[error(
        "{} has schema version {version}, which needs a newer release of BoltLink (this one knows version {known}); \
         upgrade the program", path.display(), known = schema::VERSION
    )]
    TooNew {
        /// The path that was given.
        path: PathBuf,
        /// The version of its schema.
        version: u32,
    },
    /// Another process kept the file locked.
    #[error("{} is locked by another process; stop that process, or try again", path.display())]
    Locked {
        /// The path that was given.
        path: PathBuf,
    },
    /// Another process has the file open, which must have it for itself alone.
    #[error("{} is in use; stop the server, and whatever else works on it, then run this again", path.display())]
    InUse {
        /// The path that was given.
        path: PathBuf,
    },
    /// A copy into the file was begun, and has not ended well.
    #[error(
        "{} holds a part of another database: a copy into it has not ended; run boltlink copy again, which goes on where \
         it was, or delete the file", path.display()
    )]
    HalfCopied {
        /// The path that was given.
        path: PathBuf,
    },
    /// Something else went wrong.
    #[error("cannot open {}: {source}", path.display())]
    Other {
        /// The path that was given.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// What a failure of the file system means for `path`.
    pub(crate) fn from_io(path: PathBuf, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NoDirectory { path },
            io::ErrorKind::IsADirectory => Self::Directory { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, reason: error.to_string() }
            }
            _ => Self::Other { path, source: error.into() },
        }
    }

    /// What a failure of SQLite means for `path`.
    pub(crate) fn from_sql(path: PathBuf, error: Error) -> Self {
        let (code, reason) = match &error {
            Error::Driver(driver) => (code(driver), message(driver)),
            Error::Answer(answer) => (None, answer.to_string()),
        };
        match code {
            Some(BUSY | LOCKED) => Self::Locked { path },
            Some(READONLY | CANTOPEN | PERM) => Self::ReadOnly { path, reason },
            Some(CORRUPT) => Self::Corrupt { path, reason },
            Some(NOTADB) => Self::NotADatabase { path },
            _ => Self::Other { path, source: error.into() },
        }
    }
}

// Primary result codes: https://www.sqlite.org/rescode.html
const PERM: u32 = 3;
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const TOOBIG: u32 = 18;
const CONSTRAINT: u32 = 19;
const MISMATCH: u32 = 20;
const NOTADB: u32 = 26;

/// The answer of the store when a query failed like this.
pub(crate) fn answer(error: Error) -> StoreError {
    let driver = match error {
        Error::Answer(answer) => return answer,
        Error::Driver(driver) => driver,
    };
    match code(&driver) {
        Some(BUSY | LOCKED) => StoreError::unavailable("another process keeps the database file locked"),
        Some(FULL) => StoreError::unavailable("the disk is full: free some space"),
        Some(IOERR | READONLY | CANTOPEN | PERM) => {
            StoreError::unavailable(format!("the database file cannot be read or written: {}", message(&driver)))
        }
        Some(TOOBIG | CONSTRAINT | MISMATCH) => StoreError::Invalid { reason: message(&driver) },
        Some(_) => StoreError::backend(driver),
        None => match driver {
            DbErr::ConnectionAcquire(_) => StoreError::unavailable(driver.to_string()),
            other => StoreError::backend(other),
        },
    }
}

/// The primary result code, if the error is SQLite's own.
fn code(error: &DbErr) -> Option<u32> {
    let (DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = error else { return None };
    let RuntimeErr::SqlxError(error) = error else { return None };
    let sqlx::Error::Database(error) = error.as_ref() else { return None };
    let extended: u32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn message(error: &DbErr) -> String {
    let (DbErr::Conn(RuntimeErr::SqlxError(inner))
    | DbErr::Exec(RuntimeErr::SqlxError(inner))
    | DbErr::Query(RuntimeErr::SqlxError(inner))) = error
    else {
        return error.to_string();
    };
    inner.as_database_error().map_or_else(|| inner.to_string(), |error| error.message().to_owned())
}
