//! The contract of [`AccountStore`](crate::store::AccountStore).

#![allow(missing_docs)] // A case's name says what it shows.

use std::time::Duration;

use super::{
    Fixture, parallel,
    sample::{account as account_id, key},
};
use crate::{
    Account, AccountId, Clock, EntropyExt, PasswordHash, PasswordTicket, Role, Session, SessionToken, StoreError,
    SystemEntropy, TokenDigest,
    store::{AccountCursor, Change, Changes, Registered},
};

/// Runs the suite of [`AccountStore`](crate::store::AccountStore); see [`testing`](crate::testing).
#[macro_export]
macro_rules! account_suite {
    ($fixture:path) => {
        $crate::__cases! { account, $fixture, run, account:
            an_account_comes_back_as_it_was_stored
            an_address_has_one_account
            of_parallel_accounts_of_one_address_one_is_stored
            accounts_are_listed_page_by_page
            a_role_is_given
            a_disabled_account_has_no_sessions
            a_password_ends_the_other_sessions
            a_hash_is_replaced_by_one_of_the_same_password
            a_ticket_sets_a_password_once
            of_parallel_redemptions_one_is_good
            a_ticket_ends
            a_deleted_account_leaves_its_id
            nothing_happens_to_an_account_that_is_not_there
            changes_to_accounts_and_sessions_are_told
        }
        $crate::__cases! { session, $fixture, run, session:
            a_session_comes_back_as_it_was_stored
            a_session_needs_the_password_of_the_moment
            a_session_that_expired_makes_room
            the_least_used_session_makes_room
            a_session_is_ended_by_its_account
            a_use_prolongs_a_session
        }
    };
}

pub(super) fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_stored(text)
}

/// An account made now with the password `first`, not stored yet.
pub(super) fn account(fixture: &Fixture, name: &str) -> Account {
    Account {
        id: account_id(fixture),
        email: format!("{name}@example.com").parse().unwrap(),
        role: Role::Editor,
        password: Some(hash("first")),
        ticket: None,
        created_at: fixture.clock.now(),
        disabled_at: None,
        last_login_at: None,
    }
}

pub(super) async fn stored(fixture: &Fixture, name: &str) -> Account {
    let account = account(fixture, name);
    fixture.stores.accounts.insert(&account).await.unwrap();
    account
}

/// A session of the account that begins now and lasts a minute, not stored yet.
pub(super) fn session(fixture: &Fixture, account: AccountId) -> Session {
    let now = fixture.clock.now();
    let token = SessionToken::generate(SystemEntropy.session_id(now), &SystemEntropy);
    Session {
        id: token.id(),
        account,
        digest: token.digest(),
        created_at: now,
        used_at: now,
        expires_at: now.plus(Duration::from_secs(60)),
        client: None,
    }
}

pub(super) async fn opened(fixture: &Fixture, account: &Account) -> Session {
    let session = session(fixture, account.id);
    let password = account.password.as_ref().unwrap();
    assert!(fixture.stores.accounts.open_session(&session, password, 100).await.unwrap());
    session
}

pub(super) async fn find(fixture: &Fixture, id: AccountId) -> Account {
    match fixture.stores.accounts.by_id(id).await.unwrap() {
        Some(Registered::Account(account)) => account,
        other => panic!("the account is not there: {other:?}"),
    }
}

pub(super) async fn sessions(fixture: &Fixture, account: &Account) -> Vec<Session> {
    fixture.stores.accounts.sessions(account.id).await.unwrap()
}

pub(super) fn ticket(account: &Account) -> TokenDigest {
    PasswordTicket::generate(account.id, &SystemEntropy).digest()
}

