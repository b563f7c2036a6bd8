//! From the moment a server is ready to the one in which it stops: on systems without a way to hand sockets over.

use std::{io, path::Path, time::Duration};

use boltlink_server::{Listeners, Stop};

use super::stop::{Signals, force_exit_after};

/// What this process was given by whoever started it: nothing.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) listener: Option<std::net::TcpListener>,
    pub(super) admin: Option<std::net::TcpListener>,
}

impl Inherited {
    #[allow(clippy::unnecessary_wraps)] // As elsewhere.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self::default())
    }
}

/// A server that is ready.
pub(super) struct Lifecycle(Signals);

impl Lifecycle {
    pub(super) fn begin(signals: Signals, _: &Inherited, _: &Listeners, _: &Path) -> Self {
        Self(signals)
    }

    /// Until the server is to stop.
    pub(super) async fn end(&mut self, _: Duration) -> Stop {
        self.0.stop().await;
        tracing::info!("stopping");
        force_exit_after(Duration::ZERO);
        Stop::Drain
    }
}
