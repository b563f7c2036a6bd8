//! What waits to be stored, and what a store refused: for operators.

use std::sync::Arc;

use super::{Error, Shortener};
use crate::{
    click::BatchId,
    key::Actor,
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

/// All of these need an actor who [sees all](Actor::sees_all).
impl Shortener {
    /// What waits for each consumer.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Unavailable`] if the log or a store is away.
    pub async fn queue(&self, actor: &Actor) -> Result<Vec<QueueDepth>, Error> {
        let mut depths = Vec::new();
        for consumer in Consumer::ALL {
            let sink = self.sink(actor, consumer)?;
            let log = &self.0.stores.log;
            let read = async { tokio::try_join!(log.backlog(consumer), sink.count_dead_letters()) };
            let (backlog, dead_letters) = self.0.within(read).await?;
            depths.push(QueueDepth { consumer, backlog, dead_letters });
        }
        Ok(depths)
    }

    /// A page of what a consumer's store refused, by [`ClickSink::dead_letters`].
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Unavailable`].
    pub async fn dead_letters(
        &self,
        actor: &Actor,
        consumer: Consumer,
        after: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, Error> {
        let sink = self.sink(actor, consumer)?;
        Ok(self.0.within(sink.dead_letters(after, limit)).await?)
    }

    /// What waits of one batch.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] if nothing does; [`Error::Unavailable`].
    pub async fn dead_letter(&self, actor: &Actor, consumer: Consumer, id: BatchId) -> Result<DeadLetter, Error> {
        let sink = self.sink(actor, consumer)?;
        self.0.within(sink.dead_letter(id)).await?.ok_or(Error::NotFound { what: "dead letter" })
    }

    /// Applies what waits of a batch, by [`ClickSink::replay`].
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Refused`] if the store still refuses it;
    /// [`Error::Unavailable`]: it may have been applied, and repeating the call does not apply it twice.
    pub async fn replay(&self, actor: &Actor, consumer: Consumer, id: BatchId) -> Result<Applied, Error> {
        let sink = self.sink(actor, consumer)?;
        Ok(self.0.within(sink.replay(id)).await?)
    }

    /// Drops what waits of a batch for good, by [`ClickSink::purge`].
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Unavailable`].
    pub async fn purge(&self, actor: &Actor, consumer: Consumer, id: BatchId) -> Result<(), Error> {
        let sink = self.sink(actor, consumer)?;
        Ok(self.0.within(sink.purge(id)).await?)
    }

    fn sink(&self, actor: &Actor, consumer: Consumer) -> Result<&Arc<dyn ClickSink>, Error> {
        if !actor.sees_all() {
            return Err(Error::Forbidden);
        }
        Ok(match consumer {
            Consumer::Totals => &self.0.stores.totals,
            Consumer::Analytics => &self.0.stores.analytics,
        })
    }
}
