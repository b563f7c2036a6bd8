//! What nodes that share their clicks stand on: Redis, Postgres, and the workers between them.

use std::{
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use boltlink_testkit::{Builder, Persistence, PostgresServer, RedisServer, Server, usage};

use crate::{OTHERS, Result};

/// Servers of one subject, on the core that it is not on. Dropping it ends them.
pub(crate) struct Backend {
    postgres: PostgresServer,
    redis: RedisServer,
    workers: Vec<Child>,
}

/// What the backend has used, by who used it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) redis: Duration,
    pub(crate) workers: Duration,
    pub(crate) postgres: Duration,
}

impl Backend {
    pub(crate) async fn start() -> Result<Self> {
        let redis = RedisServer::start(Persistence::AppendEverySecond).await?;
        let postgres = PostgresServer::start_with(&["fsync=on", "full_page_writes=on"]).await?;
        Ok(Self { postgres, redis, workers: Vec::new() })
    }

    /// Sets a server up to use it.
    pub(crate) fn used_by(&self, server: Builder) -> Builder {
        server
            .env("DATABASE_URL", self.postgres.url())
            .env("REDIS_URL", self.redis.url())
            .env("BOLTLINK_WORKERS", "none")
    }

    /// Starts one worker of each kind, which are this `program`.
    pub(crate) fn start_workers(&mut self, program: &Path, server: &Server) -> Result {
        for kind in ["aggregator", "analytics"] {
            let mut worker = server.command();
            worker.args(["-c", OTHERS]).arg(program).args(["worker", kind]);
            self.workers.push(worker.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        Ok(())
    }

    pub(crate) fn used(&self) -> Result<Used> {
        let of = |pid: Option<u32>| pid.map_or(Ok(Duration::ZERO), usage::cpu_time_of_family);
        let workers = self.workers.iter().map(|worker| usage::cpu_time(worker.id()));
        Ok(Used {
            redis: of(self.redis.pid())?,
            workers: workers.sum::<std::result::Result<_, _>>()?,
            postgres: of(self.postgres.pid())?,
        })
    }
}

impl Used {
    pub(crate) fn sum(self) -> Duration {
        self.redis + self.workers + self.postgres
    }

    /// What came since. A process of Postgres that ends may be missed once.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            redis: self.redis.saturating_sub(before.redis),
            workers: self.workers.saturating_sub(before.workers),
            postgres: self.postgres.saturating_sub(before.postgres),
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // It may have ended by itself.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}
