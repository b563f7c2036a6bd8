//! Applying clicks: totals, and rollups.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, Clock, LinkId, ProducerId, StoreError, Timestamp,
    abort::{self, Step},
    ledger::{sift, sift_whole},
    store::{Applied, ClickSink, Consumer, DeadLetter, LedgerState},
    tally::Tally,
};
use boltlink_store_sql::{
    Error,
    dead::{self, Effect as _},
    ledger,
    row::signed,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use crate::{
    array::{bigints, ids, statement},
    error::answer,
    ledgers::{self, Ledgers},
    pool::Pool,
    raw::{self, Raw},
    rollups,
};

/// One of the two sinks. They differ in what a click does, not in how often it does it.
pub(crate) struct PostgresClicks {
    pub(crate) consumer: Consumer,
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) raw: Arc<Raw>,
}

#[async_trait]
impl ClickSink for PostgresClicks {
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError> {
        if batches.is_empty() {
            return Ok(Applied::default());
        }
        if self.consumer == Consumer::Analytics {
            self.raw.keep_house(&self.pool, self.clock.now()).await;
        }
        let (consumer, batches): (_, Arc<[ClickBatch]>) = (self.consumer, batches.into());
        let (raw, clock) = (self.raw.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (batches, raw, clock) = (batches.clone(), raw.clone(), clock.clone());
                Box::pin(async move { apply(db, consumer, &batches, &raw, clock.now()).await })
            })
            .await
    }

    /// Only rollups are added up for long: visits to capped links wait for whoever writes totals.
    fn tally(&self) -> Option<Tally> {
        (self.consumer == Consumer::Analytics).then(|| Tally::of_analytics(self.raw.sampler().clone()))
    }

    async fn apply_tally(&self, tally: &Arc<Tally>) -> Result<Option<Applied>, StoreError> {
        if self.consumer != Consumer::Analytics {
            return Ok(None);
        }
        self.raw.keep_house(&self.pool, self.clock.now()).await;
        let (consumer, tally, clock) = (self.consumer, tally.clone(), self.clock.clone());
        self.pool
            .write_all(rollups::statements(&tally), move |db| {
                let (tally, clock) = (tally.clone(), clock.clone());
                Box::pin(async move { apply_tally(db, consumer, &tally, clock.now()).await })
            })
            .await
    }

    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError> {
        let (consumer, batch, clock) = (self.consumer, batch.clone(), self.clock.clone());
        let reason = reason.to_owned();
        self.pool
            .write(move |db| {
                let (batch, reason, clock) = (batch.clone(), reason.clone(), clock.clone());
                Box::pin(async move {
                    let id = batch.id();
                    let ledgers = Ledgers::lock(db, consumer, [id.producer].into(), clock.now()).await?;
                    if !ledgers.rows.get(&id.producer).is_some_and(|row| row.contains(id.sequence)) {
                        ledger::quarantine(db, consumer, &batch, &reason, clock.now()).await?;
                    }
                    ledgers.keep(db, clock.now()).await
                })
            })
            .await
    }

    async fn salvage(&self, batch: &ClickBatch) -> Result<Applied, StoreError> {
        let (consumer, batch) = (self.consumer, batch.clone());
        let (raw, clock) = (self.raw.clone(), self.clock.clone());
        self.pool
            // Twice as many attempts as there are clicks, where all of them are refused.
            .write_at_length(move |db| {
                let (batch, raw, clock) = (batch.clone(), raw.clone(), clock.clone());
                Box::pin(async move { salvage(db, consumer, &[batch], &raw, clock.now()).await })
            })
            .await
    }

    async fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        self.pool.read(|| dead::page(self.pool.connections(), self.consumer, after, limit)).await
    }

    async fn dead_letter_ids(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<BatchId>, StoreError> {
        self.pool.read(|| dead::ids(self.pool.connections(), self.consumer, after, limit)).await
    }

    async fn dead_letter(&self, id: BatchId) -> Result<Option<DeadLetter>, StoreError> {
        self.pool.read(|| dead::find(self.pool.connections(), self.consumer, id)).await
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        self.pool.read(|| dead::count(self.pool.connections(), self.consumer)).await
    }

    async fn count_missing(&self) -> Result<u64, StoreError> {
        self.pool.read(|| ledger::missing(self.pool.connections(), self.consumer)).await
    }

    async fn replay(&self, id: BatchId) -> Result<Applied, StoreError> {
        let (consumer, raw, clock) = (self.consumer, self.raw.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (raw, clock) = (raw.clone(), clock.clone());
                Box::pin(async move {
                    let now = clock.now();
                    let mut ledgers = Ledgers::lock(db, consumer, [id.producer].into(), now).await?;
                    let row = ledgers.rows.get_mut(&id.producer);
                    let applied = dead::replay(db, consumer, id, row, &Effect { consumer, raw: &raw, now }).await?;
                    ledgers.keep(db, now).await?;
                    Ok(applied)
                })
            })
            .await
    }

    async fn purge(&self, id: BatchId) -> Result<(), StoreError> {
        let (consumer, clock) = (self.consumer, self.clock.clone());
        self.pool
            .write(move |db| {
                let clock = clock.clone();
                Box::pin(async move {
                    let mut ledgers = Ledgers::lock(db, consumer, [id.producer].into(), clock.now()).await?;
                    dead::take_out(db, consumer, id, ledgers.rows.get_mut(&id.producer)).await?;
                    ledgers.keep(db, clock.now()).await
                })
            })
            .await
    }

    async fn applied(&self, producers: &[ProducerId]) -> Result<Vec<LedgerState>, StoreError> {
        let known = self.pool.read(|| ledgers::states(self.pool.connections(), self.consumer, producers)).await?;
        Ok(producers.iter().map(|producer| known.get(producer).cloned().unwrap_or_default()).collect())
    }
}

