//! Clicks, and the batches they travel in from the moment after the answer.

mod codec;
mod pack;

use std::{fmt, net::IpAddr, ops::Range, time::Duration};

use bytes::Bytes;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{
    id::{ClickId, LinkId, ProducerId, uuid_v7},
    mac::MacKey,
    time::Timestamp,
    trace::TraceContext,
};

pub use codec::DecodeError;
pub(crate) use codec::{Entry, Input};
pub use pack::{Others, Pack};

/// A counted visit, borrowed from the batch it belongs to (or from the request that it was).
///
/// Texts are kept as the visitor sent them, up to the bounds below; parsing them is the consumer's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Click<'a> {
    /// The link that was followed.
    pub link: LinkId,
    /// When.
    pub at: Timestamp,
    /// `Referer`, up to [`Click::MAX_TEXT`] bytes.
    pub referrer: Option<&'a str>,
    /// `User-Agent`, up to [`Click::MAX_TEXT`] bytes.
    pub user_agent: Option<&'a str>,
    /// `Accept-Language`, up to [`Click::MAX_TEXT`] bytes.
    pub language: Option<&'a str>,
    /// Who, if the address is known.
    pub visitor: Option<VisitorHash>,
    /// From where, if the address is known.
    pub network: Option<Network>,
}

impl Click<'_> {
    /// Longer texts are cut, at a character's boundary.
    pub const MAX_TEXT: usize = 1024;

    /// A click of which only the link and the time are known.
    #[must_use]
    pub const fn bare(link: LinkId, at: Timestamp) -> Self {
        Self { link, at, referrer: None, user_agent: None, language: None, visitor: None, network: None }
    }
}

/// A keyed hash (SipHash-2-4, 128 bits) of a visitor's address under a key that changes daily: the
/// same visitor has the same hash for a day, and nobody without the key can go back to the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VisitorHash(pub u128);

/// The key of one day's [visitor hashes](VisitorHash).
#[derive(Clone)]
pub struct VisitorKey([u8; 16]);

impl VisitorKey {
    /// The key of `day` (see [`Timestamp::day`]), derived from the service's secret by HMAC-SHA-256.
    #[must_use]
    pub fn of_day(secret: &[u8; 32], day: i64) -> Self {
        let tag = MacKey::new(secret).tag(&[b"boltlink visitor ", &day.to_be_bytes()]);
        let mut key = [0; 16];
        key.copy_from_slice(&tag[..16]);
        Self(key)
    }

    /// The hash of `address` on this key's day.
    #[must_use]
    pub fn hash(&self, address: IpAddr) -> VisitorHash {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        match address.to_canonical() {
            IpAddr::V4(v4) => std::hash::Hasher::write(&mut hasher, &v4.octets()),
            IpAddr::V6(v6) => std::hash::Hasher::write(&mut hasher, &v6.octets()),
        }
        VisitorHash(hasher.finish128().as_u128())
    }
}

impl fmt::Debug for VisitorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VisitorKey(…)")
    }
}

/// The part of an address that is kept: /24 of IPv4, /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// The first three bytes.
    V4([u8; 3]),
    /// The first six bytes.
    V6([u8; 6]),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

impl fmt::Display for Network {
    /// As a prefix, such as `192.0.2.0/24` or `2001:db8:1::/48`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b, c]) => write!(f, "{a}.{b}.{c}.0/24"),
            Self::V6(bytes) => {
                let mut octets = [0; 16];
                octets[..6].copy_from_slice(bytes);
                write!(f, "{}/48", std::net::Ipv6Addr::from(octets))
            }
        }
    }
}

/// Names a batch for ever: who made it, and the how-manieth of theirs it is (from 1, without gaps).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// The recorder's run.
    pub producer: ProducerId,
    /// 1 for its first batch.
    pub sequence: u64,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.producer, self.sequence)
    }
}

/// Clicks under one name, in the encoding they have in journals and logs.
///
/// A batch is immutable, and cloning it costs a reference count. It is checked once, when it is
/// made or decoded; walking its clicks afterwards allocates no more than a list of its texts, and cannot fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickBatch {
    id: BatchId,
    len: usize,
    encoded: Bytes,
    /// Where the texts begin in `encoded`.
    table: usize,
    /// Where the clicks begin, and the time theirs are relative to.
    body: usize,
    base: Timestamp,
    /// Where the traced visits begin, which end it.
    traces: usize,
    /// The place of its first click in the whole batch: not 0 for a [part](Self::part).
    first: usize,
}

impl ClickBatch {
    /// The batch `id` of these clicks, in this order.
    pub fn new<'a>(id: BatchId, clicks: impl IntoIterator<Item = Click<'a>>) -> Self {
        codec::encode(id, clicks, [])
    }

    /// The same with the visits among those of its clicks that are traced; with some of them, if they are many.
    pub(crate) fn traced<'a>(
        id: BatchId,
        clicks: impl IntoIterator<Item = Click<'a>>,
        visits: impl IntoIterator<Item = TraceContext>,
    ) -> Self {
        codec::encode(id, clicks, visits)
    }

    /// Reads what [`encoded`](Self::encoded) gave.
    ///
    /// # Errors
    /// [`DecodeError::UnknownVersion`] if a newer release wrote it, [`DecodeError::Malformed`] if
    /// nobody did.
    pub fn decode(encoded: Bytes) -> Result<Self, DecodeError> {
        codec::decode(encoded)
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> BatchId {
        self.id
    }

    /// How many clicks it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its bytes, which begin with the version of the encoding.
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Its clicks, in order.
    pub fn clicks(&self) -> impl Iterator<Item = Click<'_>> {
        let texts = self.texts();
        self.entries().map(move |entry| entry.click(&texts))
    }

    /// The links of its clicks, in order. Costs less than the clicks.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.entries().map(|entry| entry.link)
    }

    /// Some of its clicks, by their places, as a batch of the same name whose clicks have the ids that they have here.
    /// Costs a copy of them.
    #[must_use]
    pub fn part(&self, places: Range<usize>) -> Self {
        let clicks = self.clicks().skip(places.start).take(places.len());
        Self::new(self.id, clicks).placed(self.first + places.start)
    }

    /// The same as a part of a whole in which its first click has this place.
    #[must_use]
    pub(crate) fn placed(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// The place of its first click in the batch as it was recorded: 0 unless it is a [part](Self::part).
    #[must_use]
    pub const fn first_place(&self) -> usize {
        self.first
    }

    /// The id of its click number `index`, made at `at`. Derived, so that a click keeps its id
    /// through every repetition without carrying it along.
    #[must_use]
    pub fn click_id(&self, index: usize, at: Timestamp) -> ClickId {
        let mut hasher = SipHasher24::new();
        std::hash::Hasher::write(&mut hasher, self.id.producer.as_uuid().as_bytes());
        std::hash::Hasher::write_u64(&mut hasher, self.id.sequence.to_le());
        std::hash::Hasher::write_u64(&mut hasher, ((self.first + index) as u64).to_le());
        let mut bits = [0; 10];
        bits.copy_from_slice(&hasher.finish128().as_bytes()[..10]);
        ClickId::from_uuid(uuid_v7(at, &bits))
    }
}

/// Clicks dated further ahead of the store's clock than this count as made now: a wrong clock
/// somewhere must not fill the future.
pub const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

/// The moment a click counts for, given the store's time.
#[must_use]
pub fn clamp_skew(at: Timestamp, now: Timestamp) -> Timestamp {
    if at > now.plus(MAX_SKEW) { now } else { at }
}
