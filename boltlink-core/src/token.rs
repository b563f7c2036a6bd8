//! Secrets that open something: API keys, sessions, one-time links.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    hex,
    id::{AccountId, ApiKeyId, SessionId},
    random::{Entropy, EntropyExt},
};

/// An id that can be the public part of a token, and so says what the token opens.
pub trait TokenId: Copy + PartialEq {
    /// What tokens with such an id begin with.
    const PREFIX: &'static str;

    /// The id with this UUID.
    fn of_uuid(uuid: Uuid) -> Self;

    /// Its UUID.
    fn uuid(&self) -> &Uuid;
}

macro_rules! token_ids {
    ($($name:ident: $prefix:literal;)*) => {$(
        impl TokenId for $name {
            const PREFIX: &'static str = $prefix;

            fn of_uuid(uuid: Uuid) -> Self {
                Self::from_uuid(uuid)
            }

            fn uuid(&self) -> &Uuid {
                self.as_uuid()
            }
        }
    )*};
}

token_ids! {
    ApiKeyId: "blt";
    SessionId: "bls";
    AccountId: "blo";
}

/// What somebody presents to be let in: `<prefix>_<id>_<secret>`, with 256 bits of secret in hexadecimal.
///
/// Shown once, never stored. `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token<I> {
    id: I,
    secret: [u8; 32],
}

/// What the holder of an API key presents: `blt_…`.
pub type KeyToken = Token<ApiKeyId>;

/// What somebody who has logged in presents: `bls_…`.
pub type SessionToken = Token<SessionId>;

/// What lets its holder set the password of an account, once: `blo_…`.
pub type PasswordTicket = Token<AccountId>;

/// The text is no token of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be of the form {prefix}_<id>_<secret>")]
pub struct InvalidToken {
    prefix: &'static str,
}

impl<I: TokenId> Token<I> {
    /// A new token with a secret from `entropy`.
    pub fn generate(id: I, entropy: &dyn Entropy) -> Self {
        Self { id, secret: entropy.bytes() }
    }

    /// Reads `<prefix>_<id>_<secret>`.
    ///
    /// # Errors
    /// If the text has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        Self::read(text).ok_or(InvalidToken { prefix: I::PREFIX })
    }

    fn read(text: &str) -> Option<Self> {
        let (id, digits) =
            text.strip_prefix(I::PREFIX)?.strip_prefix('_')?.split_once('_').filter(|(id, _)| id.len() == 32)?;
        let id = I::of_uuid(Uuid::parse_str(id).ok()?);
        Some(Self { id, secret: hex::read(digits)? })
    }

    /// The public part.
    #[must_use]
    pub const fn id(&self) -> I {
        self.id
    }

    /// What a store keeps of the secret. A plain hash is enough for 256 random bits.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.secret).into())
    }

    /// The token in full. The only way to the secret, so that a look for leaks has one name to follow.
    #[must_use]
    pub fn reveal(&self) -> String {
        let mut text = format!("{}_{}_", I::PREFIX, self.id.uuid().simple());
        hex::write(&mut text, &self.secret);
        text
    }
}

impl<I: TokenId> fmt::Debug for Token<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_…", I::PREFIX, self.id.uuid().simple())
    }
}

/// The SHA-256 of a token's secret. `==` takes the same time wherever the difference is.
#[derive(Debug, Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
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

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenDigest {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random::SeededEntropy, time::Timestamp};

    #[test]
    fn a_token_survives_its_text_form_and_hides_in_debug() {
        let entropy = SeededEntropy::new(7);
        let token = KeyToken::generate(entropy.api_key_id(Timestamp::EPOCH), &entropy);
        let text = token.reveal();
        assert_eq!(KeyToken::parse(&text).unwrap(), token);
        assert!(!format!("{token:?}").contains(&text[40..]));
        for bad in ["", "blt_", &text[1..], &text[..text.len() - 1], &text.replace("blt", "key")] {
            assert_eq!(KeyToken::parse(bad), Err(InvalidToken { prefix: "blt" }));
        }
    }

    #[test]
    fn a_token_of_one_kind_is_none_of_another() {
        let entropy = SeededEntropy::new(7);
        let text = SessionToken::generate(entropy.session_id(Timestamp::EPOCH), &entropy).reveal();
        assert!(SessionToken::parse(&text).is_ok());
        assert!(KeyToken::parse(&text).is_err() && PasswordTicket::parse(&text).is_err());
    }
}