/// Applies what is new of the batches, as part of a transaction.
async fn apply(
    db: &DatabaseTransaction,
    consumer: Consumer,
    batches: &[ClickBatch],
    raw: &Raw,
    now: Timestamp,
) -> Result<Applied, Error> {
    let producers = batches.iter().map(|batch| batch.id().producer).collect();
    let mut ledgers = Ledgers::lock(db, consumer, producers, now).await?;
    let set_aside = ledgers::quarantined(db, consumer, batches).await?;
    let judged: Cow<'_, [ClickBatch]> = if set_aside.is_empty() {
        batches.into()
    } else {
        batches.iter().filter(|batch| !set_aside.contains(&batch.id())).cloned().collect()
    };
    let sifted = sift(&judged, &mut ledgers.rows, now);
    let mut applied = Applied {
        batches: sifted.fresh.len() as u64,
        duplicates: sifted.duplicates,
        quarantined: (batches.len() - judged.len() + sifted.quarantined.len()) as u64,
        clicks: sifted.fresh.iter().map(|batch| batch.len() as u64).sum(),
        orphaned: 0,
        dead: 0,
    };
    for batch in &sifted.quarantined {
        ledger::quarantine(db, consumer, batch, ledger::UNKNOWN_PRODUCER, now).await?;
    }
    applied.orphaned = Effect { consumer, raw, now }.take(db, &sifted.fresh).await?;
    ledgers.keep(db, now).await?;
    abort::point(consumer, Step::Written);
    Ok(applied)
}

/// Applies all of a tally of analytics, as part of a transaction, or finds that it must not be applied whole.
async fn apply_tally(
    db: &DatabaseTransaction,
    consumer: Consumer,
    tally: &Tally,
    now: Timestamp,
) -> Result<Option<Applied>, Error> {
    let mut ledgers = Ledgers::lock(db, consumer, tally.batches().keys().copied().collect(), now).await?;
    let set_aside = ledgers::quarantine_of(db, consumer, tally.batches().keys().copied()).await?;
    let is_whole =
        !set_aside.into_iter().any(|id| tally.contains(id)) && sift_whole(tally.batches(), &mut ledgers.rows, now);
    if !is_whole {
        ledgers.leave(db).await?;
        return Ok(None);
    }
    take_analytics(db, tally).await?;
    ledgers.keep(db, now).await?;
    abort::point(consumer, Step::Written);
    Ok(Some(Applied { batches: tally.batch_count(), clicks: tally.clicks(), ..Applied::default() }))
}

/// Applies a batch, the only one of `batches`, but for the clicks that the database refuses.
async fn salvage(
    db: &DatabaseTransaction,
    consumer: Consumer,
    batches: &[ClickBatch; 1],
    raw: &Raw,
    now: Timestamp,
) -> Result<Applied, Error> {
    let id = batches[0].id();
    let mut ledgers = Ledgers::lock(db, consumer, [id.producer].into(), now).await?;
    if !ledgers::quarantined(db, consumer, batches).await?.is_empty() {
        ledgers.keep(db, now).await?;
        return Ok(Applied { quarantined: 1, ..Applied::default() });
    }
    if sift(batches, &mut ledgers.rows, now).fresh.is_empty() {
        return apply(db, consumer, batches, raw, now).await;
    }
    let effect = Effect { consumer, raw, now };
    let applied = dead::salvage(db, consumer, &batches[0], answer, &effect, now).await?;
    ledgers.keep(db, now).await?;
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
        if batches.is_empty() {
            return Ok(0);
        }
        match self.consumer {
            Consumer::Totals => {
                let mut tally = Tally::of_totals();
                tally.add(batches.iter().copied(), self.now);
                add_totals(db, &tally.totals()).await
            }
            Consumer::Analytics => {
                let mut tally = Tally::of_analytics(self.raw.sampler().clone());
                tally.add(batches.iter().copied(), self.now);
                take_analytics(db, &tally).await?;
                Ok(0)
            }
        }
    }
}

async fn take_analytics(db: &DatabaseTransaction, tally: &Tally) -> Result<(), Error> {
    rollups::add(db, tally).await?;
    raw::keep(db, tally.packs()).await
}

/// Adds to the totals that exist, and returns the clicks that have none.
async fn add_totals(db: &impl ConnectionTrait, totals: &[(LinkId, u64)]) -> Result<u64, Error> {
    let links = || ids(totals.iter().map(|(link, _)| *link));
    // An update locks rows in whatever order it finds them: two of them could wait for each other.
    let lock = "SELECT link FROM link_total WHERE link = ANY($1) ORDER BY link FOR UPDATE";
    let rows = db.query_all_raw(statement(lock, [links()])).await?;
    let found = rows.iter().map(|row| Ok(LinkId::from_uuid(row.try_get_by_index(0)?)));
    let found = found.collect::<Result<HashSet<_>, DbErr>>()?;
    let values = [links(), bigints(totals.iter().map(|(_, clicks)| signed(*clicks)))];
    db.execute_raw(statement(include_str!("sql/totals_add.sql"), values)).await?;
    Ok(totals.iter().filter(|(link, _)| !found.contains(link)).map(|(_, clicks)| clicks).sum())
}
