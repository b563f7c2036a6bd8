//! From the moment a server is ready to the one in which it stops, or hands over.

use std::{io, path::PathBuf, time::Duration};

use boltlink_server::{Listeners, Stop, Stops};

pub(super) use super::handover::Inherited;
use super::{
    handover::{self, Successor},
    pid::PidFile,
    stop::{Asked, Signals, force_exit_after},
};

/// A server's life, which is told what it is to do.
pub(super) struct Lifecycle {
    signals: Signals,
    given: Inherited,
    /// Where its data is.
    folder: PathBuf,
    /// How long it may go on beside another one that has taken over.
    handover: Duration,
    /// Until it stops or has handed over: it holds the listening sockets.
    successor: Option<Successor>,
    /// Once it is ready.
    pid: Option<PidFile>,
}

impl Lifecycle {
    /// That of a server on `listeners`.
    pub(super) fn new(
        signals: Signals,
        given: Inherited,
        listeners: &Listeners,
        (folder, handover): (PathBuf, Duration),
    ) -> io::Result<Self> {
        let successor = Some(Successor::new(listeners)?);
        Ok(Self { signals, given, folder, handover, successor, pid: None })
    }

    /// Until it is to stop.
    async fn end(&mut self, successor: Successor) -> Stop {
        while self.signals.next().await == Asked::HandOver {
            tracing::info!("handing over");
            let started = tokio::select! {
                started = successor.start() => started,
                () = self.signals.stop() => break,
            };
            match started {
                Ok(process) => {
                    tracing::info!(process, "handed over; answering what is still asked here");
                    handover::say_successor(process);
                    force_exit_after(self.handover);
                    return Stop::Handover;
                }
                Err(why) => {
                    tracing::error!("cannot hand over, and goes on as before: {why}");
                    if let Some(pid) = &mut self.pid
                        && let Err(error) = pid.note(&why)
                    {
                        tracing::warn!(%error, "boltlink.pid cannot be written");
                    }
                }
            }
        }
        tracing::info!("stopping");
        handover::say_stopping();
        force_exit_after(Duration::ZERO);
        Stop::Drain
    }
}

impl Stops for Lifecycle {
    /// The first time it tells whoever waits for it that the server is ready.
    async fn next(&mut self) -> Stop {
        let Some(successor) = self.successor.take() else {
            self.signals.stop().await;
            return Stop::Drain;
        };
        self.pid = PidFile::write(&self.folder)
            .inspect_err(|error| {
                tracing::warn!(%error, "boltlink.pid cannot be written: boltlink reload will not find this server");
            })
            .ok();
        self.given.say_ready();
        // By its end the sockets are let go: whoever connects from then on is not to wait for nobody.
        self.end(successor).await
    }
}
