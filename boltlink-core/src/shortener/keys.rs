//! Who may use the API.

use std::{net::IpAddr, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tracing::instrument;

use super::{
    AuthError, Caches, Error, Shortener,
    audit::{deed, detail, if_so},
    cache::Weigh,
    error::require,
};
use crate::{
    access::{Actor, Bounds, Scope, Scopes},
    audit::Action,
    error::StoreError,
    id::{AccountId, ApiKeyId},
    key::ApiKey,
    random::EntropyExt,
    store::{Change, IdempotencyKey, KeyCursor},
    text::KeyName,
    time::Timestamp,
    token::{KeyToken, SessionToken},
};

/// An API key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What it is called in lists.
    pub name: KeyName,
    /// What it is good for.
    pub scopes: Scopes,
    /// Where it is good.
    pub bounds: Bounds,
    /// Who owns what is made with it. Default: whoever makes it. Only admins may name another.
    pub owner: Option<AccountId>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl NewKey {
    /// A key for whoever makes it, without bounds and end.
    #[must_use]
    pub fn new(name: KeyName, scopes: Scopes) -> Self {
        Self { name, scopes, bounds: Bounds::NONE, owner: None, expires_at: None }
    }
}

/// A page of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing {
    /// The keys, oldest first.
    pub keys: Vec<ApiKey>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<KeyCursor>,
}

impl Weigh for Arc<ApiKey> {
    fn weight(&self) -> u64 {
        let Bounds { domains, networks } = &self.bounds;
        let domains: usize = domains.iter().map(|domain| domain.as_str().len() + size_of_val(domain)).sum();
        (size_of::<ApiKey>() + self.name.as_str().len() + domains + size_of_val(networks.as_slice())) as u64
    }
}

impl Shortener {
    /// Who presents this token (of an API key or a session), from this address. One that was seen before costs no store
    /// call; a revoked one, and one whose account is disabled, stops working at once here and within a second elsewhere.
    ///
    /// # Errors
    /// [`AuthError`].
    #[instrument(level = "debug", skip_all)]
    pub async fn authenticate(&self, presented: &str, from: Option<IpAddr>) -> Result<Actor, AuthError> {
        if let Ok(token) = SessionToken::parse(presented) {
            return self.authenticate_session(&token).await;
        }
        let token = KeyToken::parse(presented).map_err(|_| AuthError::Rejected)?;
        let keys = &self.0.stores.keys;
        let load = || {
            let (keys, id) = (keys.clone(), token.id());
            async move { Ok(keys.by_id(id).await?.map(Arc::new)) }
        };
        let key = self.0.caches.keys.get_or_load(&token.id(), load).await.map_err(AuthError::Store)?;
        let now = self.now();
        let key = key.ok_or(AuthError::Rejected)?;
        let mut actor = key.opened_by(&token.digest(), now).ok_or(AuthError::Rejected)?;
        if let Some(standing) = self.standing(key.owner).await.map_err(AuthError::Store)? {
            actor = standing.limit(actor).ok_or(AuthError::Rejected)?;
        }
        if !key.bounds.allow_address(from) {
            return Err(AuthError::Elsewhere);
        }
        self.0.used.note(key.id, now);
        Ok(actor)
    }

