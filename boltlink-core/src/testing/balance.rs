//! Whether what two consumers keep of a link agrees: for stores that tell [`Balance`]s, in tests of their own.

#![allow(missing_docs)] // A case's name says what it shows.

use super::{
    Fixture,
    sample::{apply, clicks, link, producer, store, stored},
};
use crate::{
    LinkId,
    store::{Balance, Consumer, Insert, Inserted},
};

async fn apply_to_both(fixture: &Fixture, link: LinkId, count: usize) {
    let batch = clicks(fixture, producer(fixture), 1, link, count);
    for consumer in Consumer::ALL {
        assert_eq!(apply(fixture, consumer, std::slice::from_ref(&batch)).await.batches, 1);
    }
}

/// `page` tells the balances after a link, `one` that of one.
pub async fn links_are_balanced_page_by_page(
    fixture: &Fixture,
    page: impl AsyncFn(Option<LinkId>, u32) -> Vec<Balance>,
    one: impl AsyncFn(LinkId) -> Option<Balance>,
) {
    let mut links = Vec::new();
    for (slug, count) in ["a", "b", "c", "d", "e"].into_iter().zip(1..) {
        let link = stored(fixture, slug).await;
        apply_to_both(fixture, link, count).await;
        links.push(link);
    }
    links.sort_unstable();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = page(after, 2).await;
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.link);
        assert!(page.iter().all(|balance| balance.difference() == 0 && balance.total == balance.rollups), "{page:?}");
        seen.extend(page.iter().map(|balance| balance.link));
    }
    assert_eq!(seen, links);
    // What one of the two has not stored yet shows.
    let batch = clicks(fixture, producer(fixture), 1, links[0], 3);
    apply(fixture, Consumer::Analytics, std::slice::from_ref(&batch)).await;
    assert_eq!(one(links[0]).await.unwrap().difference(), -3);
    apply(fixture, Consumer::Totals, &[batch]).await;
    assert_eq!(one(links[0]).await.unwrap().difference(), 0);
    fixture.stores.links.delete(links[0], None).await.unwrap();
    assert_eq!(one(links[0]).await, None);
}

pub async fn a_link_that_comes_back_balances_however_it_is_made(
    fixture: &Fixture,
    one: impl AsyncFn(LinkId) -> Option<Balance>,
) {
    let link = store(fixture, link(fixture, "x")).await;
    apply_to_both(fixture, link.id, 4).await;
    let links = &fixture.stores.links;
    links.delete(link.id, None).await.unwrap();
    store(fixture, link.clone()).await;
    let balance = one(link.id).await.unwrap();
    assert_eq!((balance.rollups, balance.difference()), (4, 0), "{balance:?}");
    links.delete(link.id, None).await.unwrap();
    let back = Insert { opening: 10, ..link.clone().into() };
    assert_eq!(links.insert_many(&[back]).await.unwrap(), [Inserted::Created]);
    assert_eq!(one(link.id).await, Some(Balance { link: link.id, total: 10, opening: 6, rollups: 4 }));
}
