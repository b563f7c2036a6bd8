//! A server process in a directory of its own, neither of which outlives the test.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    docker::{Docker, Owner, container},
    error::Error,
    programs::Program,
};

/// How long a start or a stop may take beside other tests on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Waits until the process that holds the other end of its standard input ends, however it ends,
/// then kills the server whose id it was told last and removes the directory.
///
/// Not by a destructor: a test that is killed, or a `static`, runs none. SIGQUIT comes first
/// because Postgres then takes its own processes with it; Redis just ends. A container outlives the
/// program that started it and has to be removed by name.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -QUIT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.1; done
    kill -KILL "$pid"
    if [ -n "$2" ]; then "$2" rm --force "$3"; fi
fi
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
"#;

/// A process that serves, its directory, and who looks after both.
pub(crate) struct Daemon {
    directory: PathBuf,
    child: Option<Child>,
    watchdog: Child,
    orders: Option<ChildStdin>,
    owner: Option<Owner>,
    /// By what the process is started and ended, if it runs in a container.
    docker: Option<Docker>,
}

impl Daemon {
    /// A new directory, in which nothing runs yet; the program is what shall. If the tests run as
    /// root, which Postgres refuses to do, it belongs to a user with fewer rights if `unprivileged`
    /// says so.
    pub(crate) fn new(kind: &str, program: &Program, unprivileged: bool) -> Result<Self, Error> {
        let docker = match program {
            Program::Local(_) => None,
            Program::Image { docker, .. } => Some(docker.clone()),
        };
        let owner = if unprivileged { lesser_user()? } else { None };
        let directory = std::env::temp_dir().join(format!("boltlink-{kind}-{}", Uuid::now_v7().simple()));
        let mut watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(&directory)
            .arg(docker.as_ref().map(|docker| docker.program.as_path()).unwrap_or(Path::new("")))
            .arg(container(&directory))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Of its own: whoever ends all of the tests' group, as Ctrl-C does, must leave this one.
            .process_group(0)
            .spawn()
            .map_err(|error| Error::new(format!("/bin/sh does not start: {error}")))?;
        let orders = watchdog.stdin.take();
        // Made before the directory, so that a failure from here on leaves none.
        let daemon = Self { directory, child: None, watchdog, orders, owner, docker };
        fs::create_dir(&daemon.directory)?;
        if let Some(Owner { user, group }) = daemon.owner {
            chown(&daemon.directory, Some(user), Some(group))?;
        }
        Ok(daemon)
    }

    /// Where it keeps its files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A program to be run in the directory, by the user to whom that belongs.
    ///
    /// # Errors
    /// If the directory cannot be written to.
    pub(crate) fn command(&self, program: &Program) -> Result<Command, Error> {
        let mut command = match program {
            Program::Local(program) => {
                let mut command = Command::new(program);
                if let Some(Owner { user, group }) = self.owner {
                    command.uid(user).gid(group);
                }
                command
            }
            Program::Image { docker, image, name } => {
                let owner = self.owner.or_else(myself).ok_or_else(|| Error::new("`id` does not tell who runs this"))?;
                docker.command(image, name, &self.directory, owner)?
            }
        };
        command.current_dir(&self.directory).stdin(Stdio::null()).process_group(0);
        Ok(command)
    }

    /// Starts a [command](Self::command) as the server, and waits until it is ready; `false` if it ended with one of the
    /// words in `taken`, as a port or its data is still another's. What it writes goes to its log.
    pub(crate) async fn start(
        &mut self,
        command: &mut Command,
        taken: &[&str],
        is_ready: impl AsyncFn() -> bool,
    ) -> Result<bool, Error> {
        let begin = self.log().len();
        self.spawn(command)?;
        let end = Instant::now() + PATIENCE;
        while !is_ready().await {
            if let Some(status) = self.ended()? {
                let log = self.log();
                let said = log.get(begin..).unwrap_or_default();
                if taken.iter().any(|why| said.contains(why)) {
                    return Ok(false);
                }
                return Err(self.failed(&format!("ended before it was ready: {status}")));
            }
            if Instant::now() >= end {
                return Err(self.failed(&format!("was not ready within {} s", PATIENCE.as_secs())));
            }
            sleep(POLL).await;
        }
        Ok(true)
    }

