//! Whether what two consumers keep of a link agrees.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::testing::{Fixture, balance};
use common::Place;
use sea_orm::{ConnectionTrait, Database};

#[tokio::test]
async fn links_are_balanced_page_by_page() {
    let place = Place::new();
    let (store, stores) = place.open().await;
    let page = async |after, limit| store.balances(after, limit).await.unwrap();
    let one = async |link| store.balance(link).await.unwrap();
    balance::links_are_balanced_page_by_page(&Fixture::new(stores, place.clock.clone()), page, one).await;
}

#[tokio::test]
async fn a_link_that_comes_back_balances_however_it_is_made() {
    let place = Place::new();
    let (store, stores) = place.open().await;
    let one = async |link| store.balance(link).await.unwrap();
    balance::a_link_that_comes_back_balances_however_it_is_made(&Fixture::new(stores, place.clock.clone()), one).await;
}

/// A release that did not know `rollup_link_day` may have counted, too.
#[tokio::test]
async fn clicks_that_an_older_release_counted_balance() {
    let place = Place::new();
    let (store, stores) = place.open().await;
    let link = place.link("x");
    let id = place.store_link(&stores, link.clone()).await;
    let batch = place.batch(place.producer(), 1, &[(id, 4)]);
    for sink in [&stores.totals, &stores.analytics] {
        assert_eq!(sink.apply(std::slice::from_ref(&batch)).await.unwrap().batches, 1);
    }
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    db.execute_unprepared("DELETE FROM rollup_link_day").await.unwrap();
    assert_eq!(store.balance(id).await.unwrap().unwrap().difference(), 0);
    stores.links.delete(id, None).await.unwrap();
    place.store_link(&stores, link).await;
    assert_eq!(store.balance(id).await.unwrap().unwrap().difference(), 0);
}
