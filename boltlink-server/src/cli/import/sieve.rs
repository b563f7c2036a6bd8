//! Remembers much in little: what was never added is told apart from what may have been.

use std::hash::{BuildHasher, Hash, RandomState};

/// A Bloom filter (CACM 13(7), 1970) of fixed size. With a million members one question in a hundred
/// thousand is answered too carefully, with ten millions one in twenty-five.
pub(super) struct Sieve {
    bits: Box<[u64]>,
    hashes: [RandomState; 2],
}

/// 8 MiB.
const WORDS: usize = 1 << 20;
const PROBES: u64 = 4;

impl Sieve {
    pub(super) fn new() -> Self {
        Self { bits: vec![0; WORDS].into(), hashes: [RandomState::new(), RandomState::new()] }
    }

    /// Adds `member`; whether it is surely new.
    pub(super) fn add(&mut self, member: &impl Hash) -> bool {
        // Two hashes do the work of many (Kirsch, Mitzenmacher, ESA 2006).
        let [first, second] = [0, 1].map(|at| self.hashes[at].hash_one(member));
        let mut new = false;
        for probe in 0..PROBES {
            let bit = first.wrapping_add(second.wrapping_mul(probe));
            // The remainder fits: there are fewer words than any usize can count.
            #[allow(clippy::cast_possible_truncation)]
            let word = &mut self.bits[((bit >> 6) % WORDS as u64) as usize];
            let mask = 1 << (bit & 63);
            new |= *word & mask == 0;
            *word |= mask;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_never_new() {
        let mut sieve = Sieve::new();
        let fresh = (0..100_000).filter(|n| sieve.add(n)).count();
        assert!(fresh > 99_900, "{fresh}");
        assert!((0..100_000).all(|n| !sieve.add(&n)));
    }
}
