//! Which of many clicks are kept one by one.
//!
//! Totals and rollups count every click. Single clicks are kept for a look at who came, and up to a rate that a
//! store can bear: beyond it some stand for others, with a weight. Weights are whole numbers and add up to the
//! clicks, for every link, so that nothing read from a sample contradicts the totals.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

pub use crate::click::{Others, Pack};
use crate::{click::Click, id::ClickId, store::RawClick, time::Timestamp};

/// How many single clicks a store keeps, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawClicks {
    /// How many a second, on average; none at all if this is 0.
    pub per_second: u32,
    /// For how long.
    pub retention: Duration,
}

impl Default for RawClicks {
    /// 500 a second, for 30 days.
    fn default() -> Self {
        Self { per_second: 500, retention: Duration::from_secs(30 * 24 * 3_600) }
    }
}

/// What is left of the rate: saved up to ten seconds' worth, so that a burst after a silence is kept whole.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    rate: u32,
    left: u64,
    at: Timestamp,
}

/// How many seconds' worth can be saved up.
const SAVED: u64 = 10;

impl Allowance {
    /// All that can be saved up.
    #[must_use]
    pub fn full(rate: u32, now: Timestamp) -> Self {
        Self { rate, left: u64::from(rate) * SAVED, at: now }
    }

    /// How many clicks may be kept at `now`. A clock that goes back costs nothing and gives nothing.
    pub fn refill(&mut self, now: Timestamp) -> u64 {
        let earned = now.since(self.at).as_micros() * u128::from(self.rate) / 1_000_000;
        if earned > 0 || now < self.at {
            // A part of a click that was earned is kept for the next time.
            let counted = earned * 1_000_000 / u128::from(self.rate).max(1);
            let until = self.at.plus(Duration::from_micros(u64::try_from(counted).unwrap_or(u64::MAX)));
            self.at = until.min(now);
            let earned = u64::try_from(earned).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(earned).min(u64::from(self.rate) * SAVED);
        }
        self.left
    }

    /// Takes away what was kept.
    pub fn spend(&mut self, kept: u64) {
        self.left = self.left.saturating_sub(kept);
    }
}

/// A click that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled<'a> {
    /// The click.
    pub click: Click<'a>,
    /// Its id.
    pub id: ClickId,
    /// When it counts for.
    pub at: Timestamp,
    /// How many clicks it stands for, itself included.
    pub weight: u64,
}

impl Sampled<'_> {
    /// The same, for a store to keep.
    #[must_use]
    pub fn to_raw(&self) -> RawClick {
        RawClick {
            id: self.id,
            at: self.at,
            weight: self.weight,
            referrer: self.click.referrer.map(str::to_owned),
            user_agent: self.click.user_agent.map(str::to_owned),
            language: self.click.language.map(str::to_owned),
            visitor: self.click.visitor,
            network: self.click.network,
        }
    }
}

/// Decides which clicks of a [tally](crate::tally::Tally) are kept: the first of each link, and of all others every
/// so-many-eth, so that there are as many as the rate allows. Each stands for those of its link up to the next that is kept.
///
/// Cloning shares the rate.
#[derive(Debug, Clone)]
pub struct Sampler {
    clicks: RawClicks,
    allowance: Arc<Mutex<Allowance>>,
}

impl Sampler {
    /// One with all that can be saved up.
    #[must_use]
    pub fn new(clicks: RawClicks, now: Timestamp) -> Self {
        Self { clicks, allowance: Arc::new(Mutex::new(Allowance::full(clicks.per_second, now))) }
    }

    /// One that keeps every click.
    #[must_use]
    pub fn of_all(retention: Duration) -> Self {
        Self::new(RawClicks { per_second: u32::MAX, retention }, Timestamp::EPOCH)
    }

    /// What it keeps.
    #[must_use]
    pub const fn raw_clicks(&self) -> RawClicks {
        self.clicks
    }

    /// What is allowed of so many clicks.
    pub(crate) fn begin(&self, clicks: u64, now: Timestamp) -> Share {
        let allowed = match self.clicks.per_second {
            0 => 0,
            _ => self.allowance.lock().refill(now).min(clicks),
        };
        // Nothing is young enough to be kept if nothing is kept.
        let oldest = (self.clicks.per_second > 0).then(|| now.minus(self.clicks.retention));
        Share { allowed, clicks, sum: 0, taken: 0, oldest }
    }

