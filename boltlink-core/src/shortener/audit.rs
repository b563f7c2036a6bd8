//! The audit log: written after something is done, and before it is answered.

use std::{sync::Arc, time::Duration};

use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::SendError},
    oneshot, watch,
};

use super::{Engine, Error, Shortener, backoff::Backoff, error::require_all};
use crate::{
    access::Actor,
    audit::{Action, AuditEntry, Author, ObjectId},
    error::StoreError,
    id::AuditId,
    random::EntropyExt,
    store::{AuditFilter, AuditStore},
    text::AuditDetail,
};

/// How many entries may wait to be stored. Beyond that nothing is done that could not be noted.
const WAITING: usize = 10_000;
/// Of how many calls they are stored at once.
const GROUP: usize = 100;
/// How many entries are stored at once, so that others who write wait no longer than for any other bulk.
const CHUNK: usize = 1_000;
/// How often it is tried again once the program ends, and how long it waits before.
const LAST_TRIES: u32 = 4;
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditListing {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<AuditId>,
}

/// What one call did, on its way to the store.
pub(super) struct Noted {
    entries: Vec<AuditEntry>,
    stored: oneshot::Sender<()>,
    /// Freed once they are stored.
    room: OwnedSemaphorePermit,
}

/// Takes entries in, and lets calls wait until they are stored.
pub(super) struct Auditor {
    queue: mpsc::UnboundedSender<Noted>,
    room: Arc<Semaphore>,
}

impl Auditor {
    /// One, and what stores what it takes in.
    pub(super) fn new(store: Arc<dyn AuditStore>) -> (Self, AuditWriter) {
        let (sender, queue) = mpsc::unbounded_channel();
        let auditor = Self { queue: sender, room: Arc::new(Semaphore::new(WAITING)) };
        (auditor, AuditWriter { queue, store })
    }
}

/// What is done to one object.
pub(super) type Deed = (Action, ObjectId, Option<AuditDetail>);

/// A deed.
pub(super) fn deed(action: Action, object: impl Into<ObjectId>, detail: Option<AuditDetail>) -> Deed {
    (action, object.into(), detail)
}

/// A deed of which the store says whether it did it.
pub(super) fn if_so(done: Option<&bool>, deed: Deed) -> Vec<Deed> {
    if done == Some(&false) { Vec::new() } else { vec![deed] }
}

impl Shortener {
    /// Lets a store do one thing, and notes it.
    pub(super) async fn audited<T: Send + 'static>(
        &self,
        author: impl Into<Author>,
        deed: Deed,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.audited_as(author, 1, |_| vec![deed], call).await
    }

    /// Lets a store do what it is asked to, and notes what that was: `deeds` tells by the store's answer, and without one
    /// what may have been done; `most` is how many it may tell. Goes on if the caller does not wait for it; so nobody does something unseen by hanging up.
    pub(super) async fn audited_as<T: Send + 'static>(
        &self,
        author: impl Into<Author>,
        most: usize,
        deeds: impl FnOnce(Option<&T>) -> Vec<Deed> + Send + 'static,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (engine, author) = (self.0.clone(), author.into());
        let full = || StoreError::unavailable("too many changes wait to be written to the audit log");
        // However many somebody changes at once, it counts as no more than one chunk: else it would never have room.
        let most = u32::try_from(most.min(CHUNK)).map_err(|_| full())?;
        let room = engine.audit.room.clone().try_acquire_many_owned(most).map_err(|_| full())?;
        let task = tokio::spawn(async move {
            let done = engine.within(call).await;
            let deeds = match &done {
                Ok(answer) => deeds(Some(answer)),
                Err(error) if error.is_retryable() => deeds(None),
                Err(_) => Vec::new(),
            };
            if !deeds.is_empty() {
                engine.note(room, author, deeds, done.is_ok()).await;
            }
            done
        });
        task.await.unwrap_or_else(|error| Err(StoreError::backend(error)))
    }
}

