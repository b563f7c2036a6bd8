//! Each batch once: what holds for both sinks.

use std::{sync::Arc, time::Duration};

use super::super::{
    Fixture, parallel,
    sample::{apply, batch, clicks, counted, inserts, link, producer, stored},
};
use crate::{
    Click, ClickBatch, Clock, Network, VisitorHash,
    ledger::{MAX_UNKNOWN_AGE, RETENTION},
    store::{Applied, ClickSink, Consumer, LedgerState},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the sink has dealt with of the producer of `batch`.
async fn state_of(sink: &dyn ClickSink, batch: &ClickBatch) -> LedgerState {
    sink.applied(&[batch.id().producer]).await.unwrap().remove(0)
}

pub async fn a_batch_takes_effect_once(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let batch = clicks(fixture, producer(fixture), 1, link, 3);
    let first = apply(fixture, consumer, std::slice::from_ref(&batch)).await;
    assert_eq!(first, Applied { batches: 1, clicks: 3, ..Applied::default() });
    for _ in 0..3 {
        let again = apply(fixture, consumer, std::slice::from_ref(&batch)).await;
        assert_eq!(again, Applied { duplicates: 1, ..Applied::default() });
    }
    assert_eq!(counted(fixture, consumer, link).await, 3);
}

pub async fn a_batch_twice_in_one_call_takes_effect_once(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let producer = producer(fixture);
    let (one, two) = (clicks(fixture, producer, 1, link, 3), clicks(fixture, producer, 2, link, 4));
    let applied = apply(fixture, consumer, &[one.clone(), two.clone(), one.clone(), two, one]).await;
    assert_eq!(applied, Applied { batches: 2, duplicates: 3, clicks: 7, ..Applied::default() });
    assert_eq!(counted(fixture, consumer, link).await, 7);
}

pub async fn old_and_new_batches_are_told_apart_in_one_call(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let (a, b) = (producer(fixture), producer(fixture));
    let all: Vec<_> = [(a, 1), (a, 2), (b, 1), (b, 2)].map(|(p, s)| clicks(fixture, p, s, link, 1)).into();
    apply(fixture, consumer, &[all[0].clone(), all[3].clone()]).await;
    let applied = apply(fixture, consumer, &all).await;
    assert_eq!(applied, Applied { batches: 2, duplicates: 2, clicks: 2, ..Applied::default() });
    assert_eq!(counted(fixture, consumer, link).await, 4);
}

pub async fn batches_may_come_in_any_order(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let producer = producer(fixture);
    let mut expected = 0;
    for sequence in [5, 2, 9, 1, 3, 8, 4, 7, 6] {
        let batch = clicks(fixture, producer, sequence, link, usize::try_from(sequence).unwrap());
        assert_eq!(apply(fixture, consumer, std::slice::from_ref(&batch)).await.batches, 1);
        assert_eq!(apply(fixture, consumer, &[batch]).await.duplicates, 1);
        expected += sequence;
        assert_eq!(counted(fixture, consumer, link).await, expected);
    }
    let ledger = fixture.sink(consumer).applied(&[producer]).await.unwrap().remove(0).ledger;
    assert_eq!((ledger.highest(), ledger.holes()), (9, &[][..]));
}

pub async fn holes_are_noted_until_they_close(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let producer = producer(fixture);
    let sink = fixture.sink(consumer);
    for (sequence, holes) in [(3, vec![1..=2]), (7, vec![1..=2, 4..=6]), (5, vec![1..=2, 4..=4, 6..=6])] {
        let batch = clicks(fixture, producer, sequence, link, 1);
        apply(fixture, consumer, std::slice::from_ref(&batch)).await;
        let state = state_of(&**sink, &batch).await;
        assert_eq!(state.ledger.holes(), holes);
        let missing = holes.iter().cloned().flatten().count() as u64;
        assert_eq!((state.ledger.missing(), sink.count_missing().await.unwrap()), (missing, missing));
        for sequence in 0..=9 {
            let open = sequence == 0 || sequence > state.ledger.highest();
            let missing = open || holes.iter().any(|hole| hole.contains(&sequence));
            assert_eq!(state.has_dealt_with(sequence), !missing, "{sequence}");
        }
    }
}

pub async fn concurrent_appliers_apply_each_batch_once(fixture: &Fixture, consumer: Consumer) {
    let links = [stored(fixture, "x").await, stored(fixture, "y").await, stored(fixture, "z").await];
    let producers = [producer(fixture), producer(fixture)];
    let all: Arc<Vec<_>> = Arc::new(
        (0..40)
            .map(|number| {
                let (producer, sequence) = (producers[number % 2], u64::try_from(number / 2).unwrap() + 1);
                let clicked = (0..6).map(|click| Click::bare(links[(number + click) % 3], fixture.clock.now()));
                batch(producer, sequence, clicked)
            })
            .collect(),
    );
    let applied = parallel(8, |task| {
        let (sink, all) = (fixture.sink(consumer).clone(), all.clone());
        async move {
            let mut applied = 0;
            // Each applies everything, in portions and an order of its own.
            for step in 0..10 {
                let mut portion: Vec<_> = (0..8).map(|n| all[(task * 7 + step * 4 + n) % 40].clone()).collect();
                if task % 2 == 0 {
                    portion.reverse();
                }
                applied += sink.apply(&portion).await.unwrap().batches;
            }
            applied
        }
    })
    .await;
    assert_eq!(applied.iter().sum::<u64>(), 40, "{applied:?}");
    for link in links {
        assert_eq!(counted(fixture, consumer, link).await, 80);
    }
}

pub async fn a_dropped_call_is_whole_or_did_nothing(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let producer = producer(fixture);
    let sink = fixture.sink(consumer);
    for round in 0..20 {
        let pair = [1, 2].map(|which| clicks(fixture, producer, round * 2 + which, link, 5));
        let _ = tokio::time::timeout(Duration::from_micros(round * 60), sink.apply(&pair)).await;
        let again = sink.apply(&pair).await.unwrap();
        assert!([0, 2].contains(&again.batches), "half of it: {again:?}");
        assert_eq!(counted(fixture, consumer, link).await, (round + 1) * 10);
    }
}

pub async fn nothing_at_all_may_be_applied(fixture: &Fixture, consumer: Consumer) {
    assert_eq!(apply(fixture, consumer, &[]).await, Applied::default());
    assert_eq!(fixture.sink(consumer).applied(&[]).await.unwrap(), []);
}

pub async fn an_empty_batch_is_noted(fixture: &Fixture, consumer: Consumer) {
    let batch = batch(producer(fixture), 1, []);
    let applied = apply(fixture, consumer, std::slice::from_ref(&batch)).await;
    assert_eq!(applied, Applied { batches: 1, ..Applied::default() });
    assert!(state_of(&**fixture.sink(consumer), &batch).await.has_dealt_with(1));
}

pub async fn a_large_call_is_applied_whole(fixture: &Fixture, consumer: Consumer) {
    let links: Vec<_> = (0..2_500).map(|number| link(fixture, &format!("n{number}"))).collect();
    fixture.stores.links.insert_many(&inserts(&links)).await.unwrap();
    let now = fixture.clock.now();
    let producer = producer(fixture);
    let batches: Vec<_> =
        (1..=4).map(|sequence| batch(producer, sequence, links.iter().map(|link| Click::bare(link.id, now)))).collect();
    let applied = apply(fixture, consumer, &batches).await;
    assert_eq!(applied, Applied { batches: 4, clicks: 10_000, ..Applied::default() });
    for link in [&links[0], &links[1_250], &links[2_499]] {
        assert_eq!(counted(fixture, consumer, link.id).await, 4);
    }
}

pub async fn clicks_with_every_detail_are_counted(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let bare = Click::bare(link, fixture.clock.now());
    let long = "ü".repeat(Click::MAX_TEXT);
    let all = [
        Click {
            referrer: Some("https://news.example/'\"\\"),
            user_agent: Some("curl/8 \u{1f980}"),
            language: Some("de-CH"),
            visitor: Some(VisitorHash(u128::MAX)),
            network: Some(Network::V6([1, 2, 3, 4, 5, 6])),
            ..bare
        },
        Click { referrer: Some(&long), user_agent: Some(&long), language: Some(&long), ..bare },
        Click { referrer: Some(""), user_agent: Some("\0"), language: Some("\0"), ..bare },
        Click { network: Some(Network::V4([127, 0, 0])), ..bare },
    ];
    let applied = apply(fixture, consumer, &[batch(producer(fixture), 1, all)]).await;
    assert_eq!(applied, Applied { batches: 1, clicks: 4, ..Applied::default() });
    assert_eq!(counted(fixture, consumer, link).await, 4);
}

pub async fn the_two_ledgers_are_apart(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let batch = clicks(fixture, producer(fixture), 1, link, 1);
    apply(fixture, consumer, std::slice::from_ref(&batch)).await;
    for other in Consumer::ALL.into_iter().filter(|other| *other != consumer) {
        assert!(!state_of(&**fixture.sink(other), &batch).await.has_dealt_with(1));
        assert_eq!(apply(fixture, other, std::slice::from_ref(&batch)).await.batches, 1);
    }
}

pub async fn ledgers_come_in_the_order_asked(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let [a, b, unknown] = [(); 3].map(|()| producer(fixture));
    apply(fixture, consumer, &[clicks(fixture, a, 1, link, 1), clicks(fixture, b, 2, link, 1)]).await;
    let states = fixture.sink(consumer).applied(&[b, unknown, a, b]).await.unwrap();
    assert_eq!(states.iter().map(|state| state.ledger.highest()).collect::<Vec<_>>(), [2, 0, 1, 2]);
    assert_eq!(states[1], LedgerState::default());
}

pub async fn an_unknown_old_producer_is_quarantined(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let old = producer(fixture);
    let [one, two] = [1, 2].map(|sequence| clicks(fixture, old, sequence, link, 3));
    fixture.clock.advance(MAX_UNKNOWN_AGE + Duration::from_secs(1));
    let both = [two.clone(), one.clone()];
    for _ in 0..2 {
        let applied = apply(fixture, consumer, &both).await;
        assert_eq!(applied, Applied { quarantined: 2, ..Applied::default() });
        let state = state_of(&**fixture.sink(consumer), &one).await;
        assert_eq!((state.ledger.highest(), &state.quarantined[..]), (0, &[1, 2][..]));
        assert!(state.has_dealt_with(1) && state.has_dealt_with(2) && !state.has_dealt_with(3));
    }
    assert_eq!(counted(fixture, consumer, link).await, 0);
}

pub async fn a_quarantined_producer_holds_up_nobody(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let old = clicks(fixture, producer(fixture), 1, link, 3);
    fixture.clock.advance(MAX_UNKNOWN_AGE + Duration::from_secs(1));
    let new = clicks(fixture, producer(fixture), 1, link, 4);
    let applied = apply(fixture, consumer, &[old.clone(), new, old]).await;
    assert_eq!((applied.batches, applied.clicks), (1, 4));
    assert_eq!(counted(fixture, consumer, link).await, 4);
}

pub async fn an_unknown_producer_of_a_week_ago_may_begin(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let batch = clicks(fixture, producer(fixture), 1, link, 3);
    fixture.clock.advance(MAX_UNKNOWN_AGE);
    assert_eq!(apply(fixture, consumer, &[batch]).await.batches, 1);
}

pub async fn a_known_producer_is_judged_by_its_ledger_at_any_age(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let old = producer(fixture);
    let [one, two, three] = [1, 2, 3].map(|sequence| clicks(fixture, old, sequence, link, 1));
    apply(fixture, consumer, std::slice::from_ref(&two)).await;
    fixture.clock.advance(RETENTION - DAY);
    let applied = apply(fixture, consumer, &[one, two, three]).await;
    assert_eq!(applied, Applied { batches: 2, duplicates: 1, clicks: 2, ..Applied::default() });
}

pub async fn a_ledger_outlives_its_producers_last_batch(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let old = producer(fixture);
    let batches = [1, 2, 3].map(|sequence| clicks(fixture, old, sequence, link, 1));
    for batch in &batches {
        assert_eq!(apply(fixture, consumer, std::slice::from_ref(batch)).await.batches, 1);
        fixture.clock.advance(RETENTION - DAY);
        // Others come and go meanwhile, so that a store that tidies up gets to do it.
        apply(fixture, consumer, &[clicks(fixture, producer(fixture), 1, link, 0)]).await;
    }
    assert_eq!(apply(fixture, consumer, &batches).await.duplicates, 3);
    assert_eq!(counted(fixture, consumer, link).await, 3);
}

pub async fn a_batch_set_aside_is_dealt_with_and_has_no_effect(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let producer = producer(fixture);
    let [one, two, three] = [1, 2, 3].map(|sequence| clicks(fixture, producer, sequence, link, 1));
    apply(fixture, consumer, std::slice::from_ref(&one)).await;
    let sink = fixture.sink(consumer);
    sink.set_aside(&two, "it's \"bad\"").await.unwrap();
    let state = state_of(&**sink, &two).await;
    assert_eq!(state.quarantined, [2]);
    assert!(state.has_dealt_with(1) && state.has_dealt_with(2) && !state.has_dealt_with(3));
    assert_eq!(apply(fixture, consumer, &[three]).await.batches, 1);
    assert_eq!(counted(fixture, consumer, link).await, 2);
    assert!(state_of(&**sink, &two).await.has_dealt_with(2));
}

pub async fn a_batch_set_aside_stays_there(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let producer = producer(fixture);
    let [one, two, three] = [1, 2, 3].map(|sequence| clicks(fixture, producer, sequence, link, 1));
    let sink = fixture.sink(consumer);
    for bad in [&one, &three] {
        sink.set_aside(bad, "bad").await.unwrap();
    }
    for (batches, duplicates) in [(1, 0), (0, 1)] {
        // The log or a journal may well send it again.
        let applied = apply(fixture, consumer, &[one.clone(), two.clone(), three.clone()]).await;
        assert_eq!(applied, Applied { batches, duplicates, quarantined: 2, clicks: batches, ..Applied::default() });
    }
    assert_eq!(state_of(&**sink, &one).await.quarantined, [1, 3]);
    assert_eq!(counted(fixture, consumer, link).await, 1);
}

pub async fn a_batch_is_set_aside_once(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let batch = clicks(fixture, producer(fixture), 4, link, 1);
    let sink = fixture.sink(consumer);
    for reason in ["first", "again"] {
        sink.set_aside(&batch, reason).await.unwrap();
        assert_eq!(state_of(&**sink, &batch).await.quarantined, [4]);
    }
    for other in Consumer::ALL.into_iter().filter(|other| *other != consumer) {
        assert_eq!(state_of(&**fixture.sink(other), &batch).await.quarantined, [0; 0]);
    }
}

pub async fn a_batch_that_was_applied_cannot_be_set_aside(fixture: &Fixture, consumer: Consumer) {
    let link = stored(fixture, "x").await;
    let batch = clicks(fixture, producer(fixture), 1, link, 1);
    apply(fixture, consumer, std::slice::from_ref(&batch)).await;
    let sink = fixture.sink(consumer);
    sink.set_aside(&batch, "too late").await.unwrap();
    assert_eq!(state_of(&**sink, &batch).await.quarantined, [0; 0]);
    assert_eq!(counted(fixture, consumer, link).await, 1);
}
