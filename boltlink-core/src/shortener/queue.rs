//! What waits to be stored, and what a store refused: for operators.

use std::{fmt, str::FromStr, sync::Arc};

use tracing::instrument;

use super::{Error, Shortener, audit::deed, error::require_all};
use crate::{
    access::Actor,
    audit::Action,
    click::BatchId,
    error::StoreError,
    store::{Applied, Backlog, ClickSink, Consumer, DeadLetter},
};

/// What waits for one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// The consumer.
    pub consumer: Consumer,
    /// What it has still to store. Of a click log in this process, what waits here.
    pub backlog: Backlog,
    /// Of how many batches something waits for an operator.
    pub dead_letters: u64,
}

/// Names what waits of a batch in the dead letters of a consumer: `totals.<producer>.<sequence>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetterId {
    /// Whose store refused it.
    pub consumer: Consumer,
    /// The batch.
    pub batch: BatchId,
}

/// The text names no dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a dead letter: totals or analytics, a producer and a number, with dots between them")]
pub struct InvalidDeadLetterId;

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.consumer.name(), self.batch.producer, self.batch.sequence)
    }
}

impl FromStr for DeadLetterId {
    type Err = InvalidDeadLetterId;

    fn from_str(text: &str) -> Result<Self, InvalidDeadLetterId> {
        let (consumer, batch) = text.split_once('.').ok_or(InvalidDeadLetterId)?;
        let consumer = Consumer::ALL.into_iter().find(|known| known.name() == consumer).ok_or(InvalidDeadLetterId)?;
        let (producer, sequence) = batch.split_once('.').ok_or(InvalidDeadLetterId)?;
        let producer = producer.parse().map_err(|_| InvalidDeadLetterId)?;
        let sequence = sequence.parse().map_err(|_| InvalidDeadLetterId)?;
        let id = Self { consumer, batch: BatchId { producer, sequence } };
        // One text for each: `parse` reads capitals and signs, too.
        if id.to_string() == text { Ok(id) } else { Err(InvalidDeadLetterId) }
    }
}

impl Shortener {
    /// How many batches wait for an operator, as a consumer's store refused something of them.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store is away.
    #[instrument(level = "debug", skip_all)]
    pub async fn dead_letter_count(&self, consumer: Consumer) -> Result<u64, Error> {
        Ok(self.0.within(self.sink_of(consumer).count_dead_letters()).await?)
    }

    /// How many batches a consumer's store has not seen of which later ones have come: on their way, or lost.
    ///
    /// # Errors
    /// As [`dead_letter_count`](Self::dead_letter_count).
    #[instrument(level = "debug", skip_all)]
    pub async fn missing_batches(&self, consumer: Consumer) -> Result<u64, Error> {
        Ok(self.0.within(self.sink_of(consumer).count_missing()).await?)
    }

    fn sink_of(&self, consumer: Consumer) -> &Arc<dyn ClickSink> {
        match consumer {
            Consumer::Totals => &self.0.stores.totals,
            Consumer::Analytics => &self.0.stores.analytics,
        }
    }
}

/// All of these need an admin who is not bound to certain domains.
impl Shortener {
    /// What waits for each consumer.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Unavailable`] if the log or a store is away.
    #[instrument(level = "debug", skip_all)]
    pub async fn queue(&self, actor: &Actor) -> Result<Vec<QueueDepth>, Error> {
        require_all(actor)?;
        let mut depths = Vec::new();
        for consumer in Consumer::ALL {
            let dead_letters = self.dead_letter_count(consumer).await?;
            let backlog = self.backlog(consumer).await?;
            depths.push(QueueDepth { consumer, backlog, dead_letters });
        }
        Ok(depths)
    }

