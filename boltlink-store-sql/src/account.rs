//! Accounts and sessions. Each function that writes says in its transaction what it changed; those that write more than
//! one row begin with the account's, so that writes on one account come one after the other.

use boltlink_core::{
    Account, AccountId, Email, PasswordHash, Role, Session, SessionId, StoreError, Timestamp, TokenDigest,
    store::{AccountCursor, Change, Registered, SessionUse},
};
use sea_orm::{ConnectionTrait, Value};

use crate::{
    Error, change,
    row::{self, Columns, account_values, session_values},
};

const COLUMNS: &str =
    "id, email, role, password, ticket_digest, ticket_until, created_at, disabled_at, last_login_at, deleted_at";
const SESSION_COLUMNS: &str = "id, account, digest, created_at, used_at, expires_at, client";

/// See [`AccountStore::insert`](boltlink_core::store::AccountStore::insert).
///
/// # Errors
/// The driver's, and [`StoreError::Conflict`].
pub async fn insert(db: &impl ConnectionTrait, account: &Account, now: Timestamp) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO account ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL) ON CONFLICT DO NOTHING"
    );
    if crate::execute(db, &sql, account_values(account)).await?.rows_affected() == 0 {
        let what = if by_id(db, account.id).await?.is_some() { "account" } else { "e-mail address" };
        return Err(StoreError::Conflict { what }.into());
    }
    change::note(db, &[Change::Account(account.id)], now).await
}

/// See [`AccountStore::by_id`](boltlink_core::store::AccountStore::by_id).
///
/// # Errors
/// The driver's.
pub async fn by_id(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<Registered>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE id = $1");
    crate::one(db, &sql, [(*id.as_uuid()).into()]).await?.map(|row| row::registered(&row)).transpose()
}

/// See [`AccountStore::by_email`](boltlink_core::store::AccountStore::by_email).
///
/// # Errors
/// The driver's.
pub async fn by_email(db: &impl ConnectionTrait, email: &Email) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE email = $1");
    crate::one(db, &sql, [email.as_str().into()]).await?.map(|row| row::account(&row)).transpose()
}

/// See [`AccountStore::list`](boltlink_core::store::AccountStore::list).
///
/// # Errors
/// The driver's.
pub async fn list(db: &impl ConnectionTrait, after: Option<AccountCursor>, limit: u32) -> Result<Vec<Account>, Error> {
    let mut values: Vec<Value> = vec![i64::from(limit).into()];
    let mut place = "";
    if let Some(AccountCursor { at, id }) = after {
        place = " AND (created_at, id) > ($2, $3)";
        values.extend([at.as_micros().into(), (*id.as_uuid()).into()]);
    }
    let sql = format!("SELECT {COLUMNS} FROM account WHERE deleted_at IS NULL{place} ORDER BY created_at, id LIMIT $1");
    crate::all(db, &sql, values).await?.iter().map(row::account).collect()
}

/// See [`AccountStore::set_role`](boltlink_core::store::AccountStore::set_role).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn set_role(db: &impl ConnectionTrait, id: AccountId, role: Role, now: Timestamp) -> Result<(), Error> {
    update(db, id, "role = $2", [role.as_str().into()], now).await
}

/// See [`AccountStore::set_disabled`](boltlink_core::store::AccountStore::set_disabled).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn set_disabled(
    db: &impl ConnectionTrait,
    id: AccountId,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(at) = at else { return update(db, id, "disabled_at = NULL", [], now).await };
    update(db, id, "disabled_at = COALESCE(disabled_at, $2)", [at.as_micros().into()], now).await?;
    end(db, id, "TRUE", [], now).await
}

/// See [`AccountStore::set_password`](boltlink_core::store::AccountStore::set_password).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn set_password(
    db: &impl ConnectionTrait,
    id: AccountId,
    password: &PasswordHash,
    keep: Option<SessionId>,
    now: Timestamp,
) -> Result<(), Error> {
    let set = "password = $2, ticket_digest = NULL, ticket_until = NULL";
    update(db, id, set, [password.as_str().into()], now).await?;
    match keep {
        Some(keep) => end(db, id, "id <> $2", [(*keep.as_uuid()).into()], now).await,
        None => end(db, id, "TRUE", [], now).await,
    }
}

/// See [`AccountStore::rehash`](boltlink_core::store::AccountStore::rehash).
///
/// # Errors
/// The driver's.
pub async fn rehash(
    db: &impl ConnectionTrait,
    id: AccountId,
    from: &PasswordHash,
    to: &PasswordHash,
) -> Result<(), Error> {
    let values = [(*id.as_uuid()).into(), from.as_str().into(), to.as_str().into()];
    crate::execute(db, "UPDATE account SET password = $3 WHERE id = $1 AND password = $2", values).await?;
    Ok(())
}

/// See [`AccountStore::issue_ticket`](boltlink_core::store::AccountStore::issue_ticket).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn issue_ticket(
    db: &impl ConnectionTrait,
    id: AccountId,
    ticket: TokenDigest,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let values = [ticket.as_bytes().to_vec().into(), until.as_micros().into()];
    update(db, id, "ticket_digest = $2, ticket_until = $3", values, now).await
}

