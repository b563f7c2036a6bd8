//! The log of clicks that are not stored yet.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, LinkId, ProducerId, StoreError,
    store::{Backlog, Consumer, CounterStore, Delivery, LogRun},
};
use bytes::Bytes;
use parking_lot::Mutex;
use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    keys::{self, ShardKeys, homes, shard_of},
    lane::Lane,
    store::Inner,
};

/// How long a consumer may take before another one gets its batches.
const LEASE: Duration = Duration::from_secs(30);
/// Bytes of batches in one answer, and one batch more at most: as many as come within the time-out, between these.
const SEALED_AT_ONCE: RangeInclusive<usize> = 64 << 10..=4 << 20;
/// So many producers are remembered per shard. One comes with every start and day of a recorder.
const PRODUCERS: usize = 4096;
/// Arguments of one call: a script blocks the server while it runs.
const ARGUMENTS: usize = 1024;
/// How long the number of shards is believed.
const SHARDS_KNOWN: Duration = Duration::from_secs(5);

/// A script, and what it is called.
struct Named {
    operation: &'static str,
    script: Script,
}

macro_rules! script {
    ($name:literal) => {
        LazyLock::new(|| Named {
            operation: $name,
            script: Script::new(concat!(include_str!("lua/run.lua"), include_str!(concat!("lua/", $name, ".lua")))),
        })
    };
}

static ADD: LazyLock<Named> = script!("add");
static SEAL: LazyLock<Named> = script!("seal");
static SETTLE: LazyLock<Named> = script!("settle");
static PENDING: LazyLock<Named> = script!("pending");
static WATCH: LazyLock<Named> = script!("watch");
static BACKLOG: LazyLock<Named> = script!("backlog");
static SHARDS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/shards.lua")));

pub(crate) struct RedisLog {
    redis: Arc<Inner>,
    /// How many shards may hold something: as many as any process was ever configured with.
    shards: Mutex<Option<(u16, Instant)>>,
    /// The shard that is sealed first next time, so that none has to wait for the others.
    turn: AtomicU16,
    /// Bytes of batches that are asked for at once.
    room: AtomicUsize,
}

impl RedisLog {
    pub(crate) const fn new(redis: Arc<Inner>) -> Self {
        Self { redis, shards: Mutex::new(None), turn: AtomicU16::new(0), room: AtomicUsize::new(*SEALED_AT_ONCE.end()) }
    }

    /// Where new batches of `producer` go.
    fn home(&self, producer: ProducerId) -> u16 {
        shard_of(producer, self.redis.config.shards.get())
    }

    /// How many shards there are, this process' own made known to the others.
    async fn shards(&self) -> Result<u16, StoreError> {
        if let Some((shards, at)) = *self.shards.lock()
            && at.elapsed() < SHARDS_KNOWN
        {
            return Ok(shards);
        }
        let mut call = SHARDS.key(keys::shards(&self.redis.config.prefix));
        call.arg(self.redis.config.shards.get());
        let shards = self.redis.consumers.invoke("shards", &call).await?;
        *self.shards.lock() = Some((shards, Instant::now()));
        Ok(shards)
    }

    async fn seal_shard(&self, shard: u16, consumer: Consumer, limit: usize) -> Result<Vec<ClickBatch>, StoreError> {
        let now = self.redis.clock.now();
        let room = self.room.load(Ordering::Relaxed);
        let mut call = self.call(&SEAL, shard);
        call.arg(name(consumer)).arg(limit).arg(room);
        for at in [now, now.plus(LEASE), now.plus(LEASE * 2)] {
            call.arg(at.as_micros());
        }
        let sealed: Result<Vec<Vec<u8>>, _> = self.redis.consumers.invoke(SEAL.operation, &call).await;
        // On a slow network a long answer never comes in time, and what it would have brought is leased for nothing.
        let next = if sealed.is_ok() { room.saturating_mul(2) } else { room / 2 };
        self.room.store(next.clamp(*SEALED_AT_ONCE.start(), *SEALED_AT_ONCE.end()), Ordering::Relaxed);
        let sealed = sealed?;
        let batches = sealed.into_iter().filter_map(|encoded| match ClickBatch::decode(Bytes::from(encoded)) {
            Ok(batch) => Some(batch),
            Err(error) => {
                // It stays in the log, leased, and is looked at again when the lease has run out.
                tracing::error!(%error, "cannot read a batch of clicks in Redis; it waits for a release that can");
                None
            }
        });
        Ok(batches.collect())
    }

    fn call<'a>(&self, script: &'a Named, shard: u16) -> ScriptInvocation<'a> {
        let mut call = script.script.prepare_invoke();
        for key in ShardKeys::new(&self.redis.config.prefix, shard).0 {
            call.key(key);
        }
        call
    }

    /// What each shard answers.
    async fn each<T: FromRedisValue>(
        &self,
        lane: &Lane,
        script: &Named,
        arguments: &[impl redis::ToRedisArgs + Sync],
    ) -> Result<Vec<T>, StoreError> {
        let mut answers = Vec::new();
        for shard in 0..self.shards().await? {
            let mut call = self.call(script, shard);
            call.arg(arguments);
            answers.push(lane.invoke(script.operation, &call).await?);
        }
        Ok(answers)
    }
}

#[async_trait]
impl CounterStore for RedisLog {
    async fn add(&self, batch: &ClickBatch, delivery: Delivery) -> Result<(), StoreError> {
        self.add_all(&[(batch.clone(), delivery)]).await.map(drop)
    }

