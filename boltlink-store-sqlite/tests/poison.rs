//! A click that the database refuses: it alone waits, and counts when it is replayed. One that cannot be read any more
//! holds up no other.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use boltlink_core::testing::{Fixture, poison, unreadable};
use common::Place;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

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

#[tokio::test]
async fn a_letter_that_cannot_be_read_holds_up_no_other() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    unreadable::a_letter_that_cannot_be_read_holds_up_no_other(
        &Fixture::new(stores, place.clock.clone()),
        async |id, bytes, places| {
            let sql = "UPDATE quarantine SET payload = $1, places = $2 WHERE producer = $3 AND sequence = $4";
            let (producer, sequence) = (*id.producer.as_uuid(), i64::try_from(id.sequence).unwrap());
            let values = [bytes.to_vec().into(), places.into(), producer.into(), sequence.into()];
            let update = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
            assert_eq!(db.execute_raw(update).await.unwrap().rows_affected(), 2);
        },
    )
    .await;
}

/// SQLite keeps in a column whatever it is given.
#[tokio::test]
async fn a_row_of_wrong_types_is_listed_and_purged() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("x")).await;
    let batch = place.batch(place.producer(), 1, &[(link, 1)]);
    stores.totals.set_aside(&batch, "bad").await.unwrap();
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    db.execute_unprepared("UPDATE quarantine SET payload = 1.5, reason = x'ff', at = 'x'").await.unwrap();
    let letters = stores.totals.dead_letters(None, 9).await.unwrap();
    assert!(letters.len() == 1 && letters[0].id == batch.id() && letters[0].clicks.is_err(), "{letters:?}");
    stores.totals.purge(batch.id()).await.unwrap();
    assert_eq!(stores.totals.count_dead_letters().await.unwrap(), 0);
}

#[tokio::test]
async fn clicks_of_a_day_whose_values_are_damaged_wait_alone() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    let run = async |sql| {
        db.execute_unprepared(sql).await.unwrap();
    };
    unreadable::clicks_of_a_day_whose_values_are_damaged_wait_alone(
        &Fixture::new(stores, place.clock.clone()),
        "rollup_values",
        async || run("UPDATE rollup_values SET counts = '{'").await,
        async || run("DELETE FROM rollup_values WHERE counts = '{'").await,
    )
    .await;
}
