//! The contract of [`KeyStore`].

#![allow(missing_docs)] // A case's name says what it shows.

use std::time::Duration;

use super::{
    Fixture, parallel,
    sample::{account, key},
};
use crate::{
    AccountId, ApiKey, Bounds, Clock, Scope, Scopes, StoreError,
    store::{KeyCursor, KeyStore},
};

/// Runs the suite of [`KeyStore`]; see [`testing`](crate::testing).
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
            keys_are_listed_page_by_page
            a_revoked_key_opens_nothing_and_stays
            a_key_is_revoked_once
            a_rotated_key_has_two_secrets_for_a_while
            a_revoked_key_is_not_rotated
            of_parallel_rotations_all_end_with_the_last_two
            the_latest_use_is_noted
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
        scopes: Scopes::new(Scope::ALL).unwrap(),
        bounds: Bounds {
            domains: ["", "go.example.com", "[::1]:8080"].map(|domain| domain.parse().unwrap()).into(),
            networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        },
        previous: Some((key(fixture, AccountId::OPERATOR).digest, now.plus(Duration::from_micros(3)))),
        created_at: now.plus(Duration::from_micros(123_457)),
        expires_at: Some(now.plus(Duration::from_micros(9_123_457))),
        revoked_at: Some(now.plus(Duration::from_micros(5))),
        last_used_at: Some(now.plus(Duration::from_micros(4))),
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
    assert_eq!(all(&**keys).await, []);
    let refused = keys.revoke(unknown.id, fixture.clock.now()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
}

pub async fn a_key_is_stored_once(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let first = key(fixture, AccountId::OPERATOR);
    keys.insert(&first).await.unwrap();
    let second = ApiKey { scopes: Scopes::ADMIN, ..first.clone() };
    let refused = keys.insert(&second).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(all(&**keys).await, [first]);
}

pub async fn the_first_key_is_the_first_only(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let [first, second, third] = [(); 3].map(|()| key(fixture, AccountId::OPERATOR));
    assert!(keys.insert_first(&first).await.unwrap());
    assert!(!keys.insert_first(&second).await.unwrap());
    assert!(!keys.insert_first(&first).await.unwrap());
    assert_eq!(all(&**keys).await, [first]);
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
    assert_eq!(all(&*fixture.stores.keys).await, winners);
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
    let listed = all(&**keys).await;
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
        let listed = keys.list(Some(owner), None, 10).await.unwrap();
        assert_eq!(listed.len(), count);
        assert!(listed.iter().all(|key| key.owner == owner), "{listed:?}");
    }
    assert_eq!(all(&**keys).await.len(), 6);
}

pub async fn keys_are_listed_page_by_page(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let owners = [account(fixture), account(fixture)];
    // Many at one moment: the id decides.
    for number in 0_usize..12 {
        let created_at = fixture.clock.now().plus(Duration::from_micros(number as u64 / 5));
        keys.insert(&ApiKey { created_at, ..key(fixture, owners[number % 2]) }).await.unwrap();
    }
    for owner in [None, Some(owners[0]), Some(owners[1])] {
        let whole = keys.list(owner, None, 100).await.unwrap();
        assert_eq!(whole.len(), if owner.is_some() { 6 } else { 12 });
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = keys.list(owner, after, 4).await.unwrap();
            after = page.last().map(KeyCursor::of);
            let last = page.len() < 4;
            paged.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(paged, whole);
    }
    assert_eq!(keys.list(None, None, 0).await.unwrap(), []);
}

pub async fn a_rotated_key_has_two_secrets_for_a_while(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let before = key(fixture, account(fixture));
    keys.insert(&before).await.unwrap();
    let (now, second) = (fixture.clock.now(), key(fixture, AccountId::OPERATOR).digest);
    let until = now.plus(Duration::from_secs(60));
    keys.rotate(before.id, second, until).await.unwrap();
    let rotated = keys.by_id(before.id).await.unwrap().unwrap();
    assert_eq!(rotated, ApiKey { digest: second, previous: Some((before.digest, until)), ..before.clone() });
    assert!(rotated.opened_by(&before.digest, now).is_some() && rotated.opened_by(&second, now).is_some());
    assert!(rotated.opened_by(&before.digest, until).is_none() && rotated.opened_by(&second, until).is_some());

    let third = key(fixture, AccountId::OPERATOR).digest;
    keys.rotate(before.id, third, until).await.unwrap();
    let rotated = keys.by_id(before.id).await.unwrap().unwrap();
    assert!(rotated.opened_by(&before.digest, now).is_none(), "the secret before the last but one");
    assert!(rotated.opened_by(&second, now).is_some() && rotated.opened_by(&third, now).is_some());
}

pub async fn a_revoked_key_is_not_rotated(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let key = key(fixture, account(fixture));
    let now = fixture.clock.now();
    let refused = keys.rotate(key.id, key.digest, now).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    keys.insert(&key).await.unwrap();
    keys.revoke(key.id, now).await.unwrap();
    let refused = keys.rotate(key.id, key.digest, now).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    assert_eq!(keys.by_id(key.id).await.unwrap().unwrap().previous, None);
}

pub async fn of_parallel_rotations_all_end_with_the_last_two(fixture: &Fixture) {
    let stored = key(fixture, account(fixture));
    fixture.stores.keys.insert(&stored).await.unwrap();
    let until = fixture.clock.now().plus(Duration::from_secs(60));
    let digests = parallel(8, |_| {
        let (keys, id, digest) = (fixture.stores.keys.clone(), stored.id, key(fixture, AccountId::OPERATOR).digest);
        async move {
            keys.rotate(id, digest, until).await.unwrap();
            digest
        }
    })
    .await;
    let rotated = fixture.stores.keys.by_id(stored.id).await.unwrap().unwrap();
    let (previous, _) = rotated.previous.unwrap();
    assert!(digests.contains(&rotated.digest) && digests.contains(&previous) && rotated.digest != previous);
}

pub async fn the_latest_use_is_noted(fixture: &Fixture) {
    let keys = &fixture.stores.keys;
    let [used, unused] = [(); 2].map(|()| key(fixture, account(fixture)));
    for key in [&used, &unused] {
        keys.insert(key).await.unwrap();
    }
    let unknown = key(fixture, AccountId::OPERATOR).id;
    let now = fixture.clock.now();
    let later = now.plus(Duration::from_secs(1));
    for at in [now, later, now] {
        keys.touch(&[(used.id, at), (unknown, at)]).await.unwrap();
    }
    assert_eq!(keys.by_id(used.id).await.unwrap().unwrap().last_used_at, Some(later));
    assert_eq!(keys.by_id(unused.id).await.unwrap().unwrap().last_used_at, None);
    assert_eq!(keys.by_id(unknown).await.unwrap(), None);
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
    assert_eq!(all(&**keys).await, [revoked]);
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

async fn all(keys: &dyn KeyStore) -> Vec<ApiKey> {
    keys.list(None, None, 1_000).await.unwrap()
}