    /// Takes what was kept off the rate.
    pub(crate) fn end(&self, share: Share) {
        if share.taken > 0 {
            self.allowance.lock().spend(share.taken);
        }
    }
}

/// So many of so many clicks, spread evenly (Bresenham's line).
#[derive(Debug)]
pub(crate) struct Share {
    allowed: u64,
    clicks: u64,
    sum: u64,
    taken: u64,
    oldest: Option<Timestamp>,
}

impl Share {
    pub(crate) fn is_too_old(&self, at: Timestamp) -> bool {
        self.oldest.is_none_or(|oldest| at < oldest)
    }

    /// Whether the next click is to be kept.
    pub(crate) const fn is_due(&mut self) -> bool {
        self.sum += self.allowed;
        let due = self.sum >= self.clicks;
        if due {
            self.sum -= self.clicks;
        }
        due
    }

    /// Notes that one was kept.
    pub(crate) const fn take(&mut self) {
        self.taken += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        click::{BatchId, ClickBatch},
        id::LinkId,
        random::{EntropyExt, SeededEntropy},
        tally::Tally,
    };

    fn batches(links: &[u8]) -> Vec<ClickBatch> {
        let entropy = SeededEntropy::new(1);
        let producer = entropy.producer_id(Timestamp::EPOCH);
        let click = |link: &u8| Click::bare(LinkId::from_uuid(uuid::Uuid::from_u128((*link).into())), Timestamp::EPOCH);
        let batch = |(at, links): (usize, &[u8])| {
            ClickBatch::new(BatchId { producer, sequence: at as u64 + 1 }, links.iter().map(click))
        };
        links.chunks(7).enumerate().map(batch).collect()
    }

    proptest! {
        #[test]
        fn weights_add_up_to_the_clicks_of_each_link(links in prop::collection::vec(0..9_u8, 0..200), allowed in 0..250_u64) {
            let sampler = Sampler::new(RawClicks { per_second: 1, retention: Duration::from_secs(1) }, Timestamp::EPOCH);
            *sampler.allowance.lock() = Allowance { rate: 1, left: allowed, at: Timestamp::EPOCH };
            let mut tally = Tally::of_analytics(sampler);
            tally.add(&batches(&links), Timestamp::EPOCH);
            let kept = tally.sample();
            for link in 0..9_u8 {
                let of_link = |sampled: &&Sampled<'_>| sampled.click.link.as_uuid().as_u128() == link.into();
                let weight: u64 = kept.iter().filter(of_link).map(|sampled| sampled.weight).sum();
                prop_assert_eq!(weight, links.iter().filter(|one| **one == link).count() as u64);
            }
            // Every link has one at least, whatever is allowed.
            prop_assert!(kept.len() as u64 <= allowed.max(9).min(links.len() as u64) + 9);
            if allowed >= links.len() as u64 {
                prop_assert!(kept.len() == links.len() && kept.iter().all(|sampled| sampled.weight == 1));
            }
        }
    }

    #[test]
    fn old_clicks_are_not_kept() {
        let kept = |retention| {
            let mut tally = Tally::of_analytics(Sampler::of_all(Duration::from_secs(retention)));
            tally.add(&batches(&[1]), Timestamp::EPOCH.plus(Duration::from_secs(10)));
            tally.sample().len()
        };
        assert_eq!((kept(9), kept(10)), (0, 1));
    }

    #[test]
    fn an_allowance_is_earned_and_spent() {
        let at = |seconds| Timestamp::EPOCH.plus(Duration::from_secs(seconds));
        let mut allowance = Allowance::full(5, at(0));
        assert_eq!(allowance.refill(at(0)), 50);
        allowance.spend(50);
        assert_eq!(allowance.refill(at(2)), 10);
        assert_eq!(allowance.refill(at(1)), 10, "a clock that goes back gives nothing");
        assert_eq!(allowance.refill(at(100)), 50);
    }
}
