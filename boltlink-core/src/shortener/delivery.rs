//! Carries batches from the recorder, and out of journals, to the log.

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{backoff::Backoff, counters::Counts, spool::SpoolLog};
use crate::{
    click::ClickBatch,
    error::StoreError,
    id::ProducerId,
    store::{CounterStore, Delivery as Sent},
};

/// Clicks held in memory while the log does not take them.
const CAPACITY: usize = 1 << 18;
/// Batches sent at once, and bytes of them: a log may answer nobody else meanwhile, and a slow network must bring them in
/// time.
const AT_ONCE: usize = 64;
const AT_ONCE_BYTES: usize = 64 << 10;
/// How long clicks gather that a log of many processes is to get: the fewer calls, the less each click costs all of them.
/// What no journal has goes at once.
const GATHERING: Duration = Duration::from_millis(20);
/// Between attempts while the process stops.
const STOPPING_PAUSE: Duration = Duration::from_millis(100);
/// All sequences of a producer.
const WHOLE: RangeInclusive<u64> = 1..=u64::MAX;

/// Batches on their way to the log, oldest first.
///
/// Bounded: when it is full the oldest go. Those that a journal keeps are read from there later;
/// the others are lost, and counted as such.
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    arrived: Notify,
    /// Whether nobody empties it any more.
    closed: AtomicBool,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Waiting>,
    clicks: usize,
    /// Sequences of one producer each, to be read from its journal.
    skipped: Vec<(ProducerId, RangeInclusive<u64>)>,
}

struct Waiting {
    batch: ClickBatch,
    kept: bool,
    sent: bool,
}

impl Outbox {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self { queue: Mutex::default(), arrived: Notify::new(), closed: AtomicBool::new(false), counts }
    }

    /// Takes a batch, of which `kept` says whether a journal has it.
    pub(super) fn push(&self, batch: ClickBatch, kept: bool) {
        if self.closed.load(Ordering::Acquire) {
            if !kept {
                self.counts.lost(batch.len());
            }
            return;
        }
        {
            let mut queue = self.queue.lock();
            queue.clicks += batch.len();
            queue.batches.push_back(Waiting { batch, kept, sent: false });
            while queue.clicks > CAPACITY {
                let Some(oldest) = queue.batches.pop_front() else { break };
                queue.clicks -= oldest.batch.len();
                if oldest.kept {
                    queue.skip(&oldest.batch);
                } else {
                    // Should the log have taken it after all, this says too much: better than too little.
                    self.counts.lost(oldest.batch.len());
                }
            }
        }
        self.arrived.notify_one();
    }

    /// The oldest batches of one producer, and whether they are sent for the first time; from now on they are not.
    fn front(&self) -> Vec<(ClickBatch, Sent)> {
        let mut queue = self.queue.lock();
        let count = at_once(queue.batches.iter().map(|waiting| &waiting.batch));
        let send = |waiting: &mut Waiting| {
            let sent = if std::mem::replace(&mut waiting.sent, true) { Sent::Again } else { Sent::First };
            (waiting.batch.clone(), sent)
        };
        queue.batches.iter_mut().take(count).map(send).collect()
    }

    /// Drops those of the batches that the log holds, the first `held`, as far as they still are at the front. One was
    /// refused then, and those after it were not sent.
    fn delivered(&self, batches: &[(ClickBatch, Sent)], held: usize) {
        let mut queue = self.queue.lock();
        let unsent = |(_, sent): &&(ClickBatch, Sent)| *sent == Sent::First;
        for (batch, _) in batches.iter().skip(held + 1).filter(unsent) {
            if let Some(waiting) = queue.batches.iter_mut().find(|waiting| waiting.batch.id() == batch.id()) {
                waiting.sent = false;
            }
        }
        for (batch, _) in &batches[..held] {
            // Those before may have been dropped since.
            if queue.batches.front().is_some_and(|front| front.batch.id() == batch.id()) {
                queue.batches.pop_front();
                queue.clicks -= batch.len();
            }
        }
    }

    /// How many batches wait.
    pub(super) fn len(&self) -> usize {
        self.queue.lock().batches.len()
    }

    /// Whether something waits that is nowhere else.
    fn has_unkept(&self) -> bool {
        self.queue.lock().batches.iter().any(|waiting| !waiting.kept)
    }
}

/// How many of these, from the first on, are sent at once: of one producer.
fn at_once<'a>(batches: impl Iterator<Item = &'a ClickBatch>) -> usize {
    let (mut producer, mut bytes) = (None, 0);
    let fits = |batch: &&ClickBatch| {
        let is_first = bytes == 0;
        bytes += batch.encoded().len();
        *producer.get_or_insert(batch.id().producer) == batch.id().producer && (is_first || bytes <= AT_ONCE_BYTES)
    };
    batches.take(AT_ONCE).take_while(fits).count()
}

