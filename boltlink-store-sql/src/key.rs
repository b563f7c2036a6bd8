//! API keys.

use boltlink_core::{
    AccountId, ApiKey, ApiKeyId, StoreError, Timestamp, TokenDigest,
    store::{Change, KeyCursor},
};
use sea_orm::{ConnectionTrait, Value};

use crate::{
    Error, change,
    row::{api_key, key_values},
};

const COLUMNS: &str = "id, owner, name, admin, digest, created_at, expires_at, revoked_at, scopes, domains, networks, \
                       previous_digest, previous_until, last_used_at";

/// See [`KeyStore::insert`](boltlink_core::store::KeyStore::insert).
///
/// # Errors
/// The driver's, and [`StoreError::Conflict`].
pub async fn insert(db: &impl ConnectionTrait, key: &ApiKey, now: Timestamp) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO api_key ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT DO NOTHING"
    );
    if crate::execute(db, &sql, key_values(key)).await?.rows_affected() == 0 {
        return Err(StoreError::Conflict { what: "key" }.into());
    }
    change::note(db, &[Change::ApiKey(key.id)], now).await
}

/// See [`KeyStore::insert_first`](boltlink_core::store::KeyStore::insert_first). The transaction
/// must keep other writers of keys out.
///
/// # Errors
/// The driver's.
pub async fn insert_first(db: &impl ConnectionTrait, key: &ApiKey, now: Timestamp) -> Result<bool, Error> {
    if crate::one(db, "SELECT 1 FROM api_key LIMIT 1", []).await?.is_some() {
        return Ok(false);
    }
    insert(db, key, now).await?;
    Ok(true)
}

/// See [`KeyStore::by_id`](boltlink_core::store::KeyStore::by_id).
///
/// # Errors
/// The driver's.
pub async fn by_id(db: &impl ConnectionTrait, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM api_key WHERE id = $1");
    crate::one(db, &sql, [(*id.as_uuid()).into()]).await?.map(|row| api_key(&row)).transpose()
}

/// See [`KeyStore::list`](boltlink_core::store::KeyStore::list).
///
/// # Errors
/// The driver's.
pub async fn list(
    db: &impl ConnectionTrait,
    owner: Option<AccountId>,
    after: Option<KeyCursor>,
    limit: u32,
) -> Result<Vec<ApiKey>, Error> {
    let mut values: Vec<Value> = vec![i64::from(limit).into()];
    let mut filter = String::new();
    if let Some(owner) = owner {
        values.push((*owner.as_uuid()).into());
        filter += " AND owner = $2";
    }
    if let Some(KeyCursor { at, id }) = after {
        let place = values.len() + 1;
        filter += &format!(" AND (created_at, id) > (${place}, ${})", place + 1);
        values.extend([at.as_micros().into(), (*id.as_uuid()).into()]);
    }
    let sql = format!("SELECT {COLUMNS} FROM api_key WHERE TRUE{filter} ORDER BY created_at, id LIMIT $1");
    crate::all(db, &sql, values).await?.iter().map(api_key).collect()
}

/// See [`KeyStore::rotate`](boltlink_core::store::KeyStore::rotate).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn rotate(
    db: &impl ConnectionTrait,
    id: ApiKeyId,
    digest: TokenDigest,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "UPDATE api_key SET previous_digest = digest, previous_until = $3, digest = $2
               WHERE id = $1 AND revoked_at IS NULL";
    let values = [(*id.as_uuid()).into(), digest.as_bytes().to_vec().into(), until.as_micros().into()];
    if crate::execute(db, sql, values).await?.rows_affected() == 0 {
        return Err(StoreError::NotFound { what: "key" }.into());
    }
    change::note(db, &[Change::ApiKey(id)], now).await
}

/// See [`KeyStore::touch`](boltlink_core::store::KeyStore::touch).
///
/// # Errors
/// The driver's.
pub async fn touch(db: &impl ConnectionTrait, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), Error> {
    let sql = "UPDATE api_key SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    for (id, at) in uses {
        crate::execute(db, sql, [(*id.as_uuid()).into(), at.as_micros().into()]).await?;
    }
    Ok(())
}

/// See [`KeyStore::revoke`](boltlink_core::store::KeyStore::revoke).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn revoke(db: &impl ConnectionTrait, id: ApiKeyId, at: Timestamp, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE api_key SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";
    let done = crate::execute(db, sql, [(*id.as_uuid()).into(), at.as_micros().into()]).await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound { what: "key" }.into());
    }
    change::note(db, &[Change::ApiKey(id)], now).await
}
