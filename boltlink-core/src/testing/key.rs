//! The contract of [`KeyStore`](crate::store::KeyStore).

#![allow(missing_docs)] // A case's name says what it shows.

use std::time::Duration;

use super::{
    Fixture, parallel,
    sample::{account, key},
};
use crate::{AccountId, ApiKey, Clock, StoreError};

/// Runs the suite of [`KeyStore`](crate::store::KeyStore); see [`testing`](crate::testing).
#[macro_export]
macro_rules! key_suite {
    ($fixture:path) => {
        $crate::__cases! { key, $fixture, run, key:
            a_key_comes_back_as_it_was_stored
            an_unknown_key_is_not_found
            a_key_is_stored_once
            the_first_key_is_the_first_only
            of_parallel_first_keys_one_is_stored
            a_revoked_key_is_still_the_first
            keys_are_listed_oldest_first
            keys_are_listed_per_owner
            a_revoked_key_opens_nothing_and_stays
            a_key_is_revoked_once
            of_parallel_secrets_one_is_the_servers
            the_secret_stays
        }
    };
}

pub async fn a_key_comes_back_as_it_was_stored(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let now = fixture.clock.now();
    let plain = key(fixture, account(fixture));
    let full = ApiKey {
        name: "Grüße '\" \u{1f980}".parse().unwrap(),
        admin: true,
        created_at: now.plus(Duration::from_micros(123_457)),
        expires_at: Some(now.plus(Duration::from_micros(9_123_457))),
        revoked_at: Some(now.plus(Duration::from_micros(5))),
        ..key(fixture, AccountId::OPERATOR)
    };
    for key in [plain, full] {
        keys.insert(&key).await.unwrap();
        assert_eq!(keys.by_id(key.id).await.unwrap(), Some(key));
    }
}

pub async fn an_unknown_key_is_not_found(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let unknown = key(fixture, AccountId::OPERATOR);
    assert_eq!(keys.by_id(unknown.id).await.unwrap(), None);
    assert_eq!(keys.list(None).await.unwrap(), []);
    let refused = keys.revoke(unknown.id, fixture.clock.now()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
}

pub async fn a_key_is_stored_once(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let first = key(fixture, AccountId::OPERATOR);
    keys.insert(&first).await.unwrap();
    let second = ApiKey { admin: true, ..first.clone() };
    let refused = keys.insert(&second).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(keys.list(None).await.unwrap(), [first]);
}

pub async fn the_first_key_is_the_first_only(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let [first, second, third] = [(); 3].map(|()| key(fixture, AccountId::OPERATOR));
    assert!(keys.insert_first(&first).await.unwrap());
    assert!(!keys.insert_first(&second).await.unwrap());
    assert!(!keys.insert_first(&first).await.unwrap());
    assert_eq!(keys.list(None).await.unwrap(), [first]);
    keys.insert(&third).await.unwrap();
    assert!(!keys.insert_first(&second).await.unwrap());
    assert_eq!(keys.by_id(second.id).await.unwrap(), None);
}

pub async fn of_parallel_first_keys_one_is_stored(fixture: &Fixture) {
    let outcomes = parallel(16, |_| {
        let (keys, key) = (fixture.stores.keys.clone(), key(fixture, AccountId::OPERATOR));
        async move { keys.insert_first(&key).await.unwrap().then_some(key) }
    })
    .await;
    let winners: Vec<_> = outcomes.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(fixture.stores.keys.list(None).await.unwrap(), winners);
}

pub async fn a_revoked_key_is_still_the_first(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let first = key(fixture, AccountId::OPERATOR);
    keys.insert_first(&first).await.unwrap();
    keys.revoke(first.id, fixture.clock.now()).await.unwrap();
    assert!(!keys.insert_first(&key(fixture, AccountId::OPERATOR)).await.unwrap());
}

pub async fn keys_are_listed_oldest_first(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    for age in [20, 5, 30, 0, 10] {
        let created_at = fixture.clock.now().minus(Duration::from_micros(age));
        keys.insert(&ApiKey { created_at, ..key(fixture, account(fixture)) }).await.unwrap();
    }
    let listed = keys.list(None).await.unwrap();
    assert_eq!(listed.len(), 5);
    assert!(listed.is_sorted_by_key(|key| key.created_at), "{listed:?}");
}

pub async fn keys_are_listed_per_owner(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let owners = [account(fixture), account(fixture), account(fixture)];
    for number in 0..6 {
        keys.insert(&key(fixture, owners[number % 2])).await.unwrap();
    }
    for (owner, count) in owners.into_iter().zip([3, 3, 0]) {
        let listed = keys.list(Some(owner)).await.unwrap();
        assert_eq!(listed.len(), count);
        assert!(listed.iter().all(|key| key.owner == owner), "{listed:?}");
    }
    assert_eq!(keys.list(None).await.unwrap().len(), 6);
}

pub async fn a_revoked_key_opens_nothing_and_stays(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let key = key(fixture, AccountId::OPERATOR);
    keys.insert(&key).await.unwrap();
    let now = fixture.clock.now();
    assert!(key.is_valid_at(now));
    keys.revoke(key.id, now).await.unwrap();
    let revoked = ApiKey { revoked_at: Some(now), ..key };
    assert!(!revoked.is_valid_at(now));
    assert_eq!(keys.by_id(revoked.id).await.unwrap(), Some(revoked.clone()));
    assert_eq!(keys.list(None).await.unwrap(), [revoked]);
}

pub async fn a_key_is_revoked_once(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let key = key(fixture, AccountId::OPERATOR);
    keys.insert(&key).await.unwrap();
    let first = fixture.clock.now();
    for _ in 0..3 {
        keys.revoke(key.id, fixture.clock.now()).await.unwrap();
        fixture.clock.advance(Duration::from_secs(60));
        assert_eq!(keys.by_id(key.id).await.unwrap().unwrap().revoked_at, Some(first));
    }
}

pub async fn of_parallel_secrets_one_is_the_servers(fixture: &Fixture) {
    let secrets = parallel(16, |number| {
        let keys = fixture.stores.keys.clone();
        async move { keys.server_secret([u8::try_from(number).unwrap(); 32]).await.unwrap() }
    })
    .await;
    assert!(secrets.iter().all(|secret| *secret == secrets[0]), "{secrets:?}");
    assert!((0..16).any(|number| secrets[0] == [number; 32]), "nobody's candidate: {:?}", secrets[0]);
}

pub async fn the_secret_stays(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    assert_eq!(keys.server_secret([7; 32]).await.unwrap(), [7; 32]);
    assert_eq!(keys.server_secret([8; 32]).await.unwrap(), [7; 32]);
}