    /// A page of what the stores refused, consumer by consumer, after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Unavailable`].
    #[instrument(level = "debug", skip_all)]
    pub async fn dead_letters(
        &self,
        actor: &Actor,
        after: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<Vec<(DeadLetterId, DeadLetter)>, Error> {
        let read = |sink: Arc<dyn ClickSink>, after, limit| async move { sink.dead_letters(after, limit).await };
        let letters = self.dead_page(actor, after, limit, read).await?;
        let named = |(consumer, letter): (_, DeadLetter)| (DeadLetterId { consumer, batch: letter.id }, letter);
        Ok(letters.into_iter().map(named).collect())
    }

    /// The names of [`dead_letters`](Self::dead_letters), without what they have in them.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Unavailable`].
    #[instrument(level = "debug", skip_all)]
    pub async fn dead_letter_ids(
        &self,
        actor: &Actor,
        after: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<Vec<DeadLetterId>, Error> {
        let read = |sink: Arc<dyn ClickSink>, after, limit| async move { sink.dead_letter_ids(after, limit).await };
        let ids = self.dead_page(actor, after, limit, read).await?;
        Ok(ids.into_iter().map(|(consumer, batch)| DeadLetterId { consumer, batch }).collect())
    }

    /// What waits of one batch.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] if nothing does; [`Error::Unavailable`].
    #[instrument(level = "debug", skip_all)]
    pub async fn dead_letter(&self, actor: &Actor, id: DeadLetterId) -> Result<DeadLetter, Error> {
        let sink = self.sink(actor, id.consumer)?;
        self.0.within(sink.dead_letter(id.batch)).await?.ok_or(Error::NotFound { what: "dead letter" })
    }

    /// Applies what waits of a batch, by [`ClickSink::replay`].
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Refused`] if the store still refuses it;
    /// [`Error::Unreadable`] if its clicks cannot be read; [`Error::Unavailable`]: it may have been applied, and repeating
    /// the call does not apply it twice.
    #[instrument(level = "debug", skip_all)]
    pub async fn replay(&self, actor: &Actor, id: DeadLetterId) -> Result<Applied, Error> {
        let sink = self.sink(actor, id.consumer)?.clone();
        let call = async move { sink.replay(id.batch).await };
        self.audited(actor, deed(Action::DeadLetterReplayed, id, None), |_| {}, call).await
    }

    /// Drops what waits of a batch for good, by [`ClickSink::purge`].
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Unavailable`].
    #[instrument(level = "debug", skip_all)]
    pub async fn purge(&self, actor: &Actor, id: DeadLetterId) -> Result<(), Error> {
        let sink = self.sink(actor, id.consumer)?.clone();
        let call = async move { sink.purge(id.batch).await };
        self.audited(actor, deed(Action::DeadLetterPurged, id, None), |_| {}, call).await
    }

    /// What `read` tells of one consumer after the other, until there are `limit`.
    async fn dead_page<T, F>(
        &self,
        actor: &Actor,
        after: Option<DeadLetterId>,
        limit: u32,
        read: impl Fn(Arc<dyn ClickSink>, Option<BatchId>, u32) -> F,
    ) -> Result<Vec<(Consumer, T)>, Error>
    where
        F: Future<Output = Result<Vec<T>, StoreError>>,
    {
        let mut page = Vec::new();
        // The first consumer is over once the place is in the second.
        let start = usize::from(after.is_some_and(|after| after.consumer != Consumer::ALL[0]));
        for consumer in &Consumer::ALL[start..] {
            let sink = self.sink(actor, *consumer)?;
            let left = limit.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
            if left == 0 {
                break;
            }
            let after = after.filter(|after| after.consumer == *consumer).map(|after| after.batch);
            let some = self.0.within(read(sink.clone(), after, left)).await?;
            page.extend(some.into_iter().map(|one| (*consumer, one)));
        }
        Ok(page)
    }

    fn sink(&self, actor: &Actor, consumer: Consumer) -> Result<&Arc<dyn ClickSink>, Error> {
        require_all(actor)?;
        Ok(self.sink_of(consumer))
    }
}
