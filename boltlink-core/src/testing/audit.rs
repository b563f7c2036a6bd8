//! The contract of [`AuditStore`](crate::store::AuditStore).

#![allow(missing_docs)] // A case's name says what it shows.

use std::time::Duration;

use super::{Fixture, parallel};
use crate::{
    AccountId, Action, AuditEntry, AuditId, Author, Clock, EntropyExt, ObjectId, SystemEntropy, store::AuditFilter,
};

/// Runs the suite of [`AuditStore`](crate::store::AuditStore); see [`testing`](crate::testing).
#[macro_export]
macro_rules! audit_suite {
    ($fixture:path) => {
        $crate::__cases! { audit, $fixture, run, audit:
            an_entry_comes_back_as_it_was_stored
            an_entry_stays_as_it_was_first
            no_entries_are_no_mistake
            entries_are_listed_newest_first_page_by_page
            entries_are_listed_by_who_and_by_what
            many_are_added_at_once
        }
    };
}

/// An entry of a moment, `at` milliseconds from now.
fn entry(fixture: &Fixture, at: u64) -> AuditEntry {
    let at = fixture.clock.now().plus(Duration::from_millis(at));
    AuditEntry {
        id: SystemEntropy.audit_id(at),
        at,
        author: Author::of(AccountId::OPERATOR),
        action: Action::LinkCreated,
        object: ObjectId::from(SystemEntropy.link_id(at)),
        certain: true,
        detail: None,
    }
}

async fn list(fixture: &Fixture, filter: &AuditFilter, before: Option<AuditId>, limit: u32) -> Vec<AuditEntry> {
    fixture.stores.audit.list(filter, before, limit).await.unwrap()
}

pub async fn an_entry_comes_back_as_it_was_stored(fixture: &Fixture) {
    let now = fixture.clock.now();
    for (index, action) in (0..).zip(Action::ALL) {
        let full = AuditEntry {
            at: now.plus(Duration::from_micros(123_457)),
            author: Author {
                account: SystemEntropy.account_id(now),
                key: Some(SystemEntropy.api_key_id(now)),
                session: Some(SystemEntropy.session_id(now)),
            },
            action: *action,
            object: "totals.019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f.7".parse().unwrap(),
            certain: false,
            detail: Some("Grüße '\" \\ {} NULL \u{1f980}".parse().unwrap()),
            ..entry(fixture, index * 2 + 1)
        };
        for entry in [entry(fixture, index * 2), full] {
            fixture.stores.audit.append(std::slice::from_ref(&entry)).await.unwrap();
            assert_eq!(list(fixture, &AuditFilter::default(), None, 1).await, [entry]);
        }
    }
}

pub async fn an_entry_stays_as_it_was_first(fixture: &Fixture) {
    let first = entry(fixture, 1);
    let forged = AuditEntry { action: Action::LinkDeleted, ..first.clone() };
    let other = entry(fixture, 0);
    fixture.stores.audit.append(&[first.clone(), forged.clone()]).await.unwrap();
    fixture.stores.audit.append(&[forged, other.clone()]).await.unwrap();
    assert_eq!(list(fixture, &AuditFilter::default(), None, 9).await, [first, other]);
}

pub async fn no_entries_are_no_mistake(fixture: &Fixture) {
    fixture.stores.audit.append(&[]).await.unwrap();
    assert_eq!(list(fixture, &AuditFilter::default(), None, 9).await, []);
}

pub async fn entries_are_listed_newest_first_page_by_page(fixture: &Fixture) {
    // Some in one millisecond: their ids decide.
    let mut entries: Vec<_> = (0..50).map(|number| entry(fixture, number / 3)).collect();
    fixture.stores.audit.append(&entries).await.unwrap();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    let mut listed: Vec<AuditEntry> = Vec::new();
    loop {
        let page = list(fixture, &AuditFilter::default(), listed.last().map(|entry| entry.id), 7).await;
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, entries);
}

pub async fn entries_are_listed_by_who_and_by_what(fixture: &Fixture) {
    let (ann, ben) = (super::sample::account(fixture), super::sample::account(fixture));
    let (one, two) = (entry(fixture, 0).object, entry(fixture, 0).object);
    let made = |at, account, object: &ObjectId| AuditEntry {
        author: Author::of(account),
        object: object.clone(),
        ..entry(fixture, at)
    };
    let all = [made(4, ann, &one), made(3, ben, &one), made(2, ann, &two), made(1, ann, &one)];
    fixture.stores.audit.append(&all).await.unwrap();
    let by = |account: Option<AccountId>, object: Option<&ObjectId>| AuditFilter { account, object: object.cloned() };
    let [newest, theirs, other, oldest] = all.clone();
    for (filter, expected) in [
        (by(None, None), all.to_vec()),
        (by(Some(ann), None), vec![newest.clone(), other, oldest.clone()]),
        (by(None, Some(&one)), vec![newest.clone(), theirs, oldest.clone()]),
        (by(Some(ann), Some(&one)), vec![newest.clone(), oldest.clone()]),
        (by(Some(ben), Some(&two)), vec![]),
    ] {
        assert_eq!(list(fixture, &filter, None, 9).await, expected, "{filter:?}");
        let rest: Vec<_> = expected.iter().filter(|entry| entry.id < newest.id).cloned().collect();
        assert_eq!(list(fixture, &filter, Some(newest.id), 9).await, rest, "{filter:?}");
    }
}

pub async fn many_are_added_at_once(fixture: &Fixture) {
    let batches: Vec<Vec<_>> =
        (0..8).map(|batch| (0..100).map(|number| entry(fixture, batch * 100 + number)).collect()).collect();
    let stored = parallel(8, |number| {
        let (audit, batch) = (fixture.stores.audit.clone(), batches[number].clone());
        async move { audit.append(&batch).await }
    });
    assert!(stored.await.iter().all(Result::is_ok));
    let mut all: Vec<_> = batches.into_iter().flatten().collect();
    all.reverse();
    assert_eq!(list(fixture, &AuditFilter::default(), None, 1_000).await, all);
}
