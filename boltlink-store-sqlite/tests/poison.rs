//! A click that the database refuses: it alone waits, and counts when it is replayed.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::testing::{Fixture, poison};
use common::Place;
use sea_orm::{ConnectionTrait, Database};

#[tokio::test]
async fn a_poison_click_alone_waits_and_counts_when_it_is_replayed() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    poison::a_poison_click_alone_waits_and_counts_when_it_is_replayed(
        &Fixture::new(stores, place.clock.clone()),
        async |bad| {
            let hex = bad.as_uuid().simple().to_string();
            for (table, when) in [("link_total", "UPDATE"), ("click", "INSERT")] {
                let sql = format!(
                    "CREATE TRIGGER poison_{table} BEFORE {when} ON {table} WHEN NEW.link = x'{hex}' \
                     BEGIN SELECT RAISE(ABORT, 'poison'); END"
                );
                db.execute_unprepared(&sql).await.unwrap();
            }
        },
        async || {
            db.execute_unprepared("DROP TRIGGER poison_link_total; DROP TRIGGER poison_click").await.unwrap();
        },
    )
    .await;
}
