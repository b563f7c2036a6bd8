//! From the moment a server is ready to the one in which it stops: on systems without a way to hand sockets over.

use std::{io, net::TcpListener, path::PathBuf, time::Duration};

use boltlink_server::{Listeners, Stop, Stops};

use super::stop::{Signals, force_exit_after};

/// What this process was given by whoever started it: nothing.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) listener: Option<TcpListener>,
    pub(super) admin: Option<TcpListener>,
}

#[allow(clippy::unnecessary_wraps)] // As elsewhere.
impl Inherited {
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self::default())
    }

    pub(super) const fn is_succeeding(&self) -> bool {
        false
    }
}

/// A server's life, which is told when it is to stop.
pub(super) struct Lifecycle(Signals);

#[allow(clippy::unnecessary_wraps)]
impl Lifecycle {
    pub(super) fn new(signals: Signals, _: Inherited, _: &Listeners, _: (PathBuf, Duration)) -> io::Result<Self> {
        Ok(Self(signals))
    }
}

impl Stops for Lifecycle {
    async fn next(&mut self) -> Stop {
        self.0.stop().await;
        tracing::info!("stopping");
        force_exit_after(Duration::ZERO);
        Stop::Drain
    }
}
