//! Where single clicks are kept, and that they go.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{BatchId, Click, ClickBatch, Clock, LinkId, Stores, Timestamp};
use common::{Place, texts};
use sea_orm::{ConnectionTrait, TransactionTrait};

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn kept(place: &Place, stores: &Stores, link: LinkId) -> usize {
    stores.reader.clicks(link, Timestamp::EPOCH, place.clock.now().plus(DAY), None, 500).await.unwrap().len()
}

async fn partitions(place: &Place) -> Vec<String> {
    let sql = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'click'::regclass ORDER BY 1";
    texts(&place.connect().await, sql).await
}

async fn click(place: &Place, stores: &Stores, link: LinkId, at: Timestamp) {
    let id = BatchId { producer: place.producer(), sequence: 1 };
    let referrer = Some("https://example.com/\0\"{,}\\");
    let batch = ClickBatch::new(id, [Click { referrer, ..Click::bare(link, at) }]);
    stores.analytics.apply(&[batch]).await.unwrap();
}

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_by_retention() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let link = place.link("any").id;
    let day = place.clock.now().day();
    click(&place, &stores, link, place.clock.now()).await;
    let made = partitions(&place).await;
    for day in day..=day + 2 {
        assert!(made.contains(&format!("click_{day}")), "{made:?}");
    }
    let db = place.connect().await;
    assert_eq!(texts(&db, &format!("SELECT COUNT(*)::text FROM click_{day}")).await, ["1"]);

    place.clock.advance(20 * DAY);
    click(&place, &stores, link, place.clock.now()).await;
    assert_eq!(kept(&place, &stores, link).await, 2);
    place.clock.advance(20 * DAY);
    click(&place, &stores, link, place.clock.now()).await;
    assert_eq!(kept(&place, &stores, link).await, 2);
    let left = partitions(&place).await;
    assert!(!left.contains(&format!("click_{day}")), "{left:?}");
    assert!(left.contains(&format!("click_{}", day + 42)), "{left:?}");
}

#[tokio::test]
async fn what_comes_late_is_kept_and_dropped_all_the_same() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let link = place.link("any").id;
    click(&place, &stores, link, place.clock.now().minus(10 * DAY)).await;
    let db = place.connect().await;
    let rest = "SELECT COUNT(*)::text FROM click_default";
    assert_eq!((kept(&place, &stores, link).await, texts(&db, rest).await), (1, vec!["1".to_owned()]));
    place.clock.advance(25 * DAY);
    click(&place, &stores, link, place.clock.now()).await;
    assert_eq!((kept(&place, &stores, link).await, texts(&db, rest).await), (1, vec!["0".to_owned()]));
}

#[tokio::test]
async fn a_partition_that_cannot_be_made_refuses_no_click() {
    let place = Place::new().await;
    let mut config = place.config();
    config.lock_timeout = Duration::from_millis(50);
    let (_store, stores) = place.open_with(&config).await;
    let link = place.link("any").id;
    let db = place.connect().await;
    let reader = db.begin().await.unwrap();
    reader.execute_unprepared("SELECT 1 FROM click_default").await.unwrap();
    click(&place, &stores, link, place.clock.now()).await;
    assert_eq!((kept(&place, &stores, link).await, partitions(&place).await), (1, vec!["click_default".to_owned()]));
    reader.rollback().await.unwrap();

    // The next time the day's clicks move into their partition.
    place.clock.advance(Duration::from_secs(120));
    click(&place, &stores, link, place.clock.now()).await;
    assert_eq!(kept(&place, &stores, link).await, 2);
    assert_eq!(texts(&db, "SELECT COUNT(*)::text FROM click_default").await, ["0"]);
}
