//! Single clicks, and the links with the most of them.

use std::time::Duration;

use super::super::{
    Fixture,
    sample::{apply, batch, clicks, link, producer, stored},
};
use crate::{
    Click, Clock, LinkId, Network, Timestamp, VisitorHash,
    store::{ClickCursor, Consumer, LinkClicks, RawClick, Scope},
};

const ANALYTICS: Consumer = Consumer::Analytics;

/// All that is kept of a link's clicks within `from..to`, read `size` at a time.
async fn read(fixture: &Fixture, link: LinkId, from: Timestamp, to: Timestamp, size: u32) -> Vec<RawClick> {
    let mut all: Vec<RawClick> = Vec::new();
    loop {
        let after = all.last().map(ClickCursor::from);
        let page = fixture.stores.reader.clicks(link, from, to, after, size).await.unwrap();
        assert!(page.len() <= size as usize);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

async fn read_all(fixture: &Fixture, link: LinkId) -> Vec<RawClick> {
    read(fixture, link, Timestamp::EPOCH, fixture.clock.now().plus(Duration::from_secs(1)), 100).await
}

pub async fn a_click_is_kept_as_it_was_made(fixture: &Fixture) {
    let (link, now) = (stored(fixture, "x").await, fixture.clock.now());
    let click = Click {
        link,
        at: now,
        referrer: Some("https://example.com/ä?q='\""),
        user_agent: Some("Mozilla/5.0 (é)"),
        language: Some("de-DE,de;q=0.9"),
        visitor: Some(VisitorHash(u128::MAX - 1)),
        network: Some(Network::V6([0x20, 1, 0xd, 0xb8, 0, 1])),
    };
    let bare = Click { network: Some(Network::V4([192, 0, 2])), ..Click::bare(link, now.plus(Duration::from_secs(1))) };
    fixture.clock.advance(Duration::from_secs(1));
    let batch = batch(producer(fixture), 1, [click, bare]);
    apply(fixture, ANALYTICS, std::slice::from_ref(&batch)).await;
    let kept = |index, click: Click<'_>| RawClick {
        id: batch.click_id(index, click.at),
        at: click.at,
        weight: 1,
        referrer: click.referrer.map(str::to_owned),
        user_agent: click.user_agent.map(str::to_owned),
        language: click.language.map(str::to_owned),
        visitor: click.visitor,
        network: click.network,
    };
    assert_eq!(read_all(fixture, link).await, [kept(1, bare), kept(0, click)]);
}

pub async fn clicks_are_newest_first_and_pages_join(fixture: &Fixture) {
    let (link, other) = (stored(fixture, "x").await, stored(fixture, "y").await);
    let begin = fixture.clock.now();
    let producer = producer(fixture);
    for sequence in 1..=20 {
        // Some at the same moment.
        let batch = batch(producer, sequence, [link, link, other].map(|link| Click::bare(link, fixture.clock.now())));
        apply(fixture, ANALYTICS, &[batch]).await;
        fixture.clock.advance(Duration::from_secs(sequence % 3));
    }
    let all = read_all(fixture, link).await;
    assert_eq!(all.len(), 40);
    assert!(all.is_sorted_by(|a, b| (a.at, a.id) > (b.at, b.id)), "{all:?}");
    for size in [1, 7] {
        assert_eq!(read(fixture, link, Timestamp::EPOCH, fixture.clock.now(), size).await, all, "{size} at a time");
    }
    let (from, to) = (begin.plus(Duration::from_secs(2)), begin.plus(Duration::from_secs(5)));
    let within: Vec<_> = all.iter().filter(|click| from <= click.at && click.at < to).cloned().collect();
    assert!(!within.is_empty() && within.len() < all.len());
    assert_eq!(read(fixture, link, from, to, 3).await, within);
    assert_eq!(read(fixture, link, to, from, 3).await, []);
}

pub async fn clicks_that_are_stored_together_are_read_one_by_one(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    let (begin, agents) = (fixture.clock.now(), ["a", "b", "c"]);
    fixture.clock.advance(Duration::from_secs(4 * 3_600));
    let mut made = Vec::new();
    // Two times the same hours, more than one of them, each with as many clicks as no store will keep as one.
    for (producer, offset) in [(producer(fixture), 0), (producer(fixture), 11)] {
        let at = |number: u64| begin.plus(Duration::from_secs(number * 25 + offset));
        let click =
            |number: usize| Click { user_agent: Some(agents[number % 3]), ..Click::bare(link, at(number as u64)) };
        let batch = batch(producer, 1, (0..300).map(click));
        made.extend(
            batch
                .clicks()
                .enumerate()
                .map(|(index, click)| (click.at, batch.click_id(index, click.at), click.user_agent.map(str::to_owned))),
        );
        apply(fixture, ANALYTICS, &[batch]).await;
    }
    made.sort_unstable_by(|a, b| b.cmp(a));
    let kept = |clicks: Vec<RawClick>| {
        assert!(clicks.iter().all(|click| click.weight == 1));
        clicks.into_iter().map(|click| (click.at, click.id, click.user_agent)).collect::<Vec<_>>()
    };
    for size in [7, 64, 1_000] {
        let all = read(fixture, link, Timestamp::EPOCH, fixture.clock.now(), size).await;
        assert!(kept(all) == made, "{size} at a time");
    }
    let (from, to) = (begin.plus(Duration::from_secs(1_000)), begin.plus(Duration::from_secs(4_000)));
    made.retain(|(at, ..)| from <= *at && *at < to);
    assert_eq!(kept(read(fixture, link, from, to, 50).await), made);
}

pub async fn a_repeated_batch_keeps_no_click_twice(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    let batch = clicks(fixture, producer(fixture), 1, link, 3);
    for _ in 0..2 {
        apply(fixture, ANALYTICS, &[batch.clone(), batch.clone()]).await;
    }
    assert_eq!(read_all(fixture, link).await.len(), 3);
}

pub async fn weights_add_up_to_the_clicks(fixture: &Fixture) {
    let (busy, rare) = (stored(fixture, "busy").await, stored(fixture, "rare").await);
    let producer = producer(fixture);
    let mut batches = vec![clicks(fixture, producer, 1, rare, 1)];
    batches.extend((2..=60).map(|sequence| clicks(fixture, producer, sequence, busy, 512)));
    for some in batches.chunks(20) {
        apply(fixture, ANALYTICS, some).await;
        fixture.clock.advance(Duration::from_secs(1));
    }
    for (link, clicks) in [(busy, 59 * 512), (rare, 1)] {
        let kept = read(fixture, link, Timestamp::EPOCH, fixture.clock.now(), 10_000).await;
        assert_eq!(kept.iter().map(|click| click.weight).sum::<u64>(), clicks);
        assert_eq!(fixture.stores.reader.total(Scope::Link(link)).await.unwrap(), clicks);
    }
}

pub async fn old_clicks_count_but_are_not_kept(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    let old = fixture.clock.now().minus(Duration::from_secs(10 * 366 * 24 * 3_600));
    apply(fixture, ANALYTICS, &[batch(producer(fixture), 1, [Click::bare(link, old)])]).await;
    assert_eq!(fixture.stores.reader.total(Scope::Link(link)).await.unwrap(), 1);
    assert_eq!(read_all(fixture, link).await, []);
}

pub async fn clicks_of_a_deleted_link_stay_readable(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    apply(fixture, ANALYTICS, &[clicks(fixture, producer(fixture), 1, link, 2)]).await;
    fixture.stores.links.delete(link, None).await.unwrap();
    assert_eq!(read_all(fixture, link).await.len(), 2);
}

pub async fn the_most_clicked_links_come_first(fixture: &Fixture) {
    let links = [link(fixture, "a").id, link(fixture, "b").id, link(fixture, "c").id, link(fixture, "d").id];
    let (producer, day) = (producer(fixture), fixture.clock.now().day());
    for (sequence, counts) in [[3, 1, 0, 1], [0, 4, 1, 0], [9, 0, 0, 0]].into_iter().enumerate() {
        let of_day = links.iter().zip(counts).flat_map(|(link, count)| std::iter::repeat_n(*link, count));
        let of_day = of_day.map(|link| Click::bare(link, fixture.clock.now()));
        apply(fixture, ANALYTICS, &[batch(producer, sequence as u64 + 1, of_day)]).await;
        fixture.clock.advance(Duration::from_secs(24 * 3_600));
    }
    let top = async |from, to, limit| {
        let top = fixture.stores.reader.top(from, to, limit).await.unwrap();
        top.into_iter().map(|LinkClicks { link, clicks }| (link, clicks)).collect::<Vec<_>>()
    };
    let [a, b, c, d] = links;
    let tie = if c < d { [(c, 1), (d, 1)] } else { [(d, 1), (c, 1)] };
    assert_eq!(top(day, day + 2, 9).await, [(b, 5), (a, 3), tie[0], tie[1]]);
    assert_eq!(top(day, day + 3, 2).await, [(a, 12), (b, 5)]);
    assert_eq!(top(day + 1, day + 2, 9).await, [(b, 4), (c, 1)]);
    assert_eq!(top(day + 3, day + 9, 9).await, []);
    assert_eq!(top(day + 1, day, 9).await, []);
}
