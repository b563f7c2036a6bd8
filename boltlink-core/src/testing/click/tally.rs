//! Batches that were added up: all of them or none. Of a sink that takes no tallies each case shows that it does nothing.

use std::sync::Arc;

use super::super::{
    Fixture,
    sample::{apply, clicks, counted, producer, stored},
};
use crate::{
    ClickBatch, Clock,
    ledger::MAX_UNKNOWN_AGE,
    store::{Applied, Consumer},
    tally::Tally,
};

/// The batches, added up; and whether the sink takes that.
fn tally(fixture: &Fixture, consumer: Consumer, batches: &[ClickBatch]) -> (Arc<Tally>, bool) {
    let taken = fixture.sink(consumer).tally();
    let takes = taken.is_some();
    let mut tally = taken.unwrap_or_else(Tally::of_totals);
    tally.add(batches, fixture.clock.now());
    (Arc::new(tally), takes)
}

pub async fn a_tally_has_the_effect_of_its_batches_once(fixture: &Fixture, consumer: Consumer) {
    let (x, y, producers) =
        (stored(fixture, "x").await, stored(fixture, "y").await, [(); 2].map(|()| producer(fixture)));
    let batches = [
        clicks(fixture, producers[0], 2, x, 3),
        clicks(fixture, producers[0], 1, y, 4),
        clicks(fixture, producers[1], 7, x, 5),
    ];
    let sink = fixture.sink(consumer);
    let (tally, takes) = tally(fixture, consumer, &batches);
    let whole = Applied { batches: 3, clicks: 12, ..Applied::default() };
    assert_eq!(sink.apply_tally(&tally).await.unwrap(), takes.then_some(whole));
    assert_eq!(sink.apply_tally(&tally).await.unwrap(), None, "again");
    let applied = apply(fixture, consumer, &batches).await;
    let again = Applied { duplicates: 3, ..Applied::default() };
    assert_eq!(applied, if takes { again } else { whole });
    assert_eq!((counted(fixture, consumer, x).await, counted(fixture, consumer, y).await), (8, 4));
    let states = sink.applied(&producers).await.unwrap();
    assert_eq!(states[0].ledger.applied().collect::<Vec<_>>(), [1..=2]);
    assert_eq!(states[1].ledger.applied().collect::<Vec<_>>(), [7..=7]);
}

pub async fn a_tally_with_a_batch_that_must_not_be_applied_does_nothing(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let sink = fixture.sink(consumer);
    let old = producer(fixture);
    let late = clicks(fixture, old, 1, link, 1);
    fixture.clock.advance(MAX_UNKNOWN_AGE + std::time::Duration::from_secs(1));
    let new = producer(fixture);
    let batch = |sequence| clicks(fixture, new, sequence, link, 1);
    apply(fixture, consumer, &[batch(2)]).await;
    sink.set_aside(&batch(3), "bad").await.unwrap();
    for (why, batches) in [
        ("applied before", [batch(1), batch(2)]),
        ("set aside", [batch(1), batch(3)]),
        ("nothing is known of its producer", [batch(1), late]),
    ] {
        let (tally, _) = tally(fixture, consumer, &batches);
        assert_eq!(sink.apply_tally(&tally).await.unwrap(), None, "{why}");
        assert_eq!(counted(fixture, consumer, link).await, 1, "{why}");
        let states = sink.applied(&[old, new]).await.unwrap();
        assert!(!states[0].has_dealt_with(1) && !states[1].has_dealt_with(1), "{why}");
    }
    assert_eq!(apply(fixture, consumer, &[batch(1)]).await.batches, 1);
    assert_eq!(counted(fixture, consumer, link).await, 2);
}
