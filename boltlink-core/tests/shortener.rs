//! The shortener through its public interface, on in-memory stores.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{num::NonZeroU8, sync::Arc, time::Duration};

use boltlink_core::{
    Actor, AuthError, Domain, Error, FakeClock, Field, Lifetime, LinkEdit, NewKey, NewLink, Outcome, Purpose,
    RandomSlugs, RedirectKind, Scopes, Shortener, Slug, StoredLink, Stores, TargetRules, TargetUrl, Timestamp, Visit,
    store::{Fingerprint, LinkFilter, LinkOrder, Point},
};

fn target(text: &str) -> TargetUrl {
    TargetUrl::parse(text, &TargetRules::default()).unwrap()
}

fn to(text: &str) -> NewLink {
    NewLink::to(target(text))
}

async fn in_memory() -> (Shortener, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    (Shortener::builder().clock(clock.clone()).build().await.unwrap(), clock)
}

async fn visit(shortener: &Shortener, link: &StoredLink) -> Outcome {
    let visit = Visit::new(&link.link.domain, link.link.slug.as_str());
    shortener.visit(&visit).await.unwrap()
}

async fn clicks(shortener: &Shortener, link: &StoredLink) -> u64 {
    shortener.find(&Actor::OPERATOR, link.link.id).await.unwrap().clicks
}

