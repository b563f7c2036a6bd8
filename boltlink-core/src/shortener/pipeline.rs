//! The consumers: they take batches from the log, make them take effect, and release them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tracing::{Instrument, Span};

use super::{
    backoff::Backoff,
    counters::Counts,
    gather::{Gatherer, Load},
    spool::Spool,
};
use crate::{
    abort::{self, Step},
    click::{BatchId, ClickBatch},
    error::StoreError,
    store::{ClickSink, Consumer, CounterStore},
    trace::{TraceContext, Tracer},
};

/// Batches taken from the log at a time, and applied in one transaction, at most.
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
    pub(super) spool: Arc<Spool>,
    pub(super) interval: Duration,
    /// Told when something was stored.
    pub(super) settled: Arc<Notify>,
    pub(super) counts: Arc<Counts>,
    pub(super) tracer: Option<Arc<dyn Tracer>>,
}

/// How it goes.
struct Course {
    stop: watch::Receiver<bool>,
    backoff: Backoff,
    /// How often the sink refused batches that it may take another time.
    refused: HashMap<BatchId, u32>,
}

impl Course {
    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

impl Pipeline {
    /// Whether what is not stored yet is kept elsewhere: in a journal, or in the log.
    fn may_stop(&self) -> bool {
        self.counts.all_kept() || self.log.outlives_process()
    }

