//! Passwords: what they are, and what is kept of them.

use std::{fmt, str::FromStr};

use argon2::{Algorithm, Argon2, Params, Version, password_hash::phc};

/// A new password for an account: 12 to 128 characters. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

/// The text is too short or too long for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have {} to {} characters", Password::MIN, Password::MAX)]
pub struct InvalidPassword;

impl Password {
    /// The fewest characters it may have.
    pub const MIN: usize = 12;
    /// The most characters it may have.
    pub const MAX: usize = 128;

    /// Whether a text is longer than any password, so that it need not be compared with one.
    #[must_use]
    pub fn is_too_long(text: &str) -> bool {
        length(text) > Self::MAX
    }

    /// The password itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = InvalidPassword;

    /// Takes it as it is, blanks too.
    fn from_str(text: &str) -> Result<Self, InvalidPassword> {
        if (Self::MIN..=Self::MAX).contains(&length(text)) { Ok(Self(text.into())) } else { Err(InvalidPassword) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How many characters a text has: of one that is longer than any password one more than that, however long it is.
fn length(text: &str) -> usize {
    text.chars().take(Password::MAX + 1).count()
}

/// What the visitors of a link have to know: 1 to 128 characters. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkPassword(Box<str>);

/// The text is empty or too long for a link's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} characters", Password::MAX)]
pub struct InvalidLinkPassword;

impl LinkPassword {
    /// The password itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkPassword {
    type Err = InvalidLinkPassword;

    /// Takes it as it is, blanks too.
    fn from_str(text: &str) -> Result<Self, InvalidLinkPassword> {
        if (1..=Password::MAX).contains(&length(text)) { Ok(Self(text.into())) } else { Err(InvalidLinkPassword) }
    }
}

impl fmt::Debug for LinkPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkPassword(…)")
    }
}

/// What is kept of a password: a hash by argon2id in the PHC string format. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Takes a text that a store has kept. Whether it is a hash shows when a password is compared with it.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no hash that a password could be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an argon2id hash in the PHC string format, such as $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>")]
pub struct InvalidPasswordHash;

impl FromStr for PasswordHash {
    type Err = InvalidPasswordHash;

    /// Takes a hash that somebody brings along, if it costs no more than one of ours may.
    fn from_str(text: &str) -> Result<Self, InvalidPasswordHash> {
        let hash = phc::PasswordHash::new(text).map_err(|_| InvalidPasswordHash)?;
        let ours = hash.algorithm.as_str() == Algorithm::Argon2id.as_str() && hash.salt.is_some();
        let cost = HashCost::of(&hash).filter(HashCost::is_sound);
        if ours && hash.hash.is_some() && cost.is_some() { Ok(Self(text.into())) } else { Err(InvalidPasswordHash) }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What one hash costs whoever makes it, and whoever guesses. As text `m=19456,t=2,p=1`, which is the default and what
/// OWASP's Password Storage Cheat Sheet asks for at least: KiB of memory, passes over it, lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// The text is no cost, or one that nobody can pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be m=<KiB of memory>,t=<passes>,p=<lanes>; m from 8 × p to 1048576, t from 1 to 100, p from 1 to 16")]
pub struct InvalidHashCost;

impl Default for HashCost {
    fn default() -> Self {
        Self { memory: 19_456, passes: 2, lanes: 1 }
    }
}

impl fmt::Display for HashCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, passes, lanes } = self;
        write!(f, "m={memory},t={passes},p={lanes}")
    }
}

impl FromStr for HashCost {
    type Err = InvalidHashCost;

    fn from_str(text: &str) -> Result<Self, InvalidHashCost> {
        let parts: Vec<_> = text.split(',').map(str::trim).collect();
        let [memory, passes, lanes] = parts[..] else { return Err(InvalidHashCost) };
        let number = |part: &str, name: &str| part.strip_prefix(name)?.parse::<u32>().ok();
        let read =
            || Some(Self { memory: number(memory, "m=")?, passes: number(passes, "t=")?, lanes: number(lanes, "p=")? });
        read().filter(Self::is_sound).ok_or(InvalidHashCost)
    }
}

impl HashCost {
    /// What a hash says that it cost.
    pub(crate) fn of(hash: &phc::PasswordHash) -> Option<Self> {
        let params = Params::try_from(hash).ok()?;
        Some(Self { memory: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() })
    }

    /// What makes hashes of this cost.
    pub(crate) fn argon2(self) -> argon2::Result<Argon2<'static>> {
        let params = Params::new(self.memory, self.passes, self.lanes, None)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    fn is_sound(&self) -> bool {
        (1..=16).contains(&self.lanes)
            && (8 * self.lanes..=1 << 20).contains(&self.memory)
            && (1..=100).contains(&self.passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_come_along_if_they_are_some() {
        let hash = PasswordHash::from_stored(
            "$argon2id$v=19$m=64,t=1,p=1$AwMDAwMDAwMDAwMDAwMDAw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        );
        assert_eq!(hash.as_str().parse(), Ok(hash.clone()));
        let dear = hash.as_str().replace("t=1", "t=4000");
        let other = hash.as_str().replace("argon2id", "argon2i");
        for wrong in ["", "secret", "$2y$10$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=64,t=1,p=1", &dear, &other] {
            assert_eq!(wrong.parse::<PasswordHash>(), Err(InvalidPasswordHash), "{wrong}");
        }
    }

    #[test]
    fn passwords_and_costs_have_bounds() {
        assert!("".parse::<LinkPassword>().is_err() && "ä".repeat(128).parse::<LinkPassword>().is_ok());
        assert!("x".repeat(129).parse::<LinkPassword>().is_err());
        assert!("äöüäöüäöüäö".parse::<Password>().is_err() && "äöüäöüäöüäöü".parse::<Password>().is_ok());
        assert!("x".repeat(128).parse::<Password>().is_ok() && "x".repeat(129).parse::<Password>().is_err());
        assert_eq!(HashCost::default().to_string().parse(), Ok(HashCost::default()));
        for wrong in ["", "m=8", "m=7,t=1,p=1", "m=64,t=0,p=1", "m=64,t=1,p=0", "m=9999999,t=1,p=1", "t=1,m=64,p=1"] {
            assert_eq!(wrong.parse::<HashCost>(), Err(InvalidHashCost), "{wrong}");
        }
    }
}
