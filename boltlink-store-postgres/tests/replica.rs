//! What is read from a replica, and when it is not asked. Another database stands in for it, so that it shows which one
//! was read.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::{
    Stores,
    store::{LinkFilter, LinkOrder, Scope},
};
use common::Place;

async fn listed(stores: &Stores) -> Vec<String> {
    let links = stores.links.list(&LinkFilter::default(), LinkOrder::Newest, None, 10).await.unwrap();
    links.into_iter().map(|stored| stored.link.slug.to_string()).collect()
}

#[tokio::test]
async fn lists_and_analytics_come_from_the_replica_and_links_do_not() {
    let (place, other) = (Place::new().await, Place::new().await);
    let (_store, primary) = place.open().await;
    let here = place.link("here");
    place.store_link(&primary, here.clone()).await;
    let (_other, replica) = other.open().await;
    let there = other.store_link(&replica, other.link("there")).await;
    let batch = other.batch(other.producer(), 1, &[(there, 5)]);
    replica.analytics.apply(&[batch]).await.unwrap();

    let config = place.config().replica(other.database.url()).unwrap();
    let (_both, stores) = place.open_with(&config).await;
    assert_eq!(listed(&stores).await, ["there"]);
    assert_eq!(stores.reader.total(Scope::Global).await.unwrap(), 5);
    assert!(stores.links.by_id(here.id).await.unwrap().is_some());
    assert!(stores.links.by_slug(&here.domain, &here.slug).await.unwrap().is_some());
    assert_eq!(stores.links.by_target(here.owner, &here.domain, &here.target, 5).await.unwrap().len(), 1);
}

/// This replica never replays what was written: so it is not asked any more.
#[tokio::test]
async fn who_wrote_reads_what_it_wrote() {
    let (place, other) = (Place::new().await, Place::new().await);
    let (_other, replica) = other.open().await;
    other.store_link(&replica, other.link("there")).await;
    let config = place.config().replica(other.database.url()).unwrap();
    let (_both, stores) = place.open_with(&config).await;
    assert_eq!(listed(&stores).await, ["there"]);
    place.store_link(&stores, place.link("mine")).await;
    assert_eq!(listed(&stores).await, ["mine"]);
    // Another process has written nothing, and reads on.
    let (_second, second) = place.open_with(&config).await;
    assert_eq!(listed(&second).await, ["there"]);
}

#[tokio::test]
async fn without_its_replica_the_primary_answers() {
    let place = Place::new().await;
    let config = place.config().replica("postgres://nobody@127.0.0.1:1/none").unwrap();
    let (store, stores) = place.open_with(&config).await;
    assert_eq!(listed(&stores).await, [""; 0]);
    place.store_link(&stores, place.link("mine")).await;
    assert_eq!(listed(&stores).await, ["mine"]);
    store.close().await.unwrap();
}