    /// Makes a key that is good for no more than the actor. Its token is told here and never again.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Exceeds`]; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn create_key(&self, actor: &Actor, new: NewKey) -> Result<(ApiKey, KeyToken), Error> {
        self.insert_key(actor, new, self.0.entropy.api_key_id(self.now())).await
    }

    /// The same, once for each idempotency key of the actor's account: which never ends, as keys are never
    /// deleted.
    ///
    /// # Errors
    /// As [`create_key`](Self::create_key); [`Error::KeyMade`] of a repetition, whatever it asks for.
    #[instrument(level = "debug", skip_all)]
    pub async fn create_key_once(
        &self,
        actor: &Actor,
        new: NewKey,
        once: &IdempotencyKey,
    ) -> Result<(ApiKey, KeyToken), Error> {
        // The database tells keys apart by their id: a repetition draws the same.
        let mut hasher = Sha256::new();
        hasher.update(b"boltlink api key ");
        hasher.update(actor.account().as_uuid().as_bytes());
        hasher.update(once.as_str().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize()[..16]);
        // An id of the form that RFC 9562 section 5.8 leaves to whoever makes it.
        let id = ApiKeyId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid());
        match self.insert_key(actor, new, id).await {
            Err(Error::Internal(StoreError::Conflict { .. })) => Err(Error::KeyMade { id }),
            made => made,
        }
    }

    async fn insert_key(&self, actor: &Actor, new: NewKey, id: ApiKeyId) -> Result<(ApiKey, KeyToken), Error> {
        require(actor, Scope::KeysWrite)?;
        if let Some(what) = actor.lacks(new.scopes, &new.bounds, new.expires_at) {
            return Err(Error::Exceeds { what });
        }
        if new.owner.is_some_and(|owner| !sees_keys(actor, owner)) {
            return Err(Error::Exceeds { what: "another owner" });
        }
        let token = KeyToken::generate(id, &*self.0.entropy);
        let key = self.describe_key(new, actor.account(), &token);
        let (keys, new) = (self.0.stores.keys.clone(), key.clone());
        let deed = deed(Action::KeyCreated, key.id, detail(key.scopes));
        self.audited(actor, deed, forget(key.id), async move { keys.insert(&new).await }).await?;
        Ok((key, token))
    }

    /// Makes the first admin key, if there is no key at all: `token` if given, else a random one.
    /// `None` if there are keys.
    ///
    /// # Errors
    /// If the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn first_key(&self, name: KeyName, token: Option<KeyToken>) -> Result<Option<(ApiKey, KeyToken)>, Error> {
        let drawn = || KeyToken::generate(self.0.entropy.api_key_id(self.now()), &*self.0.entropy);
        let token = token.unwrap_or_else(drawn);
        let key = self.describe_key(NewKey::new(name, Scopes::ADMIN), AccountId::OPERATOR, &token);
        let (keys, new) = (self.0.stores.keys.clone(), key.clone());
        let deed = deed(Action::KeyCreated, key.id, detail(key.scopes));
        let call = async move { keys.insert_first(&new).await };
        let deeds = |done: Option<&bool>| if_so(done, deed);
        let first = self.audited_as(&Actor::OPERATOR, (1, deeds), forget(key.id), call).await?;
        Ok(first.then_some((key, token)))
    }

    /// The id of an account that owns nothing yet.
    #[must_use]
    pub fn new_account(&self) -> AccountId {
        self.0.entropy.account_id(self.now())
    }

    fn describe_key(&self, new: NewKey, account: AccountId, token: &KeyToken) -> ApiKey {
        ApiKey {
            id: token.id(),
            owner: new.owner.unwrap_or(account),
            name: new.name,
            scopes: new.scopes,
            bounds: new.bounds,
            digest: token.digest(),
            previous: None,
            created_at: self.now(),
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        }
    }

    /// Up to `limit` keys that the actor may see, oldest first, after `after`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn list_keys(&self, actor: &Actor, after: Option<KeyCursor>, limit: u32) -> Result<KeyListing, Error> {
        require(actor, Scope::KeysRead)?;
        let owner = Some(actor.account()).filter(|_| !sees_all_keys(actor));
        // One more than asked for tells whether there is a next page.
        let mut keys = self.0.within(self.0.stores.keys.list(owner, after, limit.saturating_add(1))).await?;
        let mut next = None;
        if keys.len() > limit as usize {
            keys.truncate(limit as usize);
            next = keys.last().map(KeyCursor::of);
        }
        Ok(KeyListing { keys, next })
    }

    /// A key, revoked or not.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn find_key(&self, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, Error> {
        require(actor, Scope::KeysRead)?;
        self.own_key(actor, id).await
    }

    /// Gives a key a new secret, and tells its token here and never again. The one before works for `grace`
    /// longer; the one before that no more.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Exceeds`] if the key is good for more than the actor;
    /// [`Error::NotFound`], also of one that is revoked.
    #[instrument(level = "debug", skip_all)]
    pub async fn rotate_key(&self, actor: &Actor, id: ApiKeyId, grace: Duration) -> Result<(ApiKey, KeyToken), Error> {
        require(actor, Scope::KeysWrite)?;
        let key = self.own_key(actor, id).await?;
        // Who gets the new secret could do what the actor cannot.
        if let Some(what) = actor.lacks(key.scopes, &key.bounds, key.expires_at) {
            return Err(Error::Exceeds { what });
        }
        let token = KeyToken::generate(id, &*self.0.entropy);
        let until = self.now().plus(grace);
        let (keys, digest) = (self.0.stores.keys.clone(), token.digest());
        let call = async move { keys.rotate(id, digest, until).await };
        self.audited(actor, deed(Action::KeyRotated, id, None), forget(id), call).await?;
        // Not read again: if that failed, nobody would ever know the token.
        Ok((ApiKey { digest: token.digest(), previous: Some((key.digest, until)), ..key }, token))
    }

    /// Revokes a key, for good.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Exceeds`] if the key is good for more than the actor; [`Error::NotFound`], also if
    /// the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn revoke_key(&self, actor: &Actor, id: ApiKeyId) -> Result<(), Error> {
        require(actor, Scope::KeysWrite)?;
        let key = self.own_key(actor, id).await?;
        if let Some(what) = actor.lacks(key.scopes, &key.bounds, key.expires_at) {
            return Err(Error::Exceeds { what });
        }
        let (keys, now) = (self.0.stores.keys.clone(), self.now());
        let call = async move { keys.revoke(id, now).await };
        self.audited(actor, deed(Action::KeyRevoked, id, None), forget(id), call).await
    }

    async fn own_key(&self, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, Error> {
        let key = self.0.within(self.0.stores.keys.by_id(id)).await?;
        key.filter(|key| sees_keys(actor, key.owner)).ok_or(Error::NotFound { what: "API key" })
    }
}

/// Drops what the cache has of a key, without waiting for the change log.
fn forget(id: ApiKeyId) -> impl FnOnce(&Caches) + Send + 'static {
    move |caches| caches.evict(Change::ApiKey(id))
}

/// Whether the actor sees the keys of every account: an admin of some domains does not.
fn sees_all_keys(actor: &Actor) -> bool {
    actor.sees_all() && actor.bounds().domains.is_empty()
}

fn sees_keys(actor: &Actor, owner: AccountId) -> bool {
    sees_all_keys(actor) || actor.account() == owner
}
