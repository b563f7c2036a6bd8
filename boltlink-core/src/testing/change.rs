//! The contract of [`ChangeLog`](crate::store::ChangeLog), and of the stores that write it.

#![allow(missing_docs)] // A case's name says what it shows.

use std::{sync::Arc, time::Duration};

use super::{
    Fixture, parallel,
    sample::{inserts, key, link, store, stored},
};
use crate::{
    AccountId, Clock, Link, SlugCase,
    store::{Change, ChangeCursor, Changes},
};

/// Runs the suite of [`ChangeLog`](crate::store::ChangeLog); see [`testing`](crate::testing).
#[macro_export]
macro_rules! change_suite {
    ($fixture:path) => {
        $crate::__cases! { change, $fixture, run, change:
            an_empty_log_tells_nothing
            the_head_is_a_place_to_go_on_from
            a_new_link_is_a_change
            many_new_links_are_changes_each
            an_edited_link_is_a_change
            a_new_slug_changes_the_old_one_too
            a_respelled_slug_changes_the_old_one_too
            a_deleted_link_is_a_change
            keys_are_changes
            changes_come_in_order_from_any_cursor
            too_many_changes_mean_everything
            after_everything_nothing_is_missed
            a_trimmed_log_tells_everything
            a_cursor_at_the_end_survives_a_trim
            recent_changes_survive_a_trim
            no_change_is_missed_while_many_write
            a_change_is_visible_no_later_than_its_link
        }
    };
}

const PLENTY: u32 = 10_000;

async fn head(fixture: &Fixture) -> ChangeCursor {
    fixture.stores.changes.head().await.unwrap()
}

/// The changes after `cursor`, told one by one, and where to go on.
async fn since(fixture: &Fixture, cursor: ChangeCursor) -> (Vec<Change>, ChangeCursor) {
    match fixture.stores.changes.since(cursor, PLENTY).await.unwrap() {
        Changes::Some { changes, next } => (changes, next),
        Changes::Everything { .. } => panic!("told to forget everything"),
    }
}

async fn is_everything(fixture: &Fixture, cursor: ChangeCursor, limit: u32) -> bool {
    matches!(fixture.stores.changes.since(cursor, limit).await.unwrap(), Changes::Everything { .. })
}

/// Asserts that the store tells these changes after `cursor`, in this order, and returns where to go
/// on. It may tell older ones again.
async fn assert_told(fixture: &Fixture, cursor: ChangeCursor, expected: &[Change]) -> ChangeCursor {
    let (told, next) = since(fixture, cursor).await;
    let mut rest = told.iter();
    for change in expected {
        assert!(rest.any(|told| told == change), "{change:?} is not told, or out of order: {told:?}");
    }
    next
}

fn change(link: &Link) -> Change {
    Change::Link(link.domain.clone(), link.slug.clone())
}

pub async fn an_empty_log_tells_nothing(fixture: &Fixture) {
    let start = head(fixture).await;
    let (changes, next) = since(fixture, start).await;
    assert_eq!(changes, []);
    assert_eq!(since(fixture, next).await.0, []);
}

pub async fn the_head_is_a_place_to_go_on_from(fixture: &Fixture) {
    for number in 0..3 {
        let start = head(fixture).await;
        let link = store(fixture, link(fixture, &format!("n{number}"))).await;
        let next = assert_told(fixture, start, &[change(&link)]).await;
        assert!(next >= start, "a cursor goes back");
        assert!(head(fixture).await >= next);
    }
}

pub async fn a_new_link_is_a_change(fixture: &Fixture) {
    let start = head(fixture).await;
    let link = Link { domain: "go.example".parse().unwrap(), ..link(fixture, "x") };
    let link = store(fixture, link).await;
    assert_told(fixture, start, &[change(&link)]).await;
}

