//! Rate limits of one process.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    error::StoreError,
    gcra,
    keyed::Keyed,
    store::{Decision, Quota, RateLimiter},
    time::Clock,
};

/// Limits in this process's memory: exact for one process, forgotten when it ends.
///
/// Keys whose burst is back are swept away as others are judged, at a constant cost per judgement.
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    /// When each key's burst is back, as [`gcra::decide`] counts it.
    tats: Keyed<i64>,
}

impl MemoryLimiter {
    /// A limiter that has seen nobody yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tats: Keyed::new() }
    }

    /// The decision, which never has to wait.
    pub(crate) fn judge(&self, key: &str, quota: &Quota, cost: u32) -> Decision {
        let mut shard = self.tats.shard(key).lock();
        // Under the lock: two that wait for it must not exchange their times.
        let now = self.clock.now();
        shard.sweep(|tat| *tat > now.as_micros());
        let kept = shard.values.get_mut(key);
        let (decision, new) = gcra::decide(kept.as_deref().copied(), now, quota, cost);
        match (kept, new) {
            (Some(tat), Some(new)) => *tat = new,
            (None, Some(new)) => {
                shard.values.insert(key.into(), new);
            }
            (_, None) => {}
        }
        decision
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
        let held = || limiter.tats.len();
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
