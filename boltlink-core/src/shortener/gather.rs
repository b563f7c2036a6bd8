//! Clicks on their way from the log into a store, added up: what a store writes then grows with the different links, not
//! with the clicks.
//!
//! From a log of this process they are taken as they come. One that outlives it keeps them until they are to be stored, for
//! whoever goes on should this process die.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::spool::Spool;
use crate::{
    click::{BatchId, ClickBatch},
    error::StoreError,
    id::{LinkId, ProducerId},
    ledger,
    pace::Pace,
    store::{Backlog, ClickSink, LedgerState},
    tally::Tally,
    time::Clock,
    trace::TraceContext,
};

/// Storing takes up to one part in so many of the time: the more is stored at once the less each click costs.
const SHARE: u32 = 20;
/// However long storing takes, it begins again after this; or after this, where the clicks wait in a log that others fill,
/// too.
const LONGEST: Duration = Duration::from_secs(30);
const LONGEST_SHARED: Duration = Duration::from_secs(10);
/// How often what comes from a log of this process is added up.
const GATHERING: Duration = Duration::from_millis(100);
/// How long a log that outlives the process is drained at a time.
const DRAIN: Duration = Duration::from_secs(1);
/// Bytes of memory in a tally beyond which it is stored.
const HEAVY: usize = 64 << 20;
/// Batches that no journal has stay in memory beside the tally until they are stored: so many bytes of them at most.
/// Of a log that others take from, too, no more: who stores keeps the others from it.
const UNKEPT: u64 = 8 << 20;
/// What is known of so many producers at once. One comes with every start and day of a recorder.
const PRODUCERS: usize = 1024;

/// What one consumer has added up, as others see it.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    tallies: Mutex<Tallies>,
    /// Somebody waits until it is stored.
    hurry: Notify,
    /// The number of the last one who need not wait any more.
    served: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Tallies {
    /// `None` if nobody adds up here.
    open: Option<Tally>,
    storing: Option<Arc<Tally>>,
    /// Which is being applied batch by batch: how much of it is stored is not known.
    split: Option<Arc<Tally>>,
    /// How many have waited until all is stored.
    waited: u64,
}

/// Clicks of which nobody knows yet whether they are stored: they are if the ledger has the batch.
pub(super) struct Storing {
    pub(super) batch: BatchId,
    pub(super) clicks: Vec<u64>,
}

impl Gathered {
    /// The clicks of these links that are not being stored yet, and those that are.
    pub(super) fn clicks_of(&self, links: &[LinkId]) -> (Vec<u64>, Option<Storing>) {
        let Tallies { open, storing, .. } = &*self.tallies.lock();
        let of = |tally: &Tally| links.iter().map(|link| tally.clicks_of(*link)).collect::<Vec<_>>();
        let storing = storing.as_ref().and_then(|tally| {
            let (producer, sequences) = tally.batches().first_key_value()?;
            let batch = BatchId { producer: *producer, sequence: sequences.highest() };
            Some(Storing { batch, clicks: of(tally) })
        });
        (open.as_ref().map_or_else(|| vec![0; links.len()], of), storing)
    }

    /// Until all that is in the log or added up by now is stored.
    pub(super) async fn stored(&self) {
        let number = {
            let mut tallies = self.tallies.lock();
            if tallies.open.is_none() {
                return;
            }
            tallies.waited += 1;
            tallies.waited
        };
        self.hurry.notify_one();
        // The sender is ours: it is no error.
        let _ = self.served.subscribe().wait_for(|served| *served >= number).await;
    }

    /// How much of it there is.
    pub(super) fn backlog(&self) -> Backlog {
        let Tallies { open, storing, split, .. } = &*self.tallies.lock();
        let all = || open.iter().chain(storing.as_deref()).chain(split.as_deref());
        Backlog { batches: all().map(Tally::batch_count).sum(), oldest: all().filter_map(Tally::oldest).min() }
    }
}

/// Adds up what one consumer takes from the log.
pub(super) struct Gatherer {
    gathered: Arc<Gathered>,
    sink: Arc<dyn ClickSink>,
    spool: Arc<Spool>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    longest: Duration,
    /// Batches that the log keeps until they are stored, if it outlives the process.
    unsettled: Option<Vec<BatchId>>,
    /// Of adding up, and of sorting that.
    pace: Pace,
    /// An empty tally with the memory of one that was stored.
    spare: Option<Tally>,
    /// What the sink has dealt with, of the producers that were seen.
    known: HashMap<ProducerId, LedgerState>,
    /// Batches that are added up, and that no journal has.
    unkept: Vec<ClickBatch>,
    unkept_bytes: u64,
    /// Of the visits among theirs that are traced, the first ones.
    traces: Vec<TraceContext>,
    /// Bytes that the journal has of those it has.
    kept_bytes: u64,
    /// When they are to be stored; and if there is one that no journal has.
    due: Instant,
    soon: Instant,
}