pub async fn many_new_links_are_changes_each(fixture: &Fixture) {
    let links = ["a", "b", "c"].map(|slug| link(fixture, slug));
    let start = head(fixture).await;
    fixture.stores.links.insert_many(&inserts(&links)).await.unwrap();
    let (changes, _) = since(fixture, start).await;
    for link in &links {
        assert!(changes.contains(&change(link)), "{changes:?}");
    }
}

pub async fn an_edited_link_is_a_change(fixture: &Fixture) {
    let link = store(fixture, link(fixture, "x")).await;
    let start = head(fixture).await;
    let edited = Link { enabled: false, version: 2, ..link };
    fixture.stores.links.update(&edited, 1).await.unwrap();
    assert_told(fixture, start, &[change(&edited)]).await;
}

pub async fn a_new_slug_changes_the_old_one_too(fixture: &Fixture) {
    let before = store(fixture, link(fixture, "before")).await;
    let start = head(fixture).await;
    let after = Link { slug: "after".parse().unwrap(), version: 2, ..before.clone() };
    fixture.stores.links.update(&after, 1).await.unwrap();
    let (changes, _) = since(fixture, start).await;
    assert!(changes.contains(&change(&before)) && changes.contains(&change(&after)), "{changes:?}");
}

pub async fn a_respelled_slug_changes_the_old_one_too(fixture: &Fixture) {
    let (before, links) = (store(fixture, link(fixture, "MiXed")).await, &fixture.stores.links);
    let start = head(fixture).await;
    links.change_slug_case(SlugCase::Insensitive).await.unwrap();
    let after = Link { slug: "mixed".parse().unwrap(), ..before.clone() };
    let (changes, _) = since(fixture, start).await;
    assert!(changes.contains(&change(&before)) && changes.contains(&change(&after)), "{changes:?}");
}

pub async fn a_deleted_link_is_a_change(fixture: &Fixture) {
    let link = store(fixture, link(fixture, "x")).await;
    let start = head(fixture).await;
    fixture.stores.links.delete(link.id, None).await.unwrap();
    assert_told(fixture, start, &[change(&link)]).await;
}

pub async fn keys_are_changes(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let (first, second) = (key(fixture, AccountId::OPERATOR), key(fixture, AccountId::OPERATOR));
    let start = head(fixture).await;
    assert!(keys.insert_first(&first).await.unwrap());
    let next = assert_told(fixture, start, &[Change::ApiKey(first.id)]).await;
    keys.insert(&second).await.unwrap();
    let next = assert_told(fixture, next, &[Change::ApiKey(second.id)]).await;
    keys.revoke(first.id, fixture.clock.now()).await.unwrap();
    assert_told(fixture, next, &[Change::ApiKey(first.id)]).await;
}

pub async fn changes_come_in_order_from_any_cursor(fixture: &Fixture) {
    let mut cursors = vec![head(fixture).await];
    let mut all = Vec::new();
    for number in 0..6 {
        all.push(change(&store(fixture, link(fixture, &format!("n{number}"))).await));
        cursors.push(since(fixture, cursors[number]).await.1);
    }
    for (seen, cursor) in cursors.into_iter().enumerate() {
        assert_told(fixture, cursor, &all[seen..]).await;
    }
}

pub async fn too_many_changes_mean_everything(fixture: &Fixture) {
    let start = head(fixture).await;
    for number in 0..6 {
        stored(fixture, &format!("n{number}")).await;
    }
    assert!(is_everything(fixture, start, 5).await);
    assert!(!is_everything(fixture, start, 6).await);
}

pub async fn after_everything_nothing_is_missed(fixture: &Fixture) {
    let start = head(fixture).await;
    for number in 0..6 {
        stored(fixture, &format!("n{number}")).await;
    }
    let Changes::Everything { next } = fixture.stores.changes.since(start, 2).await.unwrap() else {
        panic!("six are more than two");
    };
    let link = store(fixture, link(fixture, "x")).await;
    assert_told(fixture, next, &[change(&link)]).await;
}

