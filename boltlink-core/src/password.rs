//! Passwords: what they are, and what is kept of them.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::{
    error::StoreError,
    random::{Entropy, EntropyExt},
};

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
        let long = text.chars().take(Self::MAX + 1).count();
        if (Self::MIN..=Self::MAX).contains(&long) { Ok(Self(text.into())) } else { Err(InvalidPassword) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
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
        let long = text.chars().take(Password::MAX + 1).count();
        if (1..=Password::MAX).contains(&long) { Ok(Self(text.into())) } else { Err(InvalidLinkPassword) }
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
        let cost = Params::try_from(&hash).map_err(|_| InvalidPasswordHash)?;
        let cost = HashCost { memory: cost.m_cost(), passes: cost.t_cost(), lanes: cost.p_cost() };
        if ours && hash.hash.is_some() && cost.is_sound() { Ok(Self(text.into())) } else { Err(InvalidPasswordHash) }
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
    fn is_sound(&self) -> bool {
        (1..=16).contains(&self.lanes)
            && (8 * self.lanes..=1 << 20).contains(&self.memory)
            && (1..=100).contains(&self.passes)
    }
}

/// Makes and compares hashes, so many at a time as leave the machine able to do something else.
pub(crate) struct Hasher {
    cost: HashCost,
    /// Of half the cores each.
    working: Arc<Semaphore>,
    /// Of those who wait or work.
    waiting: Semaphore,
}

/// How long somebody waits for a turn. A flood is so slowed down, as each of its connections waits, too; were it refused at
/// once, it would be back at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many may wait.
const WAITING: usize = 1_024;

impl Hasher {
    pub(crate) fn new(cost: HashCost) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let working = (cores / 2).max(1);
        Self { cost, working: Arc::new(Semaphore::new(working)), waiting: Semaphore::new(WAITING) }
    }

    /// The hash of a password, with a new salt.
    pub(crate) async fn hash(&self, password: &str, entropy: &dyn Entropy) -> Result<PasswordHash, StoreError> {
        self.hash_with(password, entropy.bytes()).await
    }

    /// The same with a salt that no other password may have.
    pub(crate) async fn hash_with(&self, password: &str, salt: [u8; 16]) -> Result<PasswordHash, StoreError> {
        let (argon2, password) = (self.argon2()?, normal(password));
        let hash = self.work(move || argon2.hash_password_with_salt(password.as_bytes(), &salt)).await?;
        Ok(PasswordHash(hash.map_err(|error| StoreError::backend(error.to_string()))?.to_string().into()))
    }

    /// Whether `hash` is the password's. Without a hash the same is done for nothing, so that nobody learns by the time
    /// it takes that there is none.
    pub(crate) async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, StoreError> {
        let Some(hash) = hash else {
            let (argon2, password) = (self.argon2()?, normal(password));
            self.work(move || argon2.hash_password_with_salt(password.as_bytes(), &[0; 16])).await?.ok();
            return Ok(false);
        };
        let stored = phc::PasswordHash::new(hash.as_str())
            .map_err(|error| StoreError::Unreadable { reason: format!("a password's hash is damaged: {error}") })?;
        let (argon2, password) = (self.argon2()?, normal(password));
        // The stored hash says itself what it cost.
        Ok(self.work(move || argon2.verify_password(password.as_bytes(), &stored)).await?.is_ok())
    }

    /// Whether a hash cost something else than one that is made now.
    pub(crate) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let stored = phc::PasswordHash::new(hash.as_str()).ok().and_then(|hash| Params::try_from(&hash).ok());
        let HashCost { memory, passes, lanes } = self.cost;
        stored.is_none_or(|stored| (stored.m_cost(), stored.t_cost(), stored.p_cost()) != (memory, passes, lanes))
    }

    fn argon2(&self) -> Result<Argon2<'static>, StoreError> {
        let HashCost { memory, passes, lanes } = self.cost;
        let params =
            Params::new(memory, passes, lanes, None).map_err(|error| StoreError::backend(error.to_string()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// Does the work on a thread for such, when it is its turn. Who goes away meanwhile frees the place in the queue, not
    /// the thread.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let turn = tokio::time::timeout(PATIENCE, self.working.clone().acquire_owned());
        let turn = turn.await.map_err(|_| busy())?.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(StoreError::backend)
    }
}

fn busy() -> StoreError {
    StoreError::Unavailable {
        reason: "too many passwords are being checked".into(),
        retry: Some(Duration::from_secs(1)),
    }
}

/// One spelling of what people type alike (RFC 8265 and NIST SP 800-63B ask for as much).
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededEntropy;

    fn hasher() -> Hasher {
        Hasher::new("m=64,t=1,p=1".parse().unwrap())
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let (hasher, entropy) = (hasher(), SeededEntropy::new(3));
        let hash = hasher.hash("correct horse battery", &entropy).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", hash.as_str());
        assert_ne!(hasher.hash("correct horse battery", &entropy).await.unwrap(), hash, "a salt was used twice");
        assert!(hasher.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horse batterz", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horse battery", None).await.unwrap());
        let damaged = hasher.verify("x", Some(&PasswordHash::from_stored("$argon2id$broken"))).await;
        assert!(matches!(damaged, Err(StoreError::Unreadable { .. })), "{damaged:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_in_vain_is_sent_away() {
        let (hasher, entropy) = (Arc::new(hasher()), SeededEntropy::new(3));
        let all = u32::try_from(hasher.working.available_permits()).unwrap();
        let turns = hasher.working.acquire_many(all).await.unwrap();
        let begin = tokio::time::Instant::now();
        let refused = hasher.hash("correct horse battery", &entropy).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { retry: Some(_), .. })), "{refused:?}");
        assert_eq!(begin.elapsed(), PATIENCE);
        let places = hasher.waiting.acquire_many(u32::try_from(WAITING).unwrap()).await.unwrap();
        let begin = tokio::time::Instant::now();
        assert!(hasher.verify("correct horse battery", None).await.is_err());
        assert_eq!(begin.elapsed(), Duration::ZERO, "too many wait already");
        drop((turns, places));
        hasher.hash("correct horse battery", &entropy).await.unwrap();
    }

    #[tokio::test]
    async fn a_letter_is_the_same_however_it_is_put_together() {
        let hasher = hasher();
        let hash = hasher.hash("caf\u{e9} au lait, bitte", &SeededEntropy::new(3)).await.unwrap();
        assert!(hasher.verify("cafe\u{301} au lait, bitte", Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_still_good_and_outdated() {
        let (cheap, entropy) = (hasher(), SeededEntropy::new(3));
        let dear = Hasher::new("m=128,t=1,p=1".parse().unwrap());
        let hash = cheap.hash("correct horse battery", &entropy).await.unwrap();
        assert!(!cheap.is_outdated(&hash) && dear.is_outdated(&hash));
        assert!(dear.verify("correct horse battery", Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn hashes_come_along_if_they_are_some() {
        let hash = hasher().hash("x", &SeededEntropy::new(3)).await.unwrap();
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
