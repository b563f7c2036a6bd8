//! Where clicks take effect: totals, and analytics.

use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;

use crate::{
    click::{BatchId, ClickBatch, DecodeError},
    error::StoreError,
    id::ProducerId,
    ledger::Ledger,
    tally::Tally,
    time::Timestamp,
};

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

    /// `totals` or `analytics`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Totals => "totals",
            Self::Analytics => "analytics",
        }
    }
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
/// - What a store refuses waits as a [dead letter](Self::dead_letters): a click apart from its batch, or a batch whole. It
///   takes effect once when it is replayed, never when its batch is delivered again.
/// - Clicks of links that do not exist have no total to go to: the totals sink reports them as
///   orphaned; the analytics sink keeps them.
/// - One that works for long on the node's own cores offers them to visits meanwhile, as [`Pace`](crate::Pace) does.
#[async_trait]
pub trait ClickSink: Send + Sync {
    /// Applies the batches in one transaction.
    ///
    /// Costs few statements, however many clicks: they are added up first, duplicates before that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: repeat the call, for ever if need be. [`StoreError::Invalid`]: a
    /// batch can never be applied; nothing was. Find it by halves and [salvage](Self::salvage) the rest of it.
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError>;

    /// An empty tally of what this sink makes of clicks, for whoever adds them up before they are stored: an hour's clicks of
    /// a link are one row, however many batches they came in. `None` if it takes [batches](Self::apply) only.
    fn tally(&self) -> Option<Tally> {
        None
    }

    /// Applies all batches of a [tally](Self::tally), as [`apply`](Self::apply) does, or none of them: `None` says that at
    /// least one must not be applied, and nothing was done. Then apply them by themselves. The
    /// engine [arranges](Tally::arrange) it before, so that no transaction takes time for that.
    ///
    /// # Errors
    /// As [`apply`](Self::apply): after [`StoreError::Invalid`] apply the batches by themselves, too.
    async fn apply_tally(&self, tally: &Arc<Tally>) -> Result<Option<Applied>, StoreError> {
        let _ = tally;
        Ok(None)
    }

    /// Puts a batch that the store refuses into quarantine, with the reason, so that it holds up
    /// nobody. Idempotent; does nothing if the ledger shows it as applied. Applied again later, it
    /// stays in quarantine and counts as quarantined.
    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError>;

    /// Applies a batch without the clicks that the store refuses, and puts those into its dead letters, with the
    /// reason: effect, ledger and dead letters are one transaction. What has been applied or set aside before is left
    /// alone. Costs a statement or more for each half that has such a click in it.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); [`StoreError::Invalid`] if not even the rest can be applied.
    async fn salvage(&self, batch: &ClickBatch) -> Result<Applied, StoreError>;

    /// What waits for an operator: dead letters, and batches set aside whole. Ordered by batch, after `after`, at most
    /// `limit`. One whose clicks cannot be read is there with the others, and says so.
    async fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<DeadLetter>, StoreError>;

    /// Of which batches something waits, as [`dead_letters`](Self::dead_letters) has them. Stores that can do it without
    /// reading clicks should.
    async fn dead_letter_ids(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<BatchId>, StoreError> {
        Ok(self.dead_letters(after, limit).await?.into_iter().map(|letter| letter.id).collect())
    }

    /// What waits of one batch.
    async fn dead_letter(&self, id: BatchId) -> Result<Option<DeadLetter>, StoreError>;

    /// Of how many batches something waits.
    async fn count_dead_letters(&self) -> Result<u64, StoreError>;

    /// How many batches have not come of which a later one of their producer has: those that are on their way,
    /// those that were set aside whole, and those that were lost. Of producers whose rows were dropped, none.
    async fn count_missing(&self) -> Result<u64, StoreError>;

    /// Applies what waits of a batch, and forgets that it waited, in one transaction. A batch that was set aside whole
    /// counts as applied from then on, also where nothing is known of its producer any more: the operator decides that it
    /// was not applied before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if nothing waits of it; [`StoreError::Invalid`] if the store still refuses it, and
    /// [`StoreError::Unreadable`] if its clicks cannot be read: then it goes on waiting.
    async fn replay(&self, id: BatchId) -> Result<Applied, StoreError>;

    /// Drops what waits of a batch for good, whether or not it can be read. It is never applied.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if nothing waits of it.
    async fn purge(&self, id: BatchId) -> Result<(), StoreError>;

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
    /// Clicks that were put into the dead letters now; not in `clicks`.
    pub dead: u64,
}

/// What waits of a batch for an operator to [replay](ClickSink::replay) or [purge](ClickSink::purge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The batch.
    pub id: BatchId,
    /// What waits of it.
    pub clicks: Result<DeadClicks, UnreadableClicks>,
    /// Why it was not applied.
    pub reason: String,
    /// Since when it waits.
    pub since: Timestamp,
}

