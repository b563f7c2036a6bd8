//! Applying clicks, each batch once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, Clock, ProducerId, StoreError, Timestamp,
    ledger::{Ledger, sift, sift_whole},
    store::{Applied, ClickSink, Consumer, DeadLetter, LedgerState},
    tally::Tally,
};
use boltlink_store_sql::{
    Error,
    dead::{self, Effect as _},
    ledger,
};
use sea_orm::{DatabaseConnection, DatabaseTransaction};

use crate::{
    effect::{At, Effect},
    error::answer,
    queue::Priority,
    writer::{Work, Writer},
};

/// One of the two sinks. They differ in what a click does, not in how often it does it.
pub(crate) struct SqliteClicks {
    pub(crate) effect: Effect,
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SqliteClicks {
    const fn consumer(&self) -> Consumer {
        self.effect.consumer()
    }

    /// Does `work` in a transaction.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a DatabaseTransaction, At<'a>) -> Work<'a, T> + Send + 'static,
    {
        let (effect, clock, queue) = (self.effect.clone(), self.clock.clone(), self.writer.queue().clone());
        self.writer
            .write(Priority::Clicks, move |db| {
                Box::pin(async move { work(db, At { effect: &effect, now: clock.now(), queue: &queue }).await })
            })
            .await
    }
}

#[async_trait]
impl ClickSink for SqliteClicks {
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError> {
        if batches.is_empty() {
            return Ok(Applied::default());
        }
        let batches = batches.to_vec();
        self.write(move |db, effect| Box::pin(apply(db, batches, effect))).await
    }

    fn tally(&self) -> Option<Tally> {
        Some(self.effect.tally())
    }

