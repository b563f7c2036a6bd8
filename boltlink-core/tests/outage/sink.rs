//! A sink with faults.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, ProducerId, StoreError,
    store::{Applied, ClickSink, DeadLetter, LedgerState},
    tally::Tally,
};
use parking_lot::Mutex;

/// A sink that is away while told so, and refuses one batch for ever.
pub(crate) struct Faulty {
    sink: Arc<dyn ClickSink>,
    pub(crate) away: AtomicBool,
    /// Applies, but says that it could not: the reply was lost.
    pub(crate) deaf: AtomicBool,
    /// Never ends a salvage.
    pub(crate) hangs: AtomicBool,
    poison: Option<u64>,
    pub(crate) set_aside: Mutex<HashSet<BatchId>>,
}

impl Faulty {
    pub(crate) fn new(sink: &Arc<dyn ClickSink>, poison: Option<u64>) -> Arc<Self> {
        let [away, deaf, hangs] = [false; 3].map(AtomicBool::new);
        Arc::new(Self { sink: sink.clone(), away, deaf, hangs, poison, set_aside: Mutex::default() })
    }
}

#[async_trait]
impl ClickSink for Faulty {
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("away"));
        }
        if batches.iter().any(|batch| Some(batch.id().sequence) == self.poison) {
            return Err(StoreError::Invalid { reason: "poison".into() });
        }
        let applied = self.sink.apply(batches).await?;
        if self.deaf.swap(false, Ordering::SeqCst) {
            return Err(StoreError::unavailable("the reply was lost"));
        }
        Ok(applied)
    }

    fn tally(&self) -> Option<Tally> {
        self.sink.tally()
    }

    async fn apply_tally(&self, tally: &Arc<Tally>) -> Result<Option<Applied>, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("away"));
        }
        let poison = self.poison.unwrap_or_default();
        if tally.batches().keys().any(|producer| tally.contains(BatchId { producer: *producer, sequence: poison })) {
            return Err(StoreError::Invalid { reason: "poison".into() });
        }
        let applied = self.sink.apply_tally(tally).await?;
        if self.deaf.swap(false, Ordering::SeqCst) {
            return Err(StoreError::unavailable("the reply was lost"));
        }
        Ok(applied)
    }

    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError> {
        self.set_aside.lock().insert(batch.id());
        self.sink.set_aside(batch, reason).await
    }

    async fn salvage(&self, batch: &ClickBatch) -> Result<Applied, StoreError> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        // Not a click of it, but the whole of it is refused.
        self.apply(std::slice::from_ref(batch)).await
    }

    async fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        self.sink.dead_letters(after, limit).await
    }

    async fn dead_letter(&self, id: BatchId) -> Result<Option<DeadLetter>, StoreError> {
        self.sink.dead_letter(id).await
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        self.sink.count_dead_letters().await
    }

    async fn count_missing(&self) -> Result<u64, StoreError> {
        self.sink.count_missing().await
    }

    async fn replay(&self, id: BatchId) -> Result<Applied, StoreError> {
        self.sink.replay(id).await
    }

    async fn purge(&self, id: BatchId) -> Result<(), StoreError> {
        self.sink.purge(id).await
    }

    async fn applied(&self, producers: &[ProducerId]) -> Result<Vec<LedgerState>, StoreError> {
        self.sink.applied(producers).await
    }
}