pub async fn an_account_comes_back_as_it_was_stored(fixture: &Fixture) {
    let now = fixture.clock.now();
    let plain = Account { password: None, ..account(fixture, "plain") };
    let full = Account {
        email: "grüße+x@bücher.example".parse().unwrap(),
        role: Role::Admin,
        ticket: Some((ticket(&plain), now.plus(Duration::from_micros(5)))),
        created_at: now.plus(Duration::from_micros(123_457)),
        disabled_at: Some(now.plus(Duration::from_micros(3))),
        last_login_at: Some(now.plus(Duration::from_micros(4))),
        ..account(fixture, "full")
    };
    for account in [plain, full] {
        fixture.stores.accounts.insert(&account).await.unwrap();
        assert_eq!(find(fixture, account.id).await, account);
        assert_eq!(fixture.stores.accounts.by_email(&account.email).await.unwrap(), Some(account));
    }
    assert_eq!(fixture.stores.accounts.by_id(account_id(fixture)).await.unwrap(), None);
    assert_eq!(fixture.stores.accounts.by_email(&"nobody@example.com".parse().unwrap()).await.unwrap(), None);
}

pub async fn an_address_has_one_account(fixture: &Fixture) {
    let first = stored(fixture, "ada").await;
    let refused = fixture.stores.accounts.insert(&account(fixture, "ada")).await;
    assert!(matches!(refused, Err(StoreError::Conflict { what: "e-mail address" })), "{refused:?}");
    let same = Account { email: "other@example.com".parse().unwrap(), ..first.clone() };
    let refused = fixture.stores.accounts.insert(&same).await;
    assert!(matches!(refused, Err(StoreError::Conflict { what: "account" })), "{refused:?}");
    assert_eq!(fixture.stores.accounts.list(None, 10).await.unwrap(), [first]);
}

pub async fn of_parallel_accounts_of_one_address_one_is_stored(fixture: &Fixture) {
    let stored = parallel(8, |_| {
        let (accounts, account) = (fixture.stores.accounts.clone(), account(fixture, "ada"));
        async move { accounts.insert(&account).await.is_ok() }
    })
    .await;
    assert_eq!(stored.into_iter().filter(|stored| *stored).count(), 1);
    assert_eq!(fixture.stores.accounts.list(None, 10).await.unwrap().len(), 1);
}

pub async fn accounts_are_listed_page_by_page(fixture: &Fixture) {
    let accounts = &fixture.stores.accounts;
    // Many at one moment: the id decides.
    for number in 0..10_u64 {
        let created_at = fixture.clock.now().plus(Duration::from_micros(number / 4));
        accounts.insert(&Account { created_at, ..account(fixture, &format!("a{number}")) }).await.unwrap();
    }
    let whole = accounts.list(None, 100).await.unwrap();
    assert!(whole.is_sorted_by_key(AccountCursor::of) && whole.len() == 10);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = accounts.list(after, 4).await.unwrap();
        after = page.last().map(AccountCursor::of);
        let last = page.len() < 4;
        paged.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert_eq!(accounts.list(None, 0).await.unwrap(), []);
}

pub async fn a_role_is_given(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    for role in Role::ALL {
        fixture.stores.accounts.set_role(account.id, role).await.unwrap();
        assert_eq!(find(fixture, account.id).await, Account { role, ..account.clone() });
    }
}

pub async fn a_disabled_account_has_no_sessions(fixture: &Fixture) {
    let (account, other) = (stored(fixture, "ada").await, stored(fixture, "bob").await);
    let accounts = &fixture.stores.accounts;
    let (ended, stays) = (opened(fixture, &account).await, opened(fixture, &other).await);
    let at = fixture.clock.now();
    for later in 0..2 {
        accounts.set_disabled(account.id, Some(at.plus(Duration::from_secs(later)))).await.unwrap();
        assert_eq!(find(fixture, account.id).await.disabled_at, Some(at), "since when is what was said first");
    }
    assert_eq!(accounts.session(ended.id).await.unwrap(), None);
    assert_eq!(accounts.session(stays.id).await.unwrap(), Some(stays));
    let refused = session(fixture, account.id);
    assert!(!accounts.open_session(&refused, &hash("first"), 100).await.unwrap());
    assert_eq!(sessions(fixture, &account).await, []);

    accounts.set_disabled(account.id, None).await.unwrap();
    assert_eq!(find(fixture, account.id).await.disabled_at, None);
    opened(fixture, &account).await;
}

