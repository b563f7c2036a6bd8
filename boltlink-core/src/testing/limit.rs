//! The contract of [`RateLimiter`](crate::store::RateLimiter).

#![allow(missing_docs)] // A case's name says what it shows.

use std::{num::NonZeroU32, time::Duration};

use super::{LimiterFixture, parallel};
use crate::{
    Clock,
    store::{Decision, Quota},
};

/// Runs the suite of [`RateLimiter`](crate::store::RateLimiter): `limiter_suite!(fixture)`, where
/// `async fn fixture() ->` [`LimiterFixture`](crate::testing::LimiterFixture) makes a fresh one.
#[macro_export]
macro_rules! limiter_suite {
    ($fixture:path) => {
        $crate::__cases! { limiter, $fixture, run, limit:
            a_burst_is_allowed_at_once_and_no_more
            a_decision_says_what_is_left
            a_refusal_takes_nothing
            a_refusal_says_when_to_come_back
            what_never_fits_is_refused_for_good
            asking_takes_nothing
            the_rate_is_kept_for_ever
            all_of_the_burst_comes_back
            keys_are_apart
            any_text_is_a_key
            parallel_calls_share_one_burst
            a_clock_that_goes_backwards_refuses_no_longer_than_a_burst
            another_quota_refuses_no_longer_than_its_burst
            extreme_quotas_are_kept
            a_synchronous_answer_is_one_of_the_same_kind
        }
        mod limiter_model {
            #[allow(unused_imports)] // The fixture may be named by a full path.
            use super::*;
            #[test]
            fn no_window_admits_too_much() {
                $crate::testing::model_limit::no_window_admits_too_much($fixture);
            }
            #[test]
            fn refusals_end_wherever_the_clock_jumps() {
                $crate::testing::model_limit::refusals_end_wherever_the_clock_jumps($fixture);
            }
            #[test]
            fn decisions_are_those_of_the_plain_algorithm() {
                $crate::testing::model_limit::decisions_are_those_of_the_plain_algorithm($fixture);
            }
        }
    };
}

/// So many per second, with another burst.
pub(super) fn per_second(rate: u32, burst: u32) -> Quota {
    let rate = NonZeroU32::new(rate).unwrap();
    Quota::new(rate, Duration::from_secs(1)).unwrap().with_burst(NonZeroU32::new(burst).unwrap()).unwrap()
}

async fn check(fixture: &LimiterFixture, quota: &Quota, cost: u32) -> Decision {
    fixture.limiter.check("key", quota, cost).await.unwrap()
}

pub async fn a_burst_is_allowed_at_once_and_no_more(fixture: &LimiterFixture) {
    let quota = per_second(10, 5);
    for _ in 0..5 {
        assert!(check(fixture, &quota, 1).await.allowed);
    }
    assert!(!check(fixture, &quota, 1).await.allowed);
}

pub async fn a_decision_says_what_is_left(fixture: &LimiterFixture) {
    let quota = per_second(10, 5);
    let millis = Duration::from_millis;
    let decision = |allowed, remaining, reset_after, retry_after| Decision {
        allowed,
        limit: 5,
        remaining,
        reset_after: millis(reset_after),
        retry_after,
    };
    assert_eq!(check(fixture, &quota, 1).await, decision(true, 4, 100, None));
    assert_eq!(check(fixture, &quota, 3).await, decision(true, 1, 400, None));
    assert_eq!(check(fixture, &quota, 2).await, decision(false, 1, 400, Some(millis(100))));
    assert_eq!(check(fixture, &quota, 1).await, decision(true, 0, 500, None));
    assert_eq!(check(fixture, &quota, 5).await, decision(false, 0, 500, Some(millis(500))));
    fixture.clock.advance(millis(250));
    assert_eq!(check(fixture, &quota, 0).await, decision(true, 2, 250, None));
    assert_eq!(check(fixture, &quota, 3).await, decision(false, 2, 250, Some(millis(50))));
}

pub async fn a_refusal_takes_nothing(fixture: &LimiterFixture) {
    let quota = per_second(10, 5);
    check(fixture, &quota, 3).await;
    for _ in 0..9 {
        assert!(!check(fixture, &quota, 3).await.allowed);
    }
    assert!(check(fixture, &quota, 2).await.allowed);
}

pub async fn a_refusal_says_when_to_come_back(fixture: &LimiterFixture) {
    for (rate, burst, cost) in [(10, 5, 1), (10, 5, 5), (3, 4, 2), (7, 1, 1)] {
        let quota = per_second(rate, burst);
        let key = format!("{rate}-{burst}-{cost}");
        let again = || fixture.limiter.check(&key, &quota, cost);
        while again().await.unwrap().allowed {}
        let wait = again().await.unwrap().retry_after.unwrap();
        fixture.clock.advance(wait - Duration::from_micros(1));
        assert!(!again().await.unwrap().allowed, "{key} was let in early");
        fixture.clock.advance(Duration::from_micros(1));
        assert!(again().await.unwrap().allowed, "{key} was told a time too short");
    }
}

pub async fn what_never_fits_is_refused_for_good(fixture: &LimiterFixture) {
    let quota = per_second(10, 5);
    for cost in [6, u32::MAX] {
        let decision = check(fixture, &quota, cost).await;
        assert_eq!((decision.allowed, decision.remaining, decision.retry_after), (false, 5, None));
    }
    assert!(check(fixture, &quota, 5).await.allowed);
}