    async fn add_all(&self, batches: &[(ClickBatch, Delivery)]) -> Result<usize, StoreError> {
        let Some((first, _)) = batches.first() else { return Ok(0) };
        self.shards().await?;
        let capacity = self.redis.config.capacity / u64::from(self.redis.config.shards.get());
        let mut call = self.call(&ADD, self.home(first.id().producer));
        call.arg(first.id().producer.as_uuid().as_bytes().as_slice()).arg(capacity).arg(PRODUCERS);
        for (batch, delivery) in batches {
            let counts = if *delivery == Delivery::First { counts(batch) } else { Vec::new() };
            call.arg(format!("{:016x}", batch.id().sequence)).arg(batch.encoded().as_ref()).arg(counts);
        }
        match self.redis.clicks.invoke(ADD.operation, &call).await? {
            0 => Err(StoreError::unavailable("the click log in Redis is full")),
            held => Ok(held),
        }
    }

    async fn pending(&self, links: &[LinkId]) -> Result<Vec<u64>, StoreError> {
        let mut sums = vec![0; links.len()];
        for (links, sums) in links.chunks(ARGUMENTS).zip(sums.chunks_mut(ARGUMENTS)) {
            let links: Vec<_> = links.iter().map(|link| link.as_uuid().as_bytes().as_slice()).collect();
            for shard in self.each::<Vec<Option<u64>>>(&self.redis.clicks, &PENDING, &links).await? {
                for (sum, clicks) in sums.iter_mut().zip(shard) {
                    *sum += clicks.unwrap_or(0);
                }
            }
        }
        Ok(sums)
    }

    async fn seal(&self, consumer: Consumer, limit: usize) -> Result<Vec<ClickBatch>, StoreError> {
        let shards = self.shards().await?;
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let (mut batches, mut failure) = (Vec::new(), None);
        for shard in (0..shards).map(|shard| (first % shards + shard) % shards) {
            if batches.len() == limit {
                break;
            }
            match self.seal_shard(shard, consumer, limit - batches.len()).await {
                Ok(sealed) => batches.extend(sealed),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            // What one shard cannot tell must not hold up the others.
            Some(error) if batches.is_empty() => Err(error),
            _ => Ok(batches),
        }
    }

    async fn settle(&self, consumer: Consumer, batches: &[BatchId]) -> Result<(), StoreError> {
        let shards = self.shards().await?;
        let mut parts: HashMap<u16, Vec<Vec<u8>>> = HashMap::new();
        for id in batches {
            // While the number of shards was another, an earlier home took it.
            for shard in homes(id.producer, shards) {
                parts.entry(shard).or_default().push(name_of(*id));
            }
        }
        let mut outcome = Ok(());
        for (shard, ids) in parts {
            for ids in ids.chunks(ARGUMENTS) {
                let mut call = self.call(&SETTLE, shard);
                call.arg(name(consumer)).arg(ids);
                if let Err(error) = self.redis.consumers.invoke::<()>(SETTLE.operation, &call).await {
                    outcome = Err(error);
                }
            }
        }
        outcome
    }

    async fn run(&self) -> Result<LogRun, StoreError> {
        // A name that nobody used before, for a log that was flushed.
        let fresh = Uuid::now_v7().to_string();
        let mut hasher = DefaultHasher::new();
        let lane = &self.redis.clicks;
        self.each::<String>(lane, &WATCH, &[fresh]).await?.hash(&mut hasher);
        // Who answers after a reconnection may have missed what was sent before it.
        lane.number().hash(&mut hasher);
        Ok(LogRun(hasher.finish()))
    }

    fn outlives_process(&self) -> bool {
        true
    }

    async fn backlog(&self, consumer: Consumer) -> Result<Backlog, StoreError> {
        let mut backlog = Backlog::default();
        let parts = self.each(&self.redis.consumers, &BACKLOG, &[name(consumer)]).await?;
        for (batches, oldest) in parts.into_iter().map(|part: (u64, Option<Vec<u8>>)| part) {
            backlog.batches += batches;
            let oldest = oldest.and_then(|encoded| ClickBatch::decode(Bytes::from(encoded)).ok());
            let oldest = oldest.and_then(|batch| batch.clicks().next().map(|click| click.at));
            backlog.oldest = match (backlog.oldest, oldest) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        Ok(backlog)
    }
}

/// How scripts and keys name a consumer.
const fn name(consumer: Consumer) -> &'static str {
    match consumer {
        Consumer::Totals => "t",
        Consumer::Analytics => "a",
    }
}

/// How scripts name a batch: sequences in hex digits of one length, as numbers in Lua are exact up to 2⁵³ only.
fn name_of(id: BatchId) -> Vec<u8> {
    let mut name = id.producer.as_uuid().as_bytes().to_vec();
    name.extend_from_slice(format!("{:016x}", id.sequence).as_bytes());
    name
}

/// The batch's clicks per link, as scripts read them: 16 bytes of a link, 4 of a number, little-endian.
fn counts(batch: &ClickBatch) -> Vec<u8> {
    let mut counts: HashMap<LinkId, u32> = HashMap::new();
    for link in batch.links() {
        *counts.entry(link).or_default() += 1;
    }
    let mut encoded = Vec::with_capacity(counts.len() * 20);
    for (link, clicks) in counts {
        encoded.extend_from_slice(link.as_uuid().as_bytes());
        encoded.extend_from_slice(&clicks.to_le_bytes());
    }
    encoded
}
