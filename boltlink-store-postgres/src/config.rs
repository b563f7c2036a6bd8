//! Where the server is, and how long to wait for it.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use boltlink_core::{sample::RawClicks, store::Observer};
use sea_orm::sqlx::{ConnectOptions, postgres::PgConnectOptions};
use url::Url;

/// How to reach a database.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The database.
    pub url: PostgresUrl,
    /// A replica of it that lists of links and analytics are read from; links are loaded for visitors from the database
    /// itself. Who wrote through a store reads what it wrote there; what other processes wrote, as soon as the replica
    /// has it. Default: none.
    pub replica: Option<PostgresUrl>,
    /// How many connections are open at most. Default: 10.
    pub max_connections: u32,
    /// How long a call waits for one of them. Default: 3 s.
    pub acquire_timeout: Duration,
    /// How long a new connection may take. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long one statement may take. Default: 10 s.
    pub statement_timeout: Duration,
    /// How long a statement waits for a row or table that another transaction holds. Default: 5 s.
    pub lock_timeout: Duration,
    /// Which single clicks are kept. Default: 500 a second, for 30 days.
    pub raw_clicks: RawClicks,
    /// Who is told of every statement, and how long it took. Default: nobody.
    pub observer: Option<Arc<dyn Observer>>,
}

impl PostgresConfig {
    /// The database at `url`: `postgres://user:password@host:port/database`, with the parameters that libpq knows
    /// for TLS (`sslmode`, `sslrootcert`, …).
    ///
    /// # Errors
    /// If it is no such URL.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self {
            url: url.parse()?,
            replica: None,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            raw_clicks: RawClicks::default(),
            observer: None,
        })
    }

    /// The same with the [`replica`](Self::replica) at `url`.
    ///
    /// # Errors
    /// If it is no such URL.
    pub fn replica(self, url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self { replica: Some(url.parse()?), ..self })
    }
}

/// The URL of a database. It may hold a password, which no text of it shows.
#[derive(Clone)]
pub struct PostgresUrl {
    shown: String,
    options: PgConnectOptions,
}

/// The text is no URL of a Postgres database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be like postgres://user:password@host:5432/database: {reason}")]
pub struct InvalidUrl {
    reason: String,
}

impl PostgresUrl {
    /// Nothing that belongs to a session is set: a pooler would not pass it on.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone().extra_float_digits(None).application_name("boltlink").disable_statement_logging()
    }
}

impl FromStr for PostgresUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let invalid = |reason: String| InvalidUrl { reason };
        let mut url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(invalid(format!("its scheme is {}", url.scheme())));
        }
        if url.query_pairs().any(|(name, _)| name == "options" || name.starts_with("options[")) {
            return Err(invalid("options of sessions are not supported".to_owned()));
        }
        // What the driver says of a bad parameter may repeat it.
        let options = PgConnectOptions::from_url(&url).map_err(|_| invalid("a parameter is not valid".to_owned()))?;
        // Parameters may hold a password or a key as well.
        url.set_query(None);
        url.set_fragment(None);
        if url.password().is_some() && url.set_password(Some("…")).is_err() {
            return Err(invalid("it has no host".to_owned()));
        }
        Ok(Self { shown: url.to_string().replace("%E2%80%A6", "…"), options })
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in ["postgres://me:hunter2@db.example:6432/links", "postgres://me@db.example/links?password=hunter2"] {
            let config = PostgresConfig::new(url).unwrap();
            let text = format!("{config:?} {}", config.url);
            assert!(text.contains("db.example") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for url in ["", "links.db", "mysql://me:hunter2@db/links", "postgres://me:hunter2@db/x?sslmode=hunter2"] {
            let error = PostgresConfig::new(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(PostgresConfig::new("postgres://db/x?options=-c%20work_mem=1").is_err());
    }
}
