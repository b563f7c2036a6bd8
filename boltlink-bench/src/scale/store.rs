//! The databases that are measured: made for it, and thrown away.

use std::{fs, path::PathBuf, time::Duration};

use boltlink_testkit::{Builder, PostgresServer, Server};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement};
use tempfile::TempDir;

use super::DOMAIN;
use crate::Result;

/// What Postgres is run with beside what tests have: it syncs, as one in production does, and has the memory that its
/// documentation asks for of a small machine.
const POSTGRES: [&str; 7] = [
    "fsync=on",
    "full_page_writes=on",
    "shared_buffers=1GB",
    "effective_cache_size=4GB",
    "max_wal_size=8GB",
    "maintenance_work_mem=512MB",
    // Disks of today, which seek in no time.
    "random_page_cost=1.1",
];

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The file of a server by itself.
    Sqlite,
    /// A Postgres server of this bench's own.
    Postgres,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

/// A database, the folder of the server in front of it, and the key that opens this.
pub(crate) struct Store {
    pub(crate) kind: Kind,
    folder: TempDir,
    postgres: Option<PostgresServer>,
    key: String,
}

impl Store {
    /// An empty one.
    pub(crate) async fn new(kind: Kind) -> Result<Self> {
        let postgres = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(PostgresServer::start_with(&POSTGRES).await?),
        };
        let key = format!("blt_{:032x}_{:064x}", std::process::id(), std::process::id());
        Ok(Self { kind, folder: tempfile::tempdir()?, postgres, key })
    }

    /// The server on this database.
    pub(crate) fn server(&self) -> Result<Builder> {
        let server = Server::builder(Server::built_beside()?)
            .data_dir(self.folder.path())
            .env("BOLTLINK_INITIAL_API_KEY", &self.key)
            .env("BOLTLINK_DOMAINS", DOMAIN)
            .env("BOLTLINK_LIMIT_API", "off");
        Ok(match &self.postgres {
            None => server,
            Some(postgres) => server.env("DATABASE_URL", postgres.url()),
        })
    }

    /// Where the server has its data.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// One connection, past the server.
    pub(crate) async fn connect(&self) -> Result<DatabaseConnection> {
        let url = match &self.postgres {
            None => format!("sqlite://{}", self.folder.path().join("boltlink.db").display()),
            Some(postgres) => postgres.url().to_owned(),
        };
        let day = Duration::from_secs(24 * 3_600);
        let mut options = ConnectOptions::new(url);
        // Always the same connection: it has temporary tables.
        options.max_connections(1).min_connections(1).idle_timeout(day).max_lifetime(day).sqlx_logging(false);
        Ok(Database::connect(options).await?)
    }

    /// How many bytes the database has on disk.
    pub(crate) async fn size(&self) -> Result<u64> {
        if self.postgres.is_none() {
            return Ok(fs::metadata(self.folder.path().join("boltlink.db"))?.len());
        }
        let db = self.connect().await?;
        let row = rows(&db, "SELECT pg_database_size(current_database())").await?;
        let size: i64 = row.first().ok_or("Postgres does not tell the size of the database")?.try_get_by_index(0)?;
        db.close().await?;
        Ok(size.unsigned_abs())
    }
}

/// What a query returns.
pub(crate) async fn rows(db: &DatabaseConnection, sql: &str) -> Result<Vec<QueryResult>> {
    Ok(db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?)
}
