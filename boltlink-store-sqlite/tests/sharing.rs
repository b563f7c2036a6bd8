//! One file, several handles; and futures that are dropped half-way.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{
    Clock,
    store::{Change, Changes},
    testing::sharing,
};
use common::Place;
use sea_orm::{ConnectionTrait, Database};

#[tokio::test(flavor = "multi_thread")]
async fn reservations_stay_exact_over_two_handles() {
    let place = Place::new();
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    sharing::reservations_stay_exact(&first, &second, place.clock.now()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_to_two_handles_takes_effect_once() {
    let place = Place::new();
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    sharing::a_batch_takes_effect_once(&first, &second, place.clock.now()).await;
}

#[tokio::test]
async fn one_handle_learns_what_another_wrote() {
    let place = Place::new();
    let (_one, first) = place.open().await;
    let (_two, second) = place.open().await;
    let cursor = second.changes.head().await.unwrap();
    let link = place.link("news");
    place.store_link(&first, link.clone()).await;
    let Changes::Some { changes, next } = second.changes.since(cursor, 10).await.unwrap() else { panic!() };
    assert_eq!(changes, [Change::Link(link.domain, link.slug)]);
    // Trimmed away: who stands before it must forget everything.
    place.clock.advance(Duration::from_secs(1));
    first.changes.trim(place.clock.now()).await.unwrap();
    assert_eq!(second.changes.since(cursor, 10).await.unwrap(), Changes::Everything { next });
    assert_eq!(second.changes.since(next, 10).await.unwrap(), Changes::Some { changes: Vec::new(), next });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_nothing_or_the_whole() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("dropped")).await;
    let producer = place.producer();
    for sequence in 1..=200 {
        let batch = place.batch(producer, sequence, &[(link, 1)]);
        let patience = Duration::from_micros(sequence * 7);
        // Whichever comes first: the point is that either may.
        let _ = tokio::time::timeout(patience, stores.totals.apply(&[batch])).await;
    }
    // A call that follows waits for what the dropped ones left running.
    let last = place.batch(producer, 201, &[(link, 1)]);
    stores.totals.apply(&[last]).await.unwrap();
    let state = stores.totals.applied(&[producer]).await.unwrap().remove(0);
    let applied = (1..=201).filter(|sequence| state.has_dealt_with(*sequence)).count();
    assert_eq!(stores.links.by_id(link).await.unwrap().unwrap().clicks, applied as u64);
}

#[tokio::test]
async fn a_file_that_stays_locked_is_unavailable() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let other = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let error = stores.links.insert(&place.link("waits"), None).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    // Readers do not wait for writers.
    assert!(stores.links.by_id(place.link("x").id).await.unwrap().is_none());
    other.execute_unprepared("ROLLBACK").await.unwrap();
    place.store_link(&stores, place.link("waits")).await;
}
