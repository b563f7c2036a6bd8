//! A click that the database refuses: it alone waits, and counts when it is replayed. One that cannot be read any more
//! holds up no other.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{
    LinkId,
    store::Applied,
    testing::{Fixture, poison, unreadable},
};
use common::Place;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// Runs the case where `poison` makes the database refuse clicks of a link, and `antidote` lets it take them again.
async fn a_poison_click_alone_waits(poison: impl Fn(LinkId) -> String, antidote: &str) {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
    poison::a_poison_click_alone_waits_and_counts_when_it_is_replayed(
        &Fixture::new(stores, place.clock.clone()),
        async |bad| {
            db.execute_unprepared(&poison(bad)).await.unwrap();
        },
        async || {
            db.execute_unprepared(antidote).await.unwrap();
        },
    )
    .await;
}

/// A trigger that runs `body` for each click of `link`, in both sinks.
fn trigger(link: LinkId, body: &str) -> String {
    format!(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$; \
         CREATE TRIGGER poison BEFORE UPDATE ON link_total FOR EACH ROW WHEN (NEW.link = '{link}') \
         EXECUTE FUNCTION meddle(); \
         CREATE TRIGGER poison BEFORE INSERT ON click FOR EACH ROW WHEN (NEW.link = '{link}') \
         EXECUTE FUNCTION meddle();"
    )
}

const NO_TRIGGER: &str = "DROP TRIGGER poison ON link_total; DROP TRIGGER poison ON click";

#[tokio::test]
async fn a_click_that_breaks_a_constraint_waits_alone() {
    let constraint = |link| {
        let add = |table: &str, column: &str| {
            format!("ALTER TABLE {table} ADD CONSTRAINT poison CHECK ({column} <> '{link}');")
        };
        add("link_total", "clicks = 0 OR link") + &add("click", "link")
    };
    let antidote = "ALTER TABLE link_total DROP CONSTRAINT poison; ALTER TABLE click DROP CONSTRAINT poison";
    a_poison_click_alone_waits(constraint, antidote).await;
}

#[tokio::test]
async fn a_click_that_a_trigger_refuses_waits_alone() {
    a_poison_click_alone_waits(|link| trigger(link, "RAISE EXCEPTION 'poison'"), NO_TRIGGER).await;
}

#[tokio::test]
async fn a_click_that_a_view_refuses_waits_alone() {
    // A view in the place of the totals. Single clicks are in partitions, where there can be none: a trigger says so.
    let view = |link| {
        trigger(link, "RAISE EXCEPTION 'poison' USING ERRCODE = 'with_check_option_violation'")
            + &format!(
                "DROP TRIGGER poison ON link_total; ALTER TABLE link_total RENAME TO whole; \
                 CREATE VIEW poison AS SELECT * FROM whole WHERE clicks = 0 OR link <> '{link}' WITH CHECK OPTION; \
                 CREATE VIEW link_total AS SELECT * FROM poison WITH CHECK OPTION;"
            )
    };
    let antidote =
        "DROP VIEW link_total; DROP VIEW poison; ALTER TABLE whole RENAME TO link_total; DROP TRIGGER poison ON click";
    a_poison_click_alone_waits(view, antidote).await;
}

/// All of a batch is refused, by one statement after the other: together they take longer than a transaction of few
/// statements may.
#[tokio::test]
async fn a_batch_of_refused_clicks_takes_the_time_it_takes() {
    let place = Place::new().await;
    let mut config = place.config();
    (config.acquire_timeout, config.statement_timeout) = (Duration::from_millis(500), Duration::from_secs(1));
    let (_store, stores) = place.open_with(&config).await;
    let link = place.store_link(&stores, place.link("slow")).await;
    let db = place.connect().await;
    let body = "PERFORM pg_sleep(0.15); RAISE EXCEPTION 'poison'";
    db.execute_unprepared(&trigger(link, body)).await.unwrap();
    let batch = place.batch(place.producer(), 1, &[(link, 16)]);
    let salvaged = stores.totals.salvage(&batch).await.unwrap();
    assert_eq!(salvaged, Applied { batches: 1, dead: 16, ..Applied::default() });
}

#[tokio::test]
async fn a_letter_that_cannot_be_read_holds_up_no_other() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
    unreadable::a_letter_that_cannot_be_read_holds_up_no_other(
        &Fixture::new(stores, place.clock.clone()),
        async |id, bytes, places| {
            let sql = "UPDATE quarantine SET payload = $1, places = $2 WHERE producer = $3 AND sequence = $4";
            let (producer, sequence) = (*id.producer.as_uuid(), i64::try_from(id.sequence).unwrap());
            let values = [bytes.to_vec().into(), places.into(), producer.into(), sequence.into()];
            let update = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            assert_eq!(db.execute_raw(update).await.unwrap().rows_affected(), 2);
        },
    )
    .await;
}

#[tokio::test]
async fn clicks_of_a_day_whose_values_are_damaged_wait_alone() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let db = place.connect().await;
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
