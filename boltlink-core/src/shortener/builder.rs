//! Putting a shortener together.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};

use super::{
    Caches, Engine, Shortener, Stage, Tasks,
    audit::Auditor,
    commit::{Committer, Parts},
    counters::Counts,
    delivery::{Delivery, Outbox},
    keeper::Keeper,
    pipeline::Pipeline,
    recorder::Recorder,
    spool::Spool,
    used::Used,
    watcher::Watcher,
};
use crate::{
    error::StoreError,
    password::{HashCost, Hasher},
    policy::{AllowAll, TargetPolicy},
    random::{Entropy, EntropyExt, RandomSlugs, SlugSource, SystemEntropy},
    slug::{SlugCase, SlugRules},
    store::Consumer,
    stores::Stores,
    time::{Clock, SystemClock},
};

/// When a redirect is answered, relative to its click being safe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// At once. A `kill -9` loses at most one group (2 ms or 512 clicks) per core; a clean stop or a
    /// store that is away loses nothing, as long as the journal has room.
    #[default]
    Buffered,
    /// After the click is synced to the journal's disk. A `kill -9` loses no answered click.
    Acknowledged,
}

/// What becomes of a visit whose click could not be made durable in time
/// (in [`Durability::Acknowledged`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unacknowledged {
    /// It is refused as [`Error::Unavailable`](super::Error::Unavailable).
    #[default]
    Refuse,
    /// It is redirected, and counted in `clicks_unacknowledged`.
    Redirect,
}

