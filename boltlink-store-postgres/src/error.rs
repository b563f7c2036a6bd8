//! What Postgres's errors mean.

use boltlink_core::StoreError;
use boltlink_store_sql::{Error, schema};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};

/// Why a database could not be opened as a store. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nobody answers there.
    #[error("cannot reach {url}: {reason}; start the server, or mend the address")]
    Unreachable {
        /// The address, without the password.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The server does not let this user in.
    #[error("{url} refuses the login: {reason}; mend the user or the password")]
    Login {
        /// The address, without the password.
        url: String,
        /// What the server said.
        reason: String,
    },
    /// There is no such database.
    #[error("{url}: {reason}; create it with: createdb")]
    NoDatabase {
        /// The address, without the password.
        url: String,
        /// What the server said.
        reason: String,
    },
    /// The user may not do what is needed.
    #[error("{url}: {reason}; grant the user what is missing, or run the migration as the owner of the database")]
    Forbidden {
        /// The address, without the password.
        url: String,
        /// What the server said.
        reason: String,
    },
    /// The server is too old.
    #[error("{url} is Postgres {version}; version {} or newer is needed", OLDEST_SERVER / 10_000)]
    TooOld {
        /// The address, without the password.
        url: String,
        /// The version of the server.
        version: String,
    },
    /// The database does not keep texts as UTF-8.
    #[error("{url} has the encoding {encoding}; create a database with the encoding UTF8")]
    Encoding {
        /// The address, without the password.
        url: String,
        /// The encoding.
        encoding: String,
    },
    /// A pooler in between loses prepared statements.
    #[error(
        "{url} is behind a pooler that does not keep prepared statements ({reason}); with PgBouncer in transaction \
         mode, use version 1.21 or newer and set max_prepared_statements to 200"
    )]
    Pooler {
        /// The address, without the password.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// Tables of another program have the names of ours.
    #[error("{url} has tables of another program ({reason}); use a database of BoltLink's own")]
    Foreign {
        /// The address, without the password.
        url: String,
        /// What the server said.
        reason: String,
    },
    /// The server only reads.
    #[error("{url} is read-only: {reason}; use the address of the primary server")]
    ReadOnly {
        /// The address, without the password.
        url: String,
        /// What the server said.
        reason: String,
    },
    /// A newer release has changed the schema in a way that this one cannot serve.
    #[error(
        "{url} has schema version {version}, which needs a newer release of BoltLink (this one knows version {known}); \
         upgrade the program", known = schema::VERSION
    )]
    TooNew {
        /// The address, without the password.
        url: String,
        /// The version of its schema.
        version: u32,
    },
    /// Others work on the database, which a copy needs for itself alone.
    #[error("{url} is in use; stop all servers, and whatever else works on it, then run this again")]
    InUse {
        /// The address, without the password.
        url: String,
    },
    /// The database is being copied.
    #[error("{url} is being copied by boltlink copy; wait for its end")]
    BeingCopied {
        /// The address, without the password.
        url: String,
    },
    /// A copy into the database was begun, and has not ended well.
    #[error(
        "{url} holds a part of another database: a copy into it has not ended; run boltlink copy again, which goes on \
         where it was, or drop the database"
    )]
    HalfCopied {
        /// The address, without the password.
        url: String,
    },
    /// Something else went wrong.
    #[error("cannot open {url}: {source}")]
    Other {
        /// The address, without the password.
        url: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The oldest server, as `server_version_num` tells it.
pub(crate) const OLDEST_SERVER: i32 = 130_000;

impl OpenError {
    /// Whether the same may succeed later without anything else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// What a failure means for the database at `url`.
    pub(crate) fn from_sql(url: String, error: Error) -> Self {
        let driver = match error {
            Error::Answer(answer) if answer.is_retryable() => {
                return Self::Unreachable { url, reason: answer.to_string() };
            }
            Error::Answer(answer) => return Self::Other { url, source: answer.into() },
            Error::Driver(driver) => driver,
        };
        let reason = message(&driver);
        match code(&driver).as_deref() {
            Some("28P01" | "28000") => Self::Login { url, reason },
            Some("3D000") => Self::NoDatabase { url, reason },
            Some("42501") => Self::Forbidden { url, reason },
            Some("42P05" | "26000") => Self::Pooler { url, reason },
            Some("42P07" | "42710" | "42723" | "42703") => Self::Foreign { url, reason },
            Some("25006") => Self::ReadOnly { url, reason },
            Some(code) if is_outage(code) => Self::Unreachable { url, reason },
            None if is_connection(&driver) => Self::Unreachable { url, reason },
            _ => Self::Other { url, source: driver.into() },
        }
    }
}

/// The answer of the store when a query failed like this.
pub(crate) fn answer(error: Error) -> StoreError {
    let driver = match error {
        Error::Answer(answer) => return answer,
        Error::Driver(driver) => driver,
    };
    let unavailable = |what: &str| StoreError::unavailable(format!("{what}: {}", message(&driver)));
    match code(&driver).as_deref() {
        Some("25006") => unavailable("the database is read-only, as after a failover"),
        Some("55P03") => unavailable("another transaction holds what is needed for too long"),
        Some("57014") => unavailable("a statement took too long"),
        Some("40001" | "40P01") => unavailable("transactions were in each other's way"),
        Some(code) if code.starts_with("53") => unavailable("the database server is short of resources"),
        Some("42P05" | "26000") => unavailable(
            "a pooler lost a prepared statement; PgBouncer in transaction mode needs version 1.21 or newer and \
             max_prepared_statements",
        ),
        Some(code) if is_outage(code) => unavailable("the database server is away"),
        Some(code) if code.starts_with("28") || matches!(code, "3D000" | "57P04" | "42501") => {
            unavailable("the database refuses this user")
        }
        // Values that do not fit, conditions that they break (44: of a view), sizes that are beyond the server, and what
        // an operator's trigger refuses (P0001: RAISE EXCEPTION).
        Some(code) if ["22", "23", "44", "54", "P0"].iter().any(|class| code.starts_with(class)) => {
            StoreError::Invalid { reason: message(&driver) }
        }
        None if matches!(driver, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) => StoreError::unavailable(
            "no connection to the database was free in time, or none could be made: it is away, or there are more calls \
             than connections",
        ),
        None if is_connection(&driver) => unavailable("the database cannot be reached"),
        _ => StoreError::backend(driver),
    }
}

/// Whether a transaction that failed like this has done nothing, and may well succeed at once.
pub(crate) fn is_worth_repeating(error: &Error) -> bool {
    matches!(error, Error::Driver(driver) if matches!(code(driver).as_deref(), Some("40001" | "40P01")))
}

/// Whether the connection is of no use any more, and others as old as it are not to be trusted either.
pub(crate) fn is_lost(error: &Error) -> bool {
    let Error::Driver(driver) = error else { return false };
    match code(driver).as_deref() {
        // Behind one address there may be another primary by now.
        Some("25006") => true,
        // A server that has no room for another connection serves those that are open.
        Some(code) => is_outage(code) && !code.starts_with("53"),
        None => is_connection(driver) && !matches!(driver, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

/// Classes and codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_outage(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("53") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "58000")
}

fn is_connection(error: &DbErr) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    if matches!(error, DbErr::ConnectionAcquire(_)) {
        return true;
    }
    let broken =
        |inner: &sqlx::Error| matches!(inner, Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed);
    driver(error).is_some_and(broken)
}

/// The SQLSTATE, if the error is the server's own.
fn code(error: &DbErr) -> Option<String> {
    Some(driver(error)?.as_database_error()?.code()?.into_owned())
}

fn message(error: &DbErr) -> String {
    match driver(error) {
        Some(inner) => inner.as_database_error().map_or_else(|| inner.to_string(), |error| error.message().to_owned()),
        None => error.to_string(),
    }
}

fn driver(error: &DbErr) -> Option<&sqlx::Error> {
    let (DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = error else { return None };
    let RuntimeErr::SqlxError(error) = error else { return None };
    Some(error)
}
