//! A database of one test's own.

use std::{env, thread};

use sea_orm::sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use tokio::{runtime, sync::OnceCell};
use url::Url;
use uuid::Uuid;

use crate::error::Error;

/// Names a Postgres server whose user may make databases.
pub(crate) const POSTGRES: &str = "BOLTLINK_TEST_POSTGRES_URL";

/// Names a pooler in front of it, through which tests reach their databases.
const POOLER: &str = "BOLTLINK_TEST_POOLER_URL";

/// A database of one test's own, dropped (best effort) when this is.
///
/// It is one of the server that `BOLTLINK_TEST_POSTGRES_URL` names, as `cargo xtask test` does for a
/// whole run; else of a throw-away server that the tests of one process share.
pub struct Database {
    server: Url,
    name: String,
    url: String,
}

impl Database {
    /// Makes an empty database.
    ///
    /// # Errors
    /// If the server named does not let it; or if none is named and none can be started, with the
    /// command that installs what is missing.
    pub async fn new() -> Result<Self, Error> {
        let server = server().await?;
        let name = format!("boltlink_test_{}", Uuid::now_v7().simple());
        let mut url = match named(POOLER) {
            Some(pooler) => parsed(POOLER, &pooler)?,
            None => server.clone(),
        };
        url.set_path(&name);
        execute(&server, format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        Ok(Self { server, name, url: url.into() })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its address on the server itself, also where tests go through a pooler.
    #[must_use]
    pub fn direct_url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    /// Runs statements in it, to look at nothing but to break something.
    ///
    /// # Errors
    /// If one is refused.
    pub async fn execute(&self, statements: impl Into<String>) -> Result<(), Error> {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        execute(&url, statements.into()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        // Whatever the test has forgotten to close must not keep it.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // On a thread of its own: nothing can be awaited here, and a runtime cannot be entered twice.
        let dropped = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&server, drop))
        });
        // A server that is gone has taken it along.
        let _ = dropped.join();
    }
}

async fn execute(server: &Url, statement: String) -> Result<(), Error> {
    let failed = |error| Error::new(format!("`{statement}` on {}: {error}", shown(server)));
    let mut connection = PgConnection::connect(server.as_str()).await.map_err(failed)?;
    raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// An address without the password.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Refused only for addresses that cannot have one.
    let _ = url.set_password(None);
    url.into()
}

/// The server on which databases are made.
async fn server() -> Result<Url, Error> {
    let url = match named(POSTGRES) {
        Some(url) => url,
        None => throw_away().await?,
    };
    parsed(POSTGRES, &url)
}

fn parsed(variable: &str, url: &str) -> Result<Url, Error> {
    Url::parse(url).map_err(|error| Error::new(format!("{variable} is no address: {error}")))
}

/// The server that the variable names, if any.
pub(crate) fn named(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|url| !url.is_empty())
}

/// Starts this process' own server at the first call.
#[cfg(unix)]
async fn throw_away() -> Result<String, Error> {
    use crate::postgres::PostgresServer;

    // Never dropped: the server ends with the process.
    static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
    Ok(SERVER.get_or_try_init(PostgresServer::start).await?.url().to_owned())
}

#[cfg(not(unix))]
async fn throw_away() -> Result<String, Error> {
    Err(Error::new(format!("on this system the tests start no Postgres: name a running one by {POSTGRES}")))
}
