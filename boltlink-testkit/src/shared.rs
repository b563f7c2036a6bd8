//! The servers that one run of the tests shares.

use crate::{
    database::{POSTGRES, named},
    error::Error,
    key_space::REDIS,
    pgbouncer::{InstalledPgBouncer, PgBouncer},
    postgres::PostgresServer,
    programs::{POSTGRES_IMAGE, Programs, REDIS_IMAGE},
    redis::{Persistence, RedisServer},
    redis_groups::{CLUSTER, RedisCluster},
};

/// A Postgres, a Redis and a cluster of Redis for all tests of a run, each of which makes a database or a prefix of its own there. Those
/// that are named by their variables already are not started.
pub struct TestServers {
    postgres: Option<PostgresServer>,
    redis: Option<RedisServer>,
    cluster: Option<RedisCluster>,
    pgbouncer: Option<InstalledPgBouncer>,
    pooler: Option<PgBouncer>,
}

impl TestServers {
    /// Looks whether what is to be started is installed, or to be had from Docker.
    ///
    /// # Errors
    /// The first for which neither holds, with the command that installs it.
    pub fn installed() -> Result<(), Error> {
        let programs = Programs::installed();
        // Installing mends nothing where an image was asked for.
        if named(POSTGRES).or_else(|| named(POSTGRES_IMAGE)).is_none() {
            programs.postgres()?;
        }
        if (named(REDIS).is_none() || named(CLUSTER).is_none()) && named(REDIS_IMAGE).is_none() {
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
        let cluster = if named(CLUSTER).is_some() { None } else { Some(RedisCluster::start().await?) };
        let pgbouncer = InstalledPgBouncer::find()?;
        let target = named(POSTGRES).or_else(|| postgres.as_ref().map(|server| server.url().to_owned()));
        let pooler = match (&pgbouncer, target) {
            (Some(installed), Some(target)) if installed.keeps_statements() => {
                Some(PgBouncer::start(installed, &target).await?)
            }
            _ => None,
        };
        Ok(Self { postgres, redis, cluster, pgbouncer, pooler })
    }

    /// The variables by which tests find the servers that were started.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, &str)> {
        let postgres = self.postgres.as_ref().map(|server| (POSTGRES, server.url()));
        let redis = self.redis.as_ref().map(|server| (REDIS, server.url()));
        let cluster = self.cluster.as_ref().map(|cluster| (CLUSTER, cluster.url()));
        postgres.into_iter().chain(redis).chain(cluster).collect()
    }

    /// The address of a pooler in front of Postgres, through which its tests can be run once more.
    #[must_use]
    pub fn pooler(&self) -> Option<&str> {
        self.pooler.as_ref().map(PgBouncer::url)
    }

    /// What they are, for a summary.
    #[must_use]
    pub fn describe(&self) -> String {
        let of = |image: Option<&str>| image.map(|image| format!(" of the image {image}")).unwrap_or_default();
        let postgres = self.postgres.as_ref().map_or_else(
            || format!("Postgres at {POSTGRES}"),
            |server| format!("Postgres {}{}", server.version(), of(server.image())),
        );
        let redis = self.redis.as_ref();
        let redis = redis.map_or_else(|| format!("Redis at {REDIS}"), |server| format!("Redis{}", of(server.image())));
        let pgbouncer = match &self.pgbouncer {
            None => "no PgBouncer (nothing runs through one)".to_owned(),
            Some(known) if known.keeps_statements() => format!("PgBouncer {}", known.version()),
            Some(known) => format!("PgBouncer {} (too old to run tests through: it must be refused)", known.version()),
        };
        format!("{postgres}, {redis}, {pgbouncer}")
    }
}
