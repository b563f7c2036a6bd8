//! Where API keys live, and the service's own secret.

use async_trait::async_trait;

use crate::{
    error::StoreError,
    id::{AccountId, ApiKeyId},
    key::ApiKey,
    time::Timestamp,
};

/// Keeps API keys (their hashes) and the server's secret.
///
/// # Contract
/// Every write of a key also writes [`Change::ApiKey`](crate::store::Change::ApiKey), in the same
/// transaction. Keys are revoked, never deleted.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Stores a key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its id exists.
    async fn insert(&self, key: &ApiKey) -> Result<(), StoreError>;

    /// Stores a key if there is none at all, revoked ones included, and says whether it did. Of
    /// parallel calls exactly one does.
    async fn insert_first(&self, key: &ApiKey) -> Result<bool, StoreError>;

    /// The key of this id, revoked or not.
    async fn by_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// All keys of an owner, or of all, oldest first.
    async fn list(&self, owner: Option<AccountId>) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key as of `at`. One that is revoked already stays so as of then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError>;

    /// The server's secret, which is `candidate` if there was none before. Of parallel calls all
    /// get the same.
    async fn server_secret(&self, candidate: [u8; 32]) -> Result<[u8; 32], StoreError>;
}
