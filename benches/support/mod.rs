//! The stores that benches try, by the traits they are used by.

#![allow(dead_code, clippy::unwrap_used)] // Each bench uses its part; a failure is a panic.

use std::{any::Any, net::Ipv4Addr, sync::Arc};

use boltlink_core::{
    BatchId, Click, ClickBatch, Clock, EntropyExt, Link, LinkId, Network, ProducerId, Stores, SystemClock,
    SystemEntropy, VisitorHash,
    memory::{MemoryLimiter, MemoryLog},
    store::{CounterStore, RateLimiter},
    testing::link_at,
};
use boltlink_store_postgres::{PostgresConfig, PostgresStore};
use boltlink_store_redis::{RedisConfig, RedisStore};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use boltlink_testkit::{Database, KeySpace};
use tokio::runtime::{Builder, Runtime};

/// Clicks of a full batch.
pub(crate) const CLICKS: usize = 512;

/// A store under its name, and what must live as long as it does.
pub(crate) struct Named<S> {
    pub(crate) name: &'static str,
    pub(crate) store: S,
    _keep: Box<dyn Any>,
}

impl<S> Named<S> {
    pub(crate) fn new(name: &'static str, store: S, keep: impl Any) -> Self {
        Self { name, store, _keep: Box::new(keep) }
    }
}

/// What calls of stores run on.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Every database, empty.
pub(crate) async fn databases() -> Vec<Named<Stores>> {
    let memory = Named::new("memory", Stores::in_memory(clock()), ());
    [Some(memory), Some(sqlite().await), postgres().await].into_iter().flatten().collect()
}

/// Every log that a process may share with others, or not, empty.
pub(crate) async fn logs() -> Vec<Named<Arc<dyn CounterStore>>> {
    let memory: Arc<dyn CounterStore> = Arc::new(MemoryLog::new(clock(), MemoryLog::DEFAULT_CAPACITY));
    let redis = redis().await.map(|redis| Named { name: redis.name, store: redis.store.log(), _keep: redis._keep });
    [Some(Named::new("memory", memory, ())), redis].into_iter().flatten().collect()
}

/// Every central limiter.
pub(crate) async fn limiters() -> Vec<Named<Arc<dyn RateLimiter>>> {
    let memory: Arc<dyn RateLimiter> = Arc::new(MemoryLimiter::new(clock()));
    let redis = redis().await.map(|redis| Named { name: redis.name, store: redis.store.limiter(), _keep: redis._keep });
    [Some(Named::new("memory", memory, ())), redis].into_iter().flatten().collect()
}

async fn sqlite() -> Named<Stores> {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&SqliteConfig::new(dir.path().join("boltlink.db")), clock()).await.unwrap();
    Named::new("sqlite", store.stores(unused_log()), dir)
}

async fn postgres() -> Option<Named<Stores>> {
    let database = Database::new().await.map_err(|error| left_out("postgres", &error)).ok()?;
    let store = PostgresStore::open(&PostgresConfig::new(database.url()).unwrap(), clock()).await.unwrap();
    Some(Named::new("postgres", store.stores(unused_log()), database))
}

async fn redis() -> Option<Named<RedisStore>> {
    let keys = KeySpace::new().await.map_err(|error| left_out("redis", &error)).ok()?;
    let config = RedisConfig::new(keys.url()).unwrap().prefix(keys.prefix().parse().unwrap());
    let store = RedisStore::new(&config, clock()).unwrap();
    Some(Named::new("redis", store, keys))
}

fn left_out(name: &str, why: &dyn std::fmt::Display) {
    let why = why.to_string();
    eprintln!("left out: {name} ({})", why.lines().next().unwrap_or_default());
}

fn unused_log() -> Arc<dyn CounterStore> {
    Arc::new(MemoryLog::new(clock(), 1))
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// So many ordinary links, not stored yet.
pub(crate) fn links(count: usize) -> Vec<Link> {
    (0..count).map(|number| link_at(&format!("b{number:06}"), SystemClock.now())).collect()
}

/// Makes batches as a recorder does, each with a name of its own.
pub(crate) struct Recorded {
    producer: ProducerId,
    sequence: u64,
    links: Vec<LinkId>,
}

impl Recorded {
    /// Clicks of these links.
    pub(crate) fn new(links: impl IntoIterator<Item = LinkId>) -> Self {
        let producer = SystemEntropy.producer_id(SystemClock.now());
        Self { producer, sequence: 0, links: links.into_iter().collect() }
    }

    pub(crate) const fn producer(&self) -> ProducerId {
        self.producer
    }

    /// A batch of so many clicks.
    pub(crate) fn batch(&mut self, clicks: usize) -> ClickBatch {
        self.sequence += 1;
        let id = BatchId { producer: self.producer, sequence: self.sequence };
        let now = SystemClock.now();
        ClickBatch::new(id, (0..clicks).map(|number| Click { at: now, ..click(self.link(number), number) }))
    }

    fn link(&self, number: usize) -> LinkId {
        // Without a pattern: neighbours in time are none in the database.
        self.links[(self.sequence as usize * CLICKS + number).wrapping_mul(7_919) % self.links.len()]
    }
}

/// What browsers say.
fn click(link: LinkId, number: usize) -> Click<'static> {
    const REFERRERS: [&str; 3] = ["https://www.google.com/", "https://www.reddit.com/", "https://t.co/"];
    const BROWSERS: [&str; 2] = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ];
    const LANGUAGES: [&str; 4] = ["en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr-FR,fr;q=0.9", "ja"];
    let [_, b, c, _] = Ipv4Addr::from_bits(number as u32 * 257).octets();
    Click {
        referrer: Some(REFERRERS[number % 3]),
        user_agent: Some(BROWSERS[number % 2]),
        language: Some(LANGUAGES[number % 4]),
        visitor: Some(VisitorHash(number as u128)),
        network: Some(Network::V4([10, b, c])),
        ..Click::bare(link, boltlink_core::Timestamp::EPOCH)
    }
}
