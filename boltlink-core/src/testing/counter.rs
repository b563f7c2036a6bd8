//! The contract of [`CounterStore`](crate::store::CounterStore).

#![allow(missing_docs)] // A case's name says what it shows.

use std::collections::BTreeSet;

use super::{
    Fixture, LONGEST_LEASE, parallel,
    sample::{batch, clicks, link, producer},
};
use crate::{
    BatchId, Click, ClickBatch, Clock, LinkId, Network, VisitorHash,
    store::{Backlog, Consumer, Delivery},
};

/// Runs the suite of [`CounterStore`](crate::store::CounterStore); see [`testing`](crate::testing).
#[macro_export]
macro_rules! counter_suite {
    ($fixture:path) => {
        $crate::__cases! { counter, $fixture, run, counter:
            what_is_added_is_sealed_to_each_consumer
            a_batch_comes_back_as_it_was_added
            nothing_is_sealed_of_nothing
            the_oldest_are_sealed_first_and_no_more_than_asked
            a_sealed_batch_is_leased
            a_lease_runs_out_by_the_clock
            parallel_seals_share_the_batches_out
            what_is_settled_is_not_sealed_again
            a_batch_is_held_until_both_have_settled_it
            unknown_batches_may_be_settled
            a_late_holder_may_settle
            a_batch_that_is_held_is_not_added_twice
            a_batch_that_one_consumer_settled_does_not_come_back_to_it
            a_batch_may_come_again_after_all_settled_it
            parallel_adds_of_one_batch_count_once
            a_first_delivery_is_pending
            pending_clicks_are_told_per_link_in_the_order_asked
            a_repeated_delivery_is_never_pending
            a_first_delivery_below_the_highest_is_not_pending
            each_producer_has_a_highest_of_its_own
            the_totals_consumer_takes_the_view_down
            the_view_is_taken_down_once
            a_batch_settled_unsealed_is_not_pending
            an_unseen_batch_takes_nothing_down
            what_waits_is_told_per_consumer
        }
    };
}

const TOTALS: Consumer = Consumer::Totals;
const ANALYTICS: Consumer = Consumer::Analytics;

async fn add(fixture: &Fixture, batch: &ClickBatch, delivery: Delivery) {
    fixture.stores.log.add(batch, delivery).await.unwrap();
}

async fn seal(fixture: &Fixture, consumer: Consumer, limit: usize) -> Vec<ClickBatch> {
    let batches = fixture.stores.log.seal(consumer, limit).await.unwrap();
    assert!(batches.len() <= limit);
    batches
}

async fn settle(fixture: &Fixture, consumer: Consumer, batches: &[ClickBatch]) {
    fixture.stores.log.settle(consumer, &ids(batches)).await.unwrap();
}

async fn pending(fixture: &Fixture, link: LinkId) -> u64 {
    fixture.stores.log.pending(&[link]).await.unwrap()[0]
}

fn ids(batches: &[ClickBatch]) -> Vec<BatchId> {
    batches.iter().map(ClickBatch::id).collect()
}

/// A link's id (the log does not ask whether there is such a link) and `N` batches of it, of one producer:
/// one click in the first, two in the second…
fn batches<const N: usize>(fixture: &Fixture) -> (LinkId, [ClickBatch; N]) {
    let (link, producer) = (link(fixture, "x").id, producer(fixture));
    let batches = std::array::from_fn(|at| clicks(fixture, producer, at as u64 + 1, link, at + 1));
    (link, batches)
}

pub async fn what_is_added_is_sealed_to_each_consumer(fixture: &Fixture) {
    let (_, [one, two]) = batches(fixture);
    add(fixture, &one, Delivery::First).await;
    add(fixture, &two, Delivery::Again).await;
    for consumer in Consumer::ALL {
        assert_eq!(seal(fixture, consumer, 10).await, [one.clone(), two.clone()]);
    }
}

pub async fn a_batch_comes_back_as_it_was_added(fixture: &Fixture) {
    let bare = Click::bare(link(fixture, "x").id, fixture.clock.now());
    let full = Click {
        referrer: Some("https://news.example/"),
        user_agent: Some("curl/8 \u{1f980}"),
        language: Some("de-CH"),
        visitor: Some(VisitorHash(u128::MAX)),
        network: Some(Network::V6([1, 2, 3, 4, 5, 6])),
        ..bare
    };
    let batch = batch(producer(fixture), u64::MAX >> 1, [bare, full, bare]);
    add(fixture, &batch, Delivery::First).await;
    let sealed = seal(fixture, TOTALS, 1).await.remove(0);
    assert_eq!(sealed, batch);
    assert_eq!(sealed.clicks().collect::<Vec<_>>(), [bare, full, bare]);
}

