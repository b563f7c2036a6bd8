//! GCRA, the generic cell rate algorithm (ITU-T I.371), as arithmetic on whole microseconds: what
//! every limiter decides by, so that all decide alike.

use std::time::Duration;

use crate::{
    store::{Decision, Quota},
    time::Timestamp,
};

/// Judges a request of `cost` at `now`, given the key's theoretical arrival time (the moment, in
/// microseconds since 1970, at which all of its burst is back; `None` if nothing is kept), and says
/// what to keep instead, if anything is to change.
///
/// A kept time at or before now says no more than none at all and may be dropped.
#[must_use]
pub fn decide(tat: Option<i64>, now: Timestamp, quota: &Quota, cost: u32) -> (Decision, Option<i64>) {
    let now = now.as_micros();
    let (interval, tolerance) = (quota.interval_micros(), quota.tolerance_micros());
    // All sums below count from now, which keeps them small.
    let kept = tat.map_or(0, |tat| tat.saturating_sub(now)).max(0);
    // More than a whole burst cannot be owed: the clock went backwards, or the quota was another.
    let owed = kept.min(tolerance);
    let wanted = interval.saturating_mul(i64::from(cost)).saturating_add(owed);
    let allowed = wanted <= tolerance;
    let owed_then = if allowed { wanted } else { owed };
    let decision = Decision {
        allowed,
        limit: quota.burst(),
        remaining: u32::try_from((tolerance - owed_then) / interval).unwrap_or(u32::MAX),
        reset_after: micros(owed_then),
        retry_after: (!allowed && cost <= quota.burst()).then(|| micros(wanted - tolerance)),
    };
    // A refusal takes nothing, but what was cut off above stays cut off: else the debt would move
    // along with the clock, and waiting would never help.
    (decision, (owed_then != kept).then(|| now.saturating_add(owed_then)))
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn quota(rate: u32, period: Duration, burst: u32) -> Quota {
        Quota::new(NonZeroU32::new(rate).unwrap(), period).unwrap().with_burst(NonZeroU32::new(burst).unwrap()).unwrap()
    }

    fn quotas() -> impl Strategy<Value = Quota> {
        (1_u32..50, 1_u64..2_000, 1_u32..20)
            .prop_map(|(rate, millis, burst)| quota(rate, Duration::from_millis(millis), burst))
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    /// One key, as a limiter keeps it.
    #[derive(Default)]
    struct Key(Option<i64>);

    impl Key {
        fn take(&mut self, now: i64, quota: &Quota, cost: u32) -> Decision {
            let (decision, tat) = decide(self.0, at(now), quota, cost);
            self.0 = tat.or(self.0);
            decision
        }
    }

    proptest! {
        /// The model: a bucket of `burst` tokens, each of them `interval` microseconds of waiting.
        #[test]
        fn decides_as_a_token_bucket(
            quota in quotas(),
            calls in prop::collection::vec((0_i64..200_000, 0_u32..25), 1..100),
        ) {
            let (interval, full) = (quota.interval_micros(), quota.tolerance_micros());
            let (mut key, mut level, mut now) = (Key::default(), full, 0);
            for (pause, cost) in calls {
                now += pause;
                level = full.min(level + pause);
                let price = interval * i64::from(cost);
                let decision = key.take(now, &quota, cost);
                prop_assert_eq!(decision.allowed, price <= level);
                if decision.allowed {
                    level -= price;
                }
                prop_assert_eq!(i64::from(decision.remaining), level / interval);
                prop_assert_eq!(decision.reset_after, micros(full - level));
                let retry = (!decision.allowed && price <= full).then(|| micros(price - level));
                prop_assert_eq!(decision.retry_after, retry);
            }
        }

        #[test]
        fn no_window_admits_more_than_burst_and_rate(
            quota in quotas(),
            calls in prop::collection::vec((0_i64..100_000, 1_u32..5), 1..100),
        ) {
            let (mut key, mut now, mut admitted) = (Key::default(), 0, Vec::new());
            for (pause, cost) in calls {
                now += pause;
                if key.take(now, &quota, cost).allowed {
                    admitted.push((now, u128::from(cost)));
                }
            }
            let period = quota.period().as_micros();
            for (first, (from, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (to, cost) in &admitted[first..] {
                    sum += cost;
                    let earned = u128::from(quota.rate()) * u128::from((to - from).unsigned_abs());
                    prop_assert!(sum * period <= u128::from(quota.burst()) * period + earned);
                }
            }
        }

        #[test]
        fn allows_again_after_waiting_even_when_the_clock_jumps(
            quota in quotas(),
            calls in prop::collection::vec((-1_000_000_000_i64..1_000_000_000, 0_u32..20), 1..50),
        ) {
            let (mut key, mut now) = (Key::default(), 0);
            for (jump, cost) in calls {
                now += jump;
                let decision = key.take(now, &quota, cost);
                prop_assert!(decision.reset_after <= micros(quota.tolerance_micros()));
                if let Some(wait) = decision.retry_after {
                    prop_assert!(wait <= micros(quota.tolerance_micros()));
                    now += i64::try_from(wait.as_micros()).unwrap();
                    prop_assert!(key.take(now, &quota, cost).allowed);
                }
            }
        }

        #[test]
        fn never_overflows(tat: Option<i64>, now in -62_167_219_200_000_000..=253_402_300_799_999_999_i64, cost: u32) {
            for quota in [
                quota(1, Duration::from_secs(366 * 24 * 3600), 10),
                quota(u32::MAX, Duration::from_secs(4_295), u32::MAX),
                quota(1, Duration::from_micros(1), u32::MAX),
            ] {
                let (decision, _) = decide(tat, at(now), &quota, cost);
                prop_assert!(decision.remaining <= quota.burst());
                prop_assert!(decision.allowed || decision.retry_after.is_some() || cost > quota.burst());
            }
        }
    }

    #[test]
    fn asking_and_refusing_take_nothing() {
        let quota = quota(1, Duration::from_secs(1), 3);
        let mut key = Key::default();
        assert_eq!(key.take(0, &quota, 0).remaining, 3);
        assert_eq!(key.take(0, &quota, 2).remaining, 1);
        let refused = key.take(0, &quota, 2);
        assert_eq!((refused.allowed, refused.remaining, refused.retry_after), (false, 1, Some(Duration::from_secs(1))));
        assert_eq!(key.take(0, &quota, 4).retry_after, None);
        assert!(key.take(0, &quota, 1).allowed);
    }
}
