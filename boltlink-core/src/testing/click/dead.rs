//! What waits for an operator: what holds for both sinks.

use super::super::{
    Fixture, parallel,
    sample::{apply, clicks, counted, producer, stored},
};
use crate::{
    ClickBatch, Clock, ProducerId, StoreError,
    ledger::MAX_UNKNOWN_AGE,
    store::{Applied, Consumer, DeadClicks},
};

/// Batches of `producer`, one click each.
async fn batches<const N: usize>(fixture: &Fixture, producer: ProducerId) -> (crate::LinkId, [ClickBatch; N]) {
    let link = stored(fixture, "x").await;
    (link, std::array::from_fn(|at| clicks(fixture, producer, at as u64 + 1, link, 1)))
}

pub async fn a_batch_without_bad_clicks_is_salvaged_whole_and_once(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let batch = clicks(fixture, producer(fixture), 1, link, 3);
    let sink = fixture.sink(consumer);
    assert_eq!(sink.salvage(&batch).await.unwrap(), Applied { batches: 1, clicks: 3, ..Applied::default() });
    assert_eq!(sink.salvage(&batch).await.unwrap(), Applied { duplicates: 1, ..Applied::default() });
    assert_eq!(apply(fixture, consumer, &[batch]).await.duplicates, 1);
    assert_eq!(counted(fixture, consumer, link).await, 3);
    assert_eq!(sink.count_dead_letters().await.unwrap(), 0);
}

pub async fn a_batch_set_aside_takes_effect_once_when_it_is_replayed(fixture: &Fixture, consumer: Consumer) {
    let (link, [one, two]) = batches(fixture, producer(fixture)).await;
    let sink = fixture.sink(consumer);
    apply(fixture, consumer, &[one]).await;
    sink.set_aside(&two, "it's bad").await.unwrap();
    let letter = sink.dead_letter(two.id()).await.unwrap().unwrap();
    assert_eq!((letter.id, &*letter.reason, letter.since), (two.id(), "it's bad", fixture.clock.now()));
    assert_eq!(letter.clicks.as_ref().unwrap(), &DeadClicks::whole(two.clone()));
    assert_eq!(sink.dead_letters(None, 9).await.unwrap(), [letter]);
    assert_eq!(sink.salvage(&two).await.unwrap(), Applied { quarantined: 1, ..Applied::default() });
    assert_eq!(counted(fixture, consumer, link).await, 1);

    assert_eq!(sink.replay(two.id()).await.unwrap(), Applied { batches: 1, clicks: 1, ..Applied::default() });
    assert_eq!(counted(fixture, consumer, link).await, 2);
    assert!(matches!(sink.replay(two.id()).await, Err(StoreError::NotFound { .. })));
    assert_eq!((sink.dead_letter(two.id()).await.unwrap(), sink.count_dead_letters().await.unwrap()), (None, 0));
    // The log or a journal may well send it again, and a journal has to learn that it may let go of it.
    assert_eq!(apply(fixture, consumer, std::slice::from_ref(&two)).await.batches, 0);
    let state = sink.applied(&[two.id().producer]).await.unwrap().remove(0);
    assert!(state.has_dealt_with(2) && state.ledger.holes().is_empty());
    assert_eq!(counted(fixture, consumer, link).await, 2);
}

pub async fn replays_at_once_count_once(fixture: &Fixture, consumer: Consumer) {
    let (known, unknown) = (producer(fixture), producer(fixture));
    let (link, [one, two]) = batches(fixture, known).await;
    let three = clicks(fixture, unknown, 1, link, 1);
    let sink = fixture.sink(consumer);
    apply(fixture, consumer, &[one]).await;
    for (batch, counts) in [(two, 2), (three, 3)] {
        sink.set_aside(&batch, "bad").await.unwrap();
        let replayed = parallel(8, |_| {
            let (sink, id) = (sink.clone(), batch.id());
            async move { sink.replay(id).await }
        })
        .await;
        assert_eq!(replayed.iter().filter(|replayed| replayed.is_ok()).count(), 1, "{replayed:?}");
        let others = replayed.iter().filter_map(|replayed| replayed.as_ref().err());
        assert!(others.clone().all(|error| matches!(error, StoreError::NotFound { .. })), "{replayed:?}");
        assert_eq!(counted(fixture, consumer, link).await, counts);
    }
}

pub async fn what_is_purged_is_never_applied(fixture: &Fixture, consumer: Consumer) {
    let (link, [one, two]) = batches(fixture, producer(fixture)).await;
    let sink = fixture.sink(consumer);
    // Nothing is known of its producer yet.
    sink.set_aside(&two, "bad").await.unwrap();
    sink.purge(two.id()).await.unwrap();
    assert!(matches!(sink.purge(two.id()).await, Err(StoreError::NotFound { .. })));
    assert!(sink.applied(&[two.id().producer]).await.unwrap()[0].has_dealt_with(2));
    assert_eq!(apply(fixture, consumer, &[one, two.clone()]).await.clicks, 1);
    assert_eq!(sink.salvage(&two).await.unwrap().clicks, 0);
    assert_eq!((counted(fixture, consumer, link).await, sink.count_dead_letters().await.unwrap()), (1, 0));
}

pub async fn a_batch_of_an_unknown_old_producer_counts_when_it_is_replayed(fixture: &Fixture, consumer: Consumer) {
    let old = producer(fixture);
    let (link, [one, two, three]) = batches(fixture, old).await;
    fixture.clock.advance(MAX_UNKNOWN_AGE * 2);
    assert_eq!(apply(fixture, consumer, &[one.clone(), two.clone(), three.clone()]).await.quarantined, 3);
    let sink = fixture.sink(consumer);
    assert_eq!(sink.replay(two.id()).await.unwrap().clicks, 1);
    // That one is known says nothing of the others: they are still not applied blind.
    assert_eq!(apply(fixture, consumer, &[one, two, three.clone()]).await.quarantined, 3);
    assert_eq!(counted(fixture, consumer, link).await, 1);
    let waiting: Vec<_> = sink.dead_letters(None, 9).await.unwrap().iter().map(|letter| letter.id.sequence).collect();
    assert_eq!(waiting, [1, 3]);
    assert_eq!(sink.replay(three.id()).await.unwrap().clicks, 1);
    assert_eq!(counted(fixture, consumer, link).await, 2);
}

pub async fn dead_letters_come_in_pages_by_batch(fixture: &Fixture, consumer: Consumer) {
    let mut ids = Vec::new();
    let sink = fixture.sink(consumer);
    let link = stored(fixture, "x").await;
    for _ in 0..3 {
        let producer = producer(fixture);
        for sequence in [300, 2, 1] {
            let batch = clicks(fixture, producer, sequence, link, 1);
            sink.set_aside(&batch, "bad").await.unwrap();
            ids.push(batch.id());
        }
    }
    ids.sort_unstable();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = sink.dead_letters(after, 2).await.unwrap();
        let page: Vec<_> = page.iter().map(|letter| letter.id).collect();
        assert!(page.len() <= 2);
        assert_eq!(sink.dead_letter_ids(after, 2).await.unwrap(), page);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
    }
    assert_eq!(seen, ids);
    assert_eq!(sink.count_dead_letters().await.unwrap(), 9);
    for other in Consumer::ALL.into_iter().filter(|other| *other != consumer) {
        assert_eq!(fixture.sink(other).dead_letters(None, 9).await.unwrap(), []);
        assert_eq!(fixture.sink(other).dead_letter_ids(None, 9).await.unwrap(), []);
        assert!(fixture.sink(other).purge(ids[0]).await.is_err());
    }
}
