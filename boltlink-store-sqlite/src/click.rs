//! Applying clicks: totals, and rollups.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, Clock, ProducerId, StoreError, Timestamp,
    ledger::{Ledger, sift},
    rollup,
    sample::{Allowance, RawClicks, sample},
    store::{Applied, ClickSink, Consumer, DeadLetter, LedgerState},
};
use boltlink_store_sql::{
    Error,
    dead::{self, Effect as _},
    ledger,
    row::{click_values, signed, unsigned},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement};

use crate::{batch::Batch, error::answer, queue::Priority, rollups, writer::Writer};

static ADD: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/totals_add.sql")));
static KEEP: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/clicks_add.sql")));
static MISSING: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/totals_missing.sql")));

/// One of the two sinks. They differ in what a click does, not in how often it does it.
pub(crate) struct SqliteClicks {
    pub(crate) consumer: Consumer,
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) raw: Raw,
}

/// Which single clicks are kept. Shared, as a transaction outlives the call that began it.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) clicks: RawClicks,
    pub(crate) allowance: Arc<Mutex<Allowance>>,
}

impl Raw {
    pub(crate) fn new(clicks: RawClicks, now: Timestamp) -> Self {
        Self { clicks, allowance: Arc::new(Mutex::new(Allowance::full(clicks.per_second, now))) }
    }

    /// Keeps a sample of the clicks, and drops some that are too old by now.
    async fn keep(&self, db: &DatabaseTransaction, batches: &[&ClickBatch], now: Timestamp) -> Result<(), Error> {
        if self.clicks.per_second == 0 {
            return Ok(());
        }
        let kept = {
            let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = sample(batches.iter().copied(), allowance.refill(now), self.clicks.retention, now);
            allowance.spend(kept.len() as u64);
            kept
        };
        if kept.is_empty() {
            return Ok(());
        }
        KEEP.execute(db, kept.iter().flat_map(click_values).collect(), |_, _| {}).await?;
        // More than have come, so that those that are too old grow fewer.
        let pruned = PRUNED + 2 * signed(kept.len() as u64);
        let values = [now.minus(self.clicks.retention).as_micros().into(), pruned.into()];
        let prune = Statement::from_sql_and_values(DbBackend::Sqlite, include_str!("sql/clicks_prune.sql"), values);
        db.execute_raw(prune).await?;
        Ok(())
    }
}

/// How many clicks that are too old are dropped at a time, at least.
const PRUNED: i64 = 1_000;

