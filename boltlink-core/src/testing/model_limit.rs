//! Property tests of [`RateLimiter`](crate::store::RateLimiter).

use std::time::Duration;

use proptest::{collection::vec, prelude::*};

use super::{LimiterFixture, explore, limit::per_second};
use crate::{
    Clock,
    store::{Decision, Quota},
};

const KEYS: usize = 3;

/// A quota: per second, and at once.
fn quotas() -> impl Strategy<Value = Quota> {
    (1..50_u32, 1..20_u32).prop_map(|(rate, burst)| per_second(rate, burst))
}

/// Time passes, and somebody wants so much.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Back, if negative.
    after: i64,
    cost: u32,
    key: usize,
}

fn steps(after: impl Strategy<Value = i64> + 'static) -> impl Strategy<Value = Vec<Step>> {
    // Mostly at once, so that bursts come about.
    let after = prop_oneof![2 => Just(0), 3 => after];
    vec((after, 0..6_u32, 0..KEYS).prop_map(|(after, cost, key)| Step { after, cost, key }), 1..120)
}

/// Over any window, what is allowed is at most the burst and what the window's length brings back;
/// and who is refused is let in at the time the refusal says.
///
/// # Panics
/// If not.
pub fn no_window_admits_too_much(fixture: impl AsyncFn() -> LimiterFixture) {
    explore(&(quotas(), steps(0..400_000_i64)), fixture, async |fixture: &LimiterFixture, (quota, steps)| {
        let mut admitted: Vec<(i64, u64)> = Vec::new();
        for Step { after, cost, .. } in steps {
            pass(fixture, after);
            let mut decision = fixture.limiter.check("key", &quota, cost).await.unwrap();
            if let Some(wait) = decision.retry_after {
                assert!(!decision.allowed);
                fixture.clock.advance(wait);
                decision = fixture.limiter.check("key", &quota, cost).await.unwrap();
                assert!(decision.allowed, "refused at the time it was told: {decision:?}");
            }
            // What never fits is all that is refused now.
            assert_eq!(decision.allowed, cost <= quota.burst());
            if decision.allowed {
                admitted.push((fixture.clock.now().as_micros(), u64::from(cost)));
            }
        }
        for (first, (from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (to, cost) in &admitted[first..] {
                sum += cost;
                let refilled = u64::try_from((to - from) / quota.interval_micros()).unwrap();
                assert!(sum <= u64::from(quota.burst()) + refilled, "{sum} within {} µs", to - from);
            }
        }
    });
}

/// Wherever the clock jumps: who is refused is let in after one full burst's time at the latest.
///
/// # Panics
/// If not.
pub fn refusals_end_wherever_the_clock_jumps(fixture: impl AsyncFn() -> LimiterFixture) {
    let inputs = (quotas(), steps(-3_000_000..3_000_000_i64));
    explore(&inputs, fixture, async |fixture: &LimiterFixture, (quota, steps)| {
        let longest = Duration::from_micros(u64::try_from(quota.tolerance_micros()).unwrap());
        for Step { after, cost, .. } in steps {
            pass(fixture, after);
            let decision = fixture.limiter.check("key", &quota, cost).await.unwrap();
            assert!(decision.reset_after <= longest, "{decision:?}");
            let Some(wait) = decision.retry_after else { continue };
            assert!(wait <= longest, "{decision:?}");
            fixture.clock.advance(wait);
            assert!(fixture.limiter.check("key", &quota, cost).await.unwrap().allowed);
        }
    });
}

/// Every decision is the one of the plain algorithm: so all limiters decide alike. Only while the
/// clock goes on: what is forgotten of a key whose burst is back shows when time comes again.
///
/// # Panics
/// If not.
pub fn decisions_are_those_of_the_plain_algorithm(fixture: impl AsyncFn() -> LimiterFixture) {
    let inputs = (quotas(), steps(0..400_000_i64));
    explore(&inputs, fixture, async |fixture: &LimiterFixture, (quota, steps)| {
        let mut plain = [Plain::default(); KEYS];
        for Step { after, cost, key } in steps {
            pass(fixture, after);
            let decision = fixture.limiter.check(&format!("key-{key}"), &quota, cost).await.unwrap();
            let now = fixture.clock.now().as_micros();
            assert_eq!(decision, plain[key].check(&quota, cost, now), "key {key}, cost {cost}, at {now}");
        }
    });
}

fn pass(fixture: &LimiterFixture, after: i64) {
    let (now, by) = (fixture.clock.now(), Duration::from_micros(after.unsigned_abs()));
    fixture.clock.set(if after < 0 { now.minus(by) } else { now.plus(by) });
}

/// GCRA as its textbook has it: the moment at which all of the burst is back.
#[derive(Debug, Clone, Copy, Default)]
struct Plain {
    full_at: i64,
}

impl Plain {
    fn check(&mut self, quota: &Quota, cost: u32, now: i64) -> Decision {
        let (interval, tolerance) = (quota.interval_micros(), quota.tolerance_micros());
        let full_at = self.full_at.clamp(now, now + tolerance);
        let wanted = full_at + interval * i64::from(cost);
        let allowed = wanted <= now + tolerance;
        let left = if allowed { wanted } else { full_at };
        if allowed {
            self.full_at = left;
        }
        let micros = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap());
        Decision {
            allowed,
            limit: quota.burst(),
            remaining: u32::try_from((now + tolerance - left) / interval).unwrap(),
            reset_after: micros(left - now),
            retry_after: (!allowed && cost <= quota.burst()).then(|| micros(wanted - tolerance - now)),
        }
    }
}
