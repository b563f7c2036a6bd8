//! The contracts, kept by the log, the limiter and the wake-ups on Redis: every test has keys of its own.

#![allow(clippy::unwrap_used)] // A failure is a panic.

use std::{num::NonZeroU16, sync::Arc};

use boltlink_core::{
    FakeClock, Stores,
    testing::{Fixture, LimiterFixture},
};
use boltlink_store_redis::{RedisConfig, RedisStore};
use boltlink_testkit::{KeySpace, RedisCluster};

async fn store(clock: Arc<FakeClock>, shards: u16) -> (RedisStore, KeySpace) {
    let keys = KeySpace::new().await.unwrap();
    let mut config = RedisConfig::new(keys.url()).unwrap().prefix(keys.prefix().parse().unwrap());
    config.shards = NonZeroU16::new(shards).unwrap();
    (RedisStore::new(&config, clock).unwrap(), keys)
}

/// On servers that share the keys, in as many parts as they get by default.
async fn clustered(clock: Arc<FakeClock>) -> RedisStore {
    let (url, prefix) = RedisCluster::shared().await.unwrap();
    let config = RedisConfig::new(&url).unwrap().prefix(prefix.parse().unwrap());
    RedisStore::new(&config, clock).unwrap()
}

/// Links and counts are in memory: what is judged is what Redis keeps.
fn fixture(clock: Arc<FakeClock>, store: &RedisStore) -> Fixture {
    let stores = Stores::in_memory(clock.clone());
    let stores = Stores { log: store.log(), changes: store.waking(stores.changes), ..stores };
    Fixture::new(stores, clock).keeping(store.clone())
}

async fn sharded(shards: u16) -> Fixture {
    let clock = Arc::new(FakeClock::default());
    let (store, keys) = store(clock.clone(), shards).await;
    fixture(clock, &store).keeping(keys)
}

async fn one_shard() -> Fixture {
    sharded(1).await
}

async fn three_shards() -> Fixture {
    sharded(3).await
}

async fn limiter() -> LimiterFixture {
    let clock = Arc::new(FakeClock::default());
    let (store, keys) = store(clock.clone(), 1).await;
    LimiterFixture { keep: Box::new(keys), ..LimiterFixture::new(store.limiter_by(clock.clone()), clock) }
}

async fn cluster() -> Fixture {
    let clock = Arc::new(FakeClock::default());
    let store = clustered(clock.clone()).await;
    fixture(clock, &store)
}

async fn limiter_in_cluster() -> LimiterFixture {
    let clock = Arc::new(FakeClock::default());
    let store = clustered(clock.clone()).await;
    LimiterFixture::new(store.limiter_by(clock.clone()), clock)
}

boltlink_core::store_suites!(one_shard);
boltlink_core::limiter_suite!(limiter);

mod in_shards {
    boltlink_core::counter_suite!(crate::three_shards);
    boltlink_core::click_suite!(crate::three_shards);
}

mod in_a_cluster {
    boltlink_core::counter_suite!(crate::cluster);
    boltlink_core::click_suite!(crate::cluster);
    boltlink_core::change_suite!(crate::cluster);
    boltlink_core::limiter_suite!(crate::limiter_in_cluster);
}