/// A tally that is to be stored, and those of its batches that are nowhere else.
pub(super) struct Load {
    pub(super) tally: Arc<Tally>,
    pub(super) unkept: Vec<ClickBatch>,
    pub(super) traces: Vec<TraceContext>,
    began: Instant,
}

impl Gatherer {
    /// `None` if the sink takes batches only. `shared` says whether the log outlives the process.
    pub(super) fn new(
        gathered: Arc<Gathered>,
        sink: Arc<dyn ClickSink>,
        spool: Arc<Spool>,
        clock: Arc<dyn Clock>,
        (interval, shared): (Duration, bool),
    ) -> Option<Self> {
        gathered.tallies.lock().open = Some(sink.tally()?);
        let due = Instant::now() + interval;
        Some(Self {
            gathered,
            sink,
            spool,
            clock,
            interval,
            longest: if shared { LONGEST_SHARED } else { LONGEST },
            unsettled: shared.then(Vec::new),
            pace: Pace::begin(),
            spare: None,
            known: HashMap::new(),
            unkept: Vec::new(),
            unkept_bytes: 0,
            traces: Vec::new(),
            kept_bytes: 0,
            due,
            soon: due,
        })
    }

    /// Learns what the sink has dealt with of the producers of these batches.
    ///
    /// # Errors
    /// As [`ClickSink::applied`].
    pub(super) async fn learn(&mut self, batches: &[ClickBatch]) -> Result<(), StoreError> {
        let mut unknown: Vec<_> = batches.iter().map(|batch| batch.id().producer).collect();
        unknown.retain(|producer| !self.known.contains_key(producer));
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let states = self.sink.applied(&unknown).await?;
        if self.known.len() + unknown.len() > PRODUCERS {
            self.known.retain(|producer, _| batches.iter().any(|batch| batch.id().producer == *producer));
        }
        self.known.extend(unknown.into_iter().zip(states));
        Ok(())
    }

    /// Adds batches up, and gives back those that must be applied by themselves. Those that are known to be dealt with are
    /// dropped. `None` if they could not be taken, as the runtime is ending.
    pub(super) async fn take(&mut self, batches: Vec<ClickBatch>) -> Option<Vec<ClickBatch>> {
        let now = self.clock.now();
        let (mut fresh, mut others) = (Vec::with_capacity(batches.len()), Vec::new());
        for batch in batches {
            let BatchId { producer, sequence } = batch.id();
            match self.known.get(&producer) {
                Some(state) if state.has_dealt_with(sequence) => {}
                Some(state) if state.ledger.highest() > 0 || ledger::may_begin(producer, now) => fresh.push(batch),
                _ => others.push(batch),
            }
        }
        let (gathered, clock, spool) = (self.gathered.clone(), self.clock.clone(), self.spool.clone());
        // Whoever writes to the journal holds it up, too.
        let added = self.at_length(move |pace| {
            fresh.retain(|batch| {
                pace.step();
                // For each anew, so that no reader waits long.
                let mut tallies = gathered.tallies.lock();
                let Some(tally) = tallies.open.as_mut().filter(|tally| !tally.contains(batch.id())) else {
                    return false;
                };
                tally.add([batch], clock.now());
                true
            });
            let kept = fresh.iter().map(|batch| spool.holds(batch.id())).collect::<Vec<_>>();
            (fresh, kept)
        });
        let (fresh, kept) = added.await?;
        for (batch, kept) in fresh.into_iter().zip(kept) {
            let bytes = batch.encoded().len() as u64;
            self.traces.extend(batch.traces().take(TraceContext::MOST - self.traces.len()));
            if kept {
                self.kept_bytes += bytes;
            } else {
                self.unkept_bytes += bytes;
                self.unkept.push(batch);
            }
        }
        Some(others)
    }

