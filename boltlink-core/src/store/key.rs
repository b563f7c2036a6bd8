//! Where API keys live, and the service's own secret.

use async_trait::async_trait;

use crate::{
    error::StoreError,
    id::{AccountId, ApiKeyId},
    key::ApiKey,
    time::Timestamp,
    token::TokenDigest,
};

/// A place in the list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyCursor {
    /// When the last key before it was made.
    pub at: Timestamp,
    /// Which it is.
    pub id: ApiKeyId,
}

impl KeyCursor {
    /// The place after this key.
    #[must_use]
    pub const fn of(key: &ApiKey) -> Self {
        Self { at: key.created_at, id: key.id }
    }
}

/// Keeps API keys (their hashes) and the server's secret.
///
/// # Contract
/// Every write of a key but [`touch`](Self::touch) also writes
/// [`Change::ApiKey`](crate::store::Change::ApiKey), in the same transaction. Keys are revoked, never
/// deleted; those of an account that is [deleted](crate::store::AccountStore::delete) are revoked with it.
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

    /// Up to `limit` keys of an owner, or of all, after a place, oldest first and by id among equals.
    async fn list(
        &self,
        owner: Option<AccountId>,
        after: Option<KeyCursor>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError>;

    /// Gives a key a new secret. The one that it replaces still [opens](ApiKey::opened_by) it before
    /// `until`; the one before that no more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also of one that is revoked.
    async fn rotate(&self, id: ApiKeyId, digest: TokenDigest, until: Timestamp) -> Result<(), StoreError>;

    /// Revokes a key as of `at`. One that is revoked already stays so as of then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError>;

    /// Notes when keys were used, unless a later use is noted already. Unknown keys are passed over.
    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError>;

    /// The server's secret, which is `candidate` if there was none before. Of parallel calls all
    /// get the same.
    async fn server_secret(&self, candidate: [u8; 32]) -> Result<[u8; 32], StoreError>;
}
