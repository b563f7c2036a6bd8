//! The server as a process.

use std::{
    env,
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::time::sleep;

#[cfg(unix)]
use crate::daemon::send;
use crate::{client::Client, error::Error, output::Output};

/// How long a start may take: an unoptimised build beside other tests on a busy machine.
const START: Duration = Duration::from_secs(60);

/// How long a stop may take; the server itself gives up its last connections long before.
#[cfg(unix)]
const STOP: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(10);

/// What to start.
pub struct Builder {
    exe: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    data_dir: Option<PathBuf>,
}

impl Builder {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Keeps the data in `dir`, which the caller owns, instead of a directory that lives as long as
    /// the [`Server`]. For a second server on the data of a first, hand over its key too, by
    /// `BOLTLINK_INITIAL_API_KEY`.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// The binary with this environment and the data in `dir`, to be given a subcommand: for what is no [`Server`], as it
    /// is not ready by plain HTTP, or never.
    #[must_use]
    pub fn command_in(self, dir: impl Into<PathBuf>) -> Command {
        Plan { exe: self.exe, args: self.args, key: key_of(&self.env), env: self.env, data_dir: dir.into() }.command()
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// If it ends or is not ready in time; with all it wrote.
    pub async fn start(self) -> Result<Server, Error> {
        let (data_dir, temporary) = match self.data_dir {
            Some(dir) => (dir, None),
            None => {
                let dir = tempfile::tempdir()?;
                (dir.path().to_owned(), Some(dir))
            }
        };
        let plan = Plan { exe: self.exe, args: self.args, key: key_of(&self.env), env: self.env, data_dir };
        let running = Process::start(&plan).await?;
        Ok(Server { process: running, plan, _temporary: temporary })
    }
}

/// A server that runs as a process of its own, on a free port of this machine.
///
/// Dropping it kills the process and removes its data.
pub struct Server {
    // The order matters: the process ends before its directory is removed.
    process: Process,
    plan: Plan,
    _temporary: Option<TempDir>,
}

impl Server {
    /// A server of the binary `exe`; an integration test has it from `env!("CARGO_BIN_EXE_boltlink")`.
    pub fn builder(exe: impl Into<PathBuf>) -> Builder {
        Builder { exe: exe.into(), args: Vec::new(), env: Vec::new(), data_dir: None }
    }

    /// The program that cargo has built beside the calling one, with the same profile: for benches, which have no
    /// `CARGO_BIN_EXE_boltlink`.
    ///
    /// # Errors
    /// If it is not there.
    pub fn built_beside() -> Result<PathBuf, Error> {
        let name = format!("boltlink{}", env::consts::EXE_SUFFIX);
        // Of benches it is the folder above.
        let exe =
            env::current_exe()?.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|exe| exe.is_file());
        exe.ok_or_else(|| Error::new("build the server first: cargo build --release"))
    }

    /// Where it listens. After a restart, elsewhere.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// The address of `path`, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The admin key it was started with.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.plan.key
    }

    /// Where it keeps its data.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.plan.data_dir
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// What it has written since its last start.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output.text()
    }

    /// A client with its admin key, for where it listens now.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address(), self.key())
    }

    /// The binary with this server's data directory and environment, to be given a subcommand: the
    /// command line beside the server.
    #[must_use]
    pub fn command(&self) -> Command {
        self.plan.command()
    }

    /// Kills the process without a warning, as `kill -9` does.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.process.kill()
    }

    /// Asks the process to end, by SIGTERM, and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time, or not well; with all it wrote.
    #[cfg(unix)]
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.process.stop().await
    }

    /// Starts the server again on the same data; one that still runs is killed first.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.process.kill()?;
        self.process = Process::start(&self.plan).await?;
        Ok(())
    }
}

const KEY_VARIABLE: &str = "BOLTLINK_INITIAL_API_KEY";

/// How the process is started, each time.
struct Plan {
    exe: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    data_dir: PathBuf,
    key: String,
}

impl Plan {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.exe);
        // What the developer has set for a server of their own must not change a test.
        for (name, _) in env::vars_os().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        command
            .env("BOLTLINK_LISTEN", "127.0.0.1:0")
            .env("BOLTLINK_DATA_DIR", &self.data_dir)
            .env(KEY_VARIABLE, &self.key)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.data_dir)
            .stdin(Stdio::null());
        command
    }
}

fn is_ours(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("BOLTLINK_")
        || name.starts_with("OTEL_")
        || ["DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "REDIS_URL_FILE", "RUST_LOG"].contains(&&*name)
}

/// The key that is given in an environment, or a new one.
fn key_of(env: &[(OsString, OsString)]) -> String {
    let given = env.iter().rev().find(|(name, _)| name == KEY_VARIABLE);
    given.map_or_else(new_key, |(_, key)| key.to_string_lossy().into_owned())
}

/// A well-formed key that no other server of this machine's tests has: a key that opens the wrong
/// server would hide a mistake.
fn new_key() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let process = process::id();
    format!("blt_019ab2c46f1e7cc398c4{process:06x}{made:06x}_{process:032x}{made:032x}")
}

/// One run of the server.
struct Process {
    child: Child,
    output: Output,
    address: SocketAddr,
}

impl Process {
    async fn start(plan: &Plan) -> Result<Self, Error> {
        let mut child = plan
            .command()
            .args(&plan.args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::new(format!("{} does not start: {error}", plan.exe.display())))?;
        let output = Output::of(&mut child);
        // Made before the wait, so that a failed or abandoned start kills the process too.
        let mut process = Self { child, output, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let end = Instant::now() + START;
        while !process.is_ready().await {
            if let Some(status) = process.child.try_wait()? {
                return Err(process.failed(&format!("ended before it was ready: {status}")));
            }
            if Instant::now() >= end {
                process.kill()?;
                return Err(process.failed(&format!("was not ready within {} s", START.as_secs())));
            }
            sleep(POLL).await;
        }
        Ok(process)
    }

    async fn is_ready(&mut self) -> bool {
        let Some(address) = self.output.address() else { return false };
        self.address = address;
        Client::new(address, "").get("/ready").await.is_ok_and(|reply| reply.status == 200)
    }

    fn kill(&mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        self.output.finish();
        Ok(())
    }

    #[cfg(unix)]
    async fn stop(&mut self) -> Result<(), Error> {
        // The id of a process that has ended may be another's by now.
        if let Some(status) = self.child.try_wait()? {
            return Err(self.failed(&format!("had ended before it was told to stop: {status}")));
        }
        if send("TERM", &[self.child.id()]).is_err() {
            return Err(self.failed("could not be told to stop"));
        }
        let end = Instant::now() + STOP;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => break,
                Some(status) => return Err(self.failed(&format!("did not stop well: {status}"))),
                None if Instant::now() >= end => {
                    self.kill()?;
                    return Err(self.failed(&format!("did not stop within {} s", STOP.as_secs())));
                }
                None => sleep(POLL).await,
            }
        }
        self.output.finish();
        Ok(())
    }

    /// Says what went wrong with a process, and all it wrote.
    fn failed(&mut self, what: &str) -> Error {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            self.output.finish();
        }
        Error::new(format!("the server {what}. It wrote:\n{}", self.output.text()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
