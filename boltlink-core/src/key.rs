//! API keys.

use crate::{
    access::{Actor, Bounds, Scope, Scopes},
    id::{AccountId, ApiKeyId},
    text::KeyName,
    time::Timestamp,
    token::TokenDigest,
};

/// An API key as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public part of the token.
    pub id: ApiKeyId,
    /// Who owns what is made with it.
    pub owner: AccountId,
    /// What it is called in lists.
    pub name: KeyName,
    /// What it is good for.
    pub scopes: Scopes,
    /// Where it is good.
    pub bounds: Bounds,
    /// The hash of its secret.
    pub digest: TokenDigest,
    /// The hash of the secret before, and the first moment that one works no more.
    pub previous: Option<(TokenDigest, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment it works no more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// About when it was used last, as far as it was written down.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the key opens anything at `now`.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// For whom the holder of a secret with this hash acts at `now`; `None` if it opens nothing. The secret before the
    /// last rotation ends when its time does: so its holder can neither renew the key nor make one that lasts longer.
    #[must_use]
    pub fn opened_by(&self, digest: &TokenDigest, now: Timestamp) -> Option<Actor> {
        let before = self.previous.filter(|(before, until)| before == digest && now < *until);
        let ends = if self.digest == *digest {
            self.expires_at
        } else {
            let (_, until) = before?;
            Some(self.expires_at.map_or(until, |end| end.min(until)))
        };
        self.is_valid_at(now).then(|| self.acting_until(ends))
    }

    /// Whether it sees and changes everything.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        self.scopes.cover(Scope::Admin)
    }

    /// For whom the holder of its secret acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.acting_until(self.expires_at)
    }

    fn acting_until(&self, ends: Option<Timestamp>) -> Actor {
        Actor::new(self.owner, self.scopes).within(self.bounds.clone()).by_key(self.id, ends)
    }
}
