//! A log that knows how many batches it was sent.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, LinkId, StoreError,
    store::{Backlog, Consumer, CounterStore, Delivery, LogRun},
};

pub(crate) struct CountedLog {
    log: Arc<dyn CounterStore>,
    pub(crate) batches: AtomicU64,
}

impl CountedLog {
    pub(crate) fn new(log: Arc<dyn CounterStore>) -> Self {
        Self { log, batches: AtomicU64::new(0) }
    }
}

#[async_trait]
impl CounterStore for CountedLog {
    async fn add(&self, batch: &ClickBatch, delivery: Delivery) -> Result<(), StoreError> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.log.add(batch, delivery).await
    }

    async fn pending(&self, links: &[LinkId]) -> Result<Vec<u64>, StoreError> {
        self.log.pending(links).await
    }

    async fn seal(&self, consumer: Consumer, limit: usize) -> Result<Vec<ClickBatch>, StoreError> {
        self.log.seal(consumer, limit).await
    }

    async fn settle(&self, consumer: Consumer, batches: &[BatchId]) -> Result<(), StoreError> {
        self.log.settle(consumer, batches).await
    }

    async fn run(&self) -> Result<LogRun, StoreError> {
        self.log.run().await
    }

    async fn backlog(&self, consumer: Consumer) -> Result<Backlog, StoreError> {
        self.log.backlog(consumer).await
    }
}
