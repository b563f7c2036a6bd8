//! A click that the database refuses: it alone waits, and counts when it is replayed.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{
    BatchId, Click, ClickBatch, Clock, LinkId, Stores,
    store::{Applied, ClickSink, Consumer, Scope},
};
use common::Place;
use sea_orm::{ConnectionTrait, Database};

const HOUR: Duration = Duration::from_secs(3600);

fn sink(stores: &Stores, consumer: Consumer) -> &dyn ClickSink {
    match consumer {
        Consumer::Totals => &*stores.totals,
        Consumer::Analytics => &*stores.analytics,
    }
}

async fn counted(stores: &Stores, link: LinkId) -> (u64, u64) {
    let total = stores.links.by_id(link).await.unwrap().unwrap().clicks;
    (total, stores.reader.total(Scope::Link(link)).await.unwrap())
}

#[tokio::test]
async fn a_poison_click_alone_waits_and_counts_when_it_is_replayed() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    let good = place.store_link(&stores, place.link("good")).await;
    let bad = place.store_link(&stores, place.link("bad")).await;
    let other = place.store_link(&stores, place.link("other")).await;
    let producer = place.producer();
    let click =
        |(at, link): (usize, LinkId)| Click::bare(link, place.clock.now().plus(Duration::from_millis(at as u64)));
    let links = [good, good, bad, good, other, bad, good];
    let batch = ClickBatch::new(BatchId { producer, sequence: 1 }, links.into_iter().enumerate().map(click));
    let before = place.batch(producer, 2, &[(good, 1)]);

    let hex = bad.as_uuid().simple().to_string();
    for (table, when) in [("link_total", "UPDATE"), ("click", "INSERT")] {
        let sql = format!(
            "CREATE TRIGGER poison_{table} BEFORE {when} ON {table} WHEN NEW.link = x'{hex}' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        );
        db.execute_unprepared(&sql).await.unwrap();
    }
    for consumer in Consumer::ALL {
        let sink = sink(&stores, consumer);
        let refused = sink.apply(&[batch.clone(), before.clone()]).await.unwrap_err();
        assert!(matches!(refused, boltlink_core::StoreError::Invalid { .. }), "{refused:?}");
        assert_eq!(sink.apply(std::slice::from_ref(&before)).await.unwrap().clicks, 1);
        let salvaged = sink.salvage(&batch).await.unwrap();
        assert_eq!(salvaged, Applied { batches: 1, clicks: 5, dead: 2, ..Applied::default() });
        let [letter] = &sink.dead_letters(None, 9).await.unwrap()[..] else { panic!("one letter") };
        assert_eq!(letter.places.as_ref().unwrap().to_string(), "2,5");
        assert!(letter.batch.clicks().all(|click| click.link == bad) && letter.reason.contains("poison"), "{letter:?}");
        assert!(sink.applied(&[producer]).await.unwrap()[0].has_dealt_with(1));
        assert_eq!(sink.salvage(&batch).await.unwrap().clicks, 0);
        assert!(matches!(sink.replay(batch.id()).await, Err(boltlink_core::StoreError::Invalid { .. })));
        assert_eq!(sink.count_dead_letters().await.unwrap(), 1, "it goes on waiting");
    }
    assert_eq!((counted(&stores, good).await, counted(&stores, bad).await), ((5, 5), (0, 0)));

    db.execute_unprepared("DROP TRIGGER poison_link_total; DROP TRIGGER poison_click").await.unwrap();
    for consumer in Consumer::ALL {
        let replayed = sink(&stores, consumer).replay(batch.id()).await.unwrap();
        assert_eq!(replayed, Applied { batches: 1, clicks: 2, ..Applied::default() });
        assert_eq!(sink(&stores, consumer).apply(std::slice::from_ref(&batch)).await.unwrap().batches, 0);
    }
    assert_eq!((counted(&stores, good).await, counted(&stores, bad).await), ((5, 5), (2, 2)));
    // Wherever a click was in between, it has the id that it was recorded with.
    for (at, link) in links.into_iter().enumerate() {
        let (click, now) = (click((at, link)), place.clock.now());
        let span = (now.minus(HOUR), now.plus(HOUR));
        let kept = stores.reader.clicks(link, span.0, span.1, None, 99).await.unwrap();
        assert!(kept.iter().any(|kept| kept.id == batch.click_id(at, click.at)), "{at}");
    }
}
