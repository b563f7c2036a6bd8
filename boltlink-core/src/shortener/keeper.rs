//! Looks after journals: releases what is stored, and adopts those whose process died.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{delivery::Delivery, spool::Spool};
use crate::{error::StoreError, store::ClickSink};

/// Releasing asks both sinks for their ledgers, so not after every settled group.
const RELEASE_INTERVAL: Duration = Duration::from_secs(1);
const ADOPT_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Keeper {
    pub(super) spool: Arc<Spool>,
    pub(super) sinks: [Arc<dyn ClickSink>; 2],
    pub(super) delivery: Arc<Delivery>,
    pub(super) settled: Arc<Notify>,
}

impl Keeper {
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut adopted: Option<Instant> = None;
        loop {
            let stopping = *stop.borrow();
            if !stopping && adopted.is_none_or(|at| at.elapsed() >= ADOPT_INTERVAL) {
                adopted = Some(Instant::now());
                for log in self.spool.adopt().await {
                    self.delivery.replay(log);
                }
            }
            if let Err(error) = self.release(stopping).await {
                tracing::warn!(%error, "cannot tell which journaled clicks are stored; they are kept");
            }
            if stopping {
                return;
            }
            let next = async {
                tokio::join!(self.settled.notified(), tokio::time::sleep(RELEASE_INTERVAL));
            };
            tokio::select! {
                () = next => {}
                () = tokio::time::sleep(ADOPT_INTERVAL) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Releases what both sinks have dealt with; at the end of everything the current segment too.
    async fn release(&self, last: bool) -> Result<(), StoreError> {
        if last {
            self.spool.retire_all();
        }
        let producers = self.spool.producers();
        if producers.is_empty() {
            return Ok(());
        }
        let [totals, analytics] = &self.sinks;
        let states = tokio::try_join!(totals.applied(&producers), analytics.applied(&producers))?;
        for ((producer, totals), analytics) in producers.into_iter().zip(states.0).zip(states.1) {
            let dealt_with = move |sequence| totals.has_dealt_with(sequence) && analytics.has_dealt_with(sequence);
            self.spool.release(producer, dealt_with).await;
        }
        Ok(())
    }
}
