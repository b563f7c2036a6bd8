//! Stores that go away, hang or refuse: what the shortener does meanwhile, and that nothing is lost.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod log;
mod sink;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use boltlink_core::{
    Actor, Domain, Error, Link, LinkId, NewLink, Outcome, Shortener, ShortenerBuilder, Slug, SlugCase, StoreError,
    StoredLink, Stores, SystemClock, TargetRules, TargetUrl, Timestamp, Visit,
    store::{Idempotency, Insert, Inserted, LinkCursor, LinkFilter, LinkOrder, LinkStore, SlugCaseChange},
};
use sink::Faulty;

fn stores() -> Stores {
    Stores::in_memory(Arc::new(SystemClock))
}

async fn link(shortener: &Shortener) -> StoredLink {
    let target = TargetUrl::parse("https://example.com/", &TargetRules::default()).unwrap();
    shortener.create(&Actor::OPERATOR, NewLink::to(target)).await.unwrap()
}

async fn follow(shortener: &Shortener, link: &StoredLink) -> Result<Outcome, Error> {
    shortener.visit(&Visit::new(&link.link.domain, link.link.slug.as_str())).await
}

async fn counts(shortener: &Shortener, link: &StoredLink) -> (u64, u64) {
    let found = shortener.find(&Actor::OPERATOR, link.link.id).await.unwrap();
    (found.clicks, shortener.global(&Actor::OPERATOR, 0, 1 << 20).await.unwrap().clicks)
}

#[tokio::test(start_paused = true)]
async fn clicks_wait_for_a_sink_that_is_away_and_are_counted_once() {
    let mut stores = stores();
    let totals = Faulty::new(&stores.totals, None);
    stores.totals = totals.clone();
    let shortener = Shortener::builder().stores(stores).build().await.unwrap();
    let link = link(&shortener).await;
    totals.away.store(true, Ordering::SeqCst);
    for _ in 0..10 {
        follow(&shortener, &link).await.unwrap();
    }
    // The recorder's thread lives by the machine's clock, the rest by the test's.
    std::thread::sleep(Duration::from_millis(50));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(counts(&shortener, &link).await.0, 10, "live totals show what waits");
    assert!(follow(&shortener, &link).await.is_ok(), "redirects go on");

    totals.deaf.store(true, Ordering::SeqCst);
    totals.away.store(false, Ordering::SeqCst);
    shortener.shutdown().await;
    assert_eq!(counts(&shortener, &link).await, (11, 11));
    assert_eq!(shortener.counters().clicks_lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_for_good_holds_up_nobody() {
    refuse_for_good(|builder| builder).await;
}

#[cfg(feature = "journal")]
#[tokio::test(start_paused = true)]
async fn what_is_refused_added_up_is_read_again_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    refuse_for_good(|builder| builder.journal(boltlink_core::JournalConfig::new(dir.path()))).await;
}

/// A store of totals refuses the second of four batches for ever.
async fn refuse_for_good(change: impl FnOnce(ShortenerBuilder) -> ShortenerBuilder) {
    let mut stores = stores();
    let totals = Faulty::new(&stores.totals, Some(2));
    stores.totals = totals.clone();
    let shortener = change(Shortener::builder().stores(stores)).build().await.unwrap();
    let link = link(&shortener).await;
    for sequence in 1..=4 {
        follow(&shortener, &link).await.unwrap();
        // Each click in a batch of its own.
        while shortener.counters().clicks_recorded < sequence {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    shortener.shutdown().await;
    assert_eq!(counts(&shortener, &link).await, (3, 4), "the poisoned batch is missing from the totals only");
    let aside: Vec<u64> = totals.set_aside.lock().iter().map(|id| id.sequence).collect();
    assert_eq!(aside, [2]);
    assert_eq!(shortener.counters().batches_set_aside, 1);
}

#[cfg(feature = "journal")]
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_to_the_journal_only_what_is_in_it() {
    for room in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut stores = stores();
        let totals = Faulty::new(&stores.totals, None);
        stores.totals = totals.clone();
        let mut config = boltlink_core::JournalConfig::new(dir.path());
        if !room {
            config.max_bytes = 0;
        }
        let shortener = Shortener::builder().stores(stores).journal(config).build().await.unwrap();
        let link = link(&shortener).await;
        totals.away.store(true, Ordering::SeqCst);
        follow(&shortener, &link).await.unwrap();
        let stopping = {
            let shortener = shortener.clone();
            tokio::spawn(async move { shortener.shutdown().await })
        };
        if room {
            stopping.await.unwrap();
            assert_eq!(counts(&shortener, &link).await.0, 0, "it waits in the journal");
        } else {
            while shortener.counters().clicks_recorded == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            totals.away.store(false, Ordering::SeqCst);
            stopping.await.unwrap();
            assert_eq!(counts(&shortener, &link).await.0, 1, "nobody else had it");
        }
    }
}

#[cfg(feature = "journal")]
#[tokio::test]
async fn a_salvage_that_hangs_holds_up_no_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut stores = stores();
    let totals = Faulty::new(&stores.totals, Some(1));
    stores.totals = totals.clone();
    totals.hangs.store(true, Ordering::SeqCst);
    let journal = boltlink_core::JournalConfig::new(dir.path());
    let shortener = Shortener::builder().stores(stores).journal(journal).build().await.unwrap();
    let link = link(&shortener).await;
    follow(&shortener, &link).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), shortener.shutdown()).await.unwrap();
    assert_eq!(counts(&shortener, &link).await.0, 0, "it waits in the journal");
    assert!(totals.set_aside.lock().is_empty());
}

