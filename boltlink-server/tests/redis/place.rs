//! A database and a Redis of a test's own, and what runs on them.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
};

use boltlink_testkit::{Builder, Database, KeySpace, Persistence, RedisServer, Server};
use url::Url;

/// A database, and a part of a Redis that others use too.
pub(crate) struct Place {
    pub(crate) database: Database,
    keys: KeySpace,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self { database: Database::new().await.unwrap(), keys: KeySpace::new().await.unwrap() }
    }

    pub(crate) fn server(&self) -> Builder {
        server(self.database.url(), self.keys.url()).env("BOLTLINK_REDIS_PREFIX", self.keys.prefix())
    }

    pub(crate) async fn two_nodes(&self) -> (Server, Server) {
        let first = self.server().start().await.unwrap();
        let second = self.server().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
        (first, second)
    }
}

/// A database, and a Redis that may be killed.
pub(crate) struct OwnRedis {
    pub(crate) database: Database,
    pub(crate) redis: RedisServer,
}

impl OwnRedis {
    pub(crate) async fn new(persistence: Persistence) -> Self {
        Self { database: Database::new().await.unwrap(), redis: RedisServer::start(persistence).await.unwrap() }
    }

    pub(crate) fn server(&self) -> Builder {
        server(self.database.url(), self.redis.url())
    }
}

/// A server of this build, with a journal of its own.
pub(crate) fn server(database: &str, redis: &str) -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_boltlink")).env("DATABASE_URL", database).env("REDIS_URL", redis)
}

/// The address of `url`'s server replaced by that of a proxy.
pub(crate) fn through(url: &str, proxy: std::net::SocketAddr) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    url.into()
}

/// A worker as a process of its own. Dropping it kills it.
pub(crate) struct Worker(Child);

impl Worker {
    /// Starts a worker of this kind on what `server` works on.
    pub(crate) fn start(server: &Server, kind: &str) -> Self {
        Self::start_with(server, kind, &[])
    }

    /// The same, with environment variables.
    pub(crate) fn start_with(server: &Server, kind: &str, env: &[(&str, &str)]) -> Self {
        let mut command = server.command();
        command.args(["worker", kind]).envs(env.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// Kills it without a warning.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Whether it is alive; if not, it must have crashed.
    pub(crate) fn lives(&mut self) -> bool {
        let ended = self.0.try_wait().unwrap();
        assert!(ended.is_none_or(|status| status.signal().is_some()), "{ended:?}");
        ended.is_none()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        tokio::task::spawn_blocking(move || self.0.wait().unwrap()).await.unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
