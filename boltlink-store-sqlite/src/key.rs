//! API keys, and the server's secret.

use std::sync::Arc;

use async_trait::async_trait;
use boltlink_core::{
    AccountId, ApiKey, ApiKeyId, Clock, StoreError, Timestamp, TokenDigest,
    store::{KeyCursor, KeyStore},
};
use boltlink_store_sql::{key, meta};
use sea_orm::DatabaseConnection;

use crate::{error::answer, queue::Priority, writer::Writer};

pub(crate) struct SqliteKeys {
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl KeyStore for SqliteKeys {
    async fn insert(&self, key: &ApiKey) -> Result<(), StoreError> {
        let (key, clock) = (key.clone(), self.clock.clone());
        self.writer
            .write(Priority::Api, move |db| Box::pin(async move { key::insert(db, &key, clock.now()).await }))
            .await
    }

    async fn insert_first(&self, key: &ApiKey) -> Result<bool, StoreError> {
        let (key, clock) = (key.clone(), self.clock.clone());
        self.writer
            .write(Priority::Api, move |db| Box::pin(async move { key::insert_first(db, &key, clock.now()).await }))
            .await
    }

    async fn by_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        key::by_id(&self.readers, id).await.map_err(answer)
    }

    async fn list(
        &self,
        owner: Option<AccountId>,
        after: Option<KeyCursor>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        key::list(&self.readers, owner, after, limit).await.map_err(answer)
    }

    async fn rotate(&self, id: ApiKeyId, digest: TokenDigest, until: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.writer
            .write(Priority::Api, move |db| {
                Box::pin(async move { key::rotate(db, id, digest, until, clock.now()).await })
            })
            .await
    }

    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.writer.write(Priority::Api, move |db| Box::pin(async move { key::touch(db, &uses).await })).await
    }

    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.writer
            .write(Priority::Api, move |db| Box::pin(async move { key::revoke(db, id, at, clock.now()).await }))
            .await
    }

    async fn server_secret(&self, candidate: [u8; 32]) -> Result<[u8; 32], StoreError> {
        if let Some(secret) = meta::server_secret(&self.readers).await.map_err(answer)? {
            return Ok(secret);
        }
        self.writer
            .write(Priority::Api, move |db| Box::pin(async move { meta::keep_server_secret(db, candidate).await }))
            .await
    }
}
