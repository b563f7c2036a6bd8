//! The audit log: written after something is done, and before it is answered.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{self, error::SendError},
        oneshot, watch,
    },
    time::Instant,
};
use tracing::{Instrument, instrument};

use super::{Caches, Engine, Error, Shortener, backoff::Backoff, error::require_all};
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
/// Once the program ends: how long it is tried still while nothing is taken, and how often.
const LAST: Duration = Duration::from_secs(2);
const LAST_PAUSE: Duration = Duration::from_millis(500);

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
    pub(super) fn new(store: Arc<dyn AuditStore>, deadline: Duration) -> (Self, AuditWriter) {
        let (sender, queue) = mpsc::unbounded_channel();
        let auditor = Self { queue: sender, room: Arc::new(Semaphore::new(WAITING)) };
        (auditor, AuditWriter { queue, store, deadline, end: None })
    }

    /// Waits for what is being done just now, which nobody else may wait for; not for ever.
    pub(super) async fn finish(&self) {
        let all = u32::try_from(WAITING).unwrap_or(u32::MAX);
        if tokio::time::timeout(LAST, self.room.acquire_many(all)).await.is_err() {
            tracing::error!("a store has not answered; the audit log may miss what it was asked to do");
        }
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
    /// Lets a store do one thing, makes the caches `forget` what was before, and notes it.
    pub(super) async fn audited<T: Send + 'static>(
        &self,
        author: impl Into<Author>,
        deed: Deed,
        forget: impl FnOnce(&Caches) + Send + 'static,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Error> {
        self.audited_as(author, (1, |_: Option<&T>| vec![deed]), forget, call).await
    }

    /// Lets a store do what it is asked to; then makes the caches `forget` what was before, tells other processes, and
    /// notes what was done: `deeds` tells that by the store's answer, and without one what may have been done, beside how
    /// many it may tell at most. Goes on if the caller does not wait for it; so nobody does something unseen by hanging up.
    pub(super) async fn audited_as<T: Send + 'static>(
        &self,
        author: impl Into<Author>,
        (most, deeds): (usize, impl FnOnce(Option<&T>) -> Vec<Deed> + Send + 'static),
        forget: impl FnOnce(&Caches) + Send + 'static,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Error> {
        let (engine, author) = (self.0.clone(), author.into());
        let what = "too many changes wait to be written to the audit log";
        let full = || Error::Busy { what, retry: Duration::from_secs(1) };
        // However many somebody changes at once, it counts as no more than one chunk: else it would never have room.
        let most = u32::try_from(most.min(CHUNK)).map_err(|_| full())?;
        let room = engine.audit.room.clone().try_acquire_many_owned(most).map_err(|_| full())?;
        let work = async move {
            let done = engine.within(call).await;
            let deeds = match &done {
                Ok(answer) => deeds(Some(answer)),
                Err(error) if error.is_retryable() => deeds(None),
                Err(_) => Vec::new(),
            };
            if !deeds.is_empty() {
                forget(&engine.caches);
                engine.announce();
                engine.note(room, author, deeds, done.is_ok()).await;
            }
            done
        };
        let task = tokio::spawn(work.in_current_span());
        Ok(task.await.map_err(StoreError::backend)??)
    }
}

impl Engine {
    /// Tells other processes that something has changed. Nobody waits for it: those that miss it poll.
    fn announce(&self) {
        let changes = self.stores.changes.clone();
        tokio::spawn(async move { changes.announce().await });
    }

    /// Notes what somebody did, by itself if the writer has ended; returns when it is stored, or the store takes too
    /// long: it is done, and nothing would be better for saying otherwise.
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
    /// How long the store may take for a chunk.
    deadline: Duration,
    /// When to give up, once it is told to stop, on a store that takes nothing.
    end: Option<Instant>,
}

impl AuditWriter {
    /// Until it is told to stop, and has stored what was noted before.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut group = Vec::new();
        let mut closed = false;
        loop {
            tokio::select! {
                biased;
                count = self.queue.recv_many(&mut group, GROUP) => {
                    if count == 0 {
                        return;
                    }
                    self.store(group.drain(..), &mut stop).await;
                }
                () = told(&mut stop), if !closed => {
                    // What was sent before comes through still.
                    self.queue.close();
                    closed = true;
                }
            }
        }
    }

    /// Stores a group, however long it takes; at the end what cannot be stored goes where warnings go.
    async fn store(&mut self, group: impl Iterator<Item = Noted>, stop: &mut watch::Receiver<bool>) {
        let (mut entries, mut callers, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
        for noted in group {
            entries.extend(noted.entries);
            callers.push(noted.stored);
            rooms.push(noted.room);
        }
        let mut backoff = Backoff::default();
        let mut rest = &*entries;
        while let Some(chunk) = rest.chunks(CHUNK).next() {
            let (store, deadline) = (self.store.clone(), self.deadline);
            let stored = self.until_end(stop, tokio::time::timeout(deadline, store.append(chunk))).await;
            let error = match stored {
                Some(Ok(Ok(()))) => {
                    rest = &rest[chunk.len()..];
                    // Of a store that goes on everything is worth the wait.
                    self.end = self.end.map(|_| Instant::now() + LAST);
                    continue;
                }
                Some(Ok(Err(error))) => error,
                Some(Err(_)) | None => StoreError::unavailable("the store took too long to answer"),
            };
            if self.end.is_some_and(|end| end <= Instant::now()) {
                return tell_lost(&error, rest);
            }
            tracing::error!(%error, entries = rest.len(), "the audit log cannot be written; trying again");
            self.pause(stop, backoff.next()).await;
        }
        for caller in callers {
            // Who waits no longer need not know.
            let _ = caller.send(());
        }
    }

    /// What `work` comes to, unless the end comes before. All groups that are left share it.
    async fn until_end<T>(&mut self, stop: &mut watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        if self.end.is_none() {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = told(stop) => self.end = Some(Instant::now() + LAST),
            }
        }
        tokio::time::timeout_at(self.end?, work).await.ok()
    }

    async fn pause(&mut self, stop: &mut watch::Receiver<bool>, pause: Duration) {
        if self.end.is_some() {
            tokio::time::sleep(LAST_PAUSE).await;
        } else if tokio::time::timeout(pause, told(stop)).await.is_ok() {
            self.end = Some(Instant::now() + LAST);
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
    #[instrument(level = "debug", skip_all)]
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