pub async fn a_password_ends_the_other_sessions(fixture: &Fixture) {
    let (account, other) = (stored(fixture, "ada").await, stored(fixture, "bob").await);
    let accounts = &fixture.stores.accounts;
    let kept = opened(fixture, &account).await;
    opened(fixture, &account).await;
    opened(fixture, &other).await;
    accounts.issue_ticket(account.id, ticket(&account), fixture.clock.now()).await.unwrap();
    accounts.set_password(account.id, &hash("second"), Some(kept.id)).await.unwrap();
    let after = find(fixture, account.id).await;
    assert_eq!((after.password, after.ticket), (Some(hash("second")), None));
    assert_eq!(sessions(fixture, &account).await, [kept]);
    accounts.set_password(account.id, &hash("third"), None).await.unwrap();
    assert_eq!(sessions(fixture, &account).await, []);
    assert_eq!(sessions(fixture, &other).await.len(), 1);
}

pub async fn a_hash_is_replaced_by_one_of_the_same_password(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let accounts = &fixture.stores.accounts;
    let open = opened(fixture, &account).await;
    accounts.rehash(account.id, &hash("first"), &hash("dearer")).await.unwrap();
    assert_eq!(find(fixture, account.id).await.password, Some(hash("dearer")));
    accounts.rehash(account.id, &hash("first"), &hash("stale")).await.unwrap();
    assert_eq!(find(fixture, account.id).await.password, Some(hash("dearer")));
    assert_eq!(sessions(fixture, &account).await, [open]);
}

pub async fn a_ticket_sets_a_password_once(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let accounts = &fixture.stores.accounts;
    let now = fixture.clock.now();
    let until = now.plus(Duration::from_secs(1));
    let (replaced, good) = (ticket(&account), ticket(&account));
    opened(fixture, &account).await;
    accounts.issue_ticket(account.id, replaced, until).await.unwrap();
    accounts.issue_ticket(account.id, good, until).await.unwrap();
    assert_eq!(find(fixture, account.id).await.ticket, Some((good, until)));
    assert!(!accounts.redeem(account.id, replaced, &hash("stolen"), now).await.unwrap());
    assert_eq!(sessions(fixture, &account).await.len(), 1);
    assert!(accounts.redeem(account.id, good, &hash("second"), now).await.unwrap());
    assert!(!accounts.redeem(account.id, good, &hash("third"), now).await.unwrap());
    assert_eq!(find(fixture, account.id).await.password, Some(hash("second")));
    assert_eq!(sessions(fixture, &account).await, []);
}

pub async fn of_parallel_redemptions_one_is_good(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let (now, good) = (fixture.clock.now(), ticket(&account));
    fixture.stores.accounts.issue_ticket(account.id, good, now.plus(Duration::from_secs(1))).await.unwrap();
    let redeemed = parallel(8, |number| {
        let (accounts, id) = (fixture.stores.accounts.clone(), account.id);
        async move { accounts.redeem(id, good, &hash(&number.to_string()), now).await.unwrap() }
    })
    .await;
    let winners: Vec<_> = (0..8).filter(|number| redeemed[*number]).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(find(fixture, account.id).await.password, Some(hash(&winners[0].to_string())));
}

pub async fn a_ticket_ends(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let accounts = &fixture.stores.accounts;
    let (until, good) = (fixture.clock.now().plus(Duration::from_secs(1)), ticket(&account));
    accounts.issue_ticket(account.id, good, until).await.unwrap();
    assert!(!accounts.redeem(account.id, good, &hash("second"), until).await.unwrap());
    accounts.set_disabled(account.id, Some(fixture.clock.now())).await.unwrap();
    assert!(!accounts.redeem(account.id, good, &hash("second"), fixture.clock.now()).await.unwrap());
    assert_eq!(find(fixture, account.id).await.password, Some(hash("first")));
}

