//! API keys, and the server's secret.

use std::sync::Arc;

use async_trait::async_trait;
use boltlink_core::{
    AccountId, ApiKey, ApiKeyId, Clock, StoreError, Timestamp, TokenDigest,
    store::{KeyCursor, KeyStore},
};
use boltlink_store_sql::{key, meta};
use sea_orm::ConnectionTrait;

use crate::pool::Pool;

pub(crate) struct PostgresKeys {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl KeyStore for PostgresKeys {
    async fn insert(&self, key: &ApiKey) -> Result<(), StoreError> {
        let (key, clock) = (key.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (key, now) = (key.clone(), clock.now());
                Box::pin(async move { key::insert(db, &key, now).await })
            })
            .await
    }

    async fn insert_first(&self, key: &ApiKey) -> Result<bool, StoreError> {
        let (key, clock) = (key.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (key, now) = (key.clone(), clock.now());
                Box::pin(async move {
                    // Other writers of keys wait, readers do not.
                    db.execute_unprepared("LOCK TABLE api_key IN SHARE ROW EXCLUSIVE MODE").await?;
                    key::insert_first(db, &key, now).await
                })
            })
            .await
    }

    async fn by_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.pool.read(|| key::by_id(self.pool.connections(), id)).await
    }

    async fn list(
        &self,
        owner: Option<AccountId>,
        after: Option<KeyCursor>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        self.pool.read(|| key::list(self.pool.connections(), owner, after, limit)).await
    }

    async fn rotate(&self, id: ApiKeyId, digest: TokenDigest, until: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.pool
            .write(move |db| {
                let now = clock.now();
                Box::pin(async move { key::rotate(db, id, digest, until, now).await })
            })
            .await
    }

    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        let uses: Arc<[_]> = uses.into();
        self.pool
            .write(move |db| {
                let uses = uses.clone();
                Box::pin(async move { key::touch(db, &uses).await })
            })
            .await
    }

    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.pool
            .write(move |db| {
                let now = clock.now();
                Box::pin(async move { key::revoke(db, id, at, now).await })
            })
            .await
    }

    async fn server_secret(&self, candidate: [u8; 32]) -> Result<[u8; 32], StoreError> {
        if let Some(secret) = self.pool.read(|| meta::server_secret(self.pool.connections())).await? {
            return Ok(secret);
        }
        self.pool.write(move |db| Box::pin(async move { meta::keep_server_secret(db, candidate).await })).await
    }
}