fn at(micros_later: i64, clock: &FakeClock) -> Timestamp {
    use boltlink_core::Clock;
    Timestamp::from_micros(clock.now().as_micros() + micros_later).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_visit_redirects_and_counts_once() {
    let (shortener, _) = in_memory().await;
    let link = shortener.create(&Actor::OPERATOR, to("https://example.com/a")).await.unwrap();
    assert_eq!(link.link.slug.as_str().len(), 7);
    let request = Visit::new(&link.link.domain, link.link.slug.as_str());

    assert_eq!(shortener.try_visit(&request), None, "not loaded yet");
    let Outcome::Redirect(redirect) = visit(&shortener, &link).await else { panic!() };
    assert_eq!((redirect.kind, &redirect.location), (RedirectKind::Found, &"https://example.com/a".parse().unwrap()));
    assert!(matches!(shortener.try_visit(&request), Some(Outcome::Redirect(_))), "from here on at once");

    let peek = Visit { purpose: Purpose::Peek, ..request };
    assert!(matches!(shortener.try_visit(&peek), Some(Outcome::Redirect(_))));
    assert!(matches!(shortener.visit(&peek).await, Ok(Outcome::Redirect(_))));

    shortener.shutdown().await;
    assert_eq!(clicks(&shortener, &link).await, 2, "a look is not counted");
    let stats = shortener.stats(&Actor::OPERATOR, link.link.id).await.unwrap();
    let hour = shortener.now().hour();
    assert_eq!(stats.hours, [Point { at: hour, clicks: 2 }]);
    assert_eq!(shortener.counters().clicks_recorded, 2);
    assert_eq!(shortener.counters().clicks_lost, 0);
}

#[tokio::test(start_paused = true)]
async fn unknown_slugs_are_remembered_until_somebody_takes_them() {
    let (shortener, _) = in_memory().await;
    let domain = Domain::default_domain();
    let free = Visit::new(&domain, "free");
    assert_eq!(shortener.visit(&free).await.unwrap(), Outcome::NotFound);
    assert_eq!(shortener.try_visit(&free), Some(Outcome::NotFound));
    let rubbish = Visit::new(&domain, "no such/slug\u{0}");
    assert_eq!(shortener.visit(&rubbish).await.unwrap(), Outcome::NotFound);

    let new = NewLink { slug: Some("free".parse().unwrap()), ..to("https://example.com/") };
    shortener.create(&Actor::OPERATOR, new.clone()).await.unwrap();
    assert!(matches!(shortener.visit(&free).await.unwrap(), Outcome::Redirect(_)));
    assert!(matches!(shortener.create(&Actor::OPERATOR, new).await, Err(Error::SlugTaken)));
}

#[tokio::test(start_paused = true)]
async fn a_link_works_within_its_lifetime_and_while_enabled() {
    let (shortener, clock) = in_memory().await;
    let lifetime = Lifetime::new(Some(at(1_000_000, &clock)), Some(at(2_000_000, &clock))).unwrap();
    let new = NewLink { lifetime, redirect: RedirectKind::MovedPermanently, ..to("https://example.com/") };
    let link = shortener.create(&Actor::OPERATOR, new).await.unwrap();
    assert_eq!(visit(&shortener, &link).await, Outcome::NotYetActive);
    clock.advance(Duration::from_secs(1));
    let Outcome::Redirect(redirect) = visit(&shortener, &link).await else { panic!() };
    assert!(!redirect.cacheable, "a link that ends must not be remembered");
    clock.advance(Duration::from_secs(1));
    assert_eq!(visit(&shortener, &link).await, Outcome::Expired);

    let edit = LinkEdit { expires_at: Field::Clear, enabled: Some(false), ..LinkEdit::default() };
    shortener.edit(&Actor::OPERATOR, link.link.id, edit, Some(1)).await.unwrap();
    assert_eq!(visit(&shortener, &link).await, Outcome::Disabled);
    let edit = LinkEdit { enabled: Some(true), ..LinkEdit::default() };
    shortener.edit(&Actor::OPERATOR, link.link.id, edit, None).await.unwrap();
    let Outcome::Redirect(redirect) = visit(&shortener, &link).await else { panic!() };
    assert!(redirect.cacheable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cap_is_exact_under_a_crowd() {
    let shortener = Shortener::builder().build().await.unwrap();
    let new = NewLink { max_visits: Some(100.try_into().unwrap()), ..to("https://example.com/") };
    let link = shortener.create(&Actor::OPERATOR, new).await.unwrap();
    let visits: Vec<_> = (0..1_000)
        .map(|_| {
            let (shortener, link) = (shortener.clone(), link.clone());
            tokio::spawn(async move { visit(&shortener, &link).await })
        })
        .collect();
    let (mut redirects, mut exhausted) = (0, 0);
    for outcome in visits {
        match outcome.await.unwrap() {
            Outcome::Redirect(_) => redirects += 1,
            Outcome::Exhausted => exhausted += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((redirects, exhausted), (100, 900));
    let request = Visit::new(&link.link.domain, link.link.slug.as_str());
    assert_eq!(shortener.try_visit(&request), Some(Outcome::Exhausted), "known by now");

    let edit = LinkEdit { max_visits: Field::Set(101.try_into().unwrap()), ..LinkEdit::default() };
    shortener.edit(&Actor::OPERATOR, link.link.id, edit, None).await.unwrap();
    assert!(matches!(visit(&shortener, &link).await, Outcome::Redirect(_)));
    assert_eq!(visit(&shortener, &link).await, Outcome::Exhausted);
    shortener.shutdown().await;
    assert_eq!(clicks(&shortener, &link).await, 101);
}

#[tokio::test(start_paused = true)]
async fn what_one_process_writes_shows_on_another_within_a_second() {
    let clock = Arc::new(FakeClock::default());
    let stores = Stores::in_memory(clock.clone());
    let build = || Shortener::builder().clock(clock.clone()).stores(stores.clone()).build();
    let (here, there) = (build().await.unwrap(), build().await.unwrap());
    let second = || tokio::time::sleep(Duration::from_secs(1));

    let domain = Domain::default_domain();
    let slug: Slug = "shared".parse().unwrap();
    let request = Visit::new(&domain, "shared");
    assert_eq!(there.visit(&request).await.unwrap(), Outcome::NotFound);
    let new = NewLink { slug: Some(slug), ..to("https://example.com/old") };
    let link = here.create(&Actor::OPERATOR, new).await.unwrap();
    second().await;
    assert!(matches!(there.visit(&request).await.unwrap(), Outcome::Redirect(_)), "a creation");

    let edit = LinkEdit { target: Some(target("https://example.com/new")), ..LinkEdit::default() };
    here.edit(&Actor::OPERATOR, link.link.id, edit, None).await.unwrap();
    second().await;
    let Outcome::Redirect(redirect) = there.visit(&request).await.unwrap() else { panic!() };
    assert_eq!(redirect.location, "https://example.com/new", "an edit");

    let edit = LinkEdit { slug: Some("moved".parse().unwrap()), ..LinkEdit::default() };
    here.edit(&Actor::OPERATOR, link.link.id, edit, None).await.unwrap();
    second().await;
    assert_eq!(there.visit(&request).await.unwrap(), Outcome::NotFound, "a new slug");

    here.delete(&Actor::OPERATOR, link.link.id, None).await.unwrap();
    second().await;
    assert_eq!(there.visit(&Visit::new(&domain, "moved")).await.unwrap(), Outcome::NotFound, "a deletion");

    let new = NewKey { owner: Some(here.new_account()), ..NewKey::new("k".parse().unwrap(), Scopes::MEMBER) };
    let (key, token) = here.create_key(&Actor::OPERATOR, new).await.unwrap();
    assert_eq!(
        there.authenticate(&token.reveal(), None).await.unwrap(),
        Actor::new(key.owner, Scopes::MEMBER).by_key(key.id, None)
    );
    let (_, renewed) = here.rotate_key(&Actor::OPERATOR, key.id, Duration::ZERO).await.unwrap();
    assert!(matches!(here.authenticate(&token.reveal(), None).await, Err(AuthError::Rejected)), "at once here");
    second().await;
    assert!(matches!(there.authenticate(&token.reveal(), None).await, Err(AuthError::Rejected)), "and there");
    let token = renewed;
    there.authenticate(&token.reveal(), None).await.unwrap();
    here.revoke_key(&Actor::OPERATOR, key.id).await.unwrap();
    assert!(matches!(here.authenticate(&token.reveal(), None).await, Err(AuthError::Rejected)), "at once here");
    second().await;
    assert!(matches!(there.authenticate(&token.reveal(), None).await, Err(AuthError::Rejected)), "and there");
}

#[tokio::test(start_paused = true)]
async fn edits_keep_to_the_version_they_were_made_for() {
    let (shortener, _) = in_memory().await;
    let link = shortener.create(&Actor::OPERATOR, to("https://example.com/")).await.unwrap();
    let title = |text: &str| LinkEdit { title: Field::Set(text.parse().unwrap()), ..LinkEdit::default() };
    let id = link.link.id;
    assert_eq!(shortener.edit(&Actor::OPERATOR, id, title("a"), Some(1)).await.unwrap().link.version, 2);
    let stale = shortener.edit(&Actor::OPERATOR, id, title("b"), Some(1)).await;
    assert!(matches!(stale, Err(Error::Stale { current: 2 })));
    assert!(matches!(shortener.delete(&Actor::OPERATOR, id, Some(1)).await, Err(Error::Stale { current: 2 })));
    shortener.delete(&Actor::OPERATOR, id, Some(2)).await.unwrap();
    assert!(matches!(shortener.find(&Actor::OPERATOR, id).await, Err(Error::NotFound { .. })));
}

#[tokio::test(start_paused = true)]
async fn members_see_their_own_links_only() {
    let (shortener, _) = in_memory().await;
    let member = async |name: &str| {
        let new = NewKey { owner: Some(shortener.new_account()), ..NewKey::new(name.parse().unwrap(), Scopes::MEMBER) };
        shortener.create_key(&Actor::OPERATOR, new).await.unwrap().0.actor()
    };
    let (ann, bob) = (member("ann").await, member("bob").await);
    let link = shortener.create(&ann, to("https://example.com/")).await.unwrap();
    let id = link.link.id;
    let not_found = |error: &Error| matches!(error, Error::NotFound { .. });
    assert!(shortener.find(&bob, id).await.is_err_and(|error| not_found(&error)));
    assert!(shortener.edit(&bob, id, LinkEdit::default(), None).await.is_err_and(|error| not_found(&error)));
    assert!(shortener.delete(&bob, id, None).await.is_err_and(|error| not_found(&error)));
    assert!(shortener.stats(&bob, id).await.is_err_and(|error| not_found(&error)));
    assert!(shortener.list(&bob, LinkFilter::default(), LinkOrder::Newest, None, 10).await.unwrap().links.is_empty());
    assert_eq!(shortener.list(&ann, LinkFilter::default(), LinkOrder::Newest, None, 10).await.unwrap().links.len(), 1);
    assert_eq!(
        shortener.list(&Actor::OPERATOR, LinkFilter::default(), LinkOrder::Newest, None, 10).await.unwrap().links.len(),
        1
    );
    assert!(matches!(shortener.global(&bob, 0, 1).await, Err(Error::Forbidden { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_page_by_page() {
    let (shortener, clock) = in_memory().await;
    for _ in 0..5 {
        clock.advance(Duration::from_secs(1));
        shortener.create(&Actor::OPERATOR, to("https://example.com/")).await.unwrap();
    }
    let (mut after, mut times) = (None, Vec::new());
    loop {
        let page = shortener.list(&Actor::OPERATOR, LinkFilter::default(), LinkOrder::Newest, after, 2).await.unwrap();
        times.extend(page.links.iter().map(|link| link.link.created_at));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted_by(|a, b| a > b), "newest first");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_creation_makes_one_link() {
    let (shortener, _) = in_memory().await;
    let (key, print) = ("key-1".parse().unwrap(), Fingerprint([1; 32]));
    let operator = Actor::OPERATOR;
    let create = || shortener.create_once(&operator, to("https://example.com/"), "key-1".parse().unwrap(), print);
    let (first, second) = (create().await.unwrap(), create().await.unwrap());
    assert!(!first.replayed && second.replayed);
    assert_eq!(first.link, second.link);
    let other = shortener.create_once(&Actor::OPERATOR, to("https://example.com/"), key, Fingerprint([2; 32])).await;
    assert!(matches!(other, Err(Error::KeyReused)));
    shortener.delete(&Actor::OPERATOR, first.link.link.id, None).await.unwrap();
    assert!(matches!(create().await, Err(Error::ReplayedDeleted)));
}

#[tokio::test(start_paused = true)]
async fn many_links_at_once_succeed_or_fail_by_themselves() {
    let clock = Arc::new(FakeClock::default());
    // One letter: collisions are certain, and slugs must grow.
    let slugs = Arc::new(RandomSlugs::new(NonZeroU8::MIN));
    let shortener = Shortener::builder().clock(clock).slugs(slugs).build().await.unwrap();
    let mut new = vec![to("https://example.com/"); 100];
    new.extend(
        ["mine", "mine"].map(|slug| NewLink { slug: Some(slug.parse().unwrap()), ..to("https://example.com/") }),
    );
    let made = shortener.create_many(&Actor::OPERATOR, new).await.unwrap();
    assert_eq!(made.iter().filter(|link| link.is_ok()).count(), 101);
    assert!(matches!(made.last(), Some(Err(Error::SlugTaken))));
}

#[cfg(feature = "journal")]
mod journaled {
    use boltlink_core::{Durability, SystemClock, journal::JournalConfig};
    use tokio::runtime::Runtime;

    use super::*;

    /// A process of its own, as far as the journal can tell: when it dies its tasks just end.
    fn process() -> Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    /// The stores, but for the log: that is in the memory of the process.
    fn after_a_crash(stores: &Stores) -> Stores {
        let log = boltlink_core::memory::MemoryLog::new(Arc::new(SystemClock), 1 << 20);
        Stores { log: Arc::new(log), ..stores.clone() }
    }

    #[test]
    fn an_acknowledged_click_survives_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let stores = Stores::in_memory(Arc::new(SystemClock));
        let build = |stores: &Stores| {
            Shortener::builder()
                .stores(after_a_crash(stores))
                .journal(JournalConfig::new(dir.path()))
                .durability(Durability::Acknowledged)
                // Nothing is stored before the crash.
                .flush_interval(Duration::from_secs(3600))
                .build()
        };
        let first = process();
        let link = first.block_on(async {
            let shortener = build(&stores).await.unwrap();
            let link = shortener.create(&Actor::OPERATOR, to("https://example.com/")).await.unwrap();
            for _ in 0..50 {
                assert!(matches!(visit(&shortener, &link).await, Outcome::Redirect(_)));
            }
            std::mem::forget(shortener); // No destructor runs in a crash.
            link
        });
        first.shutdown_timeout(Duration::from_secs(5));

        // The recorder's thread of the dead process still holds the directory here: as a second
        // process would, the next one reads a copy, whose locks are free.
        let copy = tempfile::tempdir().unwrap();
        copy_journal(dir.path(), copy.path());
        process().block_on(async {
            let shortener = Shortener::builder()
                .stores(after_a_crash(&stores))
                .journal(JournalConfig::new(copy.path()))
                .build()
                .await
                .unwrap();
            while clicks(&shortener, &link).await < 50 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            shortener.shutdown().await;
            assert_eq!(clicks(&shortener, &link).await, 50);
            let global = shortener.global(&Actor::OPERATOR, 0, 1 << 20).await.unwrap();
            assert_eq!(global.clicks, 50, "totals and rollups agree");
        });
        let left = std::fs::read_dir(copy.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
        assert_eq!(left.count(), 0, "what is stored is released");
    }

    #[tokio::test]
    async fn acknowledged_without_a_journal_is_refused() {
        let built = Shortener::builder().durability(Durability::Acknowledged).build().await;
        assert!(matches!(built, Err(boltlink_core::BuildError::NoJournal)));
    }

    fn copy_journal(from: &std::path::Path, to: &std::path::Path) {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                std::fs::create_dir(&target).unwrap();
                copy_journal(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), &target).unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cap_that_is_set_later_counts_what_waits_to_be_stored() {
    let shortener = Shortener::builder().flush_interval(Duration::from_secs(3_600)).build().await.unwrap();
    let link = shortener.create(&Actor::OPERATOR, to("https://example.com/a")).await.unwrap();
    for _ in 0..3 {
        visit(&shortener, &link).await;
    }
    while clicks(&shortener, &link).await < 3 {
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    let edit = LinkEdit { max_visits: Field::Set(4.try_into().unwrap()), ..LinkEdit::default() };
    let edited = shortener.edit(&Actor::OPERATOR, link.link.id, edit, None).await.unwrap();
    assert_eq!(edited.clicks, 3);
    assert!(matches!(visit(&shortener, &link).await, Outcome::Redirect(_)));
    assert_eq!(visit(&shortener, &link).await, Outcome::Exhausted);
    shortener.shutdown().await;
    assert_eq!(clicks(&shortener, &link).await, 4);
}
