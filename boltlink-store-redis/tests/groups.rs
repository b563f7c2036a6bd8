//! Several servers that act as one: a cluster, and what a sentinel looks after.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{collections::HashSet, sync::Arc, time::Duration};

use boltlink_core::{
    BatchId, Click, ClickBatch, EntropyExt, LinkId, ProducerId, Stores, SystemClock, SystemEntropy, Timestamp,
    store::{Consumer, CounterStore, Delivery},
};
use boltlink_store_redis::{OpenError, RedisConfig, RedisStore};
use boltlink_testkit::{Persistence, RedisCluster, RedisSentinel};
use futures_util::future::join_all;
use uuid::Uuid;

const LINK: LinkId = LinkId::from_uuid(Uuid::from_u128(7));

fn store(url: &str) -> RedisStore {
    RedisStore::new(&RedisConfig::new(url).unwrap(), Arc::new(SystemClock)).unwrap()
}

fn producers() -> Vec<ProducerId> {
    (0..100).map(|_| SystemEntropy.producer_id(Timestamp::EPOCH)).collect()
}

fn batch(producer: ProducerId, sequence: u64) -> ClickBatch {
    ClickBatch::new(BatchId { producer, sequence }, [Click::bare(LINK, Timestamp::EPOCH)])
}

/// Repeats what fails while others notice that a server is gone or back.
async fn eventually<T, E: std::fmt::Debug>(call: impl AsyncFn() -> Result<T, E>) -> T {
    for _ in 0..600 {
        if let Ok(answer) = call().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    call().await.unwrap()
}

/// All that waits for a consumer.
async fn sealed(log: &dyn CounterStore) -> HashSet<ProducerId> {
    let mut sealed = HashSet::new();
    loop {
        let batches = eventually(async || log.seal(Consumer::Totals, 100).await).await;
        if batches.is_empty() {
            return sealed;
        }
        sealed.extend(batches.iter().map(|batch| batch.id().producer));
    }
}

#[tokio::test]
async fn a_cluster_shares_the_clicks_and_one_node_can_be_away() {
    let mut cluster = RedisCluster::start().await.unwrap();
    let store = store(cluster.url());
    let health = store.check().await.unwrap();
    assert!(!health.append_only && health.used_bytes > 0, "{health:?}");
    let log = store.log();
    let producers = producers();
    for producer in &producers {
        log.add(&batch(*producer, 0), Delivery::First).await.unwrap();
    }
    assert_eq!(log.pending(&[LINK]).await.unwrap(), [100]);
    for node in cluster.nodes() {
        assert_ne!(node.call(&["DBSIZE"]).await.unwrap(), ":0", "a node was given nothing");
    }

    let run = log.run().await.unwrap();
    cluster.nodes()[0].kill();
    // At once: each that needs that node waits for its time-out.
    let added = producers.iter().map(async |producer| log.add(&batch(*producer, 1), Delivery::First).await.is_ok());
    let added = join_all(added).await.into_iter().filter(|added| *added).count();
    assert!((1..100).contains(&added), "{added} were added to the other nodes");
    cluster.nodes()[0].restart().await.unwrap();
    for producer in &producers {
        eventually(async || log.add(&batch(*producer, 1), Delivery::Again).await).await;
    }
    assert_ne!(eventually(async || log.run().await).await, run, "what that node forgot is to be sent again");
    assert_eq!(sealed(&*log).await, producers.into_iter().collect());
}

#[tokio::test]
async fn changes_are_heard_across_a_cluster() {
    let (url, prefix) = RedisCluster::shared().await.unwrap();
    let waking = || {
        let config = RedisConfig::new(&url).unwrap().prefix(prefix.parse().unwrap());
        let store = RedisStore::new(&config, Arc::new(SystemClock)).unwrap();
        store.waking(Stores::in_memory(Arc::new(SystemClock)).changes)
    };
    let (one, other) = (waking(), waking());
    // Both are told once when they begin to listen.
    one.announced().await;
    other.announced().await;
    one.announce().await;
    other.announced().await;
}

#[tokio::test]
async fn whoever_the_sentinel_promotes_is_found() {
    let mut group = RedisSentinel::start(Persistence::AppendAlways).await.unwrap();
    let store = store(&group.url());
    assert!(store.check().await.unwrap().append_only);
    let log = store.log();
    let producers = producers();
    for producer in &producers {
        log.add(&batch(*producer, 0), Delivery::First).await.unwrap();
    }
    let run = log.run().await.unwrap();
    let [first, _] = group.servers();
    first.kill();
    for producer in &producers {
        // The one that follows may have missed it: what is sent again is added once.
        eventually(async || log.add(&batch(*producer, 0), Delivery::Again).await).await;
    }
    assert_ne!(log.run().await.unwrap(), run, "what the new one missed is to be sent again");
    let [first, second] = group.servers();
    assert_eq!(second.call(&["EXISTS", "boltlink:{0}:stream"]).await.unwrap(), ":1");
    assert!(first.call(&["PING"]).await.is_err());
    assert_eq!(sealed(&*log).await, producers.into_iter().collect());
}

#[tokio::test]
async fn a_wrong_password_is_told_apart() {
    let (url, _) = RedisCluster::shared().await.unwrap();
    let url = url.replace("throw-away", "hunter2");
    let error = store(&url).check().await.unwrap_err();
    assert!(matches!(error, OpenError::Login { .. }) && !error.to_string().contains("hunter2"), "{error}");
    let group = RedisSentinel::start(Persistence::None).await.unwrap();
    for part in [":throw-away@", "sentinel_password=throw-away"] {
        let url = group.url().replace(part, &part.replace("throw-away", "hunter2"));
        let error = store(&url).check().await.unwrap_err();
        assert!(matches!(error, OpenError::Login { .. }) && !error.to_string().contains("hunter2"), "{error}");
    }
}
