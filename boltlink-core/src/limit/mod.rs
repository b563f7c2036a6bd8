//! Rate limits over many nodes that seldom cost a round trip.

mod away;
mod leases;

use std::{fmt, num::NonZeroU32, sync::Arc};

use async_trait::async_trait;

use self::{
    away::Away,
    leases::{Leases, Route},
};
use crate::{
    error::StoreError,
    store::{Decision, Quota, RateLimiter},
    time::Clock,
};

/// Spends tokens that were leased from a central limiter, so that a busy key costs one round trip in
/// many checks, and a key that is refused costs none until its time has come.
///
/// Every node has one of these in front of the limiter that all of them share.
///
/// # Bound
///
/// Over any window `w`, `nodes` nodes admit for a key at most
///
/// ```text
/// burst + rate·w + nodes·(lease + grace)
/// ```
///
/// where [`lease`](Self::lease) is at most `burst / (10·nodes)`, so that all leases together are at
/// most a tenth of the burst, and `grace` is nothing as long as the central limiter answers. The
/// moments that count are those in which the central limiter decides or a leased token is spent; the
/// window is measured by the central limiter's clock.
///
/// *Why.* Each token that is spent was taken from the central limiter first, by the check itself or as
/// part of a lease. What is taken within the window is at most `burst + rate·w`: that is the central
/// limiter's own contract. What was taken before and is spent in it was, when the window opened, in a
/// lease that a node held or had asked for, and both together never exceed `lease`: a node has one
/// request for a lease in flight per key and asks for what is missing. Nothing here depends on a
/// node's clock. Whatever else happens (a reply is lost, a caller goes away, a node dies, a lease
/// expires) loses tokens that the central limiter has counted, and admits nobody.
///
/// # When the central limiter is away
///
/// When it answers [`StoreError::Unavailable`], each node decides by itself, by a share of the quota:
/// `burst / nodes` tokens, at least one, that come back at `rate / nodes`, at least one a year. The
/// central limiter is asked again by one check after a pause: the one the error names, else a second,
/// at most ten. `grace` is what the share admits between its first and its last use in the window: at most
/// `max(1, burst / nodes) + rate·w / nodes`, by the node's clock, and as much again for each time that
/// the node is restarted in the meantime. So a window that lies wholly in an outage admits what it may
/// always admit, if `nodes` is right and not over the burst, and one that does not at most twice that.
///
/// Other errors are passed on.
///
/// # Cost
///
/// - Keys that are seldom used are judged by the central limiter alone: a node begins to lease a key
///   once it has admitted four of it, and never holds more than a quarter of what it admitted. Leases
///   expire ten seconds after the central limiter was last asked; so what is lost in them is at most
///   a quarter of what was admitted.
/// - Quotas whose lease would be under four tokens (`burst < 40·nodes`) are judged by the central
///   limiter alone.
/// - [`check`](RateLimiter::check) takes a round trip, and a second one if a lease was refused although
///   its own cost may be there: when other nodes took what was left meanwhile.
/// - A decision that was made here counts what other nodes have spent up to this node's last round
///   trip.
/// - A refusal that is sure is made here: what the central limiter would refuse by what this node last
///   heard of the key. It ends when the central limiter said, and says so.
/// - At most 65,536 keys are kept, of at most 256 bytes each; others are judged by the central limiter
///   alone. While it is away, each key that is asked for costs what it costs a
///   [`MemoryLimiter`](crate::memory::MemoryLimiter).
pub struct LocalFirst {
    central: Arc<dyn RateLimiter>,
    nodes: NonZeroU32,
    clock: Arc<dyn Clock>,
    leases: Leases,
    away: Away,
}

impl LocalFirst {
    /// A lease below this saves nothing.
    const LEAST_LEASE: u32 = 4;
    /// All leases together are at most the burst divided by this.
    const LEASED_PART: u32 = 10;

    /// One of `nodes` nodes in front of `central`. If there are more nodes than that, leases and
    /// shares add up to more than the bound says, in proportion.
    #[must_use]
    pub fn new(central: Arc<dyn RateLimiter>, nodes: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self { central, nodes, leases: Leases::new(clock.clone()), away: Away::new(nodes, clock.clone()), clock }
    }

    /// How many tokens of a key this node holds at most; 0 if the quota is too small to lease any.
    #[must_use]
    pub fn lease(&self, quota: &Quota) -> u32 {
        let lease = quota.burst() / self.nodes.get().saturating_mul(Self::LEASED_PART);
        if lease < Self::LEAST_LEASE { 0 } else { lease }
    }

    /// Asks the central limiter; `None` if it is away.
    async fn ask(&self, key: &str, quota: &Quota, cost: u32) -> Result<Option<Decision>, StoreError> {
        if !self.away.may_ask(self.clock.now()) {
            return Ok(None);
        }
        match self.central.check(key, quota, cost).await {
            Ok(decision) => {
                self.away.is_back();
                Ok(Some(decision))
            }
            Err(StoreError::Unavailable { retry, .. }) => {
                self.away.is_away(self.clock.now(), retry);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A check that takes no more than its own cost.
    async fn check_alone(&self, key: &str, quota: &Quota, cost: u32) -> Result<Decision, StoreError> {
        let Some(decision) = self.ask(key, quota, cost).await? else {
            return Ok(self.away.judge(key, quota, cost));
        };
        self.leases.learn(key, quota, &decision, cost, 0);
        Ok(decision)
    }
}

impl fmt::Debug for LocalFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFirst").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

#[async_trait]
impl RateLimiter for LocalFirst {
    async fn check(&self, key: &str, quota: &Quota, cost: u32) -> Result<Decision, StoreError> {
        if let Some(decision) = self.try_check(key, quota, cost) {
            return Ok(decision);
        }
        match self.leases.route(key, quota, cost, self.lease(quota)) {
            Route::Alone => {}
            Route::Wait(mut landed) => {
                // An error says that the flight has landed: its sender is gone.
                while landed.changed().await.is_ok() {}
                if let Some(decision) = self.leases.answer(key, quota, cost) {
                    return Ok(decision);
                }
            }
            Route::Lease { extra, flight } => {
                let Some(decision) = self.ask(key, quota, cost.saturating_add(extra)).await? else {
                    return Ok(self.away.judge(key, quota, cost));
                };
                self.leases.learn(key, quota, &decision, cost, extra);
                drop(flight);
                if decision.allowed {
                    // Asked for nothing, to count what was leased as unspent.
                    return Ok(self.leases.answer(key, quota, 0).unwrap_or(decision));
                }
                if let Some(decision) = self.leases.answer(key, quota, cost) {
                    return Ok(decision);
                }
            }
        }
        self.check_alone(key, quota, cost).await
    }

    fn try_check(&self, key: &str, quota: &Quota, cost: u32) -> Option<Decision> {
        self.leases
            .answer(key, quota, cost)
            .or_else(|| self.central.try_check(key, quota, cost))
            .or_else(|| self.away.lasts(self.clock.now()).then(|| self.away.judge(key, quota, cost)))
    }
}
