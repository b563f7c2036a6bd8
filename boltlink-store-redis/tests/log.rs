//! What the log does beyond its contract: when the server forgets, fills up, restarts, or holds what cannot be read.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{collections::HashSet, num::NonZeroU16, sync::Arc, time::Duration};

use boltlink_core::{
    BatchId, Click, ClickBatch, EntropyExt, FakeClock, LinkId, ProducerId, SystemClock, SystemEntropy, Timestamp,
    store::{Consumer, CounterStore, Delivery},
};
use boltlink_store_redis::{OpenError, RedisConfig, RedisStore};
use boltlink_testkit::{KeySpace, Persistence, RedisServer};
use uuid::Uuid;

const LINK: LinkId = LinkId::from_uuid(Uuid::from_u128(7));

fn store(config: &RedisConfig) -> RedisStore {
    RedisStore::new(config, Arc::new(SystemClock)).unwrap()
}

fn config(server: &RedisServer) -> RedisConfig {
    RedisConfig::new(server.url()).unwrap()
}

fn producer() -> ProducerId {
    SystemEntropy.producer_id(Timestamp::EPOCH)
}

fn batch(producer: ProducerId, sequence: u64, clicks: usize) -> ClickBatch {
    let click = Click { user_agent: Some("curl/8"), ..Click::bare(LINK, Timestamp::EPOCH) };
    ClickBatch::new(BatchId { producer, sequence }, std::iter::repeat_n(click, clicks))
}

async fn pending(log: &dyn CounterStore) -> u64 {
    log.pending(&[LINK]).await.unwrap()[0]
}

