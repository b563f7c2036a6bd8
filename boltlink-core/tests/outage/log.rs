//! A log of clicks that loses replies, or is full.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, LinkId, Outcome, Shortener, StoreError, Stores, SystemClock, Visit,
    memory::MemoryLog,
    store::{Backlog, Consumer, CounterStore, Delivery, LogRun},
};

use crate::{counts, follow, link, sink::Faulty, stores};

/// A log with faults.
struct FaultyLog {
    log: Arc<dyn CounterStore>,
    adds: AtomicU64,
    /// Takes every second batch and says it did not.
    loses_replies: bool,
    /// Takes nothing.
    full: AtomicBool,
    /// Says that it is not this process' own.
    shared: bool,
}

impl FaultyLog {
    fn new(log: &Arc<dyn CounterStore>) -> Self {
        Self {
            log: log.clone(),
            adds: AtomicU64::new(0),
            loses_replies: false,
            full: AtomicBool::new(false),
            shared: false,
        }
    }
}

#[async_trait]
impl CounterStore for FaultyLog {
    async fn add(&self, batch: &ClickBatch, delivery: Delivery) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("full"));
        }
        self.log.add(batch, delivery).await?;
        if self.adds.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) && self.loses_replies {
            return Err(StoreError::unavailable("the reply was lost"));
        }
        Ok(())
    }

    async fn pending(&self, links: &[LinkId]) -> Result<Vec<u64>, StoreError> {
        self.log.pending(links).await
    }

    async fn seal(&self, consumer: Consumer, limit: usize) -> Result<Vec<ClickBatch>, StoreError> {
        self.log.seal(consumer, limit).await
    }

    async fn settle(&self, consumer: Consumer, batches: &[BatchId]) -> Result<(), StoreError> {
        self.log.settle(consumer, batches).await
    }

    async fn run(&self) -> Result<LogRun, StoreError> {
        self.log.run().await
    }

    async fn backlog(&self, consumer: Consumer) -> Result<Backlog, StoreError> {
        self.log.backlog(consumer).await
    }

    fn outlives_process(&self) -> bool {
        self.shared
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_of_the_log_doubles_nothing() {
    let mut stores = stores();
    stores.log = Arc::new(FaultyLog { loses_replies: true, ..FaultyLog::new(&stores.log) });
    let shortener = Shortener::builder().stores(stores).build().await.unwrap();
    let link = link(&shortener).await;
    for _ in 0..5 {
        follow(&shortener, &link).await.unwrap();
        std::thread::sleep(Duration::from_millis(10));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(counts(&shortener, &link).await.0 <= shortener.counters().clicks_recorded);
    }
    shortener.shutdown().await;
    assert_eq!(counts(&shortener, &link).await, (5, 5));
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_to_a_log_that_others_share_what_is_in_it() {
    for (consumer, hangs) in Consumer::ALL.into_iter().flat_map(|consumer| [(consumer, false), (consumer, true)]) {
        let mut stores = stores();
        let sink = match consumer {
            Consumer::Totals => &mut stores.totals,
            Consumer::Analytics => &mut stores.analytics,
        };
        let faulty = Faulty::new(sink, hangs.then_some(1));
        *sink = faulty.clone();
        stores.log = Arc::new(FaultyLog { shared: true, ..FaultyLog::new(&stores.log) });
        // Without a journal: once a batch is in the log, that is what keeps it.
        let shortener = Shortener::builder().stores(stores).build().await.unwrap();
        let link = link(&shortener).await;
        faulty.away.store(!hangs, Ordering::SeqCst);
        faulty.hangs.store(hangs, Ordering::SeqCst);
        follow(&shortener, &link).await.unwrap();
        while shortener.backlog(consumer).await.unwrap().batches == 0 {
            std::thread::sleep(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
        // The consumer is at it, and gets nowhere.
        tokio::time::sleep(Duration::from_secs(20)).await;
        tokio::time::timeout(Duration::from_secs(60), shortener.shutdown()).await.unwrap();
        let waiting = shortener.backlog(consumer).await.unwrap();
        let (totals, rollups) = counts(&shortener, &link).await;
        let stored = if consumer == Consumer::Totals { rollups } else { totals };
        assert_eq!((waiting.batches, stored), (1, 1), "it waits in the log for {consumer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_takes_nothing_is_not_well_until_it_does() {
    let mut stores = stores();
    let log = Arc::new(FaultyLog::new(&stores.log));
    stores.log = log.clone();
    let shortener = Shortener::builder().stores(stores).build().await.unwrap();
    let link = link(&shortener).await;
    shortener.check_log().await.unwrap();
    log.full.store(true, Ordering::SeqCst);
    follow(&shortener, &link).await.unwrap();
    while shortener.check_log().await.is_ok() {
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    let refused = shortener.check_log().await.unwrap_err();
    assert!(refused.to_string().contains("full"), "{refused}");
    log.full.store(false, Ordering::SeqCst);
    while shortener.check_log().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shortener.shutdown().await;
    assert_eq!(counts(&shortener, &link).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_bound_has_room_for_is_redirected_and_counted_as_lost() {
    let stores = Stores { log: Arc::new(MemoryLog::new(Arc::new(SystemClock), 100_000)), ..stores() };
    // Nobody takes anything out of the log, and no journal keeps it.
    let shortener = Shortener::builder().stores(stores).consumers([]).build().await.unwrap();
    let link = link(&shortener).await;
    follow(&shortener, &link).await.unwrap();
    let request = Visit::new(&link.link.domain, link.link.slug.as_str());
    for _ in 1..500_000 {
        let outcome = match shortener.try_visit(&request) {
            Some(outcome) => outcome,
            // The news of its creation has reached the cache, which asks for it again.
            None => follow(&shortener, &link).await.unwrap(),
        };
        assert!(matches!(outcome, Outcome::Redirect(_)));
    }
    let counters = || shortener.counters();
    while counters().clicks_recorded < 500_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The log has room for 100,000, and 262,144 wait in memory beside it.
    let lost = counters().clicks_lost;
    assert!((500_000 - 100_000 - 262_144..200_000).contains(&lost), "{lost}");
}