pub async fn asking_takes_nothing(fixture: &LimiterFixture) {
    let quota = per_second(10, 2);
    for _ in 0..9 {
        let decision = check(fixture, &quota, 0).await;
        assert_eq!((decision.allowed, decision.remaining, decision.reset_after), (true, 2, Duration::ZERO));
    }
    check(fixture, &quota, 2).await;
    assert_eq!(check(fixture, &quota, 0).await.remaining, 0);
}

pub async fn the_rate_is_kept_for_ever(fixture: &LimiterFixture) {
    let quota = per_second(3, 2);
    let mut allowed = 0;
    for _ in 0..10_000 {
        allowed += u32::from(check(fixture, &quota, 1).await.allowed);
        fixture.clock.advance(Duration::from_millis(10));
    }
    // A hundred seconds at three per second, an interval of which is 333,334 µs.
    assert!((299..=302).contains(&allowed), "{allowed}");
}

pub async fn all_of_the_burst_comes_back(fixture: &LimiterFixture) {
    let quota = per_second(10, 5);
    for _ in 0..3 {
        let decision = check(fixture, &quota, 5).await;
        assert!(decision.allowed);
        fixture.clock.advance(decision.reset_after);
    }
    fixture.clock.advance(Duration::from_secs(3_600));
    let decision = check(fixture, &quota, 0).await;
    assert_eq!((decision.remaining, decision.reset_after), (5, Duration::ZERO), "rest is not saved up");
}

pub async fn keys_are_apart(fixture: &LimiterFixture) {
    let quota = per_second(1, 1);
    for key in ["a", "b", "A", "a "] {
        assert!(fixture.limiter.check(key, &quota, 1).await.unwrap().allowed, "{key:?}");
        assert!(!fixture.limiter.check(key, &quota, 1).await.unwrap().allowed, "{key:?}");
    }
}

pub async fn any_text_is_a_key(fixture: &LimiterFixture) {
    let quota = per_second(1, 1);
    let long = "x".repeat(5_000);
    for key in ["", " ", "ä:{b}*?", "\0\n", &long] {
        assert!(fixture.limiter.check(key, &quota, 1).await.unwrap().allowed, "{key:?}");
        assert!(!fixture.limiter.check(key, &quota, 1).await.unwrap().allowed, "{key:?}");
    }
}

pub async fn parallel_calls_share_one_burst(fixture: &LimiterFixture) {
    let allowed = parallel(64, |_| {
        let limiter = fixture.limiter.clone();
        async move {
            let mut allowed = 0;
            for _ in 0..5 {
                allowed += u32::from(limiter.check("key", &per_second(1, 100), 1).await.unwrap().allowed);
            }
            allowed
        }
    })
    .await;
    assert_eq!(allowed.iter().sum::<u32>(), 100);
}

pub async fn a_clock_that_goes_backwards_refuses_no_longer_than_a_burst(fixture: &LimiterFixture) {
    let quota = per_second(10, 5);
    check(fixture, &quota, 5).await;
    fixture.clock.set(fixture.clock.now().minus(Duration::from_secs(24 * 3_600)));
    let refused = check(fixture, &quota, 5).await;
    assert!(!refused.allowed);
    assert_eq!(refused.retry_after, Some(Duration::from_millis(500)));
    fixture.clock.advance(Duration::from_millis(500));
    assert!(check(fixture, &quota, 5).await.allowed);
}

pub async fn another_quota_refuses_no_longer_than_its_burst(fixture: &LimiterFixture) {
    let (wide, narrow) = (per_second(1, 100), per_second(10, 5));
    check(fixture, &wide, 100).await;
    assert!(check(fixture, &narrow, 1).await.retry_after.unwrap() <= Duration::from_millis(500));
    fixture.clock.advance(Duration::from_millis(500));
    assert!(check(fixture, &narrow, 5).await.allowed);
    assert!(!check(fixture, &narrow, 1).await.allowed);
}

pub async fn extreme_quotas_are_kept(fixture: &LimiterFixture) {
    let year = Duration::from_secs(366 * 24 * 3_600);
    let one = NonZeroU32::MIN;
    let slow = Quota::new(one, year).unwrap().with_burst(NonZeroU32::new(10).unwrap()).unwrap();
    let fast = Quota::new(NonZeroU32::new(1_000_000).unwrap(), Duration::from_secs(1)).unwrap();
    for (key, quota) in [("slow", slow), ("fast", fast)] {
        let all = fixture.limiter.check(key, &quota, quota.burst()).await.unwrap();
        assert_eq!((all.allowed, all.remaining), (true, 0), "{key}");
        let next = fixture.limiter.check(key, &quota, 1).await.unwrap();
        let interval = Duration::from_micros(u64::try_from(quota.interval_micros()).unwrap());
        assert_eq!((next.allowed, next.retry_after), (false, Some(interval)), "{key}");
        fixture.clock.advance(interval);
        assert!(fixture.limiter.check(key, &quota, 1).await.unwrap().allowed, "{key}");
    }
}

pub async fn a_synchronous_answer_is_one_of_the_same_kind(fixture: &LimiterFixture) {
    let quota = per_second(10, 5);
    let mut allowed = 0;
    for _ in 0..9 {
        let decision = match fixture.limiter.try_check("key", &quota, 1) {
            Some(decision) => decision,
            None => check(fixture, &quota, 1).await,
        };
        assert_eq!(decision.limit, 5);
        allowed += u32::from(decision.allowed);
    }
    assert_eq!(allowed, 5);
}