/// Repeats what fails while a connection is made anew.
async fn eventually<T, E: std::fmt::Debug>(call: impl AsyncFn() -> Result<T, E>) -> T {
    for _ in 0..200 {
        if let Ok(answer) = call().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    call().await.unwrap()
}

#[tokio::test]
async fn an_entry_stands_in_the_stream_as_releases_agreed() {
    let keys = KeySpace::new().await.unwrap();
    let prefix = keys.prefix();
    let log = store(&RedisConfig::new(keys.url()).unwrap().prefix(prefix.parse().unwrap())).log();
    let producer = ProducerId::from_uuid(Uuid::from_u128(0x0102_0304_0506_7708_8900_0000_0000_000a));
    log.add(&batch(producer, 258, 2), Delivery::First).await.unwrap();
    log.add(&batch(producer, 259, 1), Delivery::Again).await.unwrap();

    let client = redis::Client::open(keys.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut range = redis::cmd("XRANGE");
    range.arg(format!("{prefix}{{0}}:stream")).arg("-").arg("+");
    type Fields = Vec<(String, Vec<u8>)>;
    let entries: Vec<(String, Fields)> = range.query_async(&mut connection).await.unwrap();
    let shown = |entry: usize| {
        let (id, fields) = &entries[entry];
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", hex(value))).collect();
        format!("{id} {}", fields.join(" "))
    };
    // Producer and sequence in hex digits · the batch as the codec has it · generation of the view · link and clicks.
    let (id, generation) = ("0102030405067708890000000000000a303030303030303030303030303130", "31");
    // Once: curl/8.
    let texts = "01066375726c2f38";
    let click = |offset: &str| format!("00000000000000000000000000000007{offset}0200");
    let head = "020102030405067708890000000000000a";
    assert_eq!(
        shown(0),
        format!(
            "1-0 i={id}32 b={head}8202020000000000000000{texts}{}{} g={generation} v=0000000000000000000000000000000702000000",
            click("00"),
            click("00")
        )
    );
    assert_eq!(
        shown(1),
        format!("2-0 i={id}33 b={head}8302010000000000000000{texts}{} g={generation} v=", click("00"))
    );
}

#[tokio::test]
async fn a_restart_that_brings_everything_back_is_another_run_whose_view_is_not_shown() {
    let mut server = RedisServer::start(Persistence::AppendAlways).await.unwrap();
    let log = store(&config(&server)).log();
    let producer = producer();
    log.add(&batch(producer, 1, 3), Delivery::First).await.unwrap();
    let run = log.run().await.unwrap();
    assert_eq!(pending(&*log).await, 3);
    server.restart().await.unwrap();

    assert_ne!(eventually(|| log.run()).await, run);
    assert_eq!(eventually(|| log.pending(&[LINK])).await, [0]);
    // What the new run raises is all that shows, and what the old one raised takes nothing of it down.
    let second = batch(producer, 2, 2);
    eventually(|| log.add(&second, Delivery::First)).await;
    log.add(&batch(producer, 3, 2), Delivery::Again).await.unwrap();
    assert_eq!(pending(&*log).await, 2);
    assert_eq!(eventually(|| log.seal(Consumer::Totals, 1)).await, [batch(producer, 1, 3)]);
    assert_eq!(pending(&*log).await, 2);
    assert_eq!(log.seal(Consumer::Totals, 1).await.unwrap(), [batch(producer, 2, 2)]);
    assert_eq!(pending(&*log).await, 0);
}

#[tokio::test]
async fn a_flush_is_another_run() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let log = store(&config(&server)).log();
    let run = log.run().await.unwrap();
    assert_eq!(log.run().await.unwrap(), run);
    log.add(&batch(producer(), 1, 1), Delivery::First).await.unwrap();
    server.call(&["FLUSHALL"]).await.unwrap();
    assert_ne!(log.run().await.unwrap(), run);
    assert_eq!((pending(&*log).await, log.seal(Consumer::Totals, 9).await.unwrap()), (0, vec![]));
}

#[tokio::test]
async fn a_server_without_memory_takes_nothing_and_still_gives() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let log = store(&config(&server)).log();
    let producer = producer();
    log.add(&batch(producer, 1, 1), Delivery::First).await.unwrap();
    log.run().await.unwrap();
    server.call(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    let refused = log.add(&batch(producer, 2, 1), Delivery::First).await.unwrap_err();
    assert!(refused.is_retryable() && refused.to_string().contains("maxmemory"), "{refused}");
    assert_eq!(pending(&*log).await, 1);
    log.run().await.unwrap();
    for consumer in Consumer::ALL {
        assert_eq!(log.seal(consumer, 9).await.unwrap(), [batch(producer, 1, 1)]);
        log.settle(consumer, &[batch(producer, 1, 1).id()]).await.unwrap();
        assert_eq!(log.backlog(consumer).await.unwrap().batches, 0);
    }
    // A consumer that starts now, and knows of more shards.
    let mut config = config(&server);
    config.shards = NonZeroU16::new(2).unwrap();
    assert!(store(&config).log().seal(Consumer::Totals, 9).await.unwrap().is_empty());
    server.call(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    log.add(&batch(producer, 2, 1), Delivery::Again).await.unwrap();
}

/// A log with room for a few clicks, and the server that it is in.
async fn small_log() -> (Arc<dyn CounterStore>, RedisServer) {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let mut config = config(&server);
    config.capacity = 500;
    (store(&config).log(), server)
}

#[tokio::test]
async fn a_full_log_takes_nothing_until_both_have_settled() {
    let (log, _server) = small_log().await;
    let producer = producer();
    // More than there is room for: refused for ever, if it were not taken alone.
    log.add(&batch(producer, 1, 100), Delivery::First).await.unwrap();
    for consumer in Consumer::ALL {
        assert!(log.add(&batch(producer, 2, 1), Delivery::First).await.unwrap_err().is_retryable());
        log.settle(consumer, &[batch(producer, 1, 1).id()]).await.unwrap();
    }
    log.add(&batch(producer, 2, 1), Delivery::Again).await.unwrap();
}

#[tokio::test]
async fn many_batches_are_taken_as_if_by_themselves() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let log = store(&config(&server)).log();
    let producer = producer();
    let many = |first: u64, deliveries: &[Delivery]| {
        let batches = deliveries.iter().zip(first..);
        batches.map(|(delivery, sequence)| (batch(producer, sequence, 10), *delivery)).collect::<Vec<_>>()
    };
    let mixed = many(1, &[Delivery::First, Delivery::Again, Delivery::First]);
    assert_eq!(log.add_all(&mixed).await.unwrap(), 3);
    assert_eq!(pending(&*log).await, 20, "what was perhaps sent before does not show");
    assert_eq!(log.add_all(&mixed).await.unwrap(), 3, "again");
    assert_eq!(log.add_all(&many(3, &[Delivery::First, Delivery::First])).await.unwrap(), 2);
    assert_eq!(pending(&*log).await, 30, "of those only the last one is new");
    // One link in all of them: it is lowered by as much as each raised it.
    assert_eq!(log.seal(Consumer::Totals, 2).await.unwrap().len(), 2);
    assert_eq!(pending(&*log).await, 20);
    log.settle(Consumer::Totals, &[3, 4].map(|sequence| batch(producer, sequence, 10).id())).await.unwrap();
    assert_eq!(pending(&*log).await, 0, "settled unsealed");
    assert_eq!(log.seal(Consumer::Analytics, 9).await.unwrap().len(), 4);
}

#[tokio::test]
async fn of_many_batches_a_full_log_says_how_many_it_has() {
    let (log, _server) = small_log().await;
    let producer = producer();
    let batches: Vec<_> = (1..=64).map(|sequence| (batch(producer, sequence, 1), Delivery::First)).collect();
    let held = log.add_all(&batches).await.unwrap();
    assert!((1..20).contains(&held), "{held}");
    assert_eq!(pending(&*log).await, held as u64);
    assert!(log.add_all(&batches[held..]).await.unwrap_err().is_retryable(), "not one of them");
    let sealed = log.seal(Consumer::Totals, 99).await.unwrap();
    assert_eq!(sealed, batches[..held].iter().map(|(batch, _)| batch.clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_be_read_waits_and_holds_up_nothing() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let log = store(&config(&server)).log();
    let producer = producer();
    log.add(&batch(producer, 1, 1), Delivery::First).await.unwrap();
    // As a newer release would write it.
    let newer = "local e = redis.call('XRANGE', KEYS[1], '1-0', '1-0')[1][2] redis.call('XDEL', KEYS[1], '1-0') \
                 redis.call('XADD', KEYS[1], '2-0', 'i', e[2], 'b', string.char(99) .. e[4], 'g', e[6], 'v', e[8]) \
                 redis.call('HSET', KEYS[2], 'place', 2)";
    server.call(&["EVAL", newer, "2", "boltlink:{0}:stream", "boltlink:{0}:meta"]).await.unwrap();
    log.add(&batch(producer, 2, 2), Delivery::First).await.unwrap();
    assert_eq!(log.seal(Consumer::Totals, 9).await.unwrap(), [batch(producer, 2, 2)]);
    assert_eq!(log.backlog(Consumer::Totals).await.unwrap().batches, 2, "nothing is dropped");
}

#[tokio::test]
async fn other_numbers_of_shards_read_and_settle_each_others_clicks() {
    for (before, after) in [(8, 1), (1, 8), (3, 5)] {
        let server = RedisServer::start(Persistence::None).await.unwrap();
        let with = |shards: u16| {
            let mut config = config(&server);
            config.shards = NonZeroU16::new(shards).unwrap();
            store(&config).log()
        };
        let (old, new) = (with(before), with(after));
        let batches: Vec<_> = (0..32).map(|_| batch(producer(), 1, 1)).collect();
        for batch in &batches {
            old.add(batch, Delivery::First).await.unwrap();
        }
        // One that went to both: a reply was lost, then the node came back with the other number.
        new.add(&batches[0], Delivery::Again).await.unwrap();
        assert_eq!(pending(&*new).await, 32);
        for consumer in Consumer::ALL {
            let sealed = new.seal(consumer, 100).await.unwrap();
            let ids: HashSet<_> = sealed.iter().map(ClickBatch::id).collect();
            assert_eq!(ids.len(), 32);
            new.settle(consumer, &ids.into_iter().collect::<Vec<_>>()).await.unwrap();
        }
        for consumer in Consumer::ALL {
            assert_eq!(new.backlog(consumer).await.unwrap().batches, 0, "{before} to {after}");
        }
    }
}

#[tokio::test]
async fn an_entry_that_somebody_took_away_is_taken_again_when_it_is_sent_again() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let log = store(&config(&server)).log();
    let producer = producer();
    for sequence in 1..=3 {
        log.add(&batch(producer, sequence, 1), Delivery::First).await.unwrap();
    }
    // One that nobody has seen, and one that one of both has settled.
    log.settle(Consumer::Analytics, &[batch(producer, 2, 1).id()]).await.unwrap();
    server.call(&["DEL", "boltlink:{0}:stream"]).await.unwrap();
    for sequence in 1..=3 {
        log.add(&batch(producer, sequence, 1), Delivery::Again).await.unwrap();
        log.add(&batch(producer, sequence, 1), Delivery::Again).await.unwrap();
    }
    for consumer in Consumer::ALL {
        let sealed = log.seal(consumer, 9).await.unwrap();
        assert_eq!(sealed.iter().map(|batch| batch.id().sequence).collect::<Vec<_>>(), [1, 2, 3]);
        log.settle(consumer, &sealed.iter().map(ClickBatch::id).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(log.backlog(consumer).await.unwrap().batches, 0);
    }
    // Nothing counts as being there that is not: the log is as empty as a new one.
    let bytes = "return tonumber(redis.call('HGET', KEYS[1], 'bytes'))";
    assert_eq!(server.call(&["EVAL", bytes, "1", "boltlink:{0}:meta"]).await.unwrap(), ":0");
}

#[tokio::test]
async fn a_connection_that_was_made_anew_is_another_run() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let log = store(&config(&server)).log();
    let run = log.run().await.unwrap();
    assert_eq!(log.run().await.unwrap(), run);
    server.call(&["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    let anew = eventually(|| log.run()).await;
    assert_ne!(anew, run);
    assert_eq!(log.run().await.unwrap(), anew);
}

#[tokio::test]
async fn consumers_whose_clocks_differ_leave_each_other_what_they_work_on() {
    let keys = KeySpace::new().await.unwrap();
    let config = RedisConfig::new(keys.url()).unwrap().prefix(keys.prefix().parse().unwrap());
    let at = |seconds: u64| {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH.plus(Duration::from_secs(seconds))));
        RedisStore::new(&config, clock).unwrap().log()
    };
    let (late, early) = (at(1_020), at(1_000));
    late.add(&batch(producer(), 1, 1), Delivery::First).await.unwrap();
    assert_eq!(late.seal(Consumer::Totals, 9).await.unwrap().len(), 1);
    assert!(early.seal(Consumer::Totals, 9).await.unwrap().is_empty());
    // Who set the clock back by much more has nobody whose lease ends.
    assert_eq!(at(900).seal(Consumer::Totals, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_producer_in_view_is_remembered_among_thousands() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let log = store(&config(&server)).log();
    let of = |number: u128| ProducerId::from_uuid(Uuid::from_u128(number << 64));
    for number in 1..=4_097 {
        log.add(&batch(of(number), 1, 1), Delivery::Again).await.unwrap();
    }
    // The oldest is forgotten, and so is nobody's first delivery any more; the next is known.
    log.add(&batch(of(1), 2, 1), Delivery::First).await.unwrap();
    assert_eq!(pending(&*log).await, 0);
    log.add(&batch(of(2), 2, 1), Delivery::First).await.unwrap();
    assert_eq!(pending(&*log).await, 1);
}

#[tokio::test]
async fn a_wrong_server_is_told_from_one_that_is_away() {
    let mut server = RedisServer::start(Persistence::None).await.unwrap();
    let redis = store(&config(&server));
    let health = redis.check().await.unwrap();
    assert!(!health.append_only && health.most_bytes.is_none());
    server.call(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]).await.unwrap();
    assert!(matches!(redis.check().await, Err(OpenError::Evicts { .. })));
    server.call(&["CONFIG", "SET", "requirepass", "hunter2"]).await.unwrap();
    assert!(matches!(redis.check().await, Err(OpenError::Login { .. })));
    let wrong = format!("redis://:wrong@{}", server.url().strip_prefix("redis://").unwrap());
    let refused = store(&RedisConfig::new(&wrong).unwrap()).check().await.unwrap_err();
    assert!(!refused.is_retryable() && !refused.to_string().contains("wrong@"), "{refused}");
    server.kill();
    assert!(redis.check().await.unwrap_err().is_retryable());
    assert!(redis.ping().await.unwrap_err().is_retryable());
    server.restart().await.unwrap();
    eventually(|| redis.ping()).await;
}
