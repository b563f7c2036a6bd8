//! API keys.

use boltlink_core::{AccountId, ApiKey, ApiKeyId, StoreError, Timestamp, store::Change};
use sea_orm::ConnectionTrait;

use crate::{
    Error, change,
    row::{api_key, key_values},
};

const COLUMNS: &str = "id, owner, name, admin, digest, created_at, expires_at, revoked_at";

/// See [`KeyStore::insert`](boltlink_core::store::KeyStore::insert).
///
/// # Errors
/// The driver's, and [`StoreError::Conflict`].
pub async fn insert(db: &impl ConnectionTrait, key: &ApiKey, now: Timestamp) -> Result<(), Error> {
    let sql = format!("INSERT INTO api_key ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING");
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
pub async fn list(db: &impl ConnectionTrait, owner: Option<AccountId>) -> Result<Vec<ApiKey>, Error> {
    let filter = if owner.is_some() { "WHERE owner = $1" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM api_key {filter} ORDER BY created_at, id");
    let rows = crate::all(db, &sql, owner.map(|owner| (*owner.as_uuid()).into())).await?;
    rows.iter().map(api_key).collect()
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
