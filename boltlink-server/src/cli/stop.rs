//! What a running process is told by signals.

#[cfg(unix)]
use std::{future, io::IsTerminal};
use std::{io, thread, time::Duration};

/// How long a stop may take before it is forced.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends the process a while after `extra`, whatever hangs by then. A thread, as the runtime may be what hangs.
pub(super) fn force_exit_after(extra: Duration) {
    let patience = STOP_TIMEOUT + extra;
    thread::spawn(move || {
        thread::sleep(patience);
        eprintln!("boltlink: still not stopped after {} s; exiting", patience.as_secs());
        std::process::exit(1);
    });
}

/// What a process is asked by a signal.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To stop: SIGTERM and SIGINT; on a terminal SIGHUP, too, which says that it was closed.
    Stop,
    /// To let a new process take over: SIGUSR2 and SIGHUP.
    HandOver,
}

/// What asks a process for something.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// Of a server.
    hand_over: Option<HandOver>,
}

#[cfg(unix)]
struct HandOver {
    user2: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    is_on_terminal: bool,
}

#[cfg(unix)]
impl Signals {
    /// Those by which a process is asked to stop.
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, hand_over: None })
    }

    /// Those by which a server is, or by which it is asked to hand over.
    pub(super) fn listen_to_serve() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hand_over = HandOver {
            user2: signal(SignalKind::user_defined2())?,
            hangup: signal(SignalKind::hangup())?,
            is_on_terminal: io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal(),
        };
        Ok(Self { hand_over: Some(hand_over), ..Self::listen()? })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Asked {
        let handed = async {
            match &mut self.hand_over {
                None => future::pending().await,
                Some(HandOver { user2, hangup, is_on_terminal }) => tokio::select! {
                    _ = user2.recv() => Asked::HandOver,
                    _ = hangup.recv() => if *is_on_terminal { Asked::Stop } else { Asked::HandOver },
                },
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            asked = handed => asked,
        }
    }

    /// The next one that asks to stop.
    pub(super) async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
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

    pub(super) fn listen_to_serve() -> io::Result<Self> {
        Self::listen()
    }

    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.ctrl_break.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}
