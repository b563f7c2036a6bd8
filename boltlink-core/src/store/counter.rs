//! The log of clicks that are not stored yet.

use async_trait::async_trait;

use crate::{
    click::{BatchId, ClickBatch},
    error::StoreError,
    id::LinkId,
    store::Consumer,
    time::Timestamp,
};

/// Whether a batch is handed to the log for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// For the first time, by its own recorder: whatever was ever sent as [`Again`](Self::Again) is
    /// not sent as this any more.
    First,
    /// Perhaps not: after an unknown outcome, a reconnect, or out of a journal.
    Again,
}

/// An uninterrupted memory of a click log: as long as it stays the same, what was added and not settled is still there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LogRun(pub u64);

/// What a click log holds for one consumer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Batches that the consumer has not settled.
    pub batches: u64,
    /// About when the oldest of them was added.
    pub oldest: Option<Timestamp>,
}

/// The log between recorders and the two [sinks](crate::store::ClickSink), with a view of what it
/// holds so that totals are live.
///
/// # Contract
///
/// - **At least once.** A batch that was added is sealed to each consumer again and again until that
///   consumer settles it. The log may forget (a restart, a failover): the journal sends again.
///   Correctness needs neither its leases nor its memory, only the sinks' ledgers.
/// - **The pending view never shows too much.** It is raised only by a [first](Delivery::First)
///   delivery above the highest sequence seen of its producer, belongs to the log's run, and is
///   taken down when the totals consumer first seals the batch that raised it (or settles it
///   unsealed). So whoever reads the stored total *first* and the pending view *then* may see less
///   than was recorded for a moment, never more.
/// - A batch is held until both consumers have settled it.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// Takes a batch. Adding one that the log already holds changes nothing. One atomic step.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the log is away or full; it may hold the batch all the same.
    /// Send it again later, as [`Delivery::Again`].
    async fn add(&self, batch: &ClickBatch, delivery: Delivery) -> Result<(), StoreError>;

    /// Takes batches of one producer, in their order, each as [`add`](Self::add) does: for logs to which a call costs more than
    /// what is said in it. Says how many of them it holds, from the first on: fewer than all if the next one was refused, as
    /// it is to be sent again. Those after that were not taken.
    ///
    /// # Errors
    /// As [`add`](Self::add), if it does not hold the first, or nobody knows; any of them may be held. Send all of them again.
    async fn add_all(&self, batches: &[(ClickBatch, Delivery)]) -> Result<usize, StoreError> {
        for (taken, (batch, delivery)) in batches.iter().enumerate() {
            match self.add(batch, *delivery).await {
                Err(_) if taken > 0 => return Ok(taken),
                added => added?,
            }
        }
        Ok(batches.len())
    }

    /// Clicks of each of these links that no totals consumer has sealed yet, in their order.
    async fn pending(&self, links: &[LinkId]) -> Result<Vec<u64>, StoreError>;

    /// Leases up to `limit` batches that `consumer` has neither settled nor leased, oldest first,
    /// whole. A lease that runs out (its holder died) is given anew.
    async fn seal(&self, consumer: Consumer, limit: usize) -> Result<Vec<ClickBatch>, StoreError>;

    /// Releases batches that `consumer` has dealt with. Unknown ones are ignored.
    async fn settle(&self, consumer: Consumer, batches: &[BatchId]) -> Result<(), StoreError>;

    /// The log's run. It changes whenever the log may have forgotten batches (a restart, a failover, a flush, the
    /// restore of a snapshot): whoever keeps batches that are not settled then sends them again.
    async fn run(&self) -> Result<LogRun, StoreError>;

    /// Whether it keeps its batches when this process ends. Consumers drain one that does not before they stop.
    fn outlives_process(&self) -> bool {
        false
    }

    /// What waits for `consumer`, leased or not, for operators to look at.
    async fn backlog(&self, consumer: Consumer) -> Result<Backlog, StoreError>;
}