pub async fn a_trimmed_log_tells_everything(fixture: &Fixture) {
    let start = head(fixture).await;
    let old = store(fixture, link(fixture, "old")).await;
    let middle = assert_told(fixture, start, &[change(&old)]).await;
    stored(fixture, "recent").await;
    fixture.clock.advance(Duration::from_secs(3_600));
    fixture.stores.changes.trim(fixture.clock.now()).await.unwrap();
    let mut goes_on = Vec::new();
    for behind in [start, middle] {
        match fixture.stores.changes.since(behind, PLENTY).await.unwrap() {
            Changes::Everything { next } => goes_on.push(next),
            Changes::Some { .. } => panic!("{behind:?} is behind what is left"),
        }
    }
    let new = store(fixture, link(fixture, "new")).await;
    assert!(is_everything(fixture, start, PLENTY).await, "what was trimmed stays missing");
    for next in goes_on {
        assert_told(fixture, next, &[change(&new)]).await;
    }
}

pub async fn a_cursor_at_the_end_survives_a_trim(fixture: &Fixture) {
    stored(fixture, "old").await;
    let end = head(fixture).await;
    fixture.clock.advance(Duration::from_secs(3_600));
    for _ in 0..2 {
        fixture.stores.changes.trim(fixture.clock.now()).await.unwrap();
        assert_told(fixture, end, &[]).await;
    }
    assert!(head(fixture).await >= end, "the end goes back");
    let link = store(fixture, link(fixture, "new")).await;
    assert_told(fixture, end, &[change(&link)]).await;
}

pub async fn recent_changes_survive_a_trim(fixture: &Fixture) {
    let start = head(fixture).await;
    let old = store(fixture, link(fixture, "old")).await;
    let middle = assert_told(fixture, start, &[change(&old)]).await;
    fixture.clock.advance(Duration::from_secs(3_600));
    let recent = store(fixture, link(fixture, "recent")).await;
    fixture.stores.changes.trim(fixture.clock.now()).await.unwrap();
    assert_told(fixture, middle, &[change(&recent)]).await;
    assert!(is_everything(fixture, start, PLENTY).await);
}

pub async fn no_change_is_missed_while_many_write(fixture: &Fixture) {
    const WRITERS: usize = 8;
    const EACH: usize = 12;
    let start = head(fixture).await;
    let written: Arc<Vec<Link>> =
        Arc::new((0..WRITERS * EACH).map(|number| link(fixture, &format!("n{number}"))).collect());
    let (links, mine) = (fixture.stores.links.clone(), written.clone());
    let writers = tokio::spawn(async move {
        parallel(WRITERS, |writer| {
            let (links, mine) = (links.clone(), mine.clone());
            async move {
                for link in &mine[writer * EACH..(writer + 1) * EACH] {
                    links.insert(link, None).await.unwrap();
                }
            }
        })
        .await;
    });
    let (mut cursor, mut seen) = (start, Vec::new());
    loop {
        let last = writers.is_finished();
        let (changes, next) = since(fixture, cursor).await;
        assert!(next >= cursor, "a cursor goes back");
        seen.extend(changes);
        cursor = next;
        if last {
            break;
        }
        tokio::task::yield_now().await;
    }
    writers.await.unwrap();
    for link in &*written {
        assert!(seen.contains(&change(link)), "{} is missing", link.slug);
    }
}

pub async fn a_change_is_visible_no_later_than_its_link(fixture: &Fixture) {
    for number in 0..20 {
        let start = head(fixture).await;
        let link = link(fixture, &format!("n{number}"));
        let writer = {
            let (links, link) = (fixture.stores.links.clone(), link.clone());
            tokio::spawn(async move { links.insert(&link, None).await.unwrap() })
        };
        while fixture.stores.links.by_slug(&link.domain, &link.slug).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        assert!(since(fixture, start).await.0.contains(&change(&link)));
        writer.await.unwrap();
    }
}
