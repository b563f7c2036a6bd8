//! Rate limits of one process.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    error::StoreError,
    gcra,
    store::{Decision, Quota, RateLimiter},
    time::{Clock, Timestamp},
};

/// A power of two. So many keys can be judged at once.
const SHARDS: usize = 64;

/// Limits in this process's memory: exact for one process, forgotten when it ends.
///
/// Keys whose burst is back are swept away as others are judged, at a constant cost per judgement.
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

impl MemoryLimiter {
    /// A limiter that has seen nobody yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { clock, hasher: RandomState::new(), shards }
    }

    /// The decision, which never has to wait.
    pub(crate) fn judge(&self, key: &str, quota: &Quota, cost: u32) -> Decision {
        // The upper bits: the map within the shard uses the lower ones of its own hash.
        let shard = (self.hasher.hash_one(key) >> 32) as usize & (SHARDS - 1);
        let mut shard = self.shards[shard].lock();
        // Under the lock: two that wait for it must not exchange their times.
        let now = self.clock.now();
        shard.sweep(now);
        shard.judge(key, now, quota, cost)
    }
}

impl fmt::Debug for MemoryLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryLimiter { … }")
    }
}

#[async_trait]
impl RateLimiter for MemoryLimiter {
    async fn check(&self, key: &str, quota: &Quota, cost: u32) -> Result<Decision, StoreError> {
        Ok(self.judge(key, quota, cost))
    }

    fn try_check(&self, key: &str, quota: &Quota, cost: u32) -> Option<Decision> {
        Some(self.judge(key, quota, cost))
    }
}

#[derive(Default)]
struct Shard {
    /// When each key's burst is back, as [`gcra::decide`] counts it.
    tats: HashMap<Box<str>, i64>,
    /// Judgements until the next sweep.
    patience: usize,
}

impl Shard {
    fn judge(&mut self, key: &str, now: Timestamp, quota: &Quota, cost: u32) -> Decision {
        match self.tats.get_mut(key) {
            Some(tat) => {
                let (decision, new) = gcra::decide(Some(*tat), now, quota, cost);
                *tat = new.unwrap_or(*tat);
                decision
            }
            None => {
                let (decision, new) = gcra::decide(None, now, quota, cost);
                if let Some(tat) = new {
                    self.tats.insert(key.into(), tat);
                }
                decision
            }
        }
    }

    /// Drops what is over, once in as many judgements as there are keys.
    fn sweep(&mut self, now: Timestamp) {
        if let Some(left) = self.patience.checked_sub(1) {
            self.patience = left;
            return;
        }
        self.tats.retain(|_, tat| *tat > now.as_micros());
        self.tats.shrink_to(self.tats.len() * 2);
        self.patience = self.tats.len().max(64);
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;
    use crate::time::FakeClock;

    fn limiter() -> (MemoryLimiter, Arc<FakeClock>, Quota) {
        let clock = Arc::new(FakeClock::default());
        let quota = Quota::new(NonZeroU32::new(10).unwrap(), Duration::from_secs(1)).unwrap();
        (MemoryLimiter::new(clock.clone()), clock, quota)
    }

    #[tokio::test]
    async fn both_ways_spend_the_same_quota() {
        let (limiter, clock, quota) = limiter();
        assert_eq!(limiter.check("a", &quota, 6).await.unwrap().remaining, 4);
        assert_eq!(limiter.try_check("a", &quota, 4).unwrap().remaining, 0);
        assert!(!limiter.check("a", &quota, 1).await.unwrap().allowed);
        assert!(limiter.check("b", &quota, 1).await.unwrap().allowed);
        clock.advance(Duration::from_millis(100));
        assert!(limiter.try_check("a", &quota, 1).unwrap().allowed);
    }

    #[test]
    fn forgets_keys_whose_burst_is_back() {
        let (limiter, clock, quota) = limiter();
        let held = || limiter.shards.iter().map(|shard| shard.lock().tats.len()).sum::<usize>();
        for key in 0..20_000 {
            limiter.judge(&key.to_string(), &quota, 1);
        }
        assert_eq!(held(), 20_000);
        clock.advance(Duration::from_secs(1));
        for key in 0..100_000 {
            limiter.judge(&format!("asks {}", key % 1_000), &quota, 0);
        }
        assert_eq!(held(), 0);
    }

    #[test]
    fn parallel_callers_get_one_burst_between_them() {
        let (limiter, _, quota) = limiter();
        let allowed: usize = std::thread::scope(|scope| {
            let callers = [(); 4]
                .map(|()| scope.spawn(|| (0..100).filter(|_| limiter.judge("viral", &quota, 1).allowed).count()));
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        assert_eq!(allowed, 10);
    }
}
