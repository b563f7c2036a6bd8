//! Where identifiers, slugs and secrets come from; injected, so that tests are repeatable.

use std::{collections::HashSet, num::NonZeroU8};

use parking_lot::Mutex;
use uuid::Uuid;

use crate::{
    id::{AccountId, ApiKeyId, AuditId, LinkId, ProducerId, SessionId, uuid_v7},
    new_link::SlugLength,
    slug::Slug,
    time::Timestamp,
};

/// A source of random bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`. For anything but tests they must come from a CSPRNG: slugs are what keeps a
    /// link from being guessed, and keys are secrets.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// If the operating system has no randomness to give: nothing safe can be made then.
    #[allow(clippy::expect_used)] // There is no sound way on without randomness.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives no random bytes");
    }
}

/// A repeatable sequence (SplitMix64), for tests only: anyone can predict it.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock();
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Makes identifiers and secrets out of an [`Entropy`].
pub trait EntropyExt: Entropy {
    /// `N` random bytes.
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A UUIDv7 of `at`.
    fn uuid(&self, at: Timestamp) -> Uuid {
        uuid_v7(at, &self.bytes())
    }

    /// A new link's id.
    fn link_id(&self, at: Timestamp) -> LinkId {
        LinkId::from_uuid(self.uuid(at))
    }

    /// A new account's id.
    fn account_id(&self, at: Timestamp) -> AccountId {
        AccountId::from_uuid(self.uuid(at))
    }

    /// A new API key's id.
    fn api_key_id(&self, at: Timestamp) -> ApiKeyId {
        ApiKeyId::from_uuid(self.uuid(at))
    }

    /// A new session's id.
    fn session_id(&self, at: Timestamp) -> SessionId {
        SessionId::from_uuid(self.uuid(at))
    }

    /// The id of a new entry of the audit log.
    fn audit_id(&self, at: Timestamp) -> AuditId {
        AuditId::from_uuid(self.uuid(at))
    }

    /// A new recorder's id.
    fn producer_id(&self, at: Timestamp) -> ProducerId {
        ProducerId::from_uuid(self.uuid(at))
    }
}

impl<E: Entropy + ?Sized> EntropyExt for E {}

/// Proposes slugs for links that are created without one.
pub trait SlugSource: Send + Sync + 'static {
    /// A slug for the `attempt`-th try (from 0) at one link, of `length` characters if the link's maker
    /// wants so. The store decides whether it is free; a later attempt should draw from a larger space.
    fn propose(&self, entropy: &dyn Entropy, attempt: u32, length: Option<SlugLength>) -> Slug;
}

/// Random slugs over an alphabet: never sequential, so that links cannot be enumerated.
#[derive(Debug, Clone)]
pub struct RandomSlugs {
    alphabet: &'static [u8],
    length: NonZeroU8,
}

/// After so many collisions at one length the space counts as full and slugs grow by one.
const TRIES_PER_LENGTH: u32 = 4;
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Without 0 O o 1 I l i, which people mistake for one another.
const DISTINCT: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz";

impl RandomSlugs {
    /// Slugs of `length` characters (at most 32) of `[0-9A-Za-z]`.
    #[must_use]
    pub fn new(length: NonZeroU8) -> Self {
        Self { alphabet: BASE62, length: length.min(NonZeroU8::new(32).unwrap_or(length)) }
    }

    /// The same without characters that look alike.
    #[must_use]
    pub fn without_look_alikes(self) -> Self {
        Self { alphabet: DISTINCT, ..self }
    }
}

impl Default for RandomSlugs {
    /// Seven characters: 3.5 × 10¹² slugs.
    fn default() -> Self {
        Self { alphabet: BASE62, length: NonZeroU8::new(7).unwrap_or(NonZeroU8::MIN) }
    }
}

impl SlugSource for RandomSlugs {
    fn propose(&self, entropy: &dyn Entropy, attempt: u32, length: Option<SlugLength>) -> Slug {
        let wanted = length.map_or(self.length.get(), SlugLength::get);
        let grown = u32::from(wanted) + attempt / TRIES_PER_LENGTH;
        let length = usize::try_from(grown).unwrap_or(usize::MAX).min(crate::slug::MAX_LENGTH);
        // Bytes past the largest multiple of the alphabet are thrown away: no letter is likelier.
        let fair = 256 - 256 % self.alphabet.len();
        let mut text = String::with_capacity(length);
        while text.len() < length {
            for byte in entropy.bytes::<16>() {
                let byte = usize::from(byte);
                if byte < fair && text.len() < length {
                    text.push(char::from(self.alphabet[byte % self.alphabet.len()]));
                }
            }
        }
        Slug::generated(text)
    }
}

