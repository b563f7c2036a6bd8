//! Rate limits.

use std::{num::NonZeroU32, time::Duration};

use async_trait::async_trait;

/// A rate that cannot be nonsense: so many per period, of which so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    rate: NonZeroU32,
    period: Duration,
    burst: NonZeroU32,
}

impl Quota {
    /// `rate` per `period`, all of which may come at once. `None` if the period is zero, over a
    /// year, or so short that a single one takes less than a microsecond.
    #[must_use]
    pub fn new(rate: NonZeroU32, period: Duration) -> Option<Self> {
        let longest = Duration::from_secs(366 * 24 * 3600);
        let fits = period <= longest && period.as_micros() >= u128::from(rate.get());
        fits.then_some(Self { rate, period, burst: rate })
    }

    /// The same rate with another burst. `None` if the burst would take over ten years to refill.
    #[must_use]
    pub fn with_burst(self, burst: NonZeroU32) -> Option<Self> {
        let quota = Self { burst, ..self };
        (quota.tolerance_micros() <= 10 * 366 * 24 * 3_600_000_000).then_some(quota)
    }

    /// How many are allowed at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst.get()
    }

    /// How many are allowed per [period](Self::period).
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate.get()
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// GCRA's emission interval: how long one takes to come back, rounded up, so that the rate is
    /// never exceeded.
    #[must_use]
    pub fn interval_micros(&self) -> i64 {
        let micros = self.period.as_micros().div_ceil(u128::from(self.rate.get()));
        i64::try_from(micros).unwrap_or(i64::MAX)
    }

    /// GCRA's tolerance: how long the whole burst takes to come back.
    #[must_use]
    pub fn tolerance_micros(&self) -> i64 {
        self.interval_micros().saturating_mul(i64::from(self.burst.get()))
    }
}

/// What a limiter says. A refusal is data, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may happen.
    pub allowed: bool,
    /// The quota's burst.
    pub limit: u32,
    /// How many more would be allowed at once now.
    pub remaining: u32,
    /// When all of the burst is back, if nothing else comes.
    pub reset_after: Duration,
    /// When the same cost would be allowed; `None` if it was, or never will be (it exceeds the burst).
    pub retry_after: Option<Duration>,
}

/// Limits how often something happens, by GCRA (the generic cell rate algorithm, ITU-T I.371): smooth,
/// with one number per key, and without the double burst of fixed windows.
///
/// # Contract
///
/// - Over any stretch of time `t`, what is allowed for a key is at most `burst + rate·t`.
/// - A refusal takes nothing.
/// - After a refusal with `retry_after`, the same call is allowed once that time has passed without
///   another one.
/// - A clock that goes backwards refuses no longer than one full burst takes to come back; so a
///   refusal, too, stores a debt that was cut off for that reason.
/// - Keys cost nothing once their burst is back.
/// - One key has one quota; with another quota it is judged as if it always had that.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Takes `cost` from `key`'s quota if that much is there. A cost of 0 asks without taking.
    /// One round trip at most, unless the implementation says more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable): nothing is known; whether to go
    /// on is the caller's policy.
    async fn check(&self, key: &str, quota: &Quota, cost: u32) -> Result<Decision, crate::StoreError>;

    /// The same without waiting, where the answer is at hand. `None`: take [`check`](Self::check).
    /// [`LocalFirst`](crate::limit::LocalFirst) has it at hand for limiters that are far away.
    fn try_check(&self, key: &str, quota: &Quota, cost: u32) -> Option<Decision> {
        let _ = (key, quota, cost);
        None
    }
}
