//! The contract of [`AccountStore`](crate::store::AccountStore) for sessions; a part of
//! [`account_suite!`](crate::account_suite).

#![allow(missing_docs)] // A case's name says what it shows.

use std::time::Duration;

use super::{
    Fixture,
    account::{find, hash, opened, session, sessions, stored},
};
use crate::{Clock, Session, StoreError, store::SessionUse};

pub async fn a_session_comes_back_as_it_was_stored(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let now = fixture.clock.now();
    let full = Session {
        created_at: now.plus(Duration::from_micros(7)),
        used_at: now.plus(Duration::from_micros(8)),
        client: Some("Mozilla/5.0 '\" \u{1f980}".parse().unwrap()),
        ..session(fixture, account.id)
    };
    let accounts = &fixture.stores.accounts;
    assert!(accounts.open_session(&full, &hash("first"), 100).await.unwrap());
    assert_eq!(accounts.session(full.id).await.unwrap(), Some(full.clone()));
    assert_eq!(find(fixture, account.id).await.last_login_at, Some(full.created_at));
    let plain = opened(fixture, &account).await;
    assert_eq!(sessions(fixture, &account).await, [plain, full]);
    assert_eq!(accounts.session(session(fixture, account.id).id).await.unwrap(), None);
}

pub async fn a_session_needs_the_password_of_the_moment(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    fixture.stores.accounts.set_password(account.id, &hash("second"), None).await.unwrap();
    let late = session(fixture, account.id);
    assert!(!fixture.stores.accounts.open_session(&late, &hash("first"), 100).await.unwrap());
    assert_eq!(sessions(fixture, &account).await, []);
    assert_eq!(find(fixture, account.id).await.last_login_at, None);
}

pub async fn a_session_that_expired_makes_room(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let expired = opened(fixture, &account).await;
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.stores.accounts.session(expired.id).await.unwrap(), Some(expired));
    let new = opened(fixture, &account).await;
    assert_eq!(sessions(fixture, &account).await, [new]);
}

pub async fn the_least_used_session_makes_room(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let accounts = &fixture.stores.accounts;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(opened(fixture, &account).await.id);
        fixture.clock.advance(Duration::from_secs(1));
    }
    let at = fixture.clock.now();
    accounts.touch(&[SessionUse { id: open[0], at, expires_at: at.plus(Duration::from_secs(60)) }]).await.unwrap();
    let fourth = session(fixture, account.id);
    assert!(accounts.open_session(&fourth, &hash("first"), 3).await.unwrap());
    let left: Vec<_> = sessions(fixture, &account).await.into_iter().map(|session| session.id).collect();
    assert_eq!(left, [open[0], open[2], fourth.id]);
}

pub async fn a_session_is_ended_by_its_account(fixture: &Fixture) {
    let (account, other) = (stored(fixture, "ada").await, stored(fixture, "bob").await);
    let accounts = &fixture.stores.accounts;
    let (open, stays) = (opened(fixture, &account).await, opened(fixture, &account).await);
    let refused = accounts.end_session(other.id, open.id).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    accounts.end_session(account.id, open.id).await.unwrap();
    assert_eq!(sessions(fixture, &account).await, [stays]);
    let again = accounts.end_session(account.id, open.id).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
}

pub async fn a_use_prolongs_a_session(fixture: &Fixture) {
    let account = stored(fixture, "ada").await;
    let accounts = &fixture.stores.accounts;
    let open = opened(fixture, &account).await;
    let unknown = session(fixture, account.id).id;
    let after = |seconds| open.used_at.plus(Duration::from_secs(seconds));
    for at in [10, 20, 10] {
        let uses = [open.id, unknown].map(|id| SessionUse { id, at: after(at), expires_at: after(at + 60) });
        accounts.touch(&uses).await.unwrap();
    }
    let prolonged = Session { used_at: after(20), expires_at: after(80), ..open };
    assert_eq!(sessions(fixture, &account).await, [prolonged]);
}
