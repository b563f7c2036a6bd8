//! From the moment a server is ready to the one in which it stops, or hands over.

use std::{io, path::Path, time::Duration};

use boltlink_server::{Listeners, Stop};

pub(super) use super::handover::Inherited;
use super::{
    handover::{self, Successor},
    pid::PidFile,
    stop::{Asked, Signals, force_exit_after},
};

/// A server that is ready.
pub(super) struct Lifecycle {
    signals: Signals,
    successor: io::Result<Successor>,
    pid: io::Result<PidFile>,
}

impl Lifecycle {
    /// Tells whoever waits for it that the server on `listeners` is ready. `folder` is that of its data.
    pub(super) fn begin(signals: Signals, given: &Inherited, listeners: &Listeners, folder: &Path) -> Self {
        let pid = PidFile::write(folder).inspect_err(|error| {
            tracing::warn!(%error, "boltlink.pid cannot be written: boltlink reload will not find this server");
        });
        given.say_ready();
        Self { signals, successor: Successor::new(listeners), pid }
    }

    /// Until the server is to stop. `handover` is how long it may go on beside another one that has taken over.
    pub(super) async fn end(&mut self, handover: Duration) -> Stop {
        loop {
            if self.signals.next().await == Asked::Stop {
                break;
            }
            tracing::info!("handing over");
            let started = tokio::select! {
                started = start(&self.successor) => started,
                () = self.signals.stop() => break,
            };
            match started {
                Ok(process) => {
                    tracing::info!(process, "handed over; answering what is still asked here");
                    handover::say_successor(process);
                    force_exit_after(handover);
                    return Stop::Handover;
                }
                Err(why) => {
                    tracing::error!("cannot hand over, and goes on as before: {why}");
                    if let Ok(pid) = &mut self.pid
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

async fn start(successor: &io::Result<Successor>) -> Result<u32, String> {
    match successor {
        Ok(successor) => successor.start().await,
        Err(error) => Err(error.to_string()),
    }
}