/// Proposes what another source does, but nothing that reads like one of certain words.
pub struct WithoutWords<S> {
    slugs: S,
    words: HashSet<String>,
    /// The most bytes that one of them has.
    longest: usize,
}

impl<S> WithoutWords<S> {
    /// How often another slug is drawn. Where words are in everything that a source proposes, one of them is better
    /// than none.
    const TRIES: usize = 16;

    /// `slugs` without these words, in lower case. As slugs are random, what counts is how a word may be read: one of
    /// three letters is looked for as a whole slug, one with digits in it at the ends, all others anywhere.
    #[must_use]
    pub fn new(slugs: S, words: impl IntoIterator<Item = String>) -> Self {
        let words: HashSet<_> = words.into_iter().filter(|word| word.len() >= 3).collect();
        Self { slugs, longest: words.iter().map(String::len).max().unwrap_or(0), words }
    }

    fn reads_badly(&self, slug: &str) -> bool {
        let slug = slug.to_lowercase();
        let parts = (0..slug.len()).flat_map(|start| {
            let ends = start + 3..=slug.len().min(start + self.longest);
            ends.map(move |end| (start, end))
        });
        // A handful of look-ups, however many words there are.
        parts.filter_map(|(start, end)| Some((start, end, slug.get(start..end)?))).any(|(start, end, part)| {
            self.words.contains(part)
                && if part.len() == 3 || slug.len() == 3 {
                    part.len() == slug.len()
                } else {
                    start == 0 || end == slug.len() || !part.bytes().any(|byte| byte.is_ascii_digit())
                }
        })
    }
}

impl<S: SlugSource> SlugSource for WithoutWords<S> {
    fn propose(&self, entropy: &dyn Entropy, attempt: u32, length: Option<SlugLength>) -> Slug {
        let mut slug = self.slugs.propose(entropy, attempt, length);
        for _ in 1..Self::TRIES {
            if !self.reads_badly(slug.as_str()) {
                break;
            }
            slug = self.slugs.propose(entropy, attempt, length);
        }
        slug
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn slugs_are_random_and_grow_when_the_space_fills() {
        let slugs = RandomSlugs::default();
        let length = |attempt, wanted: Option<u8>| {
            let wanted = wanted.map(|wanted| wanted.try_into().unwrap());
            slugs.propose(&SystemEntropy, attempt, wanted).as_str().len()
        };
        assert_ne!(slugs.propose(&SystemEntropy, 0, None), slugs.propose(&SystemEntropy, 0, None));
        assert_eq!([length(0, None), length(TRIES_PER_LENGTH, None)], [7, 8]);
        assert_eq!([length(0, Some(4)), length(TRIES_PER_LENGTH, Some(32))], [4, 33]);
    }

    #[test]
    fn words_are_left_out_however_they_are_written() {
        let slugs = WithoutWords::new(RandomSlugs::default(), ["damn", "sh1t", "ass"].map(str::to_owned));
        for (slug, badly) in [
            ("xDaMnyz", true),
            ("Sh1tabc", true),
            ("abcSH1T", true),
            ("aSh1tbc", false),
            ("Ass", true),
            ("Assabcd", false),
            ("abcdefg", false),
        ] {
            assert_eq!(slugs.reads_badly(slug), badly, "{slug}");
        }
        /// Proposes a bad one so many times, then a good one.
        struct Bad(AtomicUsize);
        impl SlugSource for Bad {
            fn propose(&self, _: &dyn Entropy, _: u32, _: Option<SlugLength>) -> Slug {
                let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
                Slug::generated(if left.is_ok() { "xDamnxx" } else { "Flowers" }.to_owned())
            }
        }
        let propose = |bad| {
            let slugs = WithoutWords::new(Bad(AtomicUsize::new(bad)), ["damn".to_owned()]);
            slugs.propose(&SystemEntropy, 0, None).as_str().to_owned()
        };
        assert_eq!([propose(0), propose(1), propose(15)], ["Flowers"; 3]);
        assert_eq!(propose(1_000), "xDamnxx", "one of them is better than none");
    }

    #[test]
    fn every_letter_is_equally_likely() {
        let entropy = SeededEntropy::new(1);
        let slugs = RandomSlugs::new(NonZeroU8::new(31).unwrap());
        let mut seen = [0_u32; 128];
        for _ in 0..2_000 {
            for byte in slugs.propose(&entropy, 0, None).as_str().bytes() {
                seen[usize::from(byte)] += 1;
            }
        }
        // 62,000 draws over 62 letters: 1,000 each, with a standard deviation of 31.4.
        for letter in BASE62 {
            assert!(
                (800..1_200).contains(&seen[usize::from(*letter)]),
                "{} {}",
                *letter as char,
                seen[usize::from(*letter)]
            );
        }
    }
}