pub async fn nothing_is_sealed_of_nothing(fixture: &Fixture) {
    for consumer in Consumer::ALL {
        assert_eq!(seal(fixture, consumer, 10).await, []);
        fixture.stores.log.settle(consumer, &[]).await.unwrap();
    }
    assert_eq!(fixture.stores.log.pending(&[]).await.unwrap(), [0; 0]);
    assert_eq!(pending(fixture, link(fixture, "x").id).await, 0);
}

pub async fn the_oldest_are_sealed_first_and_no_more_than_asked(fixture: &Fixture) {
    let (_, all) = batches::<7>(fixture);
    for batch in &all {
        add(fixture, batch, Delivery::First).await;
    }
    assert_eq!(seal(fixture, TOTALS, 3).await, all[..3]);
    assert_eq!(seal(fixture, TOTALS, 3).await, all[3..6]);
    assert_eq!(seal(fixture, TOTALS, 3).await, all[6..]);
    assert_eq!(seal(fixture, ANALYTICS, 2).await, all[..2]);
}

pub async fn a_sealed_batch_is_leased(fixture: &Fixture) {
    let (_, [one, two]) = batches(fixture);
    add(fixture, &one, Delivery::First).await;
    assert_eq!(seal(fixture, TOTALS, 10).await, [one]);
    assert_eq!(seal(fixture, TOTALS, 10).await, []);
    add(fixture, &two, Delivery::First).await;
    assert_eq!(seal(fixture, TOTALS, 10).await, [two]);
    assert_eq!(seal(fixture, TOTALS, 10).await, []);
}

pub async fn a_lease_runs_out_by_the_clock(fixture: &Fixture) {
    let (_, all) = batches::<3>(fixture);
    for batch in &all {
        add(fixture, batch, Delivery::First).await;
    }
    for _ in 0..3 {
        assert_eq!(seal(fixture, TOTALS, 10).await, all);
        assert_eq!(seal(fixture, TOTALS, 10).await, []);
        fixture.clock.advance(LONGEST_LEASE);
    }
    assert_eq!(seal(fixture, TOTALS, 2).await, all[..2]);
}

pub async fn parallel_seals_share_the_batches_out(fixture: &Fixture) {
    let (_, all) = batches::<40>(fixture);
    for batch in &all {
        add(fixture, batch, Delivery::First).await;
    }
    let sealed = parallel(16, |_| {
        let log = fixture.stores.log.clone();
        async move { ids(&log.seal(TOTALS, 3).await.unwrap()) }
    })
    .await;
    let mut sealed: Vec<_> = sealed.into_iter().flatten().collect();
    sealed.extend(ids(&seal(fixture, TOTALS, 100).await));
    assert_eq!(sealed.len(), all.len());
    assert_eq!(sealed.into_iter().collect::<BTreeSet<_>>(), ids(&all).into_iter().collect());
}

pub async fn what_is_settled_is_not_sealed_again(fixture: &Fixture) {
    let (_, all) = batches::<3>(fixture);
    for batch in &all {
        add(fixture, batch, Delivery::First).await;
    }
    seal(fixture, TOTALS, 10).await;
    settle(fixture, TOTALS, &all[1..2]).await;
    settle(fixture, TOTALS, &all[1..2]).await;
    fixture.clock.advance(LONGEST_LEASE);
    assert_eq!(seal(fixture, TOTALS, 10).await, [all[0].clone(), all[2].clone()]);
}

pub async fn a_batch_is_held_until_both_have_settled_it(fixture: &Fixture) {
    for consumers in [[TOTALS, ANALYTICS], [ANALYTICS, TOTALS]] {
        let (_, [batch]) = batches(fixture);
        add(fixture, &batch, Delivery::First).await;
        assert_eq!(seal(fixture, consumers[0], 10).await, std::slice::from_ref(&batch));
        settle(fixture, consumers[0], std::slice::from_ref(&batch)).await;
        fixture.clock.advance(LONGEST_LEASE);
        assert_eq!(seal(fixture, consumers[0], 10).await, []);
        assert_eq!(seal(fixture, consumers[1], 10).await, std::slice::from_ref(&batch));
        settle(fixture, consumers[1], &[batch]).await;
        fixture.clock.advance(LONGEST_LEASE);
        for consumer in consumers {
            assert_eq!(seal(fixture, consumer, 10).await, []);
        }
    }
}

