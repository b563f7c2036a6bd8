//! Idempotency keys.

use std::time::Duration;

use super::super::{
    Fixture, parallel,
    sample::{account, link, store},
};
use crate::{
    AccountId, Clock,
    store::{Fingerprint, Idempotency, Insert, Inserted, LinkFilter, LinkOrder},
};

/// The request `fingerprint` under the key `key` of `owner`, coming now.
fn request(fixture: &Fixture, owner: AccountId, key: &str, fingerprint: u8) -> Idempotency {
    let fingerprint = Fingerprint([fingerprint; 32]);
    Idempotency { owner, key: key.parse().unwrap(), fingerprint, at: fixture.clock.now() }
}

async fn number_of_links(fixture: &Fixture) -> usize {
    fixture.stores.links.list(&LinkFilter::default(), LinkOrder::default(), None, 500).await.unwrap().len()
}

pub async fn a_repeated_request_is_replayed(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let key = request(fixture, AccountId::OPERATOR, "key", 1);
    let (first, second) = (link(fixture, "first"), link(fixture, "second"));
    assert_eq!(links.insert(&first, Some(&key)).await.unwrap(), Inserted::Created);
    for again in [&first, &second, &first] {
        assert_eq!(links.insert(again, Some(&key)).await.unwrap(), Inserted::Replayed(first.id));
    }
    assert_eq!(number_of_links(fixture).await, 1);
}

pub async fn a_replay_does_not_look_at_the_slug(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let key = request(fixture, AccountId::OPERATOR, "key", 1);
    let first = link(fixture, "first");
    assert_eq!(links.insert(&first, Some(&key)).await.unwrap(), Inserted::Created);
    let taken = store(fixture, link(fixture, "taken")).await;
    let second = link(fixture, taken.slug.as_str());
    assert_eq!(links.insert(&second, Some(&key)).await.unwrap(), Inserted::Replayed(first.id));
    let other = request(fixture, AccountId::OPERATOR, "key", 2);
    assert_eq!(links.insert(&second, Some(&other)).await.unwrap(), Inserted::KeyReused);
}

pub async fn a_key_is_refused_for_another_request(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let first = link(fixture, "first");
    let key = request(fixture, AccountId::OPERATOR, "key", 1);
    assert_eq!(links.insert(&first, Some(&key)).await.unwrap(), Inserted::Created);
    let other = request(fixture, AccountId::OPERATOR, "key", 2);
    assert_eq!(links.insert(&link(fixture, "second"), Some(&other)).await.unwrap(), Inserted::KeyReused);
    assert_eq!(number_of_links(fixture).await, 1);
    assert_eq!(links.insert(&first, Some(&key)).await.unwrap(), Inserted::Replayed(first.id));
}

pub async fn of_parallel_requests_with_one_key_one_creates(fixture: &Fixture) {
    let inserted = parallel(32, |number| {
        let links = fixture.stores.links.clone();
        // Half ask for one slug, half for slugs of their own, as generated slugs are.
        let slug = if number % 2 == 0 { "same".into() } else { format!("own-{number}") };
        let (link, key) = (link(fixture, &slug), request(fixture, AccountId::OPERATOR, "key", 1));
        async move { (link.id, links.insert(&link, Some(&key)).await.unwrap()) }
    })
    .await;
    let created: Vec<_> = inserted.iter().filter(|(_, inserted)| *inserted == Inserted::Created).collect();
    assert_eq!(created.len(), 1, "{inserted:?}");
    let winner = created[0].0;
    let rest = inserted.iter().filter(|(id, _)| *id != winner);
    assert!(rest.clone().all(|(_, inserted)| *inserted == Inserted::Replayed(winner)), "{inserted:?}");
    assert_eq!(number_of_links(fixture).await, 1);
}

