//! What holds when several processes open one database: for stores that allow it, in tests that open theirs twice.

#![allow(missing_docs)] // A case's name says what it shows.

use super::sample::{batch, link_at};
use crate::{
    Click, Link, LinkId, Stores, SystemEntropy, Timestamp,
    random::EntropyExt,
    store::{Inserted, LinkStore},
};

/// 200 visitors of one link, on both handles at once, for 100 visits.
pub async fn reservations_stay_exact(first: &Stores, second: &Stores, now: Timestamp) {
    let link = Link { max_visits: Some(100.try_into().unwrap()), ..link_at("capped", now) };
    let link = store(&*first.links, link).await;
    let visitors: Vec<_> = (0..200)
        .map(|at| {
            let links = if at % 2 == 0 { first.links.clone() } else { second.links.clone() };
            tokio::spawn(async move { links.reserve(link, 1).await.unwrap() })
        })
        .collect();
    let mut granted = 0;
    for visitor in visitors {
        granted += visitor.await.unwrap();
    }
    assert_eq!(granted, 100);
    assert_eq!(second.links.by_id(link).await.unwrap().unwrap().taken, 100);
}

/// Each of 30 batches goes to both handles at once.
pub async fn a_batch_takes_effect_once(first: &Stores, second: &Stores, now: Timestamp) {
    let link = store(&*first.links, link_at("viral", now)).await;
    let producer = SystemEntropy.producer_id(now);
    let applying: Vec<_> = (0..60)
        .map(|at| {
            let sink = if at % 2 == 0 { first.totals.clone() } else { second.totals.clone() };
            let batch = batch(producer, 1 + at / 2, [Click::bare(link, now), Click::bare(link, now)]);
            tokio::spawn(async move { sink.apply(&[batch]).await.unwrap().clicks })
        })
        .collect();
    let mut clicks = 0;
    for apply in applying {
        clicks += apply.await.unwrap();
    }
    assert_eq!(clicks, 60);
    assert_eq!(first.links.by_id(link).await.unwrap().unwrap().clicks, 60);
}

async fn store(links: &dyn LinkStore, link: Link) -> LinkId {
    assert_eq!(links.insert(&link, None).await.unwrap(), Inserted::Created);
    link.id
}
