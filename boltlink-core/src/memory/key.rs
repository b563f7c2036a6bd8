//! API keys and the server's secret.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use async_trait::async_trait;

use super::Database;
use crate::{
    error::StoreError,
    id::{AccountId, ApiKeyId},
    key::ApiKey,
    store::{Change, KeyCursor, KeyStore},
    time::Timestamp,
    token::TokenDigest,
};

/// API keys in this process's memory.
#[derive(Debug, Clone)]
pub struct MemoryKeys(pub(super) Arc<Database>);

#[derive(Debug, Default)]
pub(super) struct KeyTable {
    keys: HashMap<ApiKeyId, ApiKey>,
    secret: Option<[u8; 32]>,
}

impl KeyTable {
    /// Revokes what an account has.
    pub(super) fn revoke_all(&mut self, owner: AccountId, at: Timestamp) {
        for key in self.keys.values_mut().filter(|key| key.owner == owner) {
            key.revoked_at.get_or_insert(at);
        }
    }
}

#[async_trait]
impl KeyStore for MemoryKeys {
    async fn insert(&self, key: &ApiKey) -> Result<(), StoreError> {
        let mut tables = self.0.tables.write();
        match tables.keys.keys.entry(key.id) {
            Entry::Occupied(_) => return Err(StoreError::Conflict { what: "API key" }),
            Entry::Vacant(free) => free.insert(key.clone()),
        };
        tables.changes.push(self.0.clock.now(), Change::ApiKey(key.id));
        Ok(())
    }

    async fn insert_first(&self, key: &ApiKey) -> Result<bool, StoreError> {
        let mut tables = self.0.tables.write();
        if !tables.keys.keys.is_empty() {
            return Ok(false);
        }
        tables.keys.keys.insert(key.id, key.clone());
        tables.changes.push(self.0.clock.now(), Change::ApiKey(key.id));
        Ok(true)
    }

    async fn by_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.0.tables.read().keys.keys.get(&id).cloned())
    }

    async fn list(
        &self,
        owner: Option<AccountId>,
        after: Option<KeyCursor>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let tables = self.0.tables.read();
        let wanted = tables.keys.keys.values().filter(|key| {
            owner.is_none_or(|owner| key.owner == owner) && after.is_none_or(|after| KeyCursor::of(key) > after)
        });
        let mut keys: Vec<_> = wanted.cloned().collect();
        keys.sort_by_key(KeyCursor::of);
        keys.truncate(limit as usize);
        Ok(keys)
    }

    async fn rotate(&self, id: ApiKeyId, digest: TokenDigest, until: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.0.tables.write();
        let key = tables.keys.keys.get_mut(&id).filter(|key| key.revoked_at.is_none());
        let key = key.ok_or(StoreError::NotFound { what: "API key" })?;
        key.previous = Some((std::mem::replace(&mut key.digest, digest), until));
        tables.changes.push(self.0.clock.now(), Change::ApiKey(id));
        Ok(())
    }

    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.0.tables.write();
        let key = tables.keys.keys.get_mut(&id).ok_or(StoreError::NotFound { what: "API key" })?;
        if key.revoked_at.is_none() {
            key.revoked_at = Some(at);
            tables.changes.push(self.0.clock.now(), Change::ApiKey(id));
        }
        Ok(())
    }

    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        let mut tables = self.0.tables.write();
        for (id, at) in uses {
            if let Some(key) = tables.keys.keys.get_mut(id) {
                key.last_used_at = key.last_used_at.max(Some(*at));
            }
        }
        Ok(())
    }

    async fn server_secret(&self, candidate: [u8; 32]) -> Result<[u8; 32], StoreError> {
        Ok(*self.0.tables.write().keys.secret.get_or_insert(candidate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{Bounds, Scopes},
        memory::Memory,
        random::{EntropyExt, SeededEntropy},
        store::{ChangeCursor, ChangeLog, Changes},
        time::FakeClock,
    };

    fn key(seed: u64) -> ApiKey {
        let at = Timestamp::from_micros(seed.cast_signed()).unwrap();
        ApiKey {
            id: SeededEntropy::new(seed).api_key_id(at),
            owner: AccountId::OPERATOR,
            name: "key".parse().unwrap(),
            scopes: Scopes::ADMIN,
            bounds: Bounds::NONE,
            digest: TokenDigest::from_bytes([0; 32]),
            previous: None,
            created_at: at,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }
    }

    #[tokio::test]
    async fn only_one_key_is_the_first_and_a_revocation_stays() {
        let memory = Memory::new(Arc::new(FakeClock::default()));
        assert!(memory.keys.insert_first(&key(1)).await.unwrap());
        assert!(!memory.keys.insert_first(&key(2)).await.unwrap());
        memory.keys.insert(&key(3)).await.unwrap();
        assert!(matches!(memory.keys.insert(&key(3)).await, Err(StoreError::Conflict { .. })));

        let id = key(3).id;
        memory.keys.revoke(id, Timestamp::EPOCH).await.unwrap();
        memory.keys.revoke(id, Timestamp::from_micros(9).unwrap()).await.unwrap();
        assert_eq!(memory.keys.by_id(id).await.unwrap().unwrap().revoked_at, Some(Timestamp::EPOCH));
        let missing = memory.keys.revoke(key(2).id, Timestamp::EPOCH).await;
        assert!(matches!(missing, Err(StoreError::NotFound { .. })));

        let told = memory.changes.since(ChangeCursor(0), 10).await.unwrap();
        let changes = [key(1).id, id, id].map(Change::ApiKey).to_vec();
        assert_eq!(told, Changes::Some { changes, next: ChangeCursor(3) });
    }

    #[tokio::test]
    async fn the_first_secret_stays() {
        let memory = Memory::new(Arc::new(FakeClock::default()));
        assert_eq!(memory.keys.server_secret([1; 32]).await.unwrap(), [1; 32]);
        assert_eq!(memory.keys.server_secret([2; 32]).await.unwrap(), [1; 32]);
    }
}
