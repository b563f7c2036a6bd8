//! Looks after journals: releases what is stored, adopts those whose process died, and sends again what the log may
//! have forgotten.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{delivery::Delivery, spool::Spool};
use crate::{
    error::StoreError,
    store::{ClickSink, CounterStore, LogRun},
};

/// Releasing asks both sinks for their ledgers, so not after every settled group.
const RELEASE_INTERVAL: Duration = Duration::from_secs(1);
/// Of a log that other processes drain too, nobody tells what they settle.
const ASK_INTERVAL: Duration = Duration::from_secs(2);
const ADOPT_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Keeper {
    pub(super) spool: Arc<Spool>,
    pub(super) sinks: [Arc<dyn ClickSink>; 2],
    pub(super) delivery: Arc<Delivery>,
    pub(super) settled: Arc<Notify>,
    pub(super) log: Arc<dyn CounterStore>,
}

impl Keeper {
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut adopted: Option<Instant> = None;
        let mut run = None;
        loop {
            let stopping = *stop.borrow();
            if !stopping && adopted.is_none_or(|at| at.elapsed() >= ADOPT_INTERVAL) {
                adopted = Some(Instant::now());
                for log in self.spool.adopt().await {
                    self.delivery.replay(log);
                }
            }
            if !stopping {
                self.follow(&mut run).await;
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
            let longest = if self.log.outlives_process() { ASK_INTERVAL } else { ADOPT_INTERVAL };
            tokio::select! {
                () = next => {}
                () = tokio::time::sleep(longest) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Sends everything again that is not settled, once the log is in another run than `before`.
    async fn follow(&self, before: &mut Option<LogRun>) {
        // A log of this process forgets when the process does.
        if !self.log.outlives_process() {
            return;
        }
        // A log that is away is asked again when it may be back.
        let Ok(run) = self.log.run().await else { return };
        if before.replace(run) != Some(run) {
            for log in self.spool.producers().into_iter().filter_map(|producer| self.spool.find(producer)) {
                self.delivery.replay(log);
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