impl Queue {
    fn skip(&mut self, batch: &ClickBatch) {
        let id = batch.id();
        match self.skipped.last_mut() {
            Some((producer, range)) if *producer == id.producer && range.end() + 1 == id.sequence => {
                *range = *range.start()..=id.sequence;
            }
            _ => self.skipped.push((id.producer, id.sequence..=id.sequence)),
        }
    }
}

/// Journaled batches to be sent to the log (again).
struct Backlog {
    log: SpoolLog,
    left: RangeInclusive<u64>,
}

/// The task that empties the outbox, and then journals of the dead.
pub(super) struct Delivery {
    outbox: Arc<Outbox>,
    log: Arc<dyn CounterStore>,
    backlog: Mutex<VecDeque<Backlog>>,
    find: Box<dyn Fn(ProducerId) -> Option<SpoolLog> + Send + Sync>,
}

impl Delivery {
    /// `find` tells the journal of a producer.
    pub(super) fn new(
        outbox: Arc<Outbox>,
        log: Arc<dyn CounterStore>,
        find: impl Fn(ProducerId) -> Option<SpoolLog> + Send + Sync + 'static,
    ) -> Self {
        Self { outbox, log, backlog: Mutex::default(), find: Box::new(find) }
    }

    /// Sends all that a journal holds.
    pub(super) fn replay(&self, log: SpoolLog) {
        let mut backlog = self.backlog.lock();
        // Of one that is about to be sent whole, once is enough: a log that comes and goes must not fill the memory.
        if !backlog.iter().skip(1).any(|next| next.left == WHOLE && next.log.producer() == log.producer()) {
            backlog.push_back(Backlog { log, left: WHOLE });
        }
        drop(backlog);
        self.outbox.arrived.notify_one();
    }

    /// Runs until `stop` says so and everything is delivered, or cannot be but is in a journal.
    pub(super) async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        self.deliver(stop).await;
        self.outbox.closed.store(true, Ordering::Release);
    }

    async fn deliver(&self, mut stop: watch::Receiver<bool>) {
        let mut backoff = Backoff::default();
        let mut taking = true;
        loop {
            match self.step().await {
                Ok(true) => {
                    if !std::mem::replace(&mut taking, true) {
                        tracing::info!("the click log takes clicks again");
                        self.outbox.counts.log_takes(Ok(()));
                    }
                    backoff.reset();
                }
                Ok(false) if *stop.borrow() => return,
                Ok(false) => {
                    tokio::select! {
                        () = self.outbox.arrived.notified() => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                    if self.log.outlives_process() && !self.outbox.has_unkept() {
                        let _ = tokio::time::timeout(GATHERING, stop.wait_for(|stop| *stop)).await;
                    }
                }
                Err(error) => {
                    if *stop.borrow() && !self.outbox.has_unkept() {
                        return;
                    }
                    if std::mem::replace(&mut taking, false) {
                        tracing::warn!(%error, "the click log takes nothing; clicks wait");
                    }
                    self.outbox.counts.log_takes(Err(error));
                    if *stop.borrow() {
                        tokio::time::sleep(STOPPING_PAUSE).await;
                    } else {
                        let _ = tokio::time::timeout(backoff.next(), stop.wait_for(|stop| *stop)).await;
                    }
                }
            }
        }
    }

    /// Delivers what comes next; false if there is nothing.
    async fn step(&self) -> Result<bool, StoreError> {
        let front = self.outbox.front();
        if !front.is_empty() {
            let held = self.log.add_all(&front).await?;
            self.outbox.delivered(&front, held.min(front.len()));
            return Ok(true);
        }
        let skipped = std::mem::take(&mut self.outbox.queue.lock().skipped);
        for (producer, left) in skipped {
            if let Some(log) = (self.find)(producer) {
                self.backlog.lock().push_back(Backlog { log, left });
            }
        }
        let next = self.backlog.lock().front().map(|backlog| (backlog.log.clone(), backlog.left.clone()));
        let Some((log, left)) = next else { return Ok(false) };
        let batches = log.read(*left.start()).await;
        let batches = batches.map_err(|error| StoreError::unavailable(format!("cannot read the journal: {error}")))?;
        let mut done = left.start().saturating_sub(1);
        let batches = batches.into_iter().take_while(|batch| left.contains(&batch.id().sequence));
        let batches: Vec<_> = batches.map(|batch| (batch, Sent::Again)).collect();
        let mut rest = &batches[..];
        while !rest.is_empty() {
            let part = &rest[..at_once(rest.iter().map(|(batch, _)| batch))];
            let held = self.log.add_all(part).await?.clamp(1, part.len());
            done = part[held - 1].0.id().sequence;
            self.advance(done);
            rest = &rest[held..];
        }
        // Nothing more to read: the rest of the range was released meanwhile, or never came to be.
        if done < *left.start() || done >= *left.end() {
            self.backlog.lock().pop_front();
        }
        Ok(true)
    }

    /// Notes how far the first backlog is delivered.
    fn advance(&self, done: u64) {
        if let Some(backlog) = self.backlog.lock().front_mut() {
            backlog.left = (done + 1).max(*backlog.left.start())..=*backlog.left.end();
        }
    }
}
