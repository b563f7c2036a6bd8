//! Who may use the API.

use std::sync::Arc;

use super::{AuthError, Error, Shortener, cache::Weigh};
use crate::{
    id::{AccountId, ApiKeyId},
    key::{Actor, ApiKey, KeyToken},
    random::EntropyExt,
    text::KeyName,
    time::Timestamp,
};

/// An API key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What it is called in lists.
    pub name: KeyName,
    /// Whether it sees and changes everything.
    pub admin: bool,
    /// Who owns what is made with it. Default: the operator for an admin key, else a new account.
    pub owner: Option<AccountId>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl Weigh for Arc<ApiKey> {
    fn weight(&self) -> u64 {
        size_of::<ApiKey>() as u64 + self.name.as_str().len() as u64
    }
}

impl Shortener {
    /// Who presents this token. A key that was seen before costs no store call, a revoked one stops
    /// working at once here and within a second elsewhere.
    ///
    /// # Errors
    /// [`AuthError`].
    pub async fn authenticate(&self, presented: &str) -> Result<Actor, AuthError> {
        let token = KeyToken::parse(presented).map_err(|_| AuthError::Rejected)?;
        let keys = &self.0.stores.keys;
        let load = || {
            let (keys, id) = (keys.clone(), token.id());
            async move { Ok(keys.by_id(id).await?.map(Arc::new)) }
        };
        let key = self.0.keys.get_or_load(&token.id(), load).await.map_err(AuthError::Store)?;
        key.filter(|key| key.digest == token.digest() && key.is_valid_at(self.now()))
            .map(|key| key.actor())
            .ok_or(AuthError::Rejected)
    }

    /// Makes a key. Its token is told here and never again.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn create_key(&self, new: NewKey) -> Result<(ApiKey, KeyToken), Error> {
        let token = self.draw_token();
        let key = self.describe_key(new, &token);
        self.0.within(self.0.stores.keys.insert(&key)).await?;
        self.0.keys.evict(&key.id);
        self.announce();
        Ok((key, token))
    }

    /// Makes the first admin key, if there is no key at all: `token` if given, else a random one.
    /// `None` if there are keys.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn first_key(&self, name: KeyName, token: Option<KeyToken>) -> Result<Option<(ApiKey, KeyToken)>, Error> {
        let token = token.unwrap_or_else(|| self.draw_token());
        let key = self.describe_key(NewKey { name, admin: true, owner: None, expires_at: None }, &token);
        let first = self.0.within(self.0.stores.keys.insert_first(&key)).await?;
        self.0.keys.evict(&key.id);
        Ok(first.then_some((key, token)))
    }

    fn draw_token(&self) -> KeyToken {
        KeyToken::generate(self.0.entropy.api_key_id(self.now()), &*self.0.entropy)
    }

    fn describe_key(&self, new: NewKey, token: &KeyToken) -> ApiKey {
        let now = self.now();
        let own = || if new.admin { AccountId::OPERATOR } else { self.0.entropy.account_id(now) };
        ApiKey {
            id: token.id(),
            owner: new.owner.unwrap_or_else(own),
            name: new.name,
            admin: new.admin,
            digest: token.digest(),
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
        }
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, Error> {
        Ok(self.0.within(self.0.stores.keys.list(None)).await?)
    }

    /// Revokes a key, for good.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn revoke_key(&self, id: ApiKeyId) -> Result<(), Error> {
        self.0.within(self.0.stores.keys.revoke(id, self.now())).await?;
        self.0.keys.evict(&id);
        self.announce();
        Ok(())
    }
}
