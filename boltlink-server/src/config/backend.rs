//! The kinds of values that say where data is kept, and what depends on it.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use boltlink_core::store::Consumer;
use boltlink_store_postgres::{PostgresConfig, PostgresUrl};
use boltlink_store_redis::{InvalidPrefix, KeyPrefix, RedisConfig};

use super::value::{Value, Wrong, items, quoted};

/// Where links, keys and counts are kept.
#[derive(Clone)]
pub(crate) enum DatabaseUrl {
    /// The path of an SQLite file.
    Sqlite(PathBuf),
    /// A Postgres database.
    Postgres(Box<PostgresConfig>),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    /// Never repeats the text.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|wrong| wrong.what)
    }
}

impl Value for DatabaseUrl {
    /// It may have a password in it.
    const SECRET: bool = true;

    /// Never repeats the text.
    fn parse(text: &str) -> Result<Self, Wrong> {
        let Some(path) = text.strip_prefix("sqlite:") else {
            if text.starts_with("postgres://") || text.starts_with("postgresql://") {
                return postgres(text).map(|config| Self::Postgres(Box::new(config)));
            }
            return Err(Wrong::new("must be sqlite: and the path of a file, or a postgres:// URL"));
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.contains('?') {
            return Err(Wrong::new("must end after the path: parameters behind a '?' are not supported"));
        }
        if path == ":memory:" {
            return Err(Wrong::new("names a database in memory, which would forget everything"));
        }
        if path.is_empty() || path.ends_with(['/', '\\']) {
            return Err(Wrong::new("must name a file behind sqlite:"));
        }
        Ok(Self::Sqlite(Path::new(path).to_owned()))
    }

    fn to_toml(&self) -> Option<String> {
        match self {
            Self::Sqlite(path) => Some(quoted(format_args!("sqlite:{}", path.display()))),
            Self::Postgres(_) => None,
        }
    }
}

impl fmt::Display for DatabaseUrl {
    /// The path of the file, or the URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(config) => config.url.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn postgres(text: &str) -> Result<PostgresConfig, Wrong> {
    PostgresConfig::new(text).map_err(|error| Wrong {
        what: error.to_string(),
        fix: Some("give a URL such as postgres://user:password@host:5432/database".into()),
    })
}

/// A replica of a Postgres database.
#[derive(Debug, Clone)]
pub(crate) struct ReplicaUrl(pub(crate) PostgresUrl);

impl Value for ReplicaUrl {
    /// It may have a password in it.
    const SECRET: bool = true;

    /// Never repeats the text.
    fn parse(text: &str) -> Result<Self, Wrong> {
        postgres(text).map(|config| Self(config.url))
    }

    fn to_toml(&self) -> Option<String> {
        None
    }
}

/// How many connections to the database one process may hold: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connections(pub(crate) u32);

impl Value for Connections {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let number = text.parse().ok().filter(|number| (1..=1_000).contains(number));
        number.map(Self).ok_or_else(|| Wrong::new("must be a whole number from 1 to 1000"))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.0))
    }
}

/// The Redis between the nodes.
#[derive(Debug, Clone)]
pub(crate) struct RedisUrl(pub(crate) Box<RedisConfig>);

impl Value for RedisUrl {
    /// It may have a password in it.
    const SECRET: bool = true;

    /// Never repeats the text.
    fn parse(text: &str) -> Result<Self, Wrong> {
        RedisConfig::new(text).map(|config| Self(Box::new(config))).map_err(|error| Wrong {
            what: error.to_string(),
            fix: Some("give a URL such as redis://user:password@host:6379/0".into()),
        })
    }

    fn to_toml(&self) -> Option<String> {
        None
    }
}

impl Value for KeyPrefix {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: InvalidPrefix| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

/// Which consumers of the click log run within a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workers {
    None,
    One(Consumer),
    All,
}

impl Workers {
    pub(crate) fn consumers(self) -> Vec<Consumer> {
        match self {
            Self::None => Vec::new(),
            Self::One(consumer) => vec![consumer],
            Self::All => Consumer::ALL.into(),
        }
    }
}

impl Value for Workers {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text {
            "none" => Ok(Self::None),
            "aggregator" => Ok(Self::One(Consumer::Totals)),
            "analytics" => Ok(Self::One(Consumer::Analytics)),
            "all" => Ok(Self::All),
            _ => Err(Wrong::new("must be none, aggregator, analytics or all")),
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(match self {
            Self::None => "none",
            Self::One(Consumer::Totals) => "aggregator",
            Self::One(Consumer::Analytics) => "analytics",
            Self::All => "all",
        }))
    }
}

/// What readiness depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReadyRequires {
    /// The database.
    pub(crate) database: bool,
    /// Redis.
    pub(crate) redis: bool,
}

impl Value for ReadyRequires {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let mut requires = Self::default();
        for part in items(text) {
            match part {
                "database" => requires.database = true,
                "redis" => requires.redis = true,
                other => return Err(Wrong::new(format!("'{other}' is nothing the server depends on"))),
            }
        }
        Ok(requires)
    }

    fn to_toml(&self) -> Option<String> {
        let names = [("database", self.database), ("redis", self.redis)];
        let names: Vec<_> = names.into_iter().filter(|(_, required)| *required).map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| quoted(names.join(", ")))
    }
}
