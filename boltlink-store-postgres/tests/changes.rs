//! The change log while transactions take their time.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{
    Clock, Stores,
    store::{Change, ChangeCursor, Changes},
};
use common::Place;
use sea_orm::{ConnectionTrait, TransactionTrait};

async fn since(stores: &Stores, cursor: ChangeCursor) -> (Vec<String>, ChangeCursor) {
    let Changes::Some { changes, next } = stores.changes.since(cursor, 1_000).await.unwrap() else {
        panic!("told to forget everything");
    };
    let slug = |change| match change {
        Change::Link(_, slug) => slug.to_string(),
        other => panic!("{other:?}"),
    };
    (changes.into_iter().map(slug).collect(), next)
}

const NOTE: &str = "INSERT INTO change_log (kind, subject, at) VALUES (1, '/slow', ";

#[tokio::test]
async fn a_slow_commit_is_not_missed_and_nothing_is_told_twice() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
    let mut cursor = stores.changes.head().await.unwrap();

    let slow = db.begin().await.unwrap();
    slow.execute_unprepared(&format!("{NOTE}{})", place.clock.now().as_micros())).await.unwrap();
    let mut told = Vec::new();
    for slug in ["a", "b", "c"] {
        place.store_link(&stores, place.link(slug)).await;
        for _ in 0..2 {
            let (changes, next) = since(&stores, cursor).await;
            assert!(next > cursor || changes.is_empty());
            told.extend(changes);
            cursor = next;
        }
    }
    assert_eq!(told, ["a", "b", "c"]);
    slow.commit().await.unwrap();
    let (changes, next) = since(&stores, cursor).await;
    assert_eq!(changes, ["slow"]);
    assert_eq!(since(&stores, next).await.0, [""; 0]);
}

#[tokio::test]
async fn a_rolled_back_change_is_none() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
    let cursor = stores.changes.head().await.unwrap();
    let slow = db.begin().await.unwrap();
    slow.execute_unprepared(&format!("{NOTE}{})", place.clock.now().as_micros())).await.unwrap();
    slow.rollback().await.unwrap();
    assert_eq!(since(&stores, cursor).await.0, [""; 0]);
}

/// A cursor of another process, or one of long ago: better twice than never.
#[tokio::test]
async fn an_unknown_cursor_is_told_all_that_it_may_have_missed() {
    let place = Place::new().await;
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    let cursor = first.changes.head().await.unwrap();
    place.store_link(&second, place.link("news")).await;
    assert_eq!(since(&second, cursor).await.0, ["news"]);
    assert_eq!(since(&first, cursor).await.0, ["news"]);
}

#[tokio::test]
async fn a_database_that_counts_anew_means_everything() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let ahead = ChangeCursor(stores.changes.head().await.unwrap().0 + (1_000_000 << 16));
    let Changes::Everything { next } = stores.changes.since(ahead, 1_000).await.unwrap() else { panic!() };
    place.store_link(&stores, place.link("news")).await;
    assert_eq!(since(&stores, next).await.0, ["news"]);
}

#[tokio::test]
async fn what_is_trimmed_for_long_goes_and_is_still_missed() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
    let start = stores.changes.head().await.unwrap();
    place.store_link(&stores, place.link("old")).await;
    place.clock.advance(Duration::from_secs(3 * 24 * 3_600));
    stores.changes.trim(place.clock.now()).await.unwrap();
    assert_eq!(common::texts(&db, "SELECT COUNT(*)::text FROM change_log").await, ["0"]);
    assert!(matches!(stores.changes.since(start, 1_000).await.unwrap(), Changes::Everything { .. }));
    let end = stores.changes.head().await.unwrap();
    place.store_link(&stores, place.link("new")).await;
    assert_eq!(since(&stores, end).await.0, ["new"]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_means_everything() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let cursor = stores.changes.head().await.unwrap();
    let db = place.connect().await;
    let sql =
        format!("INSERT INTO change_log (kind, subject, at) VALUES (1, 'no slash', {})", place.clock.now().as_micros());
    db.execute_unprepared(&sql).await.unwrap();
    assert!(matches!(stores.changes.since(cursor, 1_000).await.unwrap(), Changes::Everything { .. }));
}
