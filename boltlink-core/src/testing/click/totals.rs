//! Clicks per link, as the link store returns them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::super::{
    Fixture,
    sample::{apply, capped, clicks, counted, find, link, producer, store, stored},
};
use crate::{
    Link,
    store::{Applied, Consumer, Delivery, Insert, Inserted, LinkFilter, LinkOrder},
};

const TOTALS: Consumer = Consumer::Totals;

pub async fn clicks_are_counted_per_link(fixture: &Fixture) {
    let (x, y, z) = (stored(fixture, "x").await, stored(fixture, "y").await, stored(fixture, "z").await);
    let producer = producer(fixture);
    apply(fixture, TOTALS, &[clicks(fixture, producer, 1, x, 2), clicks(fixture, producer, 2, y, 3)]).await;
    apply(fixture, TOTALS, &[clicks(fixture, producer, 3, x, 5)]).await;
    assert_eq!([counted(fixture, TOTALS, x).await, counted(fixture, TOTALS, y).await], [7, 3]);
    assert_eq!(counted(fixture, TOTALS, z).await, 0);
}

pub async fn counting_leaves_the_version_alone(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let link = store(fixture, link(fixture, "x")).await;
    apply(fixture, TOTALS, &[clicks(fixture, producer(fixture), 1, link.id, 2)]).await;
    assert_eq!(find(&**links, link.id).await.link, link);
    let edited = Link { version: 2, enabled: false, ..link };
    assert_eq!(links.update(&edited, 1).await.unwrap().clicks, 2);
    assert_eq!(counted(fixture, TOTALS, edited.id).await, 2);
}

pub async fn clicks_of_links_that_do_not_exist_are_orphaned(fixture: &Fixture) {
    let (there, never) = (stored(fixture, "x").await, link(fixture, "never").id);
    let gone = stored(fixture, "gone").await;
    fixture.stores.links.delete(gone, None).await.unwrap();
    let producer = producer(fixture);
    let batches =
        [(1, there, 2), (2, never, 3), (3, gone, 4)].map(|(s, link, n)| clicks(fixture, producer, s, link, n));
    let applied = apply(fixture, TOTALS, &batches).await;
    assert_eq!(applied, Applied { batches: 3, clicks: 9, orphaned: 7, ..Applied::default() });
    assert_eq!(counted(fixture, TOTALS, there).await, 2);
    let again = apply(fixture, TOTALS, &batches).await;
    assert_eq!(again, Applied { duplicates: 3, ..Applied::default() });
}

pub async fn deleting_a_link_deletes_its_count(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let link = store(fixture, capped(fixture, "x", 10)).await;
    apply(fixture, TOTALS, &[clicks(fixture, producer(fixture), 1, link.id, 2)]).await;
    assert_eq!(links.reserve(link.id, 3).await.unwrap(), 3);
    links.delete(link.id, None).await.unwrap();
    // The same link again, as an import of an export would make it.
    let again = find(&**links, store(fixture, link).await.id).await;
    assert_eq!((again.clicks, again.taken), (0, 0));
}

pub async fn a_later_cap_counts_the_clicks_so_far(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let link = store(fixture, link(fixture, "x")).await;
    apply(fixture, TOTALS, &[clicks(fixture, producer(fixture), 1, link.id, 7)]).await;
    let capped = Link { max_visits: Some(10.try_into().unwrap()), version: 2, ..link };
    let stored = links.update(&capped, 1).await.unwrap();
    assert_eq!((stored.clicks, stored.taken), (7, 7));
    assert_eq!(links.reserve(capped.id, 9).await.unwrap(), 3);
    assert!(find(&**links, capped.id).await.is_exhausted());
}

pub async fn a_capped_link_does_not_take_its_clicks_twice(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let link = store(fixture, capped(fixture, "x", 10)).await;
    assert_eq!(links.reserve(link.id, 4).await.unwrap(), 4);
    // Two more than were granted: late ones, from before there was a cap.
    apply(fixture, TOTALS, &[clicks(fixture, producer(fixture), 1, link.id, 6)]).await;
    let raised = Link { max_visits: Some(12.try_into().unwrap()), version: 2, ..link };
    let stored = links.update(&raised, 1).await.unwrap();
    assert_eq!((stored.clicks, stored.taken), (6, 4));
    assert_eq!(links.reserve(raised.id, 20).await.unwrap(), 8);
}

