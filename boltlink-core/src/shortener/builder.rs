//! The settings of a shortener; [`assembly`](super::assembly) puts it together.

use std::{sync::Arc, time::Duration};

#[cfg(doc)]
use super::Shortener;
use crate::{
    error::StoreError,
    password::HashCost,
    policy::{AllowAll, TargetPolicy},
    random::{Entropy, RandomSlugs, SlugSource, SystemEntropy},
    slug::{SlugCase, SlugRules},
    store::Consumer,
    stores::Stores,
    time::{Clock, SystemClock},
    trace::Tracer,
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
    pub(super) stores: Option<Stores>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) slugs: Arc<dyn SlugSource>,
    pub(super) slug_rules: SlugRules,
    pub(super) policy: Arc<dyn TargetPolicy>,
    pub(super) durability: Durability,
    pub(super) unacknowledged: Unacknowledged,
    #[cfg(feature = "journal")]
    pub(super) journal: Option<crate::journal::JournalConfig>,
    pub(super) flush_interval: Duration,
    pub(super) ack_timeout: Duration,
    pub(super) store_timeout: Duration,
    pub(super) cache_bytes: u64,
    pub(super) hash_cost: HashCost,
    pub(super) session_lifetime: Duration,
    pub(super) secret: Option<[u8; 32]>,
    pub(super) visits: bool,
    pub(super) consumers: Vec<Consumer>,
    pub(super) tracer: Option<Arc<dyn Tracer>>,
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
            tracer: None,
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

    /// How long clicks are gathered before they are stored, at least. Longer is cheaper: of a log in this process, what
    /// the journal has is gathered until storing takes no more than a twentieth of the time, for 30 seconds at most.
    /// Default: 500 ms.
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

    /// What the keys of visitor hashes, and [others](Shortener::derived_key), are derived from. Default: the store's own,
    /// made at its first start.
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

    /// Makes spans of storing the clicks of [traced visits](crate::Visit::trace). Default: nobody does.
    #[must_use]
    pub fn tracer(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.tracer = Some(tracer);
        self
    }
}