/// The clicks of a [`DeadLetter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadClicks {
    batch: ClickBatch,
    places: Option<Places>,
}

/// What waits of a batch is there, but is damaged, or of a newer release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableClicks(String);

impl DeadClicks {
    /// All clicks of a batch.
    #[must_use]
    pub const fn whole(batch: ClickBatch) -> Self {
        Self { batch, places: None }
    }

    /// These clicks of `batch`, by their places in it.
    #[must_use]
    pub fn of(batch: &ClickBatch, places: &[usize]) -> Self {
        let clicks = batch.clicks().enumerate().filter(|(place, _)| places.contains(place)).map(|(_, click)| click);
        let places = places.iter().map(|place| batch.first_place() + place).collect();
        Self { batch: ClickBatch::new(batch.id(), clicks), places: Some(Places(places)) }
    }

    /// What a store kept of [`batch`](Self::batch) and [`places`](Self::places).
    ///
    /// # Errors
    /// [`UnreadableClicks`] if they are not those of the batch `id`, or of a release that this one does not know.
    pub fn from_parts(id: BatchId, encoded: Vec<u8>, places: Option<&str>) -> Result<Self, UnreadableClicks> {
        let batch = ClickBatch::decode(encoded.into())?;
        if batch.id() != id {
            return Err(UnreadableClicks::new(format_args!("what waits as {id} is of {}", batch.id())));
        }
        let places = places.map(str::parse::<Places>).transpose()?;
        if places.as_ref().is_some_and(|Places(places)| places.len() != batch.len()) {
            return Err(DamagedPlaces.into());
        }
        Ok(Self { batch, places })
    }

    /// The clicks, and no others, under their batch's name.
    #[must_use]
    pub const fn batch(&self) -> &ClickBatch {
        &self.batch
    }

    /// The places that they had in the batch; `None` if it waits whole.
    #[must_use]
    pub const fn places(&self) -> Option<&Places> {
        self.places.as_ref()
    }

    /// The clicks as batches to be applied, in which they have the ids that they always had.
    #[must_use]
    pub fn parts(&self) -> Vec<ClickBatch> {
        let Some(Places(places)) = &self.places else { return vec![self.batch.clone()] };
        let part = |(at, place): (usize, &usize)| self.batch.part(at..at + 1).placed(*place);
        places.iter().enumerate().map(part).collect()
    }
}

impl UnreadableClicks {
    /// That they cannot be read, and why.
    #[must_use]
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl From<DecodeError> for UnreadableClicks {
    fn from(error: DecodeError) -> Self {
        Self::new(error)
    }
}

impl From<DamagedPlaces> for UnreadableClicks {
    fn from(error: DamagedPlaces) -> Self {
        Self::new(error)
    }
}

impl From<UnreadableClicks> for StoreError {
    fn from(UnreadableClicks(reason): UnreadableClicks) -> Self {
        Self::Unreadable { reason }
    }
}

/// Places of clicks in a batch, from 0, ascending. Text form, for stores: `3,17`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places(Vec<usize>);

/// A row of a store holds something that no places can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored places of clicks are damaged")]
pub struct DamagedPlaces;

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.0.iter().enumerate() {
            write!(f, "{}{place}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Places {
    type Err = DamagedPlaces;

    fn from_str(text: &str) -> Result<Self, DamagedPlaces> {
        let places: Result<Vec<usize>, _> = text.split(',').map(str::parse).collect();
        let places = places.map_err(|_| DamagedPlaces)?;
        if places.is_sorted_by(|one, next| one < next) { Ok(Self(places)) } else { Err(DamagedPlaces) }
    }
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