pub async fn every_way_of_reading_carries_the_count(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let link = store(fixture, link(fixture, "x")).await;
    stored(fixture, "uncounted").await;
    apply(fixture, TOTALS, &[clicks(fixture, producer(fixture), 1, link.id, 2)]).await;
    let one = find(&**links, link.id).await;
    assert_eq!(one.clicks, 2);
    assert_eq!(links.by_slug(&link.domain, &link.slug).await.unwrap(), Some(one.clone()));
    let by_target = links.by_target(link.owner, &link.domain, &link.target, 9).await.unwrap();
    assert!(by_target.contains(&one), "{by_target:?}");
    let listed = links.list(&LinkFilter::default(), LinkOrder::default(), None, 9).await.unwrap();
    assert!(listed.contains(&one), "{listed:?}");
}

pub async fn a_live_total_never_exceeds_what_was_recorded(fixture: &Fixture) {
    const BATCHES: u64 = 60;
    let link = stored(fixture, "x").await;
    let recorded = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let recorder = {
        let (log, recorded, done) = (fixture.stores.log.clone(), recorded.clone(), done.clone());
        let producer = producer(fixture);
        let batches: Vec<_> = (1..=BATCHES).map(|s| clicks(fixture, producer, s, link, 3)).collect();
        tokio::spawn(async move {
            for batch in batches {
                recorded.fetch_add(3, Ordering::SeqCst);
                log.add(&batch, Delivery::First).await.unwrap();
                // A careful recorder sends it again.
                log.add(&batch, Delivery::Again).await.unwrap();
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    // Two of each kind.
    let consumers = [TOTALS, Consumer::Analytics, TOTALS, Consumer::Analytics].map(|consumer| {
        let (log, sink, done) = (fixture.stores.log.clone(), fixture.sink(consumer).clone(), done.clone());
        tokio::spawn(async move {
            loop {
                let last = done.load(Ordering::SeqCst);
                let batches = log.seal(consumer, 5).await.unwrap();
                if batches.is_empty() && last {
                    return;
                }
                sink.apply(&batches).await.unwrap();
                let ids: Vec<_> = batches.iter().map(crate::ClickBatch::id).collect();
                log.settle(consumer, &ids).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    while !consumers.iter().all(tokio::task::JoinHandle::is_finished) {
        let stored = counted(fixture, TOTALS, link).await;
        let pending = fixture.stores.log.pending(&[link]).await.unwrap()[0];
        assert!(stored + pending <= recorded.load(Ordering::SeqCst), "{stored} + {pending}");
        tokio::task::yield_now().await;
    }
    recorder.await.unwrap();
    for consumer in consumers {
        consumer.await.unwrap();
    }
    assert_eq!(counted(fixture, TOTALS, link).await, BATCHES * 3);
    assert_eq!(counted(fixture, Consumer::Analytics, link).await, BATCHES * 3);
    assert_eq!(fixture.stores.log.pending(&[link]).await.unwrap(), [0]);
}

/// The rollups of a deleted link stay; its opening balance is what they do not show.
pub async fn a_link_that_comes_back_balances_its_rollups(fixture: &Fixture) {
    let (link, producer) = (store(fixture, link(fixture, "x")).await, producer(fixture));
    for consumer in Consumer::ALL {
        apply(fixture, consumer, &[clicks(fixture, producer, 1, link.id, 4)]).await;
    }
    let links = &fixture.stores.links;
    links.delete(link.id, None).await.unwrap();
    let back = Insert { opening: 10, ..link.clone().into() };
    assert_eq!(links.insert_many(&[back]).await.unwrap(), [Inserted::Created]);
    assert_eq!(find(&**links, link.id).await.clicks, 10);
    assert_eq!(counted(fixture, Consumer::Analytics, link.id).await, 4);
}
