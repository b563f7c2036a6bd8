//! The work that passwords are.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use tokio::sync::{AcquireError, Semaphore};
use unicode_normalization::UnicodeNormalization;

use super::Error;
use crate::{
    error::StoreError,
    password::{HashCost, PasswordHash},
    random::{Entropy, EntropyExt},
};

/// Makes and compares hashes, so many at a time as leave the machine able to do something else.
pub(super) struct Hasher {
    cost: HashCost,
    /// Of half the cores each.
    working: Arc<Semaphore>,
    /// Of those who wait or work.
    waiting: Semaphore,
    /// Of those who set passwords of links, one at a time: however many do, whoever logs in has every other turn.
    setting: Arc<Semaphore>,
}

/// How long somebody waits for a turn. A flood is so slowed down, as each of its connections waits, too; were it refused at
/// once, it would be back at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many may wait.
const WAITING: usize = 1_024;

impl Hasher {
    pub(super) fn new(cost: HashCost) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let working = (cores / 2).max(1);
        Self {
            cost,
            working: Arc::new(Semaphore::new(working)),
            waiting: Semaphore::new(WAITING),
            setting: Arc::new(Semaphore::new(1)),
        }
    }

    /// The hash of a password, with a new salt.
    pub(super) async fn hash(&self, password: &str, entropy: &dyn Entropy) -> Result<PasswordHash, Error> {
        self.hash_with(password, entropy.bytes(), None).await
    }

    /// The hash of a link's password, with a salt that no other may have.
    pub(super) async fn hash_for_link(&self, password: &str, salt: [u8; 16]) -> Result<PasswordHash, Error> {
        self.hash_with(password, salt, Some(&self.setting)).await
    }

    async fn hash_with(
        &self,
        password: &str,
        salt: [u8; 16],
        also: Option<&Arc<Semaphore>>,
    ) -> Result<PasswordHash, Error> {
        let (argon2, password) = (self.argon2()?, normal(password));
        let hash = self.work(also, move || argon2.hash_password_with_salt(password.as_bytes(), &salt)).await?;
        Ok(PasswordHash::from_stored(&hash.map_err(failed)?.to_string()))
    }

    /// Whether `hash` is the password's. Without a hash the same is done for nothing, so that nobody learns by the time
    /// it takes that there is none.
    pub(super) async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, Error> {
        let (argon2, password) = (self.argon2()?, normal(password));
        let Some(hash) = hash else {
            self.work(None, move || argon2.hash_password_with_salt(password.as_bytes(), &[0; 16])).await?.ok();
            return Ok(false);
        };
        let stored = phc::PasswordHash::new(hash.as_str())
            .map_err(|error| StoreError::Unreadable { reason: format!("a password's hash is damaged: {error}") })?;
        // The stored hash says itself what it cost.
        Ok(self.work(None, move || argon2.verify_password(password.as_bytes(), &stored)).await?.is_ok())
    }

    /// Whether a hash cost something else than one that is made now.
    pub(super) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let stored = phc::PasswordHash::new(hash.as_str()).ok();
        stored.and_then(|hash| HashCost::of(&hash)) != Some(self.cost)
    }

    fn argon2(&self) -> Result<Argon2<'static>, Error> {
        Ok(self.cost.argon2().map_err(failed)?)
    }

    /// Does the work on a thread for such, when it is its turn, `also` by that semaphore. Who goes away meanwhile frees the
    /// place in the queue, not the thread.
    async fn work<T: Send + 'static>(
        &self,
        also: Option<&Arc<Semaphore>>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let turns = async {
            let also = match also {
                Some(also) => Some(also.clone().acquire_owned().await?),
                None => None,
            };
            Ok::<_, AcquireError>((also, self.working.clone().acquire_owned().await?))
        };
        // Nobody closes them.
        let turns = tokio::time::timeout(PATIENCE, turns).await.map_err(|_| busy())?.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turns);
            done
        });
        Ok(done.await.map_err(StoreError::backend)?)
    }
}

fn busy() -> Error {
    Error::Busy { what: "too many passwords are being checked", retry: Duration::from_secs(1) }
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::backend(error.to_string())
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
        assert!(matches!(damaged, Err(Error::Unreadable { .. })), "{damaged:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_in_vain_is_sent_away() {
        let (hasher, entropy) = (Arc::new(hasher()), SeededEntropy::new(3));
        let all = u32::try_from(hasher.working.available_permits()).unwrap();
        let turns = hasher.working.acquire_many(all).await.unwrap();
        let begin = tokio::time::Instant::now();
        let refused = hasher.hash("correct horse battery", &entropy).await;
        assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
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
}
