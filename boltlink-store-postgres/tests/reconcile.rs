//! Whether what two consumers keep of a link agrees.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::testing::{Fixture, balance};
use common::Place;

#[tokio::test]
async fn links_are_balanced_page_by_page() {
    let place = Place::new().await;
    let (store, stores) = place.open().await;
    let page = async |after, limit| store.balances(after, limit).await.unwrap();
    let one = async |link| store.balance(link).await.unwrap();
    balance::links_are_balanced_page_by_page(&Fixture::new(stores, place.clock.clone()), page, one).await;
}

#[tokio::test]
async fn a_link_that_comes_back_balances_however_it_is_made() {
    let place = Place::new().await;
    let (store, stores) = place.open().await;
    let one = async |link| store.balance(link).await.unwrap();
    balance::a_link_that_comes_back_balances_however_it_is_made(&Fixture::new(stores, place.clock.clone()), one).await;
}