/// See [`AccountStore::redeem`](boltlink_core::store::AccountStore::redeem).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn redeem(
    db: &impl ConnectionTrait,
    id: AccountId,
    ticket: TokenDigest,
    password: &PasswordHash,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    // Whoever takes the ticket away has it: another waits for this row, and finds none.
    let sql = "UPDATE account SET ticket_digest = NULL, ticket_until = NULL
               WHERE id = $1 AND ticket_digest = $2 AND ticket_until > $3 AND disabled_at IS NULL";
    let values = [(*id.as_uuid()).into(), ticket.as_bytes().to_vec().into(), at.as_micros().into()];
    if crate::execute(db, sql, values).await?.rows_affected() == 0 {
        return Ok(false);
    }
    set_password(db, id, password, None, now).await?;
    Ok(true)
}

/// See [`AccountStore::delete`](boltlink_core::store::AccountStore::delete).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn delete(db: &impl ConnectionTrait, id: AccountId, at: Timestamp, now: Timestamp) -> Result<(), Error> {
    let set = "deleted_at = $2, email = NULL, password = NULL, ticket_digest = NULL, ticket_until = NULL";
    update(db, id, set, [at.as_micros().into()], now).await?;
    let revoke = "UPDATE api_key SET revoked_at = $2 WHERE owner = $1 AND revoked_at IS NULL";
    crate::execute(db, revoke, [(*id.as_uuid()).into(), at.as_micros().into()]).await?;
    end(db, id, "TRUE", [], now).await
}

/// See [`AccountStore::open_session`](boltlink_core::store::AccountStore::open_session).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn open_session(
    db: &impl ConnectionTrait,
    session: &Session,
    password: &PasswordHash,
    most: u32,
    now: Timestamp,
) -> Result<bool, Error> {
    let id = session.account;
    let sql = "UPDATE account SET last_login_at = $2 WHERE id = $1 AND password = $3 AND disabled_at IS NULL";
    let at: Value = session.created_at.as_micros().into();
    let values = [(*id.as_uuid()).into(), at.clone(), password.as_str().into()];
    if crate::execute(db, sql, values).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let surplus = "(expires_at <= $2 OR id NOT IN (
                       SELECT id FROM session WHERE account = $1 AND expires_at > $2 ORDER BY used_at DESC, id DESC LIMIT $3
                   ))";
    end(db, id, surplus, [at, i64::from(most.saturating_sub(1)).into()], now).await?;
    let sql = format!("INSERT INTO session ({SESSION_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)");
    crate::execute(db, &sql, session_values(session)).await?;
    change::note(db, &[Change::Account(id)], now).await?;
    Ok(true)
}

/// See [`AccountStore::session`](boltlink_core::store::AccountStore::session).
///
/// # Errors
/// The driver's.
pub async fn session(db: &impl ConnectionTrait, id: SessionId) -> Result<Option<Session>, Error> {
    let sql = format!("SELECT {SESSION_COLUMNS} FROM session WHERE id = $1");
    crate::one(db, &sql, [(*id.as_uuid()).into()]).await?.map(|row| row::session(&row)).transpose()
}

/// See [`AccountStore::sessions`](boltlink_core::store::AccountStore::sessions).
///
/// # Errors
/// The driver's.
pub async fn sessions(db: &impl ConnectionTrait, account: AccountId) -> Result<Vec<Session>, Error> {
    let sql = format!("SELECT {SESSION_COLUMNS} FROM session WHERE account = $1 ORDER BY created_at, id");
    crate::all(db, &sql, [(*account.as_uuid()).into()]).await?.iter().map(row::session).collect()
}

/// See [`AccountStore::end_session`](boltlink_core::store::AccountStore::end_session).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn end_session(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "DELETE FROM session WHERE account = $1 AND id = $2";
    let done = crate::execute(db, sql, [(*account.as_uuid()).into(), (*id.as_uuid()).into()]).await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound { what: "session" }.into());
    }
    change::note(db, &[Change::Account(account), Change::Session(id)], now).await
}

/// See [`AccountStore::touch`](boltlink_core::store::AccountStore::touch).
///
/// # Errors
/// The driver's.
pub async fn touch(db: &impl ConnectionTrait, uses: &[SessionUse]) -> Result<(), Error> {
    let sql = "UPDATE session SET used_at = $2, expires_at = $3 WHERE id = $1 AND used_at < $2";
    for SessionUse { id, at, expires_at } in uses {
        let values = [(*id.as_uuid()).into(), at.as_micros().into(), expires_at.as_micros().into()];
        crate::execute(db, sql, values).await?;
    }
    Ok(())
}

/// Sets columns of an account, with values from `$2` on.
async fn update<const N: usize>(
    db: &impl ConnectionTrait,
    id: AccountId,
    set: &str,
    values: [Value; N],
    now: Timestamp,
) -> Result<(), Error> {
    let sql = format!("UPDATE account SET {set} WHERE id = $1 AND deleted_at IS NULL");
    let values = std::iter::once((*id.as_uuid()).into()).chain(values);
    if crate::execute(db, &sql, values).await?.rows_affected() == 0 {
        return Err(StoreError::NotFound { what: "account" }.into());
    }
    change::note(db, &[Change::Account(id)], now).await
}

/// Ends the sessions of an account for which `which` holds, with values from `$2` on.
async fn end<const N: usize>(
    db: &impl ConnectionTrait,
    account: AccountId,
    which: &str,
    values: [Value; N],
    now: Timestamp,
) -> Result<(), Error> {
    let sql = format!("DELETE FROM session WHERE account = $1 AND {which} RETURNING id");
    let values = std::iter::once((*account.as_uuid()).into()).chain(values);
    let ended = crate::all(db, &sql, values).await?;
    let ended = ended.iter().map(|row| Ok(Change::Session(SessionId::from_uuid(Columns(row).uuid(0)?))));
    change::note(db, &ended.collect::<Result<Vec<_>, Error>>()?, now).await
}