#[async_trait]
impl ClickSink for SqliteClicks {
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError> {
        if batches.is_empty() {
            return Ok(Applied::default());
        }
        let (consumer, batches) = (self.consumer, batches.to_vec());
        let (raw, clock) = (self.raw.clone(), self.clock.clone());
        self.writer
            .write(Priority::Clicks, move |db| {
                Box::pin(async move { apply(db, consumer, batches, &raw, clock.now()).await })
            })
            .await
    }

    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError> {
        let (consumer, batch, reason, clock) = (self.consumer, batch.clone(), reason.to_owned(), self.clock.clone());
        self.writer
            .write(Priority::Clicks, move |db| {
                Box::pin(async move {
                    let id = batch.id();
                    let known = ledger::read(db, consumer, id.producer).await?;
                    if known.is_none_or(|row| !row.contains(id.sequence)) {
                        ledger::quarantine(db, consumer, &batch, &reason, clock.now()).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn salvage(&self, batch: &ClickBatch) -> Result<Applied, StoreError> {
        let (consumer, batch) = (self.consumer, batch.clone());
        let (raw, clock) = (self.raw.clone(), self.clock.clone());
        self.writer
            .write(Priority::Clicks, move |db| {
                Box::pin(async move { salvage(db, consumer, batch, &raw, clock.now()).await })
            })
            .await
    }

    async fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        dead::page(&self.readers, self.consumer, after, limit).await.map_err(answer)
    }

    async fn dead_letter_ids(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<BatchId>, StoreError> {
        dead::ids(&self.readers, self.consumer, after, limit).await.map_err(answer)
    }

    async fn dead_letter(&self, id: BatchId) -> Result<Option<DeadLetter>, StoreError> {
        dead::find(&self.readers, self.consumer, id).await.map_err(answer)
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        dead::count(&self.readers, self.consumer).await.map_err(answer)
    }

    async fn replay(&self, id: BatchId) -> Result<Applied, StoreError> {
        let (consumer, raw, clock) = (self.consumer, self.raw.clone(), self.clock.clone());
        self.writer
            .write(Priority::Clicks, move |db| {
                Box::pin(async move {
                    let now = clock.now();
                    let mut row = Row::read(db, consumer, id.producer).await?;
                    let effect = Effect { consumer, raw: &raw, now };
                    let applied = dead::replay(db, consumer, id, row.now.as_mut(), &effect).await?;
                    row.keep(db, now).await?;
                    Ok(applied)
                })
            })
            .await
    }

    async fn purge(&self, id: BatchId) -> Result<(), StoreError> {
        let (consumer, clock) = (self.consumer, self.clock.clone());
        self.writer
            .write(Priority::Clicks, move |db| {
                Box::pin(async move {
                    let mut row = Row::read(db, consumer, id.producer).await?;
                    dead::take_out(db, consumer, id, row.now.as_mut()).await?;
                    row.keep(db, clock.now()).await
                })
            })
            .await
    }

    async fn applied(&self, producers: &[ProducerId]) -> Result<Vec<LedgerState>, StoreError> {
        let mut states = Vec::with_capacity(producers.len());
        for producer in producers {
            // In this order: a batch that moves from the quarantine into the ledger meanwhile is seen in one of them.
            let quarantined = ledger::quarantined(&self.readers, self.consumer, *producer).await.map_err(answer)?;
            let row = ledger::read(&self.readers, self.consumer, *producer).await.map_err(answer)?;
            states.push(LedgerState { ledger: row.unwrap_or_default(), quarantined });
        }
        Ok(states)
    }
}

async fn apply(
    db: &DatabaseTransaction,
    consumer: Consumer,
    mut batches: Vec<ClickBatch>,
    raw: &Raw,
    now: Timestamp,
) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    let mut rows: BTreeMap<ProducerId, Ledger> = BTreeMap::new();
    let producers: BTreeSet<ProducerId> = batches.iter().map(|batch| batch.id().producer).collect();
    for producer in producers {
        if let Some(row) = ledger::read(db, consumer, producer).await? {
            rows.insert(producer, row);
        }
        let set_aside = ledger::quarantined(db, consumer, producer).await?;
        if !set_aside.is_empty() {
            let before = batches.len();
            batches.retain(|batch| {
                batch.id().producer != producer || set_aside.binary_search(&batch.id().sequence).is_err()
            });
            applied.quarantined += (before - batches.len()) as u64;
        }
    }

    let known = rows.clone();
    let sifted = sift(&batches, &mut rows, now);
    applied.batches = sifted.fresh.len() as u64;
    applied.duplicates = sifted.duplicates;
    applied.quarantined += sifted.quarantined.len() as u64;
    applied.clicks = sifted.fresh.iter().map(|batch| batch.len() as u64).sum();
    for batch in &sifted.quarantined {
        ledger::quarantine(db, consumer, batch, ledger::UNKNOWN_PRODUCER, now).await?;
    }
    applied.orphaned = Effect { consumer, raw, now }.take(db, &sifted.fresh).await?;

    for (producer, row) in &rows {
        if known.get(producer) != Some(row) {
            ledger::write(db, consumer, *producer, row, now).await?;
        }
    }
    if rows.len() > known.len() {
        ledger::prune(db, consumer, now).await?;
    }
    Ok(applied)
}

/// What a sink does with clicks.
struct Effect<'a> {
    consumer: Consumer,
    raw: &'a Raw,
    now: Timestamp,
}

#[async_trait]
impl dead::Effect for Effect<'_> {
    async fn take(&self, db: &DatabaseTransaction, batches: &[&ClickBatch]) -> Result<u64, Error> {
        match self.consumer {
            Consumer::Totals => add_totals(db, batches).await,
            Consumer::Analytics => {
                rollups::add(db, &rollup::rollups(batches.iter().copied(), self.now)).await?;
                self.raw.keep(db, batches, self.now).await?;
                Ok(0)
            }
        }
    }
}

/// Applies a batch but for the clicks that the database refuses.
async fn salvage(
    db: &DatabaseTransaction,
    consumer: Consumer,
    batch: ClickBatch,
    raw: &Raw,
    now: Timestamp,
) -> Result<Applied, Error> {
    let id = batch.id();
    if ledger::quarantined(db, consumer, id.producer).await?.binary_search(&id.sequence).is_ok() {
        return Ok(Applied { quarantined: 1, ..Applied::default() });
    }
    let row = ledger::read(db, consumer, id.producer).await?;
    let mut rows: BTreeMap<_, _> = row.into_iter().map(|row| (id.producer, row)).collect();
    let batches = [batch];
    if sift(&batches, &mut rows, now).fresh.is_empty() {
        return apply(db, consumer, batches.into(), raw, now).await;
    }
    let effect = Effect { consumer, raw, now };
    let applied = dead::salvage(db, consumer, &batches[0], answer, &effect, now).await?;
    for (producer, row) in &rows {
        ledger::write(db, consumer, *producer, row, now).await?;
    }
    Ok(applied)
}

/// What is known of one producer, to be brought up to date.
struct Row {
    consumer: Consumer,
    producer: ProducerId,
    known: Option<Ledger>,
    now: Option<Ledger>,
}

impl Row {
    async fn read(db: &DatabaseTransaction, consumer: Consumer, producer: ProducerId) -> Result<Self, Error> {
        let known = ledger::read(db, consumer, producer).await?;
        Ok(Self { consumer, producer, now: known.clone(), known })
    }

    /// Writes what has changed.
    async fn keep(self, db: &DatabaseTransaction, now: Timestamp) -> Result<(), Error> {
        match self.now.filter(|row| self.known.as_ref() != Some(row)) {
            Some(row) => ledger::write(db, self.consumer, self.producer, &row, now).await,
            None => Ok(()),
        }
    }
}

/// Adds to the totals that exist, and returns the clicks that have none.
async fn add_totals(db: &impl ConnectionTrait, batches: &[&ClickBatch]) -> Result<u64, Error> {
    let totals = rollup::totals(batches.iter().copied());
    let values = |(link, clicks): (&boltlink_core::LinkId, &u64)| [(*link.as_uuid()).into(), signed(*clicks).into()];
    let mut missing = false;
    ADD.execute(db, totals.iter().flat_map(values).collect(), |rows, affected| missing |= affected < rows as u64)
        .await?;
    if !missing {
        return Ok(0);
    }
    let rows = MISSING.query(db, totals.iter().flat_map(values).collect()).await?;
    let mut orphaned = 0;
    for row in rows {
        orphaned += unsigned(row.try_get_by_index(0)?);
    }
    Ok(orphaned)
}
