//! A click that the database refuses: it alone waits, and counts when it is replayed.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::testing::{Fixture, poison};
use common::Place;
use sea_orm::ConnectionTrait;

#[tokio::test]
async fn a_poison_click_alone_waits_and_counts_when_it_is_replayed() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
    poison::a_poison_click_alone_waits_and_counts_when_it_is_replayed(
        &Fixture::new(stores, place.clock.clone()),
        async |bad| {
            for (table, column) in [("link_total", "clicks = 0 OR link"), ("click", "link")] {
                let sql = format!("ALTER TABLE {table} ADD CONSTRAINT poison CHECK ({column} <> '{}')", bad.as_uuid());
                db.execute_unprepared(&sql).await.unwrap();
            }
        },
        async || {
            for table in ["link_total", "click"] {
                db.execute_unprepared(&format!("ALTER TABLE {table} DROP CONSTRAINT poison")).await.unwrap();
            }
        },
    )
    .await;
}
