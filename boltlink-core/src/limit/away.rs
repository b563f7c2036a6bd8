//! What a node does while the central limiter is away.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::{
    memory::MemoryLimiter,
    store::{Decision, Quota},
    time::{Clock, Timestamp},
};

/// How long the central limiter is left alone, and who decides meanwhile.
pub(super) struct Away {
    nodes: NonZeroU32,
    /// When the central limiter may be asked again, in microseconds; [`Self::HERE`] if it is not away.
    until: AtomicI64,
    share: MemoryLimiter,
}

impl Away {
    const HERE: i64 = i64::MIN;
    const PAUSE: Duration = Duration::from_secs(1);
    const LONGEST_PAUSE: Duration = Duration::from_secs(10);

    pub(super) fn new(nodes: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self { nodes, until: AtomicI64::new(Self::HERE), share: MemoryLimiter::new(clock) }
    }

    /// Whether the central limiter is away and not to be asked yet.
    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        Self::lies_ahead(self.until.load(Ordering::Relaxed), now)
    }

    /// Whether this caller asks the central limiter. After a pause one does; who asks while it does
    /// is told no.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        if until == Self::HERE {
            return true;
        }
        let next = now.plus(Self::PAUSE).as_micros();
        !Self::lies_ahead(until, now)
            && self.until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(super) fn is_back(&self) {
        // Seldom written, so that the cores that read it keep their copies.
        if self.until.load(Ordering::Relaxed) != Self::HERE {
            self.until.store(Self::HERE, Ordering::Relaxed);
        }
    }

    pub(super) fn is_away(&self, now: Timestamp, retry: Option<Duration>) {
        let pause = retry.unwrap_or(Self::PAUSE).min(Self::LONGEST_PAUSE);
        self.until.store(now.plus(pause).as_micros(), Ordering::Relaxed);
    }

    /// Decides by this node's share of the quota.
    pub(super) fn judge(&self, key: &str, quota: &Quota, cost: u32) -> Decision {
        let decision = self.share.judge(key, &share(quota, self.nodes), cost);
        // More than the share, but not more than the burst, fits again when the limiter is back.
        let back = (!decision.allowed && cost <= quota.burst()).then_some(Self::PAUSE);
        Decision { limit: quota.burst(), retry_after: decision.retry_after.or(back), ..decision }
    }

    fn lies_ahead(until: i64, now: Timestamp) -> bool {
        let left = until.saturating_sub(now.as_micros());
        // Over the longest pause: the clock went backwards.
        left > 0 && u128::from(left.unsigned_abs()) <= Self::LONGEST_PAUSE.as_micros()
    }
}

/// What one of `nodes` nodes may admit by itself: at least one token, and one a year.
fn share(quota: &Quota, nodes: NonZeroU32) -> Quota {
    const YEAR_MICROS: i64 = 366 * 24 * 3_600_000_000;
    let interval = quota.interval_micros().saturating_mul(i64::from(nodes.get())).min(YEAR_MICROS);
    let burst = NonZeroU32::new(quota.burst() / nodes).unwrap_or(NonZeroU32::MIN);
    Quota::new(NonZeroU32::MIN, Duration::from_micros(interval.unsigned_abs()))
        .and_then(|slow| slow.with_burst(burst).or(Some(slow)))
        // Not reached: the period is over a microsecond and within a year.
        .unwrap_or(*quota)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::FakeClock;

    fn nodes(nodes: u32) -> NonZeroU32 {
        NonZeroU32::new(nodes).unwrap()
    }

    fn quota(rate: u32, period: Duration) -> Quota {
        Quota::new(nodes(rate), period).unwrap()
    }

    #[test]
    fn shares_add_up_to_the_quota() {
        for count in [1, 2, 10] {
            let share = share(&quota(100, Duration::from_secs(10)), nodes(count));
            assert_eq!((share.burst(), share.interval_micros()), (100 / count, 100_000 * i64::from(count)));
        }
        let least = share(&quota(3, Duration::from_secs(366 * 24 * 3_600)), nodes(1_000));
        assert_eq!((least.burst(), least.period()), (1, Duration::from_secs(366 * 24 * 3_600)));
    }

    #[test]
    fn one_asks_again_after_each_pause() {
        let clock = FakeClock::default();
        let away = Away::new(nodes(2), Arc::new(FakeClock::default()));
        assert!(away.may_ask(clock.now()) && away.may_ask(clock.now()));
        away.is_away(clock.now(), None);
        for _ in 0..3 {
            assert!(away.lasts(clock.now()) && !away.may_ask(clock.now()));
            clock.advance(Away::PAUSE);
            assert!(!away.lasts(clock.now()) && away.may_ask(clock.now()));
        }
        assert!(!away.may_ask(clock.now()), "another one asks");
        away.is_back();
        assert!(away.may_ask(clock.now()) && away.may_ask(clock.now()));
    }

    #[test]
    fn a_pause_ends_whatever_was_asked_for_and_wherever_the_clock_goes() {
        let clock = FakeClock::default();
        let away = Away::new(nodes(2), Arc::new(FakeClock::default()));
        away.is_away(clock.now(), Some(Duration::from_secs(3_600)));
        clock.advance(Away::LONGEST_PAUSE);
        assert!(away.may_ask(clock.now()));
        away.is_away(clock.now(), None);
        clock.set(clock.now().minus(Duration::from_secs(3_600)));
        assert!(away.may_ask(clock.now()));
    }

    #[test]
    fn what_exceeds_the_share_may_come_back() {
        let away = Away::new(nodes(4), Arc::new(FakeClock::default()));
        let quota = quota(40, Duration::from_secs(1));
        let decision = away.judge("key", &quota, 20);
        assert_eq!((decision.allowed, decision.limit, decision.retry_after), (false, 40, Some(Away::PAUSE)));
        assert_eq!(away.judge("key", &quota, 41).retry_after, None);
        assert!(away.judge("key", &quota, 10).allowed);
        assert_eq!(away.judge("key", &quota, 1).retry_after, Some(Duration::from_millis(100)));
    }
}
