//! Single clicks.

use boltlink_core::{
    Network, Timestamp, VisitorHash,
    sample::{Pack, RawClicks, Sampler},
};
use boltlink_store_sql::{Error, row::signed};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use crate::{
    array::{bigints, ids, optional, optional_bigints, optional_bytes, statement, uuids},
    partition::{self, Housekeeping},
    pool::Pool,
    rollups::ROWS,
};

/// Which single clicks are kept, and where.
#[derive(Debug)]
pub(crate) struct Raw {
    sampler: Sampler,
    housekeeping: Housekeeping,
}

impl Raw {
    pub(crate) fn new(clicks: RawClicks, now: Timestamp) -> Self {
        Self { sampler: Sampler::new(clicks, now), housekeeping: Housekeeping::default() }
    }

    /// What decides which clicks are kept.
    pub(crate) const fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Makes the partitions of today and of the days to come, and drops those that are too old, where that is due. If it
    /// cannot be done now, clicks go into the default partition.
    pub(crate) async fn keep_house(&self, pool: &Pool, now: Timestamp) {
        let clicks = self.sampler.raw_clicks();
        if clicks.per_second > 0 && self.housekeeping.is_due(now) {
            match partition::keep_house(pool, clicks.retention, now).await {
                Ok(()) => self.housekeeping.done(now),
                Err(error) => {
                    tracing::warn!(%error, "the partitions of single clicks could not be brought up to date");
                    self.housekeeping.postpone(now);
                }
            }
        }
    }
}

/// Keeps single clicks.
pub(crate) async fn keep(
    db: &DatabaseTransaction,
    mut clicks: impl Iterator<Item = Pack<'_>> + Send,
) -> Result<(), Error> {
    loop {
        let mut some = Vec::new();
        let mut count = 0;
        while count < ROWS
            && let Some(pack) = clicks.next()
        {
            count += pack.count();
            some.push(pack);
        }
        if some.is_empty() {
            return Ok(());
        }
        db.execute_raw(statement(include_str!("sql/clicks_add.sql"), columns(&some))).await?;
    }
}

fn columns(packs: &[Pack<'_>]) -> [Value; 11] {
    let network = |network| match network {
        Network::V4(bytes) => bytes.to_vec(),
        Network::V6(bytes) => bytes.to_vec(),
    };
    let kept = || packs.iter().map(|pack| &pack.newest);
    let others = || packs.iter().map(|pack| pack.others.as_ref());
    [
        ids(kept().map(|row| row.click.link)),
        bigints(kept().map(|row| row.at.as_micros())),
        uuids(kept().map(|row| *row.id.as_uuid())),
        bigints(kept().map(|row| signed(row.weight))),
        optional(kept().map(|row| row.click.referrer)),
        optional(kept().map(|row| row.click.user_agent)),
        optional(kept().map(|row| row.click.language)),
        optional_bytes(kept().map(|row| row.click.visitor.map(|VisitorHash(hash)| hash.to_be_bytes()))),
        optional_bytes(kept().map(|row| row.click.network.map(network))),
        optional_bigints(others().map(|others| others.map(|others| others.oldest.as_micros()))),
        optional_bytes(others().map(|others| others.map(|others| &others.packed))),
    ]
}