    /// Does work that takes its time, not on a thread that visits wait for. `None` if the runtime is ending.
    async fn at_length<T: Send + 'static>(&mut self, work: impl FnOnce(&mut Pace) -> T + Send + 'static) -> Option<T> {
        let mut pace = mem::replace(&mut self.pace, Pace::begin());
        let work = tokio::task::spawn_blocking(move || (work(&mut pace), pace));
        match work.await {
            Ok((done, pace)) => {
                self.pace = pace;
                Some(done)
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }

    /// Whether it is to be stored before more is added up.
    pub(super) fn is_full(&self) -> bool {
        self.unkept_bytes >= UNKEPT
            || self.kept_bytes > self.spool.max_bytes() / 2
            || self.gathered.tallies.lock().open.as_ref().is_some_and(|tally| tally.weight() >= HEAVY)
    }

    /// How long until what was added up is to be stored.
    pub(super) fn due_in(&self) -> Duration {
        let due = if self.unkept.is_empty() { self.due } else { self.soon };
        if self.is_full() { Duration::ZERO } else { due.saturating_duration_since(Instant::now()) }
    }

    /// How long until the log is to be drained again.
    pub(super) fn drained_in(&self) -> Duration {
        if self.unsettled.is_some() { self.due_in() } else { self.due_in().min(GATHERING) }
    }

    /// Notes batches that were taken, and gives back those that are to be settled in the log now.
    pub(super) fn took(&mut self, ids: Vec<BatchId>) -> Vec<BatchId> {
        let Some(unsettled) = &mut self.unsettled else { return ids };
        unsettled.extend(ids);
        Vec::new()
    }

    /// Those that are to be settled once all is stored.
    pub(super) fn unsettled(&mut self) -> Vec<BatchId> {
        self.unsettled.as_mut().map(mem::take).unwrap_or_default()
    }

    /// Whether it is to be stored while the log has more: of a log that outlives the process only if it is full.
    pub(super) fn stores_meanwhile(&self) -> bool {
        if self.unsettled.is_some() { self.is_full() } else { self.due_in().is_zero() }
    }

    /// Whether all that was taken is to be stored at the end of a drain.
    pub(super) fn stores_at_once(&self) -> bool {
        self.unsettled.is_some() || self.due_in().is_zero()
    }

    /// Whether a drain that began then has taken long enough: leases run, and others bring ever more.
    pub(super) fn has_drained_for_long(&self, since: Instant) -> bool {
        self.unsettled.is_some() && since.elapsed() >= DRAIN
    }

    /// Until somebody waits for it to be stored.
    pub(super) async fn is_wanted(&self) {
        self.gathered.hurry.notified().await;
    }

    /// The number of the last one who waits for all to be stored, if anybody does.
    pub(super) fn waiting(&self) -> Option<u64> {
        let waited = self.gathered.tallies.lock().waited;
        (waited > *self.gathered.served.borrow()).then_some(waited)
    }

    /// Tells those up to this number that all that there was is stored.
    pub(super) fn serve(&self, number: u64) {
        self.gathered.served.send_replace(number);
    }

    /// Begins to store what was added up, if there is something: it is in order then.
    pub(super) async fn begin(&mut self) -> Option<Load> {
        let load = self.take_open()?;
        let tally = load.tally.clone();
        // If the runtime is ending, whoever stores it sorts it.
        let _ = self.at_length(move |pace| tally.arrange(pace)).await;
        Some(load)
    }

    fn take_open(&mut self) -> Option<Load> {
        let began = Instant::now();
        self.soon = began + self.interval;
        self.due = self.soon;
        let mut tallies = self.gathered.tallies.lock();
        let full = tallies.open.take_if(|tally| !tally.is_empty())?;
        tallies.open = self.spare.take().or_else(|| self.sink.tally());
        let tally = Arc::new(full);
        tallies.storing = Some(tally.clone());
        drop(tallies);
        (self.unkept_bytes, self.kept_bytes) = (0, 0);
        Some(Load { tally, unkept: mem::take(&mut self.unkept), traces: mem::take(&mut self.traces), began })
    }

    /// Ends it: all of it took effect.
    pub(super) fn stored(&mut self, load: Load) {
        self.gathered.tallies.lock().storing = None;
        for (producer, sequences) in load.tally.batches() {
            let Some(state) = self.known.get_mut(producer) else { continue };
            for sequence in sequences.applied().flatten() {
                state.ledger.apply(sequence);
            }
        }
        self.due = load.began + self.interval.max((load.began.elapsed() * SHARE).min(self.longest));
        // The sink may still hold it.
        self.spare = Arc::into_inner(load.tally).map(|mut tally| {
            tally.clear();
            tally
        });
    }

    /// Begins to apply its batches by themselves: which of them are stored shows in no tally.
    pub(super) fn split(&self) {
        let mut tallies = self.gathered.tallies.lock();
        tallies.split = tallies.storing.take();
    }

    /// Ends that: these were applied. What became of them is to be learnt anew; of the others the log may be all that is
    /// left.
    pub(super) fn stored_split(&mut self, load: &Load, applied: &HashSet<BatchId>) {
        self.gathered.tallies.lock().split = None;
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.retain(|id| applied.contains(id) || !load.tally.contains(*id));
        }
        for producer in load.tally.batches().keys() {
            self.known.remove(producer);
        }
    }
}

impl Drop for Gatherer {
    fn drop(&mut self) {
        // Nobody stores any more: whoever waits would do so for ever. What is left is in the journal, or in the log.
        *self.gathered.tallies.lock() = Tallies::default();
        self.gathered.served.send_replace(u64::MAX);
    }
}