    /// Runs until `stop` says so and the log is drained, or cannot be but a journal has it all; or, if the log outlives
    /// the process, until what was taken from it is dealt with. With a gatherer what comes is added up first.
    pub(super) async fn run(self, mut gatherer: Option<Gatherer>, stop: watch::Receiver<bool>) {
        let mut course = Course { stop, backoff: Backoff::default(), refused: HashMap::new() };
        loop {
            let stopping = course.is_stopping();
            match self.drain(gatherer.as_mut(), &mut course).await {
                Ok(()) if stopping => return,
                Err(_) if stopping && self.may_stop() => return,
                Ok(()) => {
                    // Long groups are cheap groups: everything of this interval goes in one transaction.
                    let Some(gatherer) = &gatherer else {
                        let _ = tokio::time::timeout(self.interval, course.stop.wait_for(|stop| *stop)).await;
                        continue;
                    };
                    tokio::select! {
                        () = tokio::time::sleep(gatherer.drained_in()) => {}
                        () = gatherer.is_wanted() => {}
                        _ = course.stop.wait_for(|stop| *stop) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(consumer = ?self.consumer, %error, "cannot read the click log; trying again");
                    let wait = course.backoff.next();
                    pause(&mut course.stop, wait).await;
                }
            }
        }
    }

    /// Takes all that the log has, unless it need not be drained, and makes it take effect as far as it is due.
    async fn drain(&self, mut gatherer: Option<&mut Gatherer>, course: &mut Course) -> Result<(), StoreError> {
        let waiting = gatherer.as_ref().and_then(|gatherer| gatherer.waiting());
        let begun = Instant::now();
        while !(course.is_stopping() && self.log.outlives_process()) {
            let batches = self.log.seal(self.consumer, LIMIT).await?;
            if batches.is_empty() {
                break;
            }
            abort::point(self.consumer, Step::Sealed);
            let ids: Vec<BatchId> = batches.iter().map(ClickBatch::id).collect();
            let taken = match &mut gatherer {
                Some(gatherer) => self.gather(gatherer, batches, course).await,
                None => self.apply(&batches, course).await,
            };
            if !taken {
                return Err(stopping());
            }
            let done = match &mut gatherer {
                Some(gatherer) => gatherer.took(ids),
                None => ids,
            };
            self.settle(&done).await?;
            if let Some(gatherer) = &mut gatherer
                && gatherer.stores_meanwhile()
            {
                self.store_and_settle(gatherer, course).await?;
            }
            course.backoff.reset();
            if gatherer.as_ref().is_some_and(|gatherer| gatherer.has_drained_for_long(begun)) {
                break;
            }
        }
        let Some(gatherer) = gatherer else { return Ok(()) };
        if course.is_stopping() || waiting.is_some() || gatherer.stores_at_once() {
            self.store_and_settle(gatherer, course).await?;
        }
        if let Some(number) = waiting {
            gatherer.serve(number);
        }
        Ok(())
    }

    async fn settle(&self, ids: &[BatchId]) -> Result<(), StoreError> {
        if !ids.is_empty() {
            self.log.settle(self.consumer, ids).await?;
            abort::point(self.consumer, Step::Settled);
        }
        Ok(())
    }

    /// Makes what was added up take effect, and releases what the log has kept of it until then.
    async fn store_and_settle(&self, gatherer: &mut Gatherer, course: &mut Course) -> Result<(), StoreError> {
        let stored = self.store(gatherer, course).await;
        let unsettled = gatherer.unsettled();
        // Of what is not stored the log is all that there is.
        if stored { self.settle(&unsettled).await } else { Err(stopping()) }
    }

    /// Adds batches up. False if it was told to stop, and they are kept.
    async fn gather(&self, gatherer: &mut Gatherer, batches: Vec<ClickBatch>, course: &mut Course) -> bool {
        while let Err(error) = gatherer.learn(&batches).await {
            if !self.waits_after(&error, course).await {
                return false;
            }
        }
        let Some(others) = gatherer.take(batches).await else { return false };
        others.is_empty() || self.apply(&others, course).await
    }

    /// Makes what was added up take effect, however long that takes. False if it was told to stop, and it is kept.
    async fn store(&self, gatherer: &mut Gatherer, course: &mut Course) -> bool {
        let Some(load) = gatherer.begin().await else { return true };
        let span = self.span(&load.traces);
        loop {
            let apply = self.sink.apply_tally(&load.tally).instrument(span.clone());
            match self.in_time(&course.stop, apply).await {
                Ok(Some(applied)) => {
                    self.counts.stored(self.consumer, applied.clicks);
                    gatherer.stored(load);
                    self.took_effect();
                    return true;
                }
                Ok(None) | Err(StoreError::Invalid { .. }) => {
                    gatherer.split();
                    // Its batches have spans of their own.
                    drop(span);
                    let Some(applied) = self.store_split(&load, course).await else { return false };
                    gatherer.stored_split(&load, &applied);
                    return true;
                }
                Err(error) => {
                    if !self.waits_after(&error, course).await {
                        return false;
                    }
                }
            }
        }
    }

    /// Applies what was added up batch by batch, from where it is kept, and says what. `None` if it was told to stop, and
    /// they are kept.
    async fn store_split(&self, load: &Load, course: &mut Course) -> Option<HashSet<BatchId>> {
        let mut applied = HashSet::new();
        for part in load.unkept.chunks(LIMIT) {
            if !self.apply(part, course).await {
                return None;
            }
            applied.extend(part.iter().map(ClickBatch::id));
        }
        for (producer, sequences) in load.tally.batches() {
            let Some(log) = self.spool.find(*producer) else { continue };
            let mut from = sequences.applied().next().map_or(1, |range| *range.start());
            let mut attempts = 0;
            while from <= sequences.highest() {
                match log.read(from).await {
                    Ok(batches) => {
                        let Some(last) = batches.last() else { break };
                        from = last.id().sequence + 1;
                        let ours: Vec<_> =
                            batches.into_iter().filter(|batch| load.tally.contains(batch.id())).collect();
                        if !self.apply(&ours, course).await {
                            return None;
                        }
                        applied.extend(ours.iter().map(ClickBatch::id));
                    }
                    Err(error) if attempts == ATTEMPTS => {
                        // It must not hold up the others. What it has is for the next process.
                        tracing::error!(%producer, %error, "cannot read the journal: clicks wait in it for the next start");
                        break;
                    }
                    Err(error) => {
                        attempts += 1;
                        let error = StoreError::unavailable(format!("cannot read the journal: {error}"));
                        if !self.waits_after(&error, course).await {
                            return None;
                        }
                    }
                }
            }
        }
        Some(applied)
    }

    /// Waits before the next attempt to store. False if it is time to stop instead, and the clicks are kept.
    async fn waits_after(&self, error: &StoreError, course: &mut Course) -> bool {
        if course.is_stopping() && self.may_stop() {
            return false;
        }
        self.counts.store_failed();
        tracing::warn!(consumer = ?self.consumer, %error, "cannot store clicks; trying again");
        let wait = course.backoff.next();
        pause(&mut course.stop, wait).await;
        true
    }

    /// The span of storing clicks, if visits among theirs are traced.
    fn span(&self, visits: &[TraceContext]) -> Span {
        let tracer = self.tracer.as_ref().filter(|_| !visits.is_empty());
        tracer.map_or_else(Span::none, |tracer| tracer.storing(self.consumer, visits))
    }

    fn took_effect(&self) {
        abort::point(self.consumer, Step::Applied);
        self.settled.notify_one();
    }

    /// Makes the batches take effect, however long that takes. False if it was told to stop, and they
    /// are kept.
    async fn apply(&self, batches: &[ClickBatch], course: &mut Course) -> bool {
        let traces: Vec<_> = batches.iter().flat_map(ClickBatch::traces).take(TraceContext::MOST).collect();
        let span = self.span(&traces);
        let mut parts = vec![batches];
        while let Some(part) = parts.pop() {
            let apply = self.sink.apply(part).instrument(span.clone());
            match self.in_time(&course.stop, apply).await {
                Ok(applied) => {
                    self.counts.stored(self.consumer, applied.clicks);
                    if !course.refused.is_empty() {
                        course.refused.retain(|id, _| part.iter().all(|batch| batch.id() != *id));
                    }
                }
                Err(StoreError::Invalid { reason }) => match part {
                    [] => {}
                    [batch] => {
                        let attempts = course.refused.entry(batch.id()).or_default();
                        *attempts += 1;
                        if *attempts < ATTEMPTS {
                            // Without a pause: one bad link that is followed all the time must not hold up the others.
                            parts.push(part);
                        } else if self.salvage(batch, &reason, &course.stop).instrument(span.clone()).await {
                            course.refused.remove(&batch.id());
                        } else if course.is_stopping() && self.may_stop() {
                            return false;
                        } else {
                            parts.push(part);
                            let wait = course.backoff.next();
                            pause(&mut course.stop, wait).await;
                        }
                    }
                    // One of them is at fault: the halves tell which.
                    _ => {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.extend([right, left]);
                    }
                },
                Err(error) => {
                    if !self.waits_after(&error, course).await {
                        return false;
                    }
                    parts.push(part);
                }
            }
        }
        self.took_effect();
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

fn stopping() -> StoreError {
    StoreError::unavailable("stopping; the clicks are kept")
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