/// A link store that hangs while told so.
struct Hangs {
    links: Arc<dyn LinkStore>,
    hanging: AtomicBool,
}

impl Hangs {
    async fn gate(&self) {
        if self.hanging.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl LinkStore for Hangs {
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError> {
        self.links.insert(link, key).await
    }

    async fn insert_many(&self, links: &[Insert]) -> Result<Vec<Inserted>, StoreError> {
        self.links.insert_many(links).await
    }

    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError> {
        self.gate().await;
        self.links.by_id(id).await
    }

    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError> {
        self.gate().await;
        self.links.by_slug(domain, slug).await
    }

    async fn by_target(
        &self,
        owner: boltlink_core::AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.links.by_target(owner, domain, target, limit).await
    }

    async fn usable_by_target(
        &self,
        owner: boltlink_core::AccountId,
        domain: &Domain,
        target: &TargetUrl,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.links.usable_by_target(owner, domain, target, now, limit).await
    }

    async fn update(&self, link: &Link, expected: u64) -> Result<StoredLink, StoreError> {
        self.links.update(link, expected).await
    }

    async fn delete(&self, id: LinkId, expected: Option<u64>) -> Result<(), StoreError> {
        self.links.delete(id, expected).await
    }

    async fn list(
        &self,
        filter: &LinkFilter,
        order: LinkOrder,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.links.list(filter, order, after, limit).await
    }

    async fn reserve(&self, id: LinkId, wanted: u32) -> Result<u32, StoreError> {
        self.gate().await;
        self.links.reserve(id, wanted).await
    }

    async fn slug_case(&self, wanted: SlugCase) -> Result<SlugCase, StoreError> {
        self.links.slug_case(wanted).await
    }

    async fn change_slug_case(&self, case: SlugCase) -> Result<SlugCaseChange, StoreError> {
        self.links.change_slug_case(case).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.gate().await;
        self.links.ping().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_stops_only_what_needs_it() {
    let mut stores = stores();
    let links = Arc::new(Hangs { links: stores.links, hanging: AtomicBool::new(false) });
    stores.links = links.clone();
    let shortener = Shortener::builder().stores(stores).build().await.unwrap();
    let (cached, other) = (link(&shortener).await, link(&shortener).await);
    let capped = NewLink { max_visits: Some(5.try_into().unwrap()), ..NewLink::to(other.link.target.clone()) };
    let capped = shortener.create(&Actor::OPERATOR, capped).await.unwrap();
    // The change log tells of the creations once more, which evicts them.
    tokio::time::sleep(Duration::from_secs(1)).await;
    follow(&shortener, &cached).await.unwrap();
    follow(&shortener, &capped).await.unwrap();

    links.hanging.store(true, Ordering::SeqCst);
    let unavailable = |outcome: Result<Outcome, Error>| matches!(outcome, Err(Error::Unavailable { .. }));
    assert!(unavailable(follow(&shortener, &other).await), "not cached: nobody knows");
    assert!(unavailable(follow(&shortener, &capped).await), "capped: never open");
    assert!(matches!(follow(&shortener, &cached).await, Ok(Outcome::Redirect(_))), "cached: as ever");
    assert!(shortener.check_store().await.is_err());

    links.hanging.store(false, Ordering::SeqCst);
    assert!(matches!(follow(&shortener, &other).await, Ok(Outcome::Redirect(_))), "no error was remembered");
    assert!(matches!(follow(&shortener, &capped).await, Ok(Outcome::Redirect(_))));
}
