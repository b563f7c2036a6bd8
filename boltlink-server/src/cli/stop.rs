//! How a running process is told to stop.

use std::{io, thread, time::Duration};

/// How long a stop may take before it is forced.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends the process in a while, whatever hangs by then. A thread, as the runtime may be what hangs.
pub(super) fn force_exit_later() {
    thread::spawn(|| {
        thread::sleep(STOP_TIMEOUT);
        eprintln!("boltlink: still not stopped after {} s; exiting", STOP_TIMEOUT.as_secs());
        std::process::exit(1);
    });
}

/// What asks a server to stop: SIGTERM and SIGINT.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What asks a server to stop: Ctrl-C, Ctrl-Break, the window being closed, the machine shut down.
#[cfg(windows)]
pub(super) struct Signals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            ctrl_c: windows::ctrl_c()?,
            ctrl_break: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.ctrl_break.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}
