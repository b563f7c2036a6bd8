//! The engine that an embedder or a server drives.
//!
//! One file per concern: [`creation`], [`links`] (reading, changing), [`visits`] (the hot path, with `cache` and `gate`),
//! [`locks`] (passwords of links), [`keys`], [`accounts`], [`sessions`], [`stats`], [`queue`], [`audit`]; and behind them
//! what runs on its own: `recorder` and `commit` make batches of clicks, `spool` journals them, `delivery` carries them to
//! the log, `pipeline` makes them take effect, `keeper` releases journals and adopts those of the dead, `watcher` follows
//! changes.

mod accounts;
mod acks;
mod assembly;
mod audit;
mod backoff;
mod builder;
mod cache;
mod commit;
mod counters;
mod creation;
mod delivery;
mod drafts;
mod error;
mod gate;
mod gather;
mod hasher;
mod keeper;
mod keys;
mod links;
mod locks;
mod pipeline;
mod queue;
mod recorder;
mod sessions;
mod spool;
mod stats;
mod used;
mod visits;
mod watcher;

use std::{fmt, sync::Arc, time::Duration};

use accounts::Standing;
use audit::Auditor;
use cache::LoadingCache;
use counters::Counts;
use delivery::Outbox;
use gate::{Gate, LinkKey};
use gather::Gathered;
use hasher::Hasher;
use parking_lot::Mutex;
use recorder::Recorder;
use spool::Spool;
use tokio::{sync::watch, task::JoinHandle};
use used::Used;

use crate::{
    account::Session,
    id::{AccountId, ApiKeyId, SessionId},
    key::ApiKey,
    mac::MacKey,
    policy::TargetPolicy,
    random::{Entropy, SlugSource},
    slug::SlugRules,
    store::{Backlog, Change, Consumer},
    stores::Stores,
    time::{Clock, Timestamp},
};

pub use accounts::{AccountListing, Orphans, TICKET_LIFETIME};
pub use audit::AuditListing;
pub use builder::{BuildError, Durability, ShortenerBuilder, Unacknowledged};
pub use counters::{Counters, Gauges};
pub use creation::Created;
pub use error::{AuthError, Error};
pub use keys::{KeyListing, NewKey};
pub use links::Listing;
pub use locks::Unlocked;
pub use queue::{DeadLetterId, InvalidDeadLetterId, QueueDepth};
pub use sessions::Login;
pub use stats::{GlobalStats, LinkStats};
pub use visits::{Begun, Recorded};

/// Makes links, follows them and counts who does, on whatever stores it was given.
///
/// Cloning shares the engine. Background tasks need a tokio runtime, which may have one thread.
/// Call [`shutdown`](Self::shutdown) before the program ends: dropping it keeps clicks in the journal at
/// best, and without a journal loses those that are not stored yet.
#[derive(Clone)]
pub struct Shortener(Arc<Engine>);

struct Engine {
    stores: Stores,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    slugs: Arc<dyn SlugSource>,
    slug_rules: SlugRules,
    policy: Arc<dyn TargetPolicy>,
    /// What other keys are derived from.
    secret: MacKey,
    caches: Caches,
    used: Arc<Used>,
    audit: Auditor,
    hasher: Hasher,
    /// What [passes](crate::Pass) are made with.
    pass_key: MacKey,
    session_lifetime: Duration,
    /// `None` in a shortener that takes no clicks.
    recorder: Option<Recorder>,
    /// By the number of the consumer.
    gathered: [Arc<Gathered>; 2],
    counts: Arc<Counts>,
    spool: Arc<Spool>,
    outbox: Option<Arc<Outbox>>,
    durability: Durability,
    unacknowledged: Unacknowledged,
    store_timeout: Duration,
    tasks: Mutex<Tasks>,
}

/// What the stores said before.
#[derive(Clone)]
struct Caches {
    links: Arc<LoadingCache<LinkKey, Arc<Gate>>>,
    keys: Arc<LoadingCache<ApiKeyId, Arc<ApiKey>>>,
    accounts: Arc<LoadingCache<AccountId, Standing>>,
    sessions: Arc<LoadingCache<SessionId, Arc<Session>>>,
}

impl Caches {
    /// Caches with about so many bytes for links, and a little for everything else.
    fn new(bytes: u64, deadline: Duration) -> Self {
        Self {
            links: Arc::new(LoadingCache::new(bytes, deadline)),
            keys: Arc::new(LoadingCache::new(1 << 20, deadline)),
            accounts: Arc::new(LoadingCache::new(1 << 20, deadline)),
            sessions: Arc::new(LoadingCache::new(1 << 20, deadline)),
        }
    }

    /// Forgets what has changed.
    fn evict(&self, change: Change) {
        match change {
            Change::Link(domain, slug) => self.links.evict(&LinkKey { domain, slug }),
            Change::ApiKey(id) => self.keys.evict(&id),
            Change::Account(id) => self.accounts.evict(&id),
            Change::Session(id) => self.sessions.evict(&id),
        }
    }

