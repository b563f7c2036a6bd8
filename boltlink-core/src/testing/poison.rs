//! What holds when a store refuses single clicks: for stores that can be made to, in tests of their own.

#![allow(missing_docs)] // A case's name says what it shows.

use std::time::Duration;

use super::{
    Fixture,
    sample::{batch, clicks, counted, producer, stored},
};
use crate::{
    Click, Clock, LinkId, StoreError,
    store::{Applied, Consumer},
};

const HOUR: Duration = Duration::from_secs(3600);

/// `poison` makes the store refuse clicks of a link, in both sinks and with a reason that names poison, `antidote` lets it
/// take them again.
pub async fn a_poison_click_alone_waits_and_counts_when_it_is_replayed(
    fixture: &Fixture,
    poison: impl AsyncFnOnce(LinkId),
    antidote: impl AsyncFnOnce(),
) {
    let good = stored(fixture, "good").await;
    let bad = stored(fixture, "bad").await;
    let other = stored(fixture, "other").await;
    let producer = producer(fixture);
    let now = fixture.clock.now();
    let click = |(at, link): (usize, LinkId)| Click::bare(link, now.plus(Duration::from_millis(at as u64)));
    let links = [good, good, bad, good, other, bad, good];
    let poisoned = batch(producer, 1, links.into_iter().enumerate().map(click));
    let before = clicks(fixture, producer, 2, good, 1);
    let both = async |link| {
        (counted(fixture, Consumer::Totals, link).await, counted(fixture, Consumer::Analytics, link).await)
    };

    poison(bad).await;
    for consumer in Consumer::ALL {
        let sink = fixture.sink(consumer);
        let refused = sink.apply(&[poisoned.clone(), before.clone()]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { .. }), "{refused:?}");
        assert_eq!(sink.apply(std::slice::from_ref(&before)).await.unwrap().clicks, 1);
        let salvaged = sink.salvage(&poisoned).await.unwrap();
        assert_eq!(salvaged, Applied { batches: 1, clicks: 5, dead: 2, ..Applied::default() });
        let [letter] = &sink.dead_letters(None, 9).await.unwrap()[..] else { panic!("one letter") };
        let dead = letter.clicks.as_ref().unwrap();
        assert_eq!(dead.places().unwrap().to_string(), "2,5");
        assert!(dead.batch().clicks().all(|click| click.link == bad) && letter.reason.contains("poison"), "{letter:?}");
        assert!(sink.applied(&[producer]).await.unwrap()[0].has_dealt_with(1));
        assert_eq!(sink.salvage(&poisoned).await.unwrap().clicks, 0);
        assert!(matches!(sink.replay(poisoned.id()).await, Err(StoreError::Invalid { .. })));
        assert_eq!(sink.count_dead_letters().await.unwrap(), 1, "it goes on waiting");
    }
    assert_eq!((both(good).await, both(bad).await), ((5, 5), (0, 0)));

    antidote().await;
    for consumer in Consumer::ALL {
        let replayed = fixture.sink(consumer).replay(poisoned.id()).await.unwrap();
        assert_eq!(replayed, Applied { batches: 1, clicks: 2, ..Applied::default() });
        assert_eq!(fixture.sink(consumer).apply(std::slice::from_ref(&poisoned)).await.unwrap().batches, 0);
    }
    assert_eq!((both(good).await, both(bad).await), ((5, 5), (2, 2)));
    // Wherever a click was in between, it has the id that it was recorded with.
    for (at, link) in links.into_iter().enumerate() {
        let click = click((at, link));
        let kept = fixture.stores.reader.clicks(link, now.minus(HOUR), now.plus(HOUR), None, 99).await.unwrap();
        assert!(kept.iter().any(|kept| kept.id == poisoned.click_id(at, click.at)), "{at}");
    }
}
