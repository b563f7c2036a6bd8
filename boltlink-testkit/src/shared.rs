//! The servers that one run of the tests shares.

use crate::{
    database::{POSTGRES, named},
    error::Error,
    key_space::REDIS,
    postgres::PostgresServer,
    programs::Programs,
    redis::{Persistence, RedisServer},
};

/// A Postgres and a Redis for all tests of a run, each of which makes a database or a prefix of its own there. Those
/// that are named by their variables already are not started.
pub struct TestServers {
    postgres: Option<PostgresServer>,
    redis: Option<RedisServer>,
}

impl TestServers {
    /// Looks whether what is to be started is installed.
    ///
    /// # Errors
    /// The first that is not, with the command that installs it.
    pub fn installed() -> Result<(), Error> {
        let programs = Programs::installed();
        if named(POSTGRES).is_none() {
            programs.postgres()?;
        }
        if named(REDIS).is_none() {
            programs.redis()?;
        }
        Ok(())
    }

    /// Starts them.
    ///
    /// # Errors
    /// If one is not [installed](Self::installed), or does not start; with all that it wrote.
    pub async fn start() -> Result<Self, Error> {
        let postgres = if named(POSTGRES).is_some() { None } else { Some(PostgresServer::start().await?) };
        let redis = if named(REDIS).is_some() { None } else { Some(RedisServer::start(Persistence::None).await?) };
        Ok(Self { postgres, redis })
    }

    /// The variables by which tests find the servers that were started.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, &str)> {
        let postgres = self.postgres.as_ref().map(|server| (POSTGRES, server.url()));
        let redis = self.redis.as_ref().map(|server| (REDIS, server.url()));
        postgres.into_iter().chain(redis).collect()
    }

    /// What they are, for a summary.
    #[must_use]
    pub fn describe(&self) -> String {
        let postgres = self
            .postgres
            .as_ref()
            .map_or_else(|| format!("Postgres at {POSTGRES}"), |server| format!("Postgres {}", server.version()));
        let redis = if self.redis.is_some() { "Redis".to_owned() } else { format!("Redis at {REDIS}") };
        format!("{postgres}, {redis}")
    }
}
