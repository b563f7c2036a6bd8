//! What a node holds and knows of each key.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    gcra,
    keyed::Keyed,
    store::{Decision, Quota},
    time::{Clock, Timestamp},
};

/// So many keys are kept in each part.
const KEYS_PER_SHARD: usize = 1_024;
const LONGEST_KEY: usize = 256;
/// What is held longer than this without a word from the central limiter is given up.
const LIFETIME: Duration = Duration::from_secs(10);
/// A key's lease is at most what was admitted of it divided by this.
const EARNED_PART: u64 = 4;

/// The keys of one node. Nothing here waits.
pub(super) struct Leases {
    clock: Arc<dyn Clock>,
    keys: Keyed<Known>,
}

/// How a check that has no answer here goes on.
pub(super) enum Route<'a> {
    /// By the central limiter, for its own cost.
    Alone,
    /// Somebody is fetching a lease, which has room for this check too: it has landed when the
    /// channel closes.
    Wait(watch::Receiver<()>),
    /// By the central limiter, for its own cost and a lease of so many.
    Lease { extra: u32, flight: Flight<'a> },
}

// The clock is read under the locks: two that wait for one must not exchange their times.
impl Leases {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, keys: Keyed::new() }
    }

    /// Decides by what is held, or refuses by what is known.
    pub(super) fn answer(&self, key: &str, quota: &Quota, cost: u32) -> Option<Decision> {
        let mut shard = self.keys.shard(key).lock();
        shard.values.get_mut(key)?.answer(self.clock.now(), quota, cost)
    }

    /// Says how to go on without an answer. A node holds at most `most` tokens of a key.
    pub(super) fn route<'a>(&'a self, key: &'a str, quota: &Quota, cost: u32, most: u32) -> Route<'a> {
        let mut shard = self.keys.shard(key).lock();
        let Some(known) = shard.values.get_mut(key) else { return Route::Alone };
        if let Some(flight) = &mut known.flight {
            let Some(left) = flight.room.checked_sub(cost.max(1)) else { return Route::Alone };
            flight.room = left;
            return Route::Wait(flight.landed.clone());
        }
        let extra = known.due(self.clock.now(), quota, cost, most);
        if extra == 0 {
            return Route::Alone;
        }
        let (lands, landed) = watch::channel(());
        known.flight = Some(InFlight { room: extra, landed });
        Route::Lease { extra, flight: Flight { leases: self, key, _lands: lands } }
    }

    /// Takes in what the central limiter has answered to a check of `cost`, asked for together with
    /// a lease of `extra`.
    pub(super) fn learn(&self, key: &str, quota: &Quota, decision: &Decision, cost: u32, extra: u32) {
        let mut shard = self.keys.shard(key).lock();
        let now = self.clock.now();
        shard.sweep(|known| !known.is_over(now));
        if let Some(known) = shard.values.get_mut(key) {
            known.learn(now, quota, decision, cost, extra);
        } else if key.len() <= LONGEST_KEY && shard.values.len() < KEYS_PER_SHARD {
            let mut known = Known::nothing(now, *quota);
            known.learn(now, quota, decision, cost, extra);
            shard.values.insert(key.into(), known);
        }
    }
}

/// A lease on its way. Dropped, landed or not, it lets the next one start and wakes who waits.
pub(super) struct Flight<'a> {
    leases: &'a Leases,
    key: &'a str,
    _lands: watch::Sender<()>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(known) = self.leases.keys.shard(self.key).lock().values.get_mut(self.key) {
            known.flight = None;
        }
    }
}

struct InFlight {
    /// For how much more it will do.
    room: u32,
    landed: watch::Receiver<()>,
}

/// One key.
struct Known {
    quota: Quota,
    /// When the central limiter last answered, on this node's clock, as is all below.
    heard: Timestamp,
    /// When it would have all of the burst back, by its last word, as [`gcra::decide`] counts it.
    full_at: Option<i64>,
    /// Tokens that were taken from the central limiter and not spent.
    held: u32,
    /// Tokens admitted since something last expired.
    admitted: u64,
    flight: Option<InFlight>,
}

impl Known {
    fn nothing(now: Timestamp, quota: Quota) -> Self {
        Self { quota, heard: now, full_at: None, held: 0, admitted: 0, flight: None }
    }

    fn answer(&mut self, now: Timestamp, quota: &Quota, cost: u32) -> Option<Decision> {
        self.expire(now, quota);
        let full_at = self.full_at?;
        if self.held >= cost.max(1) {
            self.held -= cost;
            self.admitted += u64::from(cost);
            // What is held has been taken centrally, but is still to be had.
            let unspent = quota.interval_micros().saturating_mul(i64::from(self.held));
            return Some(gcra::decide(Some(full_at.saturating_sub(unspent)), now, quota, 0).0);
        }
        let (decision, _) = gcra::decide(Some(full_at), now, quota, cost);
        // Only refusals are sure: others spend, too, and nothing but time gives back.
        (!decision.allowed).then_some(decision)
    }

    /// What to lease along with a check.
    fn due(&mut self, now: Timestamp, quota: &Quota, cost: u32, most: u32) -> u32 {
        self.expire(now, quota);
        if cost == 0 || self.full_at.is_none() {
            return 0;
        }
        let there = gcra::decide(self.full_at, now, quota, 0).0.remaining.saturating_sub(cost);
        let earned = u32::try_from(self.admitted / EARNED_PART).unwrap_or(u32::MAX);
        // Half of what is left, for others will want some.
        most.min(earned).min(there / 2).saturating_sub(self.held)
    }

