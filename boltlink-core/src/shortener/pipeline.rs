//! The consumers: they take batches from the log, make them take effect, and release them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};

use super::{backoff::Backoff, counters::Counts};
use crate::{
    abort::{self, Step},
    click::{BatchId, ClickBatch},
    error::StoreError,
    store::{ClickSink, Consumer, CounterStore},
};

/// Batches applied in one transaction at most.
const LIMIT: usize = 1024;
/// How long a store may take with its last group once it is time to stop.
const LAST_ATTEMPT: Duration = Duration::from_secs(3);
/// A batch that a sink refuses this often is applied without its bad clicks.
const ATTEMPTS: u32 = 3;

/// One consumer: its sink, and the log it drains.
pub(super) struct Pipeline {
    pub(super) consumer: Consumer,
    pub(super) sink: Arc<dyn ClickSink>,
    pub(super) log: Arc<dyn CounterStore>,
    pub(super) interval: Duration,
    /// Told when something was settled.
    pub(super) settled: Arc<Notify>,
    pub(super) counts: Arc<Counts>,
}

impl Pipeline {
    /// Whether what is not stored yet is kept elsewhere: in a journal, or in the log.
    fn may_stop(&self) -> bool {
        self.counts.all_kept() || self.log.outlives_process()
    }

    /// Runs until `stop` says so and the log is drained, or cannot be but a journal has it all; or, if the log outlives
    /// the process, until what was taken from it is dealt with.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut backoff = Backoff::default();
        let mut refused = HashMap::new();
        loop {
            let stopping = *stop.borrow();
            match self.drain(&stop, &mut backoff, &mut refused).await {
                Ok(()) if stopping => return,
                Err(_) if stopping && self.may_stop() => return,
                Ok(()) => {
                    // Long groups are cheap groups: everything of this interval goes in one transaction.
                    let _ = tokio::time::timeout(self.interval, stop.wait_for(|stop| *stop)).await;
                }
                Err(error) => {
                    tracing::warn!(consumer = ?self.consumer, %error, "cannot read the click log; trying again");
                    pause(&mut stop, backoff.next()).await;
                }
            }
        }
    }

    /// Applies and settles until the log has nothing left, or need not be drained.
    async fn drain(
        &self,
        stop: &watch::Receiver<bool>,
        backoff: &mut Backoff,
        refused: &mut HashMap<BatchId, u32>,
    ) -> Result<(), StoreError> {
        loop {
            if *stop.borrow() && self.log.outlives_process() {
                return Ok(());
            }
            let batches = self.log.seal(self.consumer, LIMIT).await?;
            if batches.is_empty() {
                return Ok(());
            }
            abort::point(self.consumer, Step::Sealed);
            if !self.apply(&batches, stop, backoff, refused).await {
                return Err(StoreError::unavailable("stopping; the clicks are kept"));
            }
            abort::point(self.consumer, Step::Applied);
            let ids: Vec<BatchId> = batches.iter().map(ClickBatch::id).collect();
            self.log.settle(self.consumer, &ids).await?;
            abort::point(self.consumer, Step::Settled);
            self.settled.notify_one();
            backoff.reset();
        }
    }

    /// Makes the batches take effect, however long that takes. False if it was told to stop, and they
    /// are kept.
    async fn apply(
        &self,
        batches: &[ClickBatch],
        stop: &watch::Receiver<bool>,
        backoff: &mut Backoff,
        refused: &mut HashMap<BatchId, u32>,
    ) -> bool {
        let mut parts = vec![batches];
        while let Some(part) = parts.pop() {
            match self.in_time(stop, self.sink.apply(part)).await {
                Ok(applied) => {
                    self.counts.stored(self.consumer, applied.clicks);
                    if !refused.is_empty() {
                        refused.retain(|id, _| part.iter().all(|batch| batch.id() != *id));
                    }
                }
                Err(StoreError::Invalid { reason }) => match part {
                    [] => {}
                    [batch] => {
                        let attempts = refused.entry(batch.id()).or_default();
                        *attempts += 1;
                        if *attempts < ATTEMPTS {
                            // Without a pause: one bad link that is followed all the time must not hold up the others.
                            parts.push(part);
                        } else if self.salvage(batch, &reason, stop).await {
                            refused.remove(&batch.id());
                        } else if *stop.borrow() && self.may_stop() {
                            return false;
                        } else {
                            parts.push(part);
                            pause(&mut stop.clone(), backoff.next()).await;
                        }
                    }
                    // One of them is at fault: the halves tell which.
                    _ => {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.extend([right, left]);
                    }
                },
                Err(error) => {
                    if *stop.borrow() && self.may_stop() {
                        return false;
                    }
                    tracing::warn!(consumer = ?self.consumer, %error, "cannot store clicks; trying again");
                    parts.push(part);
                    pause(&mut stop.clone(), backoff.next()).await;
                }
            }
        }
        true
    }

    /// A store that hangs must not hold up a stop for long, if the clicks are kept. Dropping the call leaves the
    /// whole effect or none, and the ledger knows which.
    async fn in_time<T>(
        &self,
        stop: &watch::Receiver<bool>,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::select! {
            answer = call => answer,
            () = patience(stop), if self.may_stop() => Err(StoreError::unavailable("it takes too long")),
        }
    }

    /// Applies a batch that is refused again and again but for its bad clicks. False if it could not be done now.
    async fn salvage(&self, batch: &ClickBatch, reason: &str, stop: &watch::Receiver<bool>) -> bool {
        match self.in_time(stop, self.sink.salvage(batch)).await {
            Ok(applied) => {
                self.counts.stored(self.consumer, applied.clicks);
                self.counts.died(applied.dead);
                if applied.dead > 0 {
                    let (batch, clicks) = (batch.id(), applied.dead);
                    tracing::error!(consumer = ?self.consumer, %batch, clicks, reason, "clicks went to the dead letters");
                }
                true
            }
            Err(StoreError::Invalid { reason }) => self.set_aside(batch, &reason, stop).await,
            Err(error) => {
                tracing::warn!(consumer = ?self.consumer, %error, "cannot store clicks; trying again");
                false
            }
        }
    }

    async fn set_aside(&self, batch: &ClickBatch, reason: &str, stop: &watch::Receiver<bool>) -> bool {
        match self.in_time(stop, self.sink.set_aside(batch, reason)).await {
            Ok(()) => {
                tracing::error!(consumer = ?self.consumer, batch = %batch.id(), reason, "set aside a batch of clicks");
                self.counts.set_aside(1);
                true
            }
            Err(error) => {
                tracing::warn!(consumer = ?self.consumer, %error, "cannot set a batch aside; trying again");
                false
            }
        }
    }
}

/// Ends [`LAST_ATTEMPT`] after it is time to stop.
async fn patience(stop: &watch::Receiver<bool>) {
    // An error says that the shortener is gone, which is a stop too.
    let _ = stop.clone().wait_for(|stop| *stop).await;
    tokio::time::sleep(LAST_ATTEMPT).await;
}

/// Waits, but not once it is time to stop; then only briefly, so that retries do not spin.
async fn pause(stop: &mut watch::Receiver<bool>, wait: Duration) {
    if *stop.borrow() {
        tokio::time::sleep(wait.min(Duration::from_millis(250))).await;
    } else {
        let _ = tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await;
    }
}
