//! What holds when a store can no longer read what waits in it: for stores that can be damaged, in tests of their own.

#![allow(missing_docs)] // A case's name says what it shows.

use super::{
    Fixture,
    sample::{apply, batch, clicks, counted, producer, stored},
};
use crate::{
    BatchId, Click, Clock, StoreError,
    store::{Applied, Consumer, DeadClicks, Dimension, Share},
};

/// `overwrite` puts these bytes in the place of those that wait of a batch, and this text in that of their places, for
/// both sinks.
pub async fn a_letter_that_cannot_be_read_holds_up_no_other(
    fixture: &Fixture,
    overwrite: impl AsyncFn(BatchId, &[u8], Option<&str>),
) {
    let link = stored(fixture, "x").await;
    let producer = producer(fixture);
    let batch = |sequence| clicks(fixture, producer, sequence, link, 2);
    for consumer in Consumer::ALL {
        for sequence in 1..=5 {
            fixture.sink(consumer).set_aside(&batch(sequence), "bad").await.unwrap();
        }
    }
    let mut newer = batch(2).encoded().to_vec();
    newer[0] = 99;
    overwrite(batch(1).id(), b"", None).await;
    overwrite(batch(2).id(), &newer, None).await;
    overwrite(batch(3).id(), batch(4).encoded(), None).await;
    overwrite(batch(4).id(), batch(4).encoded(), Some("0,1,2")).await;

    for consumer in Consumer::ALL {
        let sink = fixture.sink(consumer);
        let letters = sink.dead_letters(None, 9).await.unwrap();
        assert_eq!(letters.iter().map(|letter| letter.id.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(sink.dead_letter_ids(None, 9).await.unwrap().len(), 5);
        for letter in &letters {
            assert_eq!((&*letter.reason, letter.since), ("bad", fixture.clock.now()));
            assert_eq!(sink.dead_letter(letter.id).await.unwrap().as_ref(), Some(letter));
            if letter.id.sequence == 5 {
                assert_eq!(letter.clicks, Ok(DeadClicks::whole(batch(5))));
            } else {
                assert!(letter.clicks.is_err(), "{letter:?}");
                let refused = sink.replay(letter.id).await.unwrap_err();
                assert!(matches!(refused, StoreError::Unreadable { .. }), "{refused:?}");
            }
        }
        let newer = letters[1].clicks.as_ref().unwrap_err().to_string();
        assert!(newer.contains("version 99"), "{newer}");
        assert_eq!(sink.count_dead_letters().await.unwrap(), 5, "they go on waiting");

        let replayed = sink.replay(batch(5).id()).await.unwrap();
        assert_eq!(replayed, Applied { batches: 1, clicks: 2, ..Applied::default() });
        sink.purge(batch(1).id()).await.unwrap();
        assert!(matches!(sink.purge(batch(1).id()).await, Err(StoreError::NotFound { .. })));
        assert!(sink.applied(&[producer]).await.unwrap()[0].has_dealt_with(1));
        assert_eq!(apply(fixture, consumer, &[batch(1)]).await.clicks, 0);
    }

    // As by the release that wrote it.
    overwrite(batch(2).id(), batch(2).encoded(), None).await;
    for consumer in Consumer::ALL {
        assert_eq!(fixture.sink(consumer).replay(batch(2).id()).await.unwrap().clicks, 2);
        assert_eq!(fixture.sink(consumer).count_dead_letters().await.unwrap(), 2);
        assert_eq!(counted(fixture, consumer, link).await, 4);
    }
}

/// `damage` makes that unreadable which is stored of today's values of all links, `forget` deletes it. A refusal tells
/// the place by its `name`.
pub async fn clicks_of_a_day_whose_values_are_damaged_wait_alone(
    fixture: &Fixture,
    name: &str,
    damage: impl AsyncFnOnce(),
    forget: impl AsyncFnOnce(),
) {
    let (bad, good) = (stored(fixture, "bad").await, stored(fixture, "good").await);
    let (producer, sink) = (producer(fixture), fixture.sink(Consumer::Analytics));
    apply(fixture, Consumer::Analytics, &[clicks(fixture, producer, 1, bad, 1)]).await;
    damage().await;

    let links = [bad, bad, good, good, good];
    let both = batch(producer, 2, links.map(|link| Click::bare(link, fixture.clock.now())));
    let refused = sink.apply(std::slice::from_ref(&both)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Invalid { reason } if reason.contains(name)), "{refused}");
    let applied = sink.salvage(&both).await.unwrap();
    assert_eq!((applied.clicks, applied.dead), (3, 2));
    assert_eq!(counted(fixture, Consumer::Analytics, good).await, 3);

    forget().await;
    assert_eq!(sink.replay(both.id()).await.unwrap().clicks, 2);
    assert_eq!(counted(fixture, Consumer::Analytics, bad).await, 3);
    // What was stored is lost with it; what has waited is not.
    let day = fixture.clock.now().day();
    let said = fixture.stores.reader.breakdown(bad, Dimension::Language, day, day + 1, 10).await.unwrap();
    assert_eq!(said, [Share { value: Dimension::NONE.into(), clicks: 2 }]);
}