    async fn apply_tally(&self, tally: &Arc<Tally>) -> Result<Option<Applied>, StoreError> {
        let tally = tally.clone();
        self.write(move |db, effect| Box::pin(apply_tally(db, tally, effect))).await
    }

    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError> {
        let (batch, reason) = (batch.clone(), reason.to_owned());
        self.write(move |db, effect| {
            Box::pin(async move {
                let (id, consumer) = (batch.id(), effect.consumer());
                let known = ledger::read(db, consumer, id.producer).await?;
                if known.is_none_or(|row| !row.contains(id.sequence)) {
                    ledger::quarantine(db, consumer, &batch, &reason, effect.now).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn salvage(&self, batch: &ClickBatch) -> Result<Applied, StoreError> {
        let batch = batch.clone();
        self.write(move |db, effect| Box::pin(salvage(db, batch, effect))).await
    }

    async fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        dead::page(&self.readers, self.consumer(), after, limit).await.map_err(answer)
    }

    async fn dead_letter_ids(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<BatchId>, StoreError> {
        dead::ids(&self.readers, self.consumer(), after, limit).await.map_err(answer)
    }

    async fn dead_letter(&self, id: BatchId) -> Result<Option<DeadLetter>, StoreError> {
        dead::find(&self.readers, self.consumer(), id).await.map_err(answer)
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        dead::count(&self.readers, self.consumer()).await.map_err(answer)
    }

    async fn count_missing(&self) -> Result<u64, StoreError> {
        ledger::missing(&self.readers, self.consumer()).await.map_err(answer)
    }

    async fn replay(&self, id: BatchId) -> Result<Applied, StoreError> {
        self.write(move |db, effect| {
            Box::pin(async move {
                let consumer = effect.consumer();
                let mut rows = Rows::read(db, consumer, [id.producer]).await?;
                let row = rows.now.get_mut(&id.producer);
                let applied = dead::replay(db, consumer, id, row, &effect).await?;
                rows.keep(db, effect.now).await?;
                Ok(applied)
            })
        })
        .await
    }

    async fn purge(&self, id: BatchId) -> Result<(), StoreError> {
        self.write(move |db, effect| {
            Box::pin(async move {
                let consumer = effect.consumer();
                let mut rows = Rows::read(db, consumer, [id.producer]).await?;
                dead::take_out(db, consumer, id, rows.now.get_mut(&id.producer)).await?;
                rows.keep(db, effect.now).await
            })
        })
        .await
    }

    async fn applied(&self, producers: &[ProducerId]) -> Result<Vec<LedgerState>, StoreError> {
        let mut states = Vec::with_capacity(producers.len());
        for producer in producers {
            // In this order: a batch that moves from the quarantine into the ledger meanwhile is seen in one of them.
            let quarantined = ledger::quarantined(&self.readers, self.consumer(), *producer).await.map_err(answer)?;
            let row = ledger::read(&self.readers, self.consumer(), *producer).await.map_err(answer)?;
            states.push(LedgerState { ledger: row.unwrap_or_default(), quarantined });
        }
        Ok(states)
    }
}

async fn apply(db: &DatabaseTransaction, mut batches: Vec<ClickBatch>, effect: At<'_>) -> Result<Applied, Error> {
    let (consumer, now) = (effect.consumer(), effect.now);
    let mut applied = Applied::default();
    let producers: BTreeSet<ProducerId> = batches.iter().map(|batch| batch.id().producer).collect();
    for producer in &producers {
        let set_aside = ledger::quarantined(db, consumer, *producer).await?;
        if !set_aside.is_empty() {
            let before = batches.len();
            batches.retain(|batch| {
                batch.id().producer != *producer || set_aside.binary_search(&batch.id().sequence).is_err()
            });
            applied.quarantined += (before - batches.len()) as u64;
        }
    }

    let mut rows = Rows::read(db, consumer, producers).await?;
    let sifted = sift(&batches, &mut rows.now, now);
    applied.batches = sifted.fresh.len() as u64;
    applied.duplicates = sifted.duplicates;
    applied.quarantined += sifted.quarantined.len() as u64;
    applied.clicks = sifted.fresh.iter().map(|batch| batch.len() as u64).sum();
    for batch in &sifted.quarantined {
        ledger::quarantine(db, consumer, batch, ledger::UNKNOWN_PRODUCER, now).await?;
    }
    applied.orphaned = effect.take(db, &sifted.fresh).await?;
    rows.keep(db, now).await?;
    Ok(applied)
}

async fn apply_tally(db: &DatabaseTransaction, tally: Arc<Tally>, effect: At<'_>) -> Result<Option<Applied>, Error> {
    let (consumer, now) = (effect.consumer(), effect.now);
    for (producer, sequences) in tally.batches() {
        let set_aside = ledger::quarantined(db, consumer, *producer).await?;
        if set_aside.into_iter().any(|sequence| sequences.contains(sequence)) {
            return Ok(None);
        }
    }
    let mut rows = Rows::read(db, consumer, tally.batches().keys().copied()).await?;
    if !sift_whole(tally.batches(), &mut rows.now, now) {
        return Ok(None);
    }
    let orphaned = effect.take_tally(db, &tally).await?;
    rows.keep(db, now).await?;
    Ok(Some(Applied { batches: tally.batch_count(), clicks: tally.clicks(), orphaned, ..Applied::default() }))
}

/// Applies a batch but for the clicks that the database refuses.
async fn salvage(db: &DatabaseTransaction, batch: ClickBatch, effect: At<'_>) -> Result<Applied, Error> {
    let (id, consumer) = (batch.id(), effect.consumer());
    if ledger::quarantined(db, consumer, id.producer).await?.binary_search(&id.sequence).is_ok() {
        return Ok(Applied { quarantined: 1, ..Applied::default() });
    }
    let mut rows = Rows::read(db, consumer, [id.producer]).await?;
    let batches = [batch];
    if sift(&batches, &mut rows.now, effect.now).fresh.is_empty() {
        return apply(db, batches.into(), effect).await;
    }
    let applied = dead::salvage(db, consumer, &batches[0], answer, &effect, effect.now).await?;
    rows.keep(db, effect.now).await?;
    Ok(applied)
}

/// What is known of some producers, to be brought up to date.
struct Rows {
    consumer: Consumer,
    known: BTreeMap<ProducerId, Ledger>,
    now: BTreeMap<ProducerId, Ledger>,
}

impl Rows {
    async fn read(
        db: &DatabaseTransaction,
        consumer: Consumer,
        producers: impl IntoIterator<Item = ProducerId>,
    ) -> Result<Self, Error> {
        let mut known = BTreeMap::new();
        for producer in producers {
            if let Some(row) = ledger::read(db, consumer, producer).await? {
                known.insert(producer, row);
            }
        }
        Ok(Self { consumer, now: known.clone(), known })
    }

    /// Writes what has changed.
    async fn keep(self, db: &DatabaseTransaction, now: Timestamp) -> Result<(), Error> {
        for (producer, row) in &self.now {
            if self.known.get(producer) != Some(row) {
                ledger::write(db, self.consumer, *producer, row, now).await?;
            }
        }
        if self.now.len() > self.known.len() {
            ledger::prune(db, self.consumer, now).await?;
        }
        Ok(())
    }
}