    fn spawn(&mut self, command: &mut Command) -> Result<(), Error> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let program = command.get_program().to_string_lossy().into_owned();
        let spawned = command.stdout(log.try_clone()?).stderr(log).spawn();
        let child = spawned.map_err(|error| Error::new(format!("{program} does not start: {error}")))?;
        let pid = child.id();
        self.child = Some(child);
        self.tell(&pid.to_string())
    }

    /// The id of the process, if one was started and not [ended](Self::ended) since.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How the process has ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let Some(status) = child.try_wait()? else { return Ok(None) };
        self.child = None;
        self.tell("")?;
        Ok(Some(status))
    }

    /// Kills the process without a warning and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // It may have ended by itself.
        if let Some(docker) = &self.docker {
            let _ = docker.remove(&self.directory);
        }
        let _ = child.kill();
        child.wait()?;
        self.tell("")
    }

    /// Sends the process a signal, such as `INT`.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), Error> {
        let pid = self.pid().ok_or_else(|| Error::new("the server does not run"))?;
        match &self.docker {
            None => send(signal, &[pid]),
            Some(docker) if docker.signal(signal, &self.directory)?.success() => Ok(()),
            Some(_) => Err(Error::new(format!("no signal to the container in {}", self.directory.display()))),
        }
    }

    /// Sends the process a signal and waits until it has ended.
    pub(crate) async fn stop(&mut self, signal: &str) -> Result<(), Error> {
        self.signal(signal)?;
        let end = Instant::now() + PATIENCE;
        while self.ended()?.is_none() {
            if Instant::now() >= end {
                return Err(self.failed(&format!("did not stop within {} s", PATIENCE.as_secs())));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// What the process has written, since the first start.
    pub(crate) fn log(&self) -> String {
        fs::read(self.log_path()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Says what went wrong, and all that was written.
    pub(crate) fn failed(&self, what: &str) -> Error {
        Error::new(format!("the server {what}. It wrote:\n{}", self.log()))
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Tells the watchdog what runs now.
    fn tell(&mut self, pid: &str) -> Result<(), Error> {
        let Some(orders) = &mut self.orders else { return Ok(()) };
        Ok(orders.write_all(format!("{pid}\n").as_bytes())?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Best effort; what fails here, the watchdog does.
        let _ = self.kill();
        self.orders = None;
        let _ = self.watchdog.wait();
    }
}

/// Sends processes a signal. By the shell: std can only kill, and a crate for one call is too much.
pub(crate) fn send(signal: &str, pids: &[u32]) -> Result<(), Error> {
    let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", r#"kill -"$0" "$@""#, signal]).args(&pids).stderr(Stdio::null());
    if kill.status()?.success() { Ok(()) } else { Err(Error::new(format!("no signal to {}", pids.join(" ")))) }
}

/// Whom a server has to run as if the tests run as root: `postgres`, which its packages make, else
/// `nobody`. `None` if they do not.
fn lesser_user() -> Result<Option<Owner>, Error> {
    static USER: OnceLock<Result<Option<Owner>, String>> = OnceLock::new();
    let find = || {
        if id(&["-u"]) != Some(0) {
            return Ok(None);
        }
        let user = |name| Some(Owner { user: id(&["-u", name])?, group: id(&["-g", name])? });
        let found = user("postgres").or_else(|| user("nobody"));
        found.map(Some).ok_or_else(|| "root may not run Postgres, and there is no user postgres or nobody".to_owned())
    };
    USER.get_or_init(find).clone().map_err(Error::new)
}

fn myself() -> Option<Owner> {
    Some(Owner { user: id(&["-u"])?, group: id(&["-g"])? })
}

fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A port of this machine on which nothing listens.
///
/// Below the range from which systems take the ports of outgoing connections: while a server is
/// away, one of its clients could otherwise be given its port, or even connect to itself.
pub(crate) fn free_port() -> Result<u16, Error> {
    for _ in 0..1000 {
        let random = Uuid::now_v7().as_u128() as u16;
        let port = 10_000 + random % 20_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new("this machine has no free port"))
}
