//! A Postgres server of a test's own.

use std::{fs, process::Command, time::Instant};

use sea_orm::sqlx::{Connection as _, PgConnection, raw_sql};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    daemon::{Daemon, PATIENCE, POLL, free_port, send},
    error::Error,
    programs::{Postgres, Programs},
};

/// What a throw-away server is run with.
///
/// Without `fsync` the tests are several times as fast and [`PostgresServer::kill`] is still honest:
/// what a killed process has written is with the operating system, which goes on. Only a machine that
/// loses its power forgets it. A commit still waits for its record to be written.
const SETTINGS: [&str; 9] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=on",
    "max_connections=300",
    "shared_buffers=64MB",
    // Neither sockets nor shared memory that would be left behind outside the directory.
    "unix_socket_directories=",
    "dynamic_shared_memory_type=mmap",
    "listen_addresses=127.0.0.1",
    "max_wal_size=256MB",
];

/// How often a start may meet a port that someone else was quicker to take.
const ATTEMPTS: usize = 5;

/// A Postgres server of a test's own, for tests that stop, kill or restart it.
///
/// It runs as a process of this machine, or in a container where it is not installed, with its data in
/// a temporary directory. Both are gone when this is dropped, and also when the test's process is
/// killed.
pub struct PostgresServer {
    daemon: Daemon,
    programs: Postgres,
    settings: Vec<String>,
    port: u16,
    url: String,
}

impl PostgresServer {
    /// Makes a server and starts it on a free port.
    ///
    /// # Errors
    /// If Postgres is neither installed nor to be had from Docker, with the command that installs it;
    /// or if it does not start, with all that it wrote.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(&[]).await
    }

    /// The same with settings such as `fsync=on`, which go before those that tests have.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(settings: &[&str]) -> Result<Self, Error> {
        let programs = Programs::installed().postgres()?;
        let daemon = Daemon::new("postgres", &programs.postgres, true)?;
        // Of two settings of one name Postgres takes the last.
        let settings = SETTINGS.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
        let server = Self { daemon, programs, settings, port: 0, url: String::new() };
        server.make_data()?;
        server.on_a_free_port().await
    }

    async fn on_a_free_port(mut self) -> Result<Self, Error> {
        for _ in 0..ATTEMPTS {
            self.port = free_port()?;
            self.url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
            if self.run().await? {
                return Ok(self);
            }
        }
        Err(self.daemon.failed("found no free port"))
    }

    /// The address of a database that exists, as a superuser without a password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of its first process, while it runs; in a container, of the client that started that.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// Kills all of the server's processes without a warning, as `kill -9` does. What was committed is
    /// there after [`start_again`](Self::start_again).
    pub fn kill(&mut self) {
        let processes = self.processes();
        // The first one first: it would bring the others back. Either may be gone by now.
        let _ = self.daemon.kill();
        let _ = send("KILL", &processes);
    }

    /// Stops the server as an operator would: connections are closed, transactions rolled back.
    ///
    /// # Errors
    /// If it does not run or does not end in time; with all that it wrote.
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.daemon.stop("INT").await
    }

    /// Starts the server again, on the same port and data; one that still runs is killed first.
    ///
    /// # Errors
    /// If it does not start; with all that it wrote.
    pub async fn start_again(&mut self) -> Result<(), Error> {
        self.kill();
        let end = Instant::now() + PATIENCE;
        // The last of the processes that were killed may still hold the data for a moment.
        while !self.run().await? {
            if Instant::now() >= end {
                return Err(self.daemon.failed("does not start again"));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Makes a standby of this server and starts it. From then on a commit here waits until the standby has it.
    ///
    /// # Errors
    /// If a program of Postgres is missing or fails; with all that it wrote.
    pub async fn synchronous_standby(&self) -> Result<Self, Error> {
        let daemon = Daemon::new("postgres", &self.programs.postgres, true)?;
        let mut copy = daemon.command(&Programs::installed().basebackup(&self.programs)?)?;
        copy.args(["-d", &self.url, "-D", "data", "-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        let copied = spawn_blocking(move || succeed("pg_basebackup", &mut copy)).await;
        copied.map_err(|error| Error::new(error.to_string()))??;
        let standby = Self {
            daemon,
            programs: self.programs.clone(),
            settings: self.settings.clone(),
            port: 0,
            url: String::new(),
        };
        let standby = standby.on_a_free_port().await?;
        for statement in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
            self.execute(statement).await?;
        }
        let end = Instant::now() + PATIENCE;
        // Its name counts once the standby has caught up.
        let caught_up =
            "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync') = 1; END $$";
        while self.execute(caught_up).await.is_err() {
            if Instant::now() >= end {
                return Err(standby.daemon.failed("does not follow"));
            }
            sleep(POLL).await;
        }
        Ok(standby)
    }

    /// Makes this standby a server of its own, which takes writes.
    ///
    /// # Errors
    /// If it is none.
    pub async fn promote(&self) -> Result<(), Error> {
        self.execute("SELECT pg_promote(true, 60)").await
    }

    async fn execute(&self, statement: &'static str) -> Result<(), Error> {
        let failed = |error| Error::new(format!("`{statement}`: {error}"));
        let mut connection = PgConnection::connect(&self.url).await.map_err(failed)?;
        raw_sql(statement).execute(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    /// The number of its release, such as 15.
    pub(crate) fn version(&self) -> String {
        let version = fs::read_to_string(self.daemon.directory().join("data").join("PG_VERSION"));
        version.unwrap_or_default().trim().to_owned()
    }

    /// The image of Docker that it is from, if any.
    pub(crate) fn image(&self) -> Option<&str> {
        self.programs.postgres.image()
    }

    fn make_data(&self) -> Result<(), Error> {
        let mut initdb = self.daemon.command(&self.programs.initdb)?;
        initdb.args(["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        succeed("initdb", &mut initdb)
    }

    /// Starts it and waits until it answers; `false` if it ended because the port or the data is still
    /// another's.
    async fn run(&mut self) -> Result<bool, Error> {
        let mut command = self.daemon.command(&self.programs.postgres)?;
        command.args(["-D", "data", "-p", &self.port.to_string()]);
        command.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        let answers = async || {
            let Ok(connection) = PgConnection::connect(&self.url).await else { return false };
            // Best effort: it has served its purpose.
            let _ = connection.close().await;
            true
        };
        self.daemon.start(&mut command, &["could not bind", "pre-existing shared memory", "lock file"], answers).await
    }

    /// The processes that serve connections and do the chores, beside the first.
    fn processes(&self) -> Vec<u32> {
        let Some(pid) = self.daemon.pid() else { return Vec::new() };
        let numbers = |text: &str| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>();
        if let Ok(children) = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) {
            return numbers(&children);
        }
        let listed = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
        // Without `ps` they are left to end by themselves, which they do when the first is gone.
        let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let children = listed.lines().map(numbers).filter(|line| line.get(1) == Some(&pid));
        children.filter_map(|line| line.first().copied()).collect()
    }
}

/// Runs a program that must succeed.
fn succeed(name: &str, command: &mut Command) -> Result<(), Error> {
    let output = command.output().map_err(|error| Error::new(format!("{name} does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::new(format!("{name} failed: {}\n{text}", output.status)))
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}