    /// Forgets everything.
    fn clear(&self) {
        self.links.clear();
        self.keys.clear();
        self.accounts.clear();
        self.sessions.clear();
    }
}

/// What runs in the background, in the order in which it is stopped.
#[derive(Default)]
struct Tasks(Vec<Stage>);

struct Stage {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Shortener {
    /// Begins with everything in memory and nothing journaled; see [`ShortenerBuilder`].
    #[must_use]
    pub fn builder() -> ShortenerBuilder {
        ShortenerBuilder::default()
    }

    /// The time by the shortener's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Which slugs it takes, and how it spells them.
    #[must_use]
    pub fn slug_rules(&self) -> SlugRules {
        self.0.slug_rules
    }

    /// A key for `purpose`, derived from the service's secret by HMAC-SHA-256: the same in every process on the
    /// same stores, and of no use for any other purpose. Where no [visits](ShortenerBuilder::visits) are taken it
    /// is this process's own.
    #[must_use]
    pub fn derived_key(&self, purpose: &str) -> MacKey {
        derive_key(&self.0.secret, purpose)
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.counts.read(self.0.caches.links.loads())
    }

    /// How much there is of what comes and goes.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let (links_cached, links_cached_bytes) = self.0.caches.links.size();
        Gauges {
            links_cached,
            links_cached_bytes,
            batches_undelivered: self.0.outbox.as_ref().map_or(0, |outbox| outbox.len() as u64),
            journal_bytes: self.0.spool.bytes(),
        }
    }

    /// Whether the link store answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`], with what it says.
    pub async fn check_store(&self) -> Result<(), Error> {
        Ok(self.0.within(self.0.stores.links.ping()).await?)
    }

    /// Whether the click log is one that [outlives](crate::store::CounterStore::outlives_process) this process, and can be away.
    #[must_use]
    pub fn shares_log(&self) -> bool {
        self.0.stores.log.outlives_process()
    }

    /// Whether the click log answers, and took what it was sent last.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`], with what it says.
    pub async fn check_log(&self) -> Result<(), Error> {
        self.0.within(self.0.stores.log.run()).await?;
        Ok(self.0.counts.log_took()?)
    }

    /// What waits for a consumer to store it. Of a log in this process, what waits here.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the log is away.
    pub async fn backlog(&self, consumer: Consumer) -> Result<Backlog, Error> {
        // In the direction in which clicks go: so none is missed between the two.
        let logged = self.0.within(self.0.stores.log.backlog(consumer)).await?;
        if self.0.stores.log.outlives_process() {
            // It has what is added up, too, until that is stored.
            return Ok(logged);
        }
        let gathered = self.0.gathered[consumer as usize].backlog();
        let oldest = [gathered.oldest, logged.oldest].into_iter().flatten().min();
        Ok(Backlog { batches: gathered.batches + logged.batches, oldest })
    }

    /// Stops in order: the recorder, the way to the log, the consumers. When it returns, every click
    /// that was recorded is stored, or in a log that [outlives the process](crate::store::CounterStore::outlives_process),
    /// or in the journal if a store is away. Without a journal it goes on
    /// trying for as long as a store is away: bound the wait if you have to.
    ///
    /// Whatever was done by then is in the audit log, unless its store takes nothing for two seconds: what is not in it is
    /// in the process's log of errors.
    ///
    /// May be called twice; later calls wait only for what is being done just then. Stop taking visits first: clicks that
    /// come now end up in `clicks_lost`.
    pub async fn shutdown(&self) {
        if self.0.recorder.is_some() {
            let engine = self.0.clone();
            // The thread's last group waits for the disk.
            let stopped = tokio::task::spawn_blocking(move || {
                if let Some(recorder) = &engine.recorder {
                    recorder.stop();
                }
            });
            if let Err(error) = stopped.await {
                tracing::error!(%error, "the click recorder did not stop in order");
            }
        }
        let stages = std::mem::take(&mut self.0.tasks.lock().0);
        for stage in stages {
            stage.stop.send_replace(true);
            for task in stage.tasks {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a background task did not stop in order");
                }
            }
        }
        self.0.audit.finish().await;
    }
}

impl Engine {
    /// Bounds the wait for a store that hangs.
    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, crate::StoreError>>,
    ) -> Result<T, crate::StoreError> {
        match tokio::time::timeout(self.store_timeout, call).await {
            Ok(answer) => answer,
            Err(_) => Err(crate::StoreError::unavailable("the store took too long to answer")),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for stage in &self.tasks.get_mut().0 {
            stage.stop.send_replace(true);
        }
    }
}

impl fmt::Debug for Shortener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shortener").field("durability", &self.0.durability).finish_non_exhaustive()
    }
}

/// See [`Shortener::derived_key`].
fn derive_key(secret: &MacKey, purpose: &str) -> MacKey {
    MacKey::new(&secret.tag(&[b"boltlink key ", purpose.as_bytes()]))
}
