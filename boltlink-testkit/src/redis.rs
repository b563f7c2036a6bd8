//! A Redis server of a test's own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    daemon::{Daemon, free_port},
    error::Error,
    programs::{Program, Programs},
    resp,
};

/// How often a start may meet a port that someone else was quicker to take.
const ATTEMPTS: usize = 5;

/// What a Redis server keeps when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    None,
    /// Everything that it has answered: `appendfsync always`.
    AppendAlways,
    /// Everything up to about a second ago: `appendfsync everysec`. That is what a machine without
    /// power loses; of a process that is killed the operating system keeps what it has written.
    AppendEverySecond,
    /// What it had at the last snapshot, which it makes by itself at most once an hour.
    Snapshot,
}

/// A Redis server of a test's own, for tests that kill, flush or restart it.
///
/// It runs as a process of this machine, or in a container where it is not installed, with its data in
/// a temporary directory. Both are gone when this is dropped, and also when the test's process is
/// killed. It evicts nothing.
pub struct RedisServer {
    daemon: Daemon,
    program: Program,
    persistence: Persistence,
    /// What it is run with beside that, as `--name value`.
    settings: Vec<String>,
    port: u16,
    url: String,
}

impl RedisServer {
    /// Makes a server and starts it on a free port.
    ///
    /// # Errors
    /// If Redis is neither installed nor to be had from Docker, with the command that installs it; or if
    /// it does not start, with all that it wrote.
    pub async fn start(persistence: Persistence) -> Result<Self, Error> {
        Self::start_with(persistence, None, |_| Ok(Vec::new())).await
    }

    /// The same with a password, and with settings (`--name`, `value`) that may use files of the directory given.
    pub(crate) async fn start_with(
        persistence: Persistence,
        password: Option<&str>,
        settings: impl FnOnce(&Path) -> Result<Vec<String>, Error>,
    ) -> Result<Self, Error> {
        let program = Programs::installed().redis()?;
        let daemon = Daemon::new("redis", &program, false)?;
        fs::create_dir(daemon.directory().join("data"))?;
        let mut settings = settings(daemon.directory())?;
        if let Some(password) = password {
            settings.extend(["--requirepass", password, "--masterauth", password].map(str::to_owned));
        }
        let mut server = Self { daemon, program, persistence, settings, port: 0, url: String::new() };
        let login = password.map(|password| format!(":{password}@")).unwrap_or_default();
        for _ in 0..ATTEMPTS {
            server.port = free_port()?;
            server.url = format!("redis://{login}127.0.0.1:{}/", server.port);
            if server.run().await? {
                return Ok(server);
            }
        }
        Err(server.daemon.failed("found no free port"))
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of its process, while it runs; in a container, of the client that started that.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// Kills the server without a warning, as `kill -9` does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.daemon.kill();
    }

    /// Starts the server again on the same port and with what it has kept; one that still runs is
    /// killed first.
    ///
    /// # Errors
    /// If it does not start; with all that it wrote.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        if self.run().await? { Ok(()) } else { Err(self.daemon.failed("does not start again")) }
    }

    /// Keeps a copy of all that the server has now, for [`restore_snapshot`](Self::restore_snapshot).
    ///
    /// # Errors
    /// If the server does not run, or the disk is full.
    pub async fn save_snapshot(&mut self) -> Result<(), Error> {
        self.call(&["SAVE"]).await?;
        // A log that grows while it is copied would be copied in part.
        self.freeze()?;
        let copied = replace(&self.data(), &self.snapshot());
        self.thaw()?;
        if self.persistence == Persistence::None {
            // It promises to keep nothing, and Redis reads the file at every start.
            fs::remove_file(self.data().join("dump.rdb"))?;
        }
        Ok(copied?)
    }

    /// Kills the server if it runs, and puts back what it had at the last
    /// [`save_snapshot`](Self::save_snapshot). The next [`restart`](Self::restart) begins with that.
    ///
    /// # Errors
    /// If no snapshot was saved.
    pub async fn restore_snapshot(&mut self) -> Result<(), Error> {
        self.kill();
        Ok(replace(&self.snapshot(), &self.data())?)
    }

    /// Stops the process where it is, by SIGSTOP: connections stay open and nothing is answered.
    ///
    /// # Errors
    /// If it does not run.
    pub fn freeze(&self) -> Result<(), Error> {
        self.daemon.signal("STOP")
    }

    /// Lets the process go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    /// If it does not run.
    pub fn thaw(&self) -> Result<(), Error> {
        self.daemon.signal("CONT")
    }

    /// Sends a command of words, and returns the first line of the answer as the protocol has it, such
    /// as `+OK` or `:3`.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub async fn call(&self, command: &[&str]) -> Result<String, Error> {
        resp::ask(&self.url, command).await
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The image of Docker that it is from, if any.
    pub(crate) fn image(&self) -> Option<&str> {
        self.program.image()
    }

    fn data(&self) -> PathBuf {
        self.daemon.directory().join("data")
    }

    fn snapshot(&self) -> PathBuf {
        self.daemon.directory().join("snapshot")
    }

    /// Starts it and waits until it answers; `false` if it ended because the port is another's.
    async fn run(&mut self) -> Result<bool, Error> {
        let mut command = self.daemon.command(&self.program)?;
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(self.data());
        command.args(["--maxmemory-policy", "noeviction"]);
        command.args(match self.persistence {
            Persistence::None => ["--save", "", "--appendonly", "no", "--appendfsync", "no"],
            Persistence::AppendAlways => ["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
            Persistence::AppendEverySecond => ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"],
            Persistence::Snapshot => ["--save", "3600 1", "--appendonly", "no", "--appendfsync", "no"],
        });
        command.args(&self.settings);
        // While it reads its data it answers, but not this.
        let answers = async || resp::ask(&self.url, &["PING"]).await.is_ok_and(|answer| answer == "+PONG");
        self.daemon.start(&mut command, &["Address already in use"], answers).await
    }
}

/// Makes `to` a copy of the directory `from`.
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let entries: Vec<_> = fs::read_dir(from)?.collect::<io::Result<_>>()?;
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir(to)?;
    for entry in entries {
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            replace(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}
