//! Which of many clicks are kept one by one.
//!
//! Totals and rollups count every click. Single clicks are kept for a look at who came, and up to a rate that a
//! store can bear: beyond it some stand for others, with a weight. Weights are whole numbers and add up to the
//! clicks, for every link, so that nothing read from a sample contradicts the totals.

use std::{collections::HashMap, time::Duration};

use crate::{
    click::{Click, ClickBatch, clamp_skew},
    id::{ClickId, LinkId},
    store::RawClick,
    time::Timestamp,
};

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

/// The clicks of `batches` to be kept, in their order: all that are not older than `retention`, if there are at most
/// `allowed`; else each link's share, and at least one: every so-many-eth, for those since the one before.
///
/// Clicks that are not kept cost two looks into a map: they are most where it matters.
pub fn sample<'a>(
    batches: impl IntoIterator<Item = &'a ClickBatch> + Clone,
    allowed: u64,
    retention: Duration,
    now: Timestamp,
) -> Vec<Sampled<'a>> {
    let oldest = now.minus(retention);
    let mut links: HashMap<LinkId, Share> = HashMap::new();
    let mut all = 0_u64;
    for click in batches.clone().into_iter().flat_map(ClickBatch::clicks) {
        if clamp_skew(click.at, now) >= oldest {
            all += 1;
            links.entry(click.link).or_default().clicks += 1;
        }
    }
    let mut kept = Vec::with_capacity(usize::try_from(all.min(allowed)).unwrap_or_default());
    for batch in batches {
        for (index, click) in batch.clicks().enumerate() {
            let at = clamp_skew(click.at, now);
            let share = links.get_mut(&click.link).filter(|_| at >= oldest);
            if let Some(weight) = share.and_then(|share| share.next(allowed, all)) {
                kept.push(Sampled { click, id: batch.click_id(index, at), at, weight });
            }
        }
    }
    kept
}

/// How far one link's clicks have been gone through.
#[derive(Debug, Default)]
struct Share {
    clicks: u64,
    seen: u64,
    /// Those that the next one that is kept stands for, itself not included.
    waiting: u64,
}

impl Share {
    /// The weight of the link's next click, if it is to be kept.
    fn next(&mut self, allowed: u64, all: u64) -> Option<u64> {
        let of = |clicks: u64, part: u64, whole: u64| u128::from(clicks) * u128::from(part) / u128::from(whole.max(1));
        let keep =
            if all <= allowed { self.clicks } else { u64::try_from(of(self.clicks, allowed, all)).unwrap_or(0).max(1) };
        let before = of(self.seen, keep, self.clicks);
        self.seen += 1;
        self.waiting += 1;
        // The last one of all is always kept: the weights add up.
        (of(self.seen, keep, self.clicks) > before).then(|| std::mem::take(&mut self.waiting))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        click::BatchId,
        random::{EntropyExt, SeededEntropy},
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
            let batches = batches(&links);
            let kept = sample(&batches, allowed, Duration::from_secs(1), Timestamp::EPOCH);
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
        let later = Timestamp::EPOCH.plus(Duration::from_secs(10));
        assert!(sample(&batches(&[1]), 9, Duration::from_secs(9), later).is_empty());
        assert_eq!(sample(&batches(&[1]), 9, Duration::from_secs(10), later).len(), 1);
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