pub async fn a_deleted_account_leaves_its_id(fixture: &Fixture) {
    let (account, other) = (stored(fixture, "ada").await, stored(fixture, "bob").await);
    let (accounts, keys) = (&fixture.stores.accounts, &fixture.stores.keys);
    let (own, others) = (key(fixture, account.id), key(fixture, other.id));
    for key in [&own, &others] {
        keys.insert(key).await.unwrap();
    }
    let open = opened(fixture, &account).await;
    let at = fixture.clock.now();
    accounts.delete(account.id, at).await.unwrap();
    assert_eq!(accounts.by_id(account.id).await.unwrap(), Some(Registered::Deleted));
    assert_eq!(accounts.by_email(&account.email).await.unwrap(), None);
    assert_eq!(accounts.session(open.id).await.unwrap(), None);
    assert_eq!(accounts.list(None, 10).await.unwrap(), [other]);
    assert_eq!(keys.by_id(own.id).await.unwrap().unwrap().revoked_at, Some(at));
    assert_eq!(keys.by_id(others.id).await.unwrap(), Some(others));
    // The address is free, the id is not.
    let again = accounts.insert(&account).await;
    assert!(matches!(again, Err(StoreError::Conflict { what: "account" })), "{again:?}");
    stored(fixture, "ada").await;
}

pub async fn nothing_happens_to_an_account_that_is_not_there(fixture: &Fixture) {
    let (deleted, unknown) = (stored(fixture, "ada").await, account(fixture, "eve"));
    let accounts = &fixture.stores.accounts;
    let now = fixture.clock.now();
    accounts.delete(deleted.id, now).await.unwrap();
    for account in [&deleted, &unknown] {
        let (id, digest) = (account.id, ticket(account));
        for refused in [
            accounts.set_role(id, Role::Admin).await,
            accounts.set_disabled(id, None).await,
            accounts.set_password(id, &hash("x"), None).await,
            accounts.issue_ticket(id, digest, now).await,
            accounts.delete(id, now).await,
        ] {
            assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
        }
        accounts.rehash(id, &hash("first"), &hash("x")).await.unwrap();
        assert!(!accounts.redeem(id, digest, &hash("x"), now).await.unwrap());
        assert!(!accounts.open_session(&session(fixture, id), &hash("first"), 100).await.unwrap());
        assert_eq!(sessions(fixture, account).await, []);
    }
}

pub async fn changes_to_accounts_and_sessions_are_told(fixture: &Fixture) {
    let accounts = &fixture.stores.accounts;
    let mut cursor = fixture.stores.changes.head().await.unwrap();
    let mut told = async |expected: &[Change]| {
        let Changes::Some { changes, next } = fixture.stores.changes.since(cursor, 100).await.unwrap() else {
            panic!("more than was changed");
        };
        cursor = next;
        for change in expected {
            assert!(changes.contains(change), "{change:?} is not told: {changes:?}");
        }
    };
    let (now, good) = (fixture.clock.now(), ticket(&account(fixture, "x")));
    let account = stored(fixture, "ada").await;
    let id = account.id;
    told(&[Change::Account(id)]).await;
    accounts.set_role(id, Role::Viewer).await.unwrap();
    told(&[Change::Account(id)]).await;
    let open = opened(fixture, &account).await.id;
    told(&[Change::Account(id)]).await;
    accounts.end_session(id, open).await.unwrap();
    told(&[Change::Account(id), Change::Session(open)]).await;
    let [first, second] = [opened(fixture, &account).await.id, opened(fixture, &account).await.id];
    accounts.set_disabled(id, Some(now)).await.unwrap();
    told(&[Change::Account(id), Change::Session(first), Change::Session(second)]).await;
    accounts.set_disabled(id, None).await.unwrap();
    let open = opened(fixture, &account).await.id;
    accounts.set_password(id, &hash("first"), None).await.unwrap();
    told(&[Change::Account(id), Change::Session(open)]).await;
    let open = opened(fixture, &account).await.id;
    accounts.issue_ticket(id, good, now.plus(Duration::from_secs(1))).await.unwrap();
    assert!(accounts.redeem(id, good, &hash("first"), now).await.unwrap());
    told(&[Change::Account(id), Change::Session(open)]).await;
    let open = opened(fixture, &account).await.id;
    assert!(accounts.open_session(&session(fixture, id), &hash("first"), 1).await.unwrap());
    told(&[Change::Account(id), Change::Session(open)]).await;
    accounts.delete(id, now).await.unwrap();
    told(&[Change::Account(id)]).await;
}
