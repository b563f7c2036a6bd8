//! Whether what two consumers keep of a link agrees.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::{
    LinkId, Stores,
    store::{Insert, Inserted},
};
use boltlink_store_sql::reconcile::Balance;
use common::Place;

async fn apply(place: &Place, stores: &Stores, clicks: &[(LinkId, usize)]) {
    let batch = place.batch(place.producer(), 1, clicks);
    for sink in [&stores.totals, &stores.analytics] {
        assert_eq!(sink.apply(std::slice::from_ref(&batch)).await.unwrap().batches, 1);
    }
}

#[tokio::test]
async fn links_are_balanced_page_by_page() {
    let place = Place::new().await;
    let (store, stores) = place.open().await;
    let mut links = Vec::new();
    for slug in ["a", "b", "c", "d", "e"] {
        links.push(place.store_link(&stores, place.link(slug)).await);
    }
    let clicks: Vec<_> = links.iter().copied().zip(1..).collect();
    apply(&place, &stores, &clicks).await;
    links.sort_unstable();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.balances(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.link);
        assert!(page.iter().all(|balance| balance.difference() == 0 && balance.total == balance.rollups), "{page:?}");
        seen.extend(page.iter().map(|balance| balance.link));
    }
    assert_eq!(seen, links);
    // What one of the two has not stored yet shows.
    let batch = place.batch(place.producer(), 1, &[(links[0], 3)]);
    stores.analytics.apply(std::slice::from_ref(&batch)).await.unwrap();
    assert_eq!(store.balance(links[0]).await.unwrap().unwrap().difference(), -3);
    stores.totals.apply(&[batch]).await.unwrap();
    assert_eq!(store.balance(links[0]).await.unwrap().unwrap().difference(), 0);
    stores.links.delete(links[0], None).await.unwrap();
    assert_eq!(store.balance(links[0]).await.unwrap(), None);
}

#[tokio::test]
async fn a_link_that_comes_back_balances_however_it_is_made() {
    let place = Place::new().await;
    let (store, stores) = place.open().await;
    let link = place.link("x");
    let id = place.store_link(&stores, link.clone()).await;
    apply(&place, &stores, &[(id, 4)]).await;
    stores.links.delete(id, None).await.unwrap();
    place.store_link(&stores, link.clone()).await;
    let balance = store.balance(id).await.unwrap().unwrap();
    assert_eq!((balance.rollups, balance.difference()), (4, 0), "{balance:?}");
    stores.links.delete(id, None).await.unwrap();
    let back = Insert { opening: 10, ..link.into() };
    assert_eq!(stores.links.insert_many(&[back]).await.unwrap(), [Inserted::Created]);
    assert_eq!(store.balance(id).await.unwrap(), Some(Balance { link: id, total: 10, opening: 6, rollups: 4 }));
}