pub async fn unknown_batches_may_be_settled(fixture: &Fixture) {
    let (link, [known, unknown]) = batches(fixture);
    add(fixture, &known, Delivery::First).await;
    settle(fixture, TOTALS, &[unknown]).await;
    assert_eq!(pending(fixture, link).await, 1);
    assert_eq!(seal(fixture, TOTALS, 10).await, [known]);
}

pub async fn a_late_holder_may_settle(fixture: &Fixture) {
    let (_, [batch]) = batches(fixture);
    add(fixture, &batch, Delivery::First).await;
    seal(fixture, TOTALS, 10).await;
    fixture.clock.advance(LONGEST_LEASE);
    settle(fixture, TOTALS, &[batch]).await;
    assert_eq!(seal(fixture, TOTALS, 10).await, []);
}

pub async fn a_batch_that_is_held_is_not_added_twice(fixture: &Fixture) {
    let (link, [batch]) = batches(fixture);
    for delivery in [Delivery::First, Delivery::First, Delivery::Again] {
        add(fixture, &batch, delivery).await;
        assert_eq!(pending(fixture, link).await, 1);
    }
    assert_eq!(seal(fixture, TOTALS, 10).await, std::slice::from_ref(&batch));
    add(fixture, &batch, Delivery::Again).await;
    assert_eq!(seal(fixture, TOTALS, 10).await, [], "it is leased");
    assert_eq!(pending(fixture, link).await, 0);
}

pub async fn a_batch_that_one_consumer_settled_does_not_come_back_to_it(fixture: &Fixture) {
    let (_, [batch]) = batches(fixture);
    add(fixture, &batch, Delivery::First).await;
    seal(fixture, TOTALS, 10).await;
    settle(fixture, TOTALS, std::slice::from_ref(&batch)).await;
    add(fixture, &batch, Delivery::Again).await;
    fixture.clock.advance(LONGEST_LEASE);
    assert_eq!(seal(fixture, TOTALS, 10).await, []);
    assert_eq!(seal(fixture, ANALYTICS, 10).await, [batch]);
}

pub async fn a_batch_may_come_again_after_all_settled_it(fixture: &Fixture) {
    let (link, [one, two]) = batches(fixture);
    add(fixture, &one, Delivery::First).await;
    for consumer in Consumer::ALL {
        seal(fixture, consumer, 10).await;
        settle(fixture, consumer, std::slice::from_ref(&one)).await;
    }
    // Whether the log remembers it or not, the view does not show it again.
    for delivery in [Delivery::Again, Delivery::First] {
        add(fixture, &one, delivery).await;
        assert_eq!(pending(fixture, link).await, 0);
    }
    add(fixture, &two, Delivery::First).await;
    assert_eq!(pending(fixture, link).await, 2);
    assert!(seal(fixture, TOTALS, 10).await.contains(&two));
    assert_eq!(pending(fixture, link).await, 0);
}

pub async fn parallel_adds_of_one_batch_count_once(fixture: &Fixture) {
    let (link, [batch]) = batches(fixture);
    parallel(16, |number| {
        let (log, batch) = (fixture.stores.log.clone(), batch.clone());
        let delivery = if number % 4 == 3 { Delivery::Again } else { Delivery::First };
        async move { log.add(&batch, delivery).await.unwrap() }
    })
    .await;
    // None, if a repeated delivery was faster than the first.
    assert!(pending(fixture, link).await <= 1);
    assert_eq!(seal(fixture, TOTALS, 10).await, [batch]);
    assert_eq!(pending(fixture, link).await, 0);
}

pub async fn a_first_delivery_is_pending(fixture: &Fixture) {
    let (link, all) = batches::<3>(fixture);
    for (batch, sum) in all.iter().zip([1, 3, 6]) {
        add(fixture, batch, Delivery::First).await;
        assert_eq!(pending(fixture, link).await, sum);
    }
}

pub async fn pending_clicks_are_told_per_link_in_the_order_asked(fixture: &Fixture) {
    let [x, y, none] = ["x", "y", "none"].map(|slug| link(fixture, slug).id);
    let now = fixture.clock.now();
    let mixed = [x, y, x].map(|link| Click::bare(link, now));
    add(fixture, &batch(producer(fixture), 1, mixed), Delivery::First).await;
    let pending = fixture.stores.log.pending(&[y, none, x, y]).await.unwrap();
    assert_eq!(pending, [1, 0, 2, 1]);
}

