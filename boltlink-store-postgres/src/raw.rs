//! Single clicks.

use std::sync::{Mutex, PoisonError};

use boltlink_core::{
    ClickBatch, Network, Timestamp, VisitorHash,
    sample::{Allowance, RawClicks, Sampled, sample},
};
use boltlink_store_sql::{Error, row::signed};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use crate::{
    array::{bigints, ids, optional, optional_bytes, statement, uuids},
    partition::{self, Housekeeping},
    pool::Pool,
};

/// Which single clicks are kept, and where.
#[derive(Debug)]
pub(crate) struct Raw {
    clicks: RawClicks,
    allowance: Mutex<Allowance>,
    housekeeping: Housekeeping,
}

impl Raw {
    pub(crate) fn new(clicks: RawClicks, now: Timestamp) -> Self {
        let allowance = Mutex::new(Allowance::full(clicks.per_second, now));
        Self { clicks, allowance, housekeeping: Housekeeping::default() }
    }

    /// Makes the partitions of today and of the days to come, and drops those that are too old, where that is due. If it
    /// cannot be done now, clicks go into the default partition.
    pub(crate) async fn keep_house(&self, pool: &Pool, now: Timestamp) {
        if self.clicks.per_second > 0 && self.housekeeping.is_due(now) {
            match partition::keep_house(pool, self.clicks.retention, now).await {
                Ok(()) => self.housekeeping.done(now),
                Err(error) => {
                    tracing::warn!(%error, "the partitions of single clicks could not be brought up to date");
                    self.housekeeping.postpone(now);
                }
            }
        }
    }

    /// Keeps a sample of the clicks.
    pub(crate) async fn keep(
        &self,
        db: &DatabaseTransaction,
        batches: &[&ClickBatch],
        now: Timestamp,
    ) -> Result<(), Error> {
        if self.clicks.per_second == 0 {
            return Ok(());
        }
        let kept = {
            let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = sample(batches.iter().copied(), allowance.refill(now), self.clicks.retention, now);
            allowance.spend(kept.len() as u64);
            kept
        };
        if !kept.is_empty() {
            db.execute_raw(statement(include_str!("sql/clicks_add.sql"), columns(&kept))).await?;
        }
        Ok(())
    }
}

fn columns(kept: &[Sampled<'_>]) -> [Value; 9] {
    let network = |network| match network {
        Network::V4(bytes) => bytes.to_vec(),
        Network::V6(bytes) => bytes.to_vec(),
    };
    [
        ids(kept.iter().map(|row| row.click.link)),
        bigints(kept.iter().map(|row| row.at.as_micros())),
        uuids(kept.iter().map(|row| *row.id.as_uuid())),
        bigints(kept.iter().map(|row| signed(row.weight))),
        optional(kept.iter().map(|row| row.click.referrer)),
        optional(kept.iter().map(|row| row.click.user_agent)),
        optional(kept.iter().map(|row| row.click.language)),
        optional_bytes(kept.iter().map(|row| row.click.visitor.map(|VisitorHash(hash)| hash.to_be_bytes()))),
        optional_bytes(kept.iter().map(|row| row.click.network.map(network))),
    ]
}
