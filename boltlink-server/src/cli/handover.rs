//! Another process goes on with the listening sockets of this one: with a new binary, or a new configuration.
//!
//! The socket is the same one in both, so that nobody who connects meanwhile is turned away. It goes over as systemd hands
//! sockets over (`LISTEN_FDS`, sd_listen_fds(3)), and a second one beside it, on which the new process says that it is ready.

use std::{
    env,
    ffi::OsString,
    io, iter,
    net::TcpListener,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use boltlink_server::Listeners;
use command_fds::{CommandFdExt, FdMapping};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::time::Instant;

/// The first descriptor that is handed over.
const FIRST: i32 = 3;
/// How sockets are called, but for the one to accept visitors from.
const ADMIN: &str = "admin";
const READY: &str = "ready";
/// How long a new process may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked whether it still runs.
const LOOK: Duration = Duration::from_millis(20);

/// What this process was given by whoever started it.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    /// The socket to accept from.
    pub(super) listener: Option<TcpListener>,
    /// The one for operators.
    pub(super) admin: Option<TcpListener>,
    /// Where to say that it is ready.
    ready: Option<UnixDatagram>,
}

impl Inherited {
    /// Takes it, once, and before there are threads: it is taken out of the environment, too.
    ///
    /// # Errors
    /// If it is something else than a TCP listener, of systemd or of a process before this one.
    pub(super) fn take() -> io::Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = ListenFd::from_env();
        let mut inherited = Self::default();
        for place in 0..sockets.len() {
            match names.next() {
                Some(READY) => inherited.ready = sockets.take_unix_datagram(place)?,
                Some(ADMIN) => inherited.admin = sockets.take_tcp_listener(place)?,
                // systemd calls it like its unit, unless that says otherwise.
                _ if inherited.listener.is_none() => inherited.listener = sockets.take_tcp_listener(place)?,
                _ => {
                    return Err(io::Error::other(
                        "there are two of them: one is enough for all addresses, as [::]:5000",
                    ));
                }
            }
        }
        Ok(inherited)
    }

    /// Whether it is to go on with what another process does.
    pub(super) const fn is_succeeding(&self) -> bool {
        self.ready.is_some()
    }

    /// Tells the process before this one, or systemd, that this one serves.
    pub(super) fn say_ready(&self) {
        if let Some(before) = &self.ready {
            // If it is gone, nobody waits.
            let _ = before.send(b"READY=1");
        }
        tell(&[NotifyState::Ready]);
    }
}

/// Tells systemd, if that is who started it (sd_notify(3)).
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told how the server is");
    }
}

/// Tells systemd that this is the end.
pub(super) fn say_stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How to start a process like this one.
#[derive(Debug)]
pub(super) struct Successor {
    /// How the binary is called: an update puts another one there.
    binary: PathBuf,
    arguments: Vec<OsString>,
    /// The public listener first.
    listeners: Vec<OwnedFd>,
}

impl Successor {
    /// One that is to accept from `listeners`.
    ///
    /// # Errors
    /// If the operating system does not say which binary this is, or has no descriptor left.
    pub(super) fn new(listeners: &Listeners) -> io::Result<Self> {
        let listeners = iter::once(&listeners.public).chain(&listeners.admin);
        Ok(Self {
            // As it was called: behind a link there may be another one by then.
            binary: env::args_os().next().map_or_else(env::current_exe, |name| Ok(name.into()))?,
            arguments: env::args_os().skip(1).collect(),
            listeners: listeners.map(|listener| listener.as_fd().try_clone_to_owned()).collect::<io::Result<_>>()?,
        })
    }

    /// Starts it, waits until it is ready, and says which process it is. Dropped before that, it is ended.
    ///
    /// # Errors
    /// Why it did not become ready; it is ended then.
    pub(super) async fn start(&self) -> Result<u32, String> {
        // The first process of a container cannot be replaced: the container would end with it.
        if std::process::id() == 1 {
            return Err("the first process of a container cannot hand over: roll the pods instead".to_owned());
        }
        let cannot = |error: io::Error| format!("{} cannot be started: {error}", self.binary.display());
        let (ours, theirs) = UnixDatagram::pair().map_err(cannot)?;
        ours.set_nonblocking(true).map_err(cannot)?;
        let sockets = self.listeners.iter().map(OwnedFd::try_clone).chain([Ok(theirs.into())]);
        let mapped =
            |(parent_fd, child_fd): (io::Result<OwnedFd>, _)| Ok(FdMapping { parent_fd: parent_fd?, child_fd });
        let sockets: Vec<_> = sockets.zip(FIRST..).map(mapped).collect::<io::Result<_>>().map_err(cannot)?;
        let mut command = Command::new(&self.binary);
        let names = if sockets.len() == 2 { ["http", READY].join(":") } else { ["http", ADMIN, READY].join(":") };
        command.args(&self.arguments).env("LISTEN_FDS", sockets.len().to_string()).env("LISTEN_FDNAMES", names);
        // Which process it is to be is not known before it runs.
        command.env_remove("LISTEN_PID");
        command.fd_mappings(sockets).map_err(|error| error.to_string())?;
        let mut process = Process(Some(command.spawn().map_err(cannot)?));
        // It would keep the other end open.
        drop(command);
        let ready = tokio::net::UnixDatagram::from_std(ours).map_err(cannot)?;
        let mut word = [0; 16];
        let deadline = Instant::now() + PATIENCE;
        loop {
            tokio::select! {
                said = ready.recv(&mut word) => if matches!(said, Ok(length) if word[..length].starts_with(b"READY=1")) {
                    return process.let_go().ok_or_else(|| "the new process is gone".to_owned());
                },
                () = tokio::time::sleep(LOOK) => {}
            }
            if let Some(status) = process.ended().map_err(cannot)? {
                return Err(format!("the new process ended before it was ready ({status})"));
            }
            if Instant::now() > deadline {
                return Err(format!("the new process was not ready after {} s", PATIENCE.as_secs()));
            }
        }
    }
}

/// Tells systemd which process the service is by now.
pub(super) fn say_successor(process: u32) {
    tell(&[NotifyState::MainPid(process)]);
}

/// A process that is ended unless it was let go.
struct Process(Option<Child>);

impl Process {
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.as_mut().map_or(Ok(None), Child::try_wait)
    }

    fn let_go(&mut self) -> Option<u32> {
        self.0.take().map(|child| child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