impl Engine {
    /// Notes what somebody did, by itself if the writer has ended; returns when it is stored, or the store takes too long: it is done, and nothing would be
    /// better for saying otherwise.
    async fn note(&self, room: OwnedSemaphorePermit, author: Author, deeds: Vec<Deed>, certain: bool) {
        let at = self.clock.now();
        let entry = |(action, object, detail)| {
            let id = self.entropy.audit_id(at);
            AuditEntry { id, at, author, action, object, certain, detail }
        };
        let (stored, told) = oneshot::channel();
        let noted = Noted { entries: deeds.into_iter().map(entry).collect(), stored, room };
        if let Err(SendError(noted)) = self.audit.queue.send(noted) {
            if let Err(error) = self.within(self.stores.audit.append(&noted.entries)).await {
                tell_lost(&error, &noted.entries);
            }
            return;
        }
        // What is not certain is answered as that.
        if certain && !matches!(tokio::time::timeout(self.store_timeout, told).await, Ok(Ok(()))) {
            tracing::error!("the audit log takes no entries; some of this process wait in memory");
        }
    }
}

/// Stores entries, those of many calls at once.
pub(super) struct AuditWriter {
    queue: mpsc::UnboundedReceiver<Noted>,
    store: Arc<dyn AuditStore>,
}

impl AuditWriter {
    /// Until it is told to stop, and has stored what was noted before.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        let (mut stopped, mut stopping) = (stop.clone(), false);
        let mut group = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = self.queue.recv_many(&mut group, GROUP) => {
                    if count == 0 {
                        return;
                    }
                    self.store(group.drain(..), stop.clone()).await;
                }
                () = told(&mut stopped), if !stopping => {
                    stopping = true;
                    // What was sent before comes through still.
                    self.queue.close();
                }
            }
        }
    }

    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        for chunk in entries.chunks(CHUNK) {
            self.store.append(chunk).await?;
        }
        Ok(())
    }

    /// Stores a group, however long it takes; at the end what cannot be stored goes where warnings go.
    async fn store(&self, group: impl Iterator<Item = Noted>, mut stop: watch::Receiver<bool>) {
        let (mut entries, mut callers, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
        for noted in group {
            entries.extend(noted.entries);
            callers.push(noted.stored);
            rooms.push(noted.room);
        }
        let (mut backoff, mut tries_left) = (Backoff::default(), LAST_TRIES);
        while let Err(error) = self.append(&entries).await {
            tracing::error!(%error, entries = entries.len(), "the audit log cannot be written; trying again");
            if tokio::time::timeout(backoff.next(), told(&mut stop)).await.is_ok() {
                if tries_left == 0 {
                    return tell_lost(&error, &entries);
                }
                tries_left -= 1;
                tokio::time::sleep(LAST_PAUSE).await;
            }
        }
        for caller in callers {
            // Who waits no longer need not know.
            let _ = caller.send(());
        }
    }
}

/// Where warnings go is the last place for what could not be stored.
fn tell_lost(error: &StoreError, entries: &[AuditEntry]) {
    for entry in entries {
        tracing::error!(%error, ?entry, "an entry of the audit log was not stored");
    }
}

/// Returns once it is told to stop, or nobody is left who could tell.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Shortener {
    /// Up to `limit` entries of the audit log that pass `filter`, newest first, older than `before`. What was answered is
    /// in it, but for what could not be stored for long.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::OtherDomain`] unless the actor is an admin of everything; if the store fails.
    pub async fn audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<AuditListing, Error> {
        require_all(actor)?;
        // One more than asked for tells whether there is a next page.
        let found = self.0.stores.audit.list(filter, before, limit.saturating_add(1));
        let mut entries = self.0.within(found).await?;
        let mut next = None;
        if entries.len() > limit as usize {
            entries.truncate(limit as usize);
            next = entries.last().map(|entry| entry.id);
        }
        Ok(AuditListing { entries, next })
    }
}

/// A detail that is never too long: what is beyond the bound is cut.
pub(super) fn detail(text: impl std::fmt::Display) -> Option<AuditDetail> {
    let text = text.to_string();
    let end = text.char_indices().nth(AuditDetail::MAX).map_or(text.len(), |(end, _)| end);
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_cut_between_characters() {
        let long = detail("ü".repeat(2 * AuditDetail::MAX)).unwrap();
        assert_eq!(long.as_str(), "ü".repeat(AuditDetail::MAX));
        assert_eq!(detail(""), None);
    }
}