    fn learn(&mut self, now: Timestamp, quota: &Quota, decision: &Decision, cost: u32, extra: u32) {
        self.expire(now, quota);
        let full_at = now.plus(decision.reset_after).as_micros();
        // Answers may overtake each other: the one that knows of more is the later one.
        self.full_at = self.full_at.max(Some(full_at));
        self.heard = now;
        if decision.allowed {
            self.admitted += u64::from(cost);
            self.held += extra;
        }
    }

    /// Forgets what is held no longer, or known of another quota or of a time yet to come.
    fn expire(&mut self, now: Timestamp, quota: &Quota) {
        if *quota != self.quota || now < self.heard {
            *self = Self { flight: self.flight.take(), ..Self::nothing(now, *quota) };
        } else if now.since(self.heard) >= LIFETIME {
            (self.held, self.admitted) = (0, 0);
        }
    }

    /// Whether there is nothing left that the next check could use.
    fn is_over(&self, now: Timestamp) -> bool {
        let refuses = || !gcra::decide(self.full_at, now, &self.quota, 1).0.allowed;
        self.flight.is_none() && (now < self.heard || (now.since(self.heard) >= LIFETIME && !refuses()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{keyed::SHARDS, time::FakeClock};

    fn quota() -> Quota {
        Quota::new(NonZeroU32::new(1_000).unwrap(), Duration::from_secs(100)).unwrap()
    }

    fn leases() -> (Leases, Arc<FakeClock>) {
        let clock = Arc::new(FakeClock::default());
        (Leases::new(clock.clone()), clock)
    }

    /// What the central limiter says to a check of 1 that it has refused, or not.
    fn decision(allowed: bool) -> Decision {
        let reset_after = Duration::from_secs(if allowed { 1 } else { 100 });
        Decision { allowed, limit: 1_000, remaining: 0, reset_after, retry_after: None }
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let (leases, clock) = leases();
        let flood = |allowed| {
            for key in 0..3 * SHARDS * KEYS_PER_SHARD {
                leases.learn(&format!("{allowed} {key}"), &quota(), &decision(allowed), 1, 0);
            }
        };
        flood(true);
        assert_eq!(leases.keys.len(), SHARDS * KEYS_PER_SHARD);
        clock.advance(LIFETIME);
        flood(false);
        assert_eq!(leases.keys.len(), SHARDS * KEYS_PER_SHARD, "others come in");
        clock.advance(Duration::from_secs(100));
        // None of these is kept, and all of them sweep.
        for key in 0..3 * SHARDS * KEYS_PER_SHARD {
            leases.learn(&format!("{key}{}", "x".repeat(LONGEST_KEY)), &quota(), &decision(true), 1, 0);
        }
        assert_eq!(leases.keys.len(), 0);
    }

    #[test]
    fn a_refusal_is_kept_until_it_ends() {
        let ((leases, clock), quota) = (leases(), quota());
        leases.learn("key", &quota, &decision(false), 1, 0);
        clock.advance(Duration::from_micros(99_999));
        let refusal = leases.answer("key", &quota, 1).unwrap();
        assert_eq!((refusal.allowed, refusal.retry_after), (false, Some(Duration::from_micros(1))));
        clock.advance(Duration::from_micros(1));
        assert_eq!(leases.answer("key", &quota, 1), None);
    }

    #[test]
    fn a_lease_is_earned_spent_and_expires() {
        let ((leases, clock), quota) = (leases(), quota());
        let extra = || match leases.route("key", &quota, 1, 100) {
            Route::Lease { extra, .. } => extra,
            Route::Alone | Route::Wait(_) => 0,
        };
        let learn = |cost, extra| {
            leases.learn("key", &quota, &decision(true), cost, extra);
        };
        assert_eq!(extra(), 0, "the first is not worth a lease");
        learn(40, 0);
        assert_eq!(extra(), 10);
        learn(1, 10);
        for _ in 0..10 {
            assert!(leases.answer("key", &quota, 1).unwrap().allowed);
        }
        assert_eq!(leases.answer("key", &quota, 1), None);
        learn(1_000, 100);
        clock.advance(LIFETIME);
        assert_eq!(leases.answer("key", &quota, 1), None, "expired");
        assert_eq!(extra(), 0, "to be earned again");
    }

    #[test]
    fn a_node_asks_for_what_is_missing_only() {
        let ((leases, _), quota) = (leases(), quota());
        leases.learn("key", &quota, &decision(true), 4_000, 90);
        let route = leases.route("key", &quota, 95, 100);
        assert!(matches!(route, Route::Lease { extra: 10, .. }));
    }

    #[test]
    fn one_lease_is_in_flight_and_others_wait_as_far_as_it_goes() {
        let ((leases, _), quota) = (leases(), quota());
        leases.learn("key", &quota, &decision(true), 8, 0);
        let route = || leases.route("key", &quota, 1, 100);
        let Route::Lease { extra: 2, flight } = route() else { panic!("no lease of two") };
        let (Route::Wait(mut first), Route::Wait(_)) = (route(), route()) else { panic!("did not wait") };
        assert!(matches!(route(), Route::Alone));
        assert!(first.has_changed().is_ok());
        drop(flight);
        assert!(first.has_changed().is_err() && first.borrow_and_update().eq(&()));
        assert!(matches!(route(), Route::Lease { .. }), "a flight that was given up bars the next one");
    }
}
