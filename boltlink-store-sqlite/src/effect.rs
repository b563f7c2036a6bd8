//! What clicks do once they take effect: totals, or rollups and single clicks.

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use boltlink_core::{
    ClickBatch, LinkId, Pace, Timestamp,
    sample::{Pack, Sampler},
    store::Consumer,
    tally::Tally,
};
use boltlink_store_sql::{
    Error, dead,
    row::{click_values, signed, unsigned},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

use crate::{batch::Batch, queue::Queue, rollups, writer::at_length};

static ADD: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/totals_add.sql")));
static KEEP: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/clicks_add.sql")));
static MISSING: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/totals_missing.sql")));

/// How many clicks that are too old are dropped at a time, at least.
const PRUNED: i64 = 1_000;

/// What one of the two sinks does with clicks.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Totals,
    /// The sampler is shared, as a transaction outlives the call that began it.
    Analytics(Sampler),
}

/// An effect at some moment.
pub(crate) struct At<'a> {
    pub(crate) effect: &'a Effect,
    pub(crate) now: Timestamp,
    pub(crate) queue: &'a Queue,
}

impl Effect {
    pub(crate) const fn consumer(&self) -> Consumer {
        match self {
            Self::Totals => Consumer::Totals,
            Self::Analytics(_) => Consumer::Analytics,
        }
    }

    /// An empty tally of what it needs.
    pub(crate) fn tally(&self) -> Tally {
        match self {
            Self::Totals => Tally::of_totals(),
            Self::Analytics(sampler) => Tally::of_analytics(sampler.clone()),
        }
    }
}

impl At<'_> {
    pub(crate) const fn consumer(&self) -> Consumer {
        self.effect.consumer()
    }

    /// Makes clicks take effect, and says how many of them found no link.
    pub(crate) async fn take_tally(&self, db: &DatabaseTransaction, tally: &Tally) -> Result<u64, Error> {
        match self.effect {
            Effect::Totals => add_totals(db, &tally.totals()).await,
            Effect::Analytics(sampler) => {
                rollups::add(db, tally, self.queue).await?;
                self.keep(db, tally.packs(), sampler.raw_clicks().retention).await?;
                Ok(0)
            }
        }
    }

    /// Keeps single clicks, and drops some that are too old by now.
    async fn keep(
        &self,
        db: &DatabaseTransaction,
        clicks: impl Iterator<Item = Pack<'_>> + Send,
        retention: Duration,
    ) -> Result<(), Error> {
        let mut clicks = Counted { packs: clicks, kept: 0 };
        let row = |pack| {
            self.queue.step();
            click_values(pack)
        };
        KEEP.execute_rows(db, &mut clicks, row, |_, _| {}).await?;
        let kept = clicks.kept;
        if kept == 0 {
            return Ok(());
        }
        // More rows than clicks have come, so that those that are too old grow fewer.
        let pruned = PRUNED + 2 * signed(kept as u64);
        let values = [self.now.minus(retention).as_micros().into(), pruned.into()];
        let prune = Statement::from_sql_and_values(DbBackend::Sqlite, include_str!("sql/clicks_prune.sql"), values);
        db.execute_raw(prune).await?;
        Ok(())
    }
}

#[async_trait]
impl dead::Effect for At<'_> {
    async fn take(&self, db: &DatabaseTransaction, batches: &[&ClickBatch]) -> Result<u64, Error> {
        let mut tally = self.effect.tally();
        at_length(|| {
            tally.add(batches.iter().copied(), self.now);
            // In a transaction that requests may wait for.
            tally.arrange(&mut Pace::unbroken());
        });
        self.take_tally(db, &tally).await
    }
}

/// Adds to the totals that exist, and returns the clicks that have none.
async fn add_totals(db: &DatabaseTransaction, totals: &[(LinkId, u64)]) -> Result<u64, Error> {
    let values = |(link, clicks): &(LinkId, u64)| [(*link.as_uuid()).into(), signed(*clicks).into()];
    let mut missing = false;
    ADD.execute_rows(db, totals, values, |rows, affected| missing |= affected < rows as u64).await?;
    if !missing {
        return Ok(0);
    }
    let mut orphaned = 0;
    for row in MISSING.query_rows(db, totals, values).await? {
        orphaned += unsigned(row.try_get_by_index(0)?);
    }
    Ok(orphaned)
}

/// Packs, and how many clicks were in those that were taken.
struct Counted<I> {
    packs: I,
    kept: usize,
}

impl<'a, I: Iterator<Item = Pack<'a>>> Iterator for Counted<I> {
    type Item = Pack<'a>;

    fn next(&mut self) -> Option<Pack<'a>> {
        let pack = self.packs.next()?;
        self.kept += pack.count();
        Some(pack)
    }
}