pub async fn of_parallel_requests_that_share_a_key_wrongly_one_creates(fixture: &Fixture) {
    let inserted = parallel(16, |number| {
        let links = fixture.stores.links.clone();
        let fingerprint = u8::try_from(number % 2).unwrap();
        let link = link(fixture, &format!("own-{number}"));
        let key = request(fixture, AccountId::OPERATOR, "key", fingerprint);
        async move { (fingerprint, link.id, links.insert(&link, Some(&key)).await.unwrap()) }
    })
    .await;
    let created: Vec<_> = inserted.iter().filter(|(.., inserted)| *inserted == Inserted::Created).collect();
    assert_eq!(created.len(), 1, "{inserted:?}");
    let (fingerprint, winner, _) = *created[0];
    for (theirs, id, inserted) in inserted.iter().filter(|(_, id, _)| *id != winner) {
        let right = if *theirs == fingerprint { Inserted::Replayed(winner) } else { Inserted::KeyReused };
        assert_eq!(*inserted, right, "{id}");
    }
    assert_eq!(number_of_links(fixture).await, 1);
}

pub async fn a_key_belongs_to_its_owner(fixture: &Fixture) {
    let links = &fixture.stores.links;
    for (slug, owner) in [("a", account(fixture)), ("b", account(fixture)), ("c", AccountId::OPERATOR)] {
        let key = request(fixture, owner, "key", 1);
        assert_eq!(links.insert(&link(fixture, slug), Some(&key)).await.unwrap(), Inserted::Created);
    }
}

pub async fn a_key_is_remembered_for_a_day(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let moment = Duration::from_secs(1);
    let first = link(fixture, "first");
    let key = |fingerprint| request(fixture, AccountId::OPERATOR, "key", fingerprint);
    assert_eq!(links.insert(&first, Some(&key(1))).await.unwrap(), Inserted::Created);
    fixture.clock.advance(Idempotency::RETENTION - moment);
    assert_eq!(links.insert(&first, Some(&key(1))).await.unwrap(), Inserted::Replayed(first.id));
    assert_eq!(links.insert(&first, Some(&key(2))).await.unwrap(), Inserted::KeyReused);

    // Repetitions do not prolong it; after that the key is as new, for a day of its own.
    fixture.clock.advance(moment * 2);
    let second = link(fixture, "second");
    assert_eq!(links.insert(&second, Some(&key(2))).await.unwrap(), Inserted::Created);
    fixture.clock.advance(Idempotency::RETENTION - moment);
    assert_eq!(links.insert(&second, Some(&key(2))).await.unwrap(), Inserted::Replayed(second.id));
    assert_eq!(links.insert(&first, Some(&key(1))).await.unwrap(), Inserted::KeyReused);
}

pub async fn a_key_is_not_used_up_by_a_taken_slug(fixture: &Fixture) {
    let links = &fixture.stores.links;
    store(fixture, link(fixture, "taken")).await;
    let first = request(fixture, AccountId::OPERATOR, "key", 1);
    assert_eq!(links.insert(&link(fixture, "taken"), Some(&first)).await.unwrap(), Inserted::SlugTaken);
    let other = request(fixture, AccountId::OPERATOR, "key", 2);
    assert_eq!(links.insert(&link(fixture, "free"), Some(&other)).await.unwrap(), Inserted::Created);
}

pub async fn a_replay_names_a_link_that_was_deleted(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let (link, key) = (link(fixture, "x"), request(fixture, AccountId::OPERATOR, "key", 1));
    assert_eq!(links.insert(&link, Some(&key)).await.unwrap(), Inserted::Created);
    links.delete(link.id, None).await.unwrap();
    assert_eq!(links.insert(&link, Some(&key)).await.unwrap(), Inserted::Replayed(link.id));
    assert_eq!(number_of_links(fixture).await, 0);
}

pub async fn many_requests_are_replayed_one_by_one(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let owner = account(fixture);
    let insert = |slug: &str, key: &str, fingerprint| Insert {
        once: Some(request(fixture, owner, key, fingerprint)),
        ..link(fixture, slug).into()
    };
    let (a, b) = (insert("a", "key-a", 1), insert("b", "key-b", 2));
    assert_eq!(links.insert_many(&[a.clone(), b]).await.unwrap(), [Inserted::Created; 2]);
    let again = [insert("a", "key-a", 1), insert("b", "key-b", 3), insert("c", "key-c", 4), insert("c", "key-c", 4)];
    let inserted = links.insert_many(&again).await.unwrap();
    let new = again[2].link.id;
    let expected = [Inserted::Replayed(a.link.id), Inserted::KeyReused, Inserted::Created, Inserted::Replayed(new)];
    assert_eq!(inserted, expected);
    assert_eq!(number_of_links(fixture).await, 3);
}
