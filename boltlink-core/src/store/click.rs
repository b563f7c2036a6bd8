//! Where clicks take effect: totals, and analytics.

use async_trait::async_trait;

use crate::{click::ClickBatch, error::StoreError, id::ProducerId, ledger::Ledger};

/// A consumer of the click log: link totals, or analytics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Consumer {
    /// Counts clicks per link.
    Totals,
    /// Keeps rollups of clicks by time and dimension.
    Analytics,
}

impl Consumer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Totals, Self::Analytics];
}

/// Applies batches of clicks, each exactly once: the effect and the [ledger](Ledger) of it are one
/// transaction, and only that transaction decides what is a duplicate.
///
/// Link totals and analytics are both such sinks; every store has one of each, with ledgers of
/// their own.
///
/// # Contract
///
/// - Batches may come late, twice, out of order and from several processes at once. At rest the
///   effect is that of each distinct batch once.
/// - A batch whose producer has a ledger row is judged by it, at any age. Without a row, and with a
///   producer that [began too long ago](crate::ledger::may_begin), it is quarantined: kept whole,
///   once per `(consumer, batch)`, for an operator; never applied, never discarded.
/// - Rows outlive their producer's last batch by [`RETENTION`](crate::ledger::RETENTION) at least.
/// - Clicks dated ahead of the store's clock are [clamped](crate::click::clamp_skew).
/// - The analytics sink keeps single clicks too, as a [`sample`](crate::sample): all of them up to a rate, and
///   beyond it at least one of each link in a call, with weights that add up to the clicks. It drops them after a
///   time; clicks that are older when they come count in rollups only.
/// - Clicks of links that do not exist have no total to go to: the totals sink reports them as
///   orphaned; the analytics sink keeps them.
#[async_trait]
pub trait ClickSink: Send + Sync {
    /// Applies the batches in one transaction.
    ///
    /// Costs few statements, however many clicks: they are added up first, duplicates before that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: repeat the call, for ever if need be. [`StoreError::Invalid`]: a
    /// batch can never be applied; nothing was. Find it by halves and [set it aside](Self::set_aside).
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError>;

    /// Puts a batch that the store refuses into quarantine, with the reason, so that it holds up
    /// nobody. Idempotent; does nothing if the ledger shows it as applied. Applied again later, it
    /// stays in quarantine and counts as quarantined.
    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError>;

    /// What this sink has dealt with of each of the producers, in their order: what a journal may
    /// release. Unknown producers have an empty ledger.
    async fn applied(&self, producers: &[ProducerId]) -> Result<Vec<LedgerState>, StoreError>;
}

/// What became of the batches of one [`ClickSink::apply`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Batches that took effect now.
    pub batches: u64,
    /// Batches that had taken effect before.
    pub duplicates: u64,
    /// Batches put into quarantine (now or before).
    pub quarantined: u64,
    /// Clicks in the batches that took effect now.
    pub clicks: u64,
    /// Those of them whose link does not exist (totals only).
    pub orphaned: u64,
}

/// What a sink has dealt with of one producer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// What it has applied.
    pub ledger: Ledger,
    /// The sequences of its batches in quarantine, ascending.
    pub quarantined: Vec<u64>,
}

impl LedgerState {
    /// Whether the sink needs to see this batch no more.
    #[must_use]
    pub fn has_dealt_with(&self, sequence: u64) -> bool {
        self.ledger.contains(sequence) || self.quarantined.binary_search(&sequence).is_ok()
    }
}