/// Why a shortener could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A click can only be acknowledged once something durable has it.
    #[error("acknowledged durability needs a journal: give one, or use buffered durability")]
    NoJournal,
    /// The stores tell slugs apart in another way, which only
    /// [`change_slug_case`](crate::store::LinkStore::change_slug_case) can change.
    #[error("slugs are case-{kept} here, not case-{wanted}: that was fixed by the first start")]
    SlugCase {
        /// How the stores do it.
        kept: SlugCase,
        /// How it was asked for.
        wanted: SlugCase,
    },
    /// A store could not be read.
    #[error("cannot start: {0}")]
    Store(#[from] StoreError),
    /// The journal's directory cannot be used.
    #[error("cannot use the journal in {dir}: {source}")]
    Journal {
        /// The directory.
        dir: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The operating system gives no thread.
    #[error("cannot start the click recorder: {0}")]
    Thread(std::io::Error),
}

/// Settings of a [`Shortener`]; each has a default.
pub struct ShortenerBuilder {
    stores: Option<Stores>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    slugs: Arc<dyn SlugSource>,
    slug_rules: SlugRules,
    policy: Arc<dyn TargetPolicy>,
    durability: Durability,
    unacknowledged: Unacknowledged,
    #[cfg(feature = "journal")]
    journal: Option<crate::journal::JournalConfig>,
    flush_interval: Duration,
    ack_timeout: Duration,
    store_timeout: Duration,
    cache_bytes: u64,
    hash_cost: HashCost,
    session_lifetime: Duration,
    secret: Option<[u8; 32]>,
    visits: bool,
    consumers: Vec<Consumer>,
}

impl Default for ShortenerBuilder {
    fn default() -> Self {
        Self {
            stores: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            slugs: Arc::new(RandomSlugs::default()),
            slug_rules: SlugRules::default(),
            policy: Arc::new(AllowAll),
            durability: Durability::default(),
            unacknowledged: Unacknowledged::default(),
            #[cfg(feature = "journal")]
            journal: None,
            flush_interval: Duration::from_millis(500),
            ack_timeout: Duration::from_secs(1),
            store_timeout: Duration::from_secs(10),
            cache_bytes: 64 << 20,
            hash_cost: HashCost::default(),
            session_lifetime: Duration::from_secs(14 * 24 * 60 * 60),
            secret: None,
            visits: true,
            consumers: Consumer::ALL.into(),
        }
    }
}

impl ShortenerBuilder {
    /// Where everything lives. Default: in memory.
    #[must_use]
    pub fn stores(mut self, stores: Stores) -> Self {
        self.stores = Some(stores);
        self
    }

    /// What tells the time. Default: the machine's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What identifiers, slugs and keys are made of. Default: the operating system's generator.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// What proposes slugs. Default: 7 random characters of `[0-9A-Za-z]`.
    #[must_use]
    pub fn slugs(mut self, slugs: Arc<dyn SlugSource>) -> Self {
        self.slugs = slugs;
        self
    }

    /// Which slugs are taken, and how they are spelled. Whether case matters is fixed by the first shortener on
    /// the stores. Default: ASCII, case matters.
    #[must_use]
    pub fn slug_rules(mut self, rules: SlugRules) -> Self {
        self.slug_rules = rules;
        self
    }

    /// Which targets links may have. Default: all.
    #[must_use]
    pub fn target_policy(mut self, policy: Arc<dyn TargetPolicy>) -> Self {
        self.policy = policy;
        self
    }

    /// When redirects are answered. Default: [`Durability::Buffered`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// What becomes of visits that cannot be acknowledged. Default: refused.
    #[must_use]
    pub fn unacknowledged(mut self, unacknowledged: Unacknowledged) -> Self {
        self.unacknowledged = unacknowledged;
        self
    }

    /// Keeps clicks on disk until they are stored. Default: they are in memory only.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn journal(mut self, journal: crate::journal::JournalConfig) -> Self {
        self.journal = Some(journal);
        self
    }

    /// How long clicks are gathered before they are stored. Longer is cheaper. Default: 500 ms.
    #[must_use]
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// How long an acknowledged visit waits for its click to be durable. Default: 1 s.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.ack_timeout = timeout;
        self
    }

    /// How long a store may take to answer a look-up before it counts as unavailable. Default: 10 s.
    #[must_use]
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Memory for cached links, roughly. Default: 64 MiB, about 150,000 links.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// What a hash of a password costs; those that cost something else are made anew when somebody logs in. Default:
    /// [`HashCost::default`].
    #[must_use]
    pub fn hash_cost(mut self, cost: HashCost) -> Self {
        self.hash_cost = cost;
        self
    }

    /// How long a session lasts that is not used: each use prolongs it, as far as it was written down, which happens once
    /// a minute. Default: 14 days.
    #[must_use]
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = lifetime;
        self
    }

    /// What the keys of visitor hashes, and [others](Shortener::derived_key), are derived from. Default: the store's own, made at its first start.
    #[must_use]
    pub fn secret(mut self, secret: [u8; 32]) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Whether it takes visits, and follows what other processes change. `false` suits a worker, and a short-lived
    /// program beside a server that only reads and writes links: visits are then refused. Default: true.
    #[must_use]
    pub fn visits(mut self, visits: bool) -> Self {
        self.visits = visits;
        self
    }

    /// Which consumers of the click log it runs. With a log that other processes drain too, as many or as few as
    /// wanted; with a log in memory whatever is not consumed here is never stored. Default: all.
    #[must_use]
    pub fn consumers(mut self, consumers: impl IntoIterator<Item = Consumer>) -> Self {
        self.consumers = consumers.into_iter().collect();
        self
    }

    /// Builds the shortener and starts its background tasks on the current tokio runtime.
    ///
    /// # Errors
    /// [`BuildError`]; nothing is left running then.
    pub async fn build(self) -> Result<Shortener, BuildError> {
        let stores = self.stores.clone().unwrap_or_else(|| Stores::in_memory(self.clock.clone()));
        let kept = stores.links.slug_case(self.slug_rules.case).await?;
        if kept != self.slug_rules.case {
            return Err(BuildError::SlugCase { kept, wanted: self.slug_rules.case });
        }
        let head = stores.changes.head().await?;
        let counts = Arc::new(Counts::default());
        let caches = Caches::new(self.cache_bytes, self.store_timeout);
        let used = Arc::new(Used::default());
        let mut tasks = Tasks::default();
        let mut recorder = None;
        let secret = match self.secret {
            Some(secret) => secret,
            None if self.visits => stores.keys.server_secret(self.entropy.bytes()).await?,
            // Not worth a write to stores that somebody may only want to look at.
            None => self.entropy.bytes(),
        };
        let settled = Arc::new(Notify::new());
        let mut keeper = None;
        if self.visits {
            let (started, kept) = self.start_recording(&stores, secret, &counts, &settled, &mut tasks)?;
            (recorder, keeper) = (Some(started), kept);
        }
        self.start_consumers(&stores, &counts, &settled, &mut tasks);
        if let Some(keeper) = keeper {
            let (stop, stopped) = watch::channel(false);
            tasks.0.push(Stage { stop, tasks: vec![tokio::spawn(keeper.run(stopped))] });
        }
        if self.visits {
            let (stop, stopped) = watch::channel(false);
            let watcher = Watcher { log: stores.changes.clone(), clock: self.clock.clone(), caches: caches.clone() };
            let uses = used.clone().run(stores.keys.clone(), stores.accounts.clone(), stopped.clone());
            tasks.0.push(Stage { stop, tasks: vec![tokio::spawn(watcher.run(head, stopped)), tokio::spawn(uses)] });
        }
        let (audit, writer) = Auditor::new(stores.audit.clone());
        let (stop, stopped) = watch::channel(false);
        tasks.0.push(Stage { stop, tasks: vec![tokio::spawn(writer.run(stopped))] });
        Ok(Shortener(Arc::new(Engine {
            stores,
            clock: self.clock,
            entropy: self.entropy,
            slugs: self.slugs,
            slug_rules: self.slug_rules,
            policy: self.policy,
            secret,
            caches,
            used,
            audit,
            hasher: Hasher::new(self.hash_cost),
            pass_key: super::derive_key(&secret, "passes of links"),
            session_lifetime: self.session_lifetime,
            recorder,
            counts,
            durability: self.durability,
            unacknowledged: self.unacknowledged,
            ack_timeout: self.ack_timeout,
            store_timeout: self.store_timeout,
            tasks: parking_lot::Mutex::new(tasks),
        })))
    }

    /// Starts the way of a click up to the log: recorder and delivery. The keeper is to run, and stop, after the
    /// consumers.
    fn start_recording(
        &self,
        stores: &Stores,
        secret: [u8; 32],
        counts: &Arc<Counts>,
        settled: &Arc<Notify>,
        tasks: &mut Tasks,
    ) -> Result<(Recorder, Option<Keeper>), BuildError> {
        let spool = Arc::new(self.open_spool()?);
        let durable = self.durability == Durability::Acknowledged;
        if durable && !spool.keeps() {
            return Err(BuildError::NoJournal);
        }
        let outbox = Arc::new(Outbox::new(counts.clone()));
        let recorder = Recorder::start(Committer::new(Parts {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            secret,
            spool: spool.clone(),
            outbox: outbox.clone(),
            counts: counts.clone(),
            durable,
        }))
        .map_err(BuildError::Thread)?;

        let delivery = Arc::new(Delivery::new(outbox, stores.log.clone(), {
            let spool = spool.clone();
            move |producer| spool.find(producer)
        }));
        let (stop, stopped) = watch::channel(false);
        tasks.0.push(Stage { stop, tasks: vec![tokio::spawn(delivery.clone().run(stopped))] });

        let keeper = spool.keeps().then(|| Keeper {
            spool,
            sinks: [stores.totals.clone(), stores.analytics.clone()],
            log: stores.log.clone(),
            delivery,
            settled: settled.clone(),
        });
        Ok((recorder, keeper))
    }

    /// Starts the consumers of the log.
    fn start_consumers(&self, stores: &Stores, counts: &Arc<Counts>, settled: &Arc<Notify>, tasks: &mut Tasks) {
        let (stop, stopped) = watch::channel(false);
        let consumers = Consumer::ALL.into_iter().filter(|consumer| self.consumers.contains(consumer));
        let consumers = consumers.map(|consumer| {
            let (sink, interval) = match consumer {
                Consumer::Totals => (&stores.totals, self.flush_interval),
                // Nobody watches rollups live, and the longer a group the cheaper: every second interval.
                Consumer::Analytics => (&stores.analytics, self.flush_interval * 2),
            };
            let pipeline = Pipeline {
                consumer,
                sink: sink.clone(),
                log: stores.log.clone(),
                interval,
                settled: settled.clone(),
                counts: counts.clone(),
            };
            tokio::spawn(pipeline.run(stopped.clone()))
        });
        tasks.0.push(Stage { stop, tasks: consumers.collect() });
    }

    #[cfg(feature = "journal")]
    fn open_spool(&self) -> Result<Spool, BuildError> {
        let Some(config) = &self.journal else { return Ok(Spool::none()) };
        Spool::open(config).map_err(|source| BuildError::Journal { dir: config.dir.display().to_string(), source })
    }

    #[cfg(not(feature = "journal"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // The twin of the one above.
    fn open_spool(&self) -> Result<Spool, BuildError> {
        Ok(Spool::none())
    }
}
