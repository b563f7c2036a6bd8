//! The click log of one process.

mod shelf;
mod view;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;

use self::{
    shelf::Shelf,
    view::{Counts, View, count},
};
use crate::{
    click::{BatchId, ClickBatch},
    error::StoreError,
    id::{LinkId, ProducerId},
    store::{Backlog, Consumer, CounterStore, Delivery, LogRun},
    time::{Clock, Timestamp},
};

/// How long a consumer may take before another one gets its batches.
const LEASE: Duration = Duration::from_secs(30);

/// So many producers are known at once. One comes with every start and day of a recorder.
const PRODUCERS: usize = 4096;

/// So many batches are counted for the view before other tasks get their turn.
const COUNTED_AT_ONCE: usize = 64;

/// The click log in this process's memory, for everything that runs in one process.
///
/// Adding, sealing and settling cost the same however much it holds. The clicks of a batch are
/// counted only when somebody asks for the pending view before the totals consumer has taken it.
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    capacity: usize,
    state: Mutex<State>,
}

impl MemoryLog {
    /// Room for this many clicks is enough for some seconds of the heaviest traffic.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// An empty log that holds up to `capacity` clicks (an empty batch counting as one).
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self { clock, capacity, state: Mutex::default() }
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryLog { … }")
    }
}

#[async_trait]
impl CounterStore for MemoryLog {
    async fn add(&self, batch: &ClickBatch, delivery: Delivery) -> Result<(), StoreError> {
        self.state.lock().add(batch, delivery, self.capacity)
    }

    async fn pending(&self, links: &[LinkId]) -> Result<Vec<u64>, StoreError> {
        // What is added meanwhile need not show: without an end this could go on for ever.
        let end = self.state.lock().next;
        loop {
            let uncounted: Vec<_> = {
                let state = self.state.lock();
                state.view.uncounted(end).take(COUNTED_AT_ONCE).map(|(at, batch)| (at, batch.clone())).collect()
            };
            if uncounted.is_empty() {
                break;
            }
            // Without the lock, so that no recorder waits.
            let counted: Vec<(u64, Counts)> = uncounted.iter().map(|(at, batch)| (*at, count(batch))).collect();
            self.state.lock().view.set_counts(counted);
            tokio::task::yield_now().await;
        }
        let state = self.state.lock();
        Ok(links.iter().map(|link| state.view.of(*link)).collect())
    }

    async fn seal(&self, consumer: Consumer, limit: usize) -> Result<Vec<ClickBatch>, StoreError> {
        let mut state = self.state.lock();
        Ok(state.seal(consumer, limit, self.clock.now()))
    }

    async fn settle(&self, consumer: Consumer, batches: &[BatchId]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        for id in batches {
            state.settle(consumer, *id);
        }
        Ok(())
    }

    async fn run(&self) -> Result<LogRun, StoreError> {
        // It forgets when its process ends, and whoever asks with it.
        Ok(LogRun::default())
    }

    async fn backlog(&self, consumer: Consumer) -> Result<Backlog, StoreError> {
        let mut state = self.state.lock();
        let (batches, oldest) = state.shelf(consumer).held();
        let oldest = oldest.and_then(|place| state.batches.get(&place)?.clicks().next()).map(|click| click.at);
        Ok(Backlog { batches, oldest })
    }
}

/// Batches go by their place in the order of arrival.
#[derive(Default)]
struct State {
    batches: HashMap<u64, ClickBatch>,
    places: HashMap<BatchId, u64>,
    /// The place of the next batch.
    next: u64,
    /// Clicks held.
    clicks: usize,
    totals: Shelf,
    analytics: Shelf,
    view: View,
    seen: Seen,
}

impl State {
    fn add(&mut self, batch: &ClickBatch, delivery: Delivery, capacity: usize) -> Result<(), StoreError> {
        let id = batch.id();
        if self.places.contains_key(&id) {
            return Ok(());
        }
        // A batch larger than all there is room for would otherwise be refused for ever.
        if !self.batches.is_empty() && self.clicks.saturating_add(weight(batch)) > capacity {
            return Err(StoreError::unavailable("the click log is full"));
        }
        let place = self.next;
        self.next += 1;
        self.clicks = self.clicks.saturating_add(weight(batch));
        self.places.insert(id, place);
        self.batches.insert(place, batch.clone());
        self.totals.put(place);
        self.analytics.put(place);
        if self.seen.is_above(id) && delivery == Delivery::First {
            self.view.raise(place, batch);
        }
        Ok(())
    }

    fn seal(&mut self, consumer: Consumer, limit: usize, now: Timestamp) -> Vec<ClickBatch> {
        let places = self.shelf(consumer).lease(limit, now);
        if consumer == Consumer::Totals {
            for place in &places {
                self.view.take_down(*place);
            }
        }
        places.iter().filter_map(|place| self.batches.get(place)).cloned().collect()
    }

    fn settle(&mut self, consumer: Consumer, id: BatchId) {
        let Some(&place) = self.places.get(&id) else { return };
        self.shelf(consumer).take(place);
        if consumer == Consumer::Totals {
            // A consumer may know it from elsewhere, and never have sealed it here.
            self.view.take_down(place);
        }
        if self.totals.holds(place) || self.analytics.holds(place) {
            return;
        }
        self.places.remove(&id);
        if let Some(batch) = self.batches.remove(&place) {
            self.clicks = self.clicks.saturating_sub(weight(&batch));
        }
    }

    fn shelf(&mut self, consumer: Consumer) -> &mut Shelf {
        match consumer {
            Consumer::Totals => &mut self.totals,
            Consumer::Analytics => &mut self.analytics,
        }
    }
}

/// An empty batch takes room as well.
fn weight(batch: &ClickBatch) -> usize {
    batch.len().max(1)
}

/// The highest sequence seen of each producer, by which a batch is known to be new.
#[derive(Default)]
struct Seen {
    highest: BTreeMap<ProducerId, u64>,
    /// The newest producer that was forgotten. Whoever is older and not known may be one of them.
    forgotten: Option<ProducerId>,
}

impl Seen {
    /// Whether the batch is above all that was seen of its producer; it is seen from now on.
    fn is_above(&mut self, id: BatchId) -> bool {
        if let Some(highest) = self.highest.get_mut(&id.producer) {
            let above = id.sequence > *highest;
            *highest = id.sequence.max(*highest);
            return above;
        }
        if self.forgotten.is_some_and(|newest| id.producer <= newest) {
            return false;
        }
        self.highest.insert(id.producer, id.sequence);
        if self.highest.len() > PRODUCERS {
            // Their ids sort by age.
            self.forgotten = self.highest.pop_first().map(|(producer, _)| producer);
        }
        true
    }
}

#[cfg(test)]
mod tests;