pub async fn a_repeated_delivery_is_never_pending(fixture: &Fixture) {
    let (link, all) = batches::<3>(fixture);
    for batch in &all {
        add(fixture, batch, Delivery::Again).await;
        add(fixture, batch, Delivery::First).await;
        assert_eq!(pending(fixture, link).await, 0);
    }
}

pub async fn a_first_delivery_below_the_highest_is_not_pending(fixture: &Fixture) {
    let (link, [one, two, three, four]) = batches(fixture);
    add(fixture, &two, Delivery::First).await;
    add(fixture, &one, Delivery::First).await;
    assert_eq!(pending(fixture, link).await, 2);
    // Seen is seen, even if it raised nothing.
    add(fixture, &four, Delivery::Again).await;
    add(fixture, &three, Delivery::First).await;
    assert_eq!(pending(fixture, link).await, 2);
    assert_eq!(seal(fixture, TOTALS, 10).await.len(), 4);
    assert_eq!(pending(fixture, link).await, 0);
}

pub async fn each_producer_has_a_highest_of_its_own(fixture: &Fixture) {
    let link = link(fixture, "x").id;
    for sequence in [9, 3, 1] {
        add(fixture, &clicks(fixture, producer(fixture), sequence, link, 1), Delivery::First).await;
    }
    assert_eq!(pending(fixture, link).await, 3);
}

pub async fn the_totals_consumer_takes_the_view_down(fixture: &Fixture) {
    let (link, all) = batches::<3>(fixture);
    for batch in &all {
        add(fixture, batch, Delivery::First).await;
    }
    seal(fixture, ANALYTICS, 10).await;
    settle(fixture, ANALYTICS, &all).await;
    assert_eq!(pending(fixture, link).await, 6);
    seal(fixture, TOTALS, 1).await;
    assert_eq!(pending(fixture, link).await, 5);
    seal(fixture, TOTALS, 10).await;
    assert_eq!(pending(fixture, link).await, 0);
}

pub async fn the_view_is_taken_down_once(fixture: &Fixture) {
    let (link, [one, two]) = batches(fixture);
    add(fixture, &one, Delivery::First).await;
    for _ in 0..3 {
        assert_eq!(seal(fixture, TOTALS, 1).await, std::slice::from_ref(&one));
        fixture.clock.advance(LONGEST_LEASE);
        // What comes meanwhile is not what the repeated lease takes down.
        add(fixture, &two, Delivery::First).await;
        assert_eq!(pending(fixture, link).await, 2);
    }
    settle(fixture, TOTALS, &[one]).await;
    assert_eq!(pending(fixture, link).await, 2);
}

pub async fn a_batch_settled_unsealed_is_not_pending(fixture: &Fixture) {
    let (link, [one, two]) = batches(fixture);
    add(fixture, &one, Delivery::First).await;
    add(fixture, &two, Delivery::First).await;
    settle(fixture, TOTALS, &[one]).await;
    assert_eq!(pending(fixture, link).await, 2);
    assert_eq!(seal(fixture, TOTALS, 10).await, [two]);
    assert_eq!(pending(fixture, link).await, 0);
}

pub async fn an_unseen_batch_takes_nothing_down(fixture: &Fixture) {
    let (link, [one, two]) = batches(fixture);
    add(fixture, &one, Delivery::Again).await;
    add(fixture, &two, Delivery::First).await;
    assert_eq!(seal(fixture, TOTALS, 1).await, [one]);
    assert_eq!(pending(fixture, link).await, 2);
}

pub async fn what_waits_is_told_per_consumer(fixture: &Fixture) {
    let log = &fixture.stores.log;
    let (_, all) = batches::<3>(fixture);
    assert_eq!(log.backlog(TOTALS).await.unwrap(), Backlog::default());
    for batch in &all {
        add(fixture, batch, Delivery::First).await;
    }
    let run = log.run().await.unwrap();
    // What is leased is not settled yet.
    seal(fixture, TOTALS, 2).await;
    assert_eq!(log.backlog(TOTALS).await.unwrap().batches, 3);
    assert!(log.backlog(TOTALS).await.unwrap().oldest.is_some());
    settle(fixture, TOTALS, &all[..2]).await;
    assert_eq!(log.backlog(TOTALS).await.unwrap().batches, 1);
    assert_eq!(log.backlog(ANALYTICS).await.unwrap().batches, 3);
    assert_eq!(log.run().await.unwrap(), run, "nothing was forgotten");
}
