//! API keys.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    access::{Actor, Bounds, Scope, Scopes},
    id::{AccountId, ApiKeyId},
    random::{Entropy, EntropyExt},
    text::KeyName,
    time::Timestamp,
};

/// What the holder of a key presents: `blt_<id>_<secret>`, with 256 bits of secret in hexadecimal.
///
/// Shown once, never stored. `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyToken {
    id: ApiKeyId,
    secret: [u8; 32],
}

/// The text is no API key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an API key of the form blt_<id>_<secret>")]
pub struct InvalidKeyToken;

impl KeyToken {
    /// A new token with a secret from `entropy`.
    pub fn generate(id: ApiKeyId, entropy: &dyn Entropy) -> Self {
        Self { id, secret: entropy.bytes() }
    }

    /// Reads `blt_<id>_<secret>`.
    ///
    /// # Errors
    /// If the text has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyToken> {
        let (id, secret) = text
            .strip_prefix("blt_")
            .and_then(|rest| rest.split_once('_'))
            .filter(|(id, secret)| id.len() == 32 && secret.len() == 64 && secret.is_ascii())
            .ok_or(InvalidKeyToken)?;
        let id = id.parse().map_err(|_| InvalidKeyToken)?;
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(secret.as_bytes().chunks_exact(2)) {
            let digits = str::from_utf8(digits).map_err(|_| InvalidKeyToken)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidKeyToken)?;
        }
        Ok(Self { id, secret: bytes })
    }

    /// The public part.
    #[must_use]
    pub const fn id(&self) -> ApiKeyId {
        self.id
    }

    /// What a store keeps of the secret. A plain hash is enough for 256 random bits.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest(Sha256::digest(self.secret).into())
    }

    /// The token in full. The only way to the secret, so that a look for leaks has one name to follow.
    #[must_use]
    pub fn reveal(&self) -> String {
        use std::fmt::Write;
        let mut text = format!("blt_{}_", self.id.as_uuid().simple());
        for byte in self.secret {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Debug for KeyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blt_{}_…", self.id.as_uuid().simple())
    }
}

/// The SHA-256 of a key's secret. `==` takes the same time wherever the difference is.
#[derive(Debug, Clone, Copy)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Takes bytes read from a store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyDigest {}

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
    pub digest: KeyDigest,
    /// The hash of the secret before, and the first moment that one works no more.
    pub previous: Option<(KeyDigest, Timestamp)>,
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
    pub fn opened_by(&self, digest: &KeyDigest, now: Timestamp) -> Option<Actor> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededEntropy;

    #[test]
    fn a_token_survives_its_text_form_and_hides_in_debug() {
        let entropy = SeededEntropy::new(7);
        let token = KeyToken::generate(entropy.api_key_id(Timestamp::EPOCH), &entropy);
        let text = token.reveal();
        assert_eq!(KeyToken::parse(&text).unwrap(), token);
        assert!(!format!("{token:?}").contains(&text[40..]));
        for bad in ["", "blt_", &text[1..], &text[..text.len() - 1], &text.replace("blt", "key")] {
            assert_eq!(KeyToken::parse(bad), Err(InvalidKeyToken));
        }
    }
}
