//! Where links live.

use std::{fmt, str::FromStr, time::Duration};

use async_trait::async_trait;

use crate::{
    domain::Domain,
    error::StoreError,
    id::{AccountId, LinkId},
    link::{Link, StoredLink},
    slug::Slug,
    target::TargetUrl,
    time::Timestamp,
};

/// Keeps links, and says who wins when two want the same slug or a link's last visit.
///
/// # Contract
///
/// - `(domain, slug)` is unique, byte for byte, at every moment.
/// - Every insert, update and delete writes the [changes](crate::store::Change) it makes to the
///   [`ChangeLog`](crate::store::ChangeLog) of the same store in the same transaction: one for each
///   key affected, the old and the new one when a slug changes.
/// - A returned link carries the clicks stored so far. They are kept apart from the link: counting
///   never touches its version, and deleting a link deletes its count.
/// - Reads see every write that was answered before they began.
#[async_trait]
pub trait LinkStore: Send + Sync {
    /// Stores a new link, with a count of zero.
    ///
    /// # Behavior
    /// - The slug is taken → [`Inserted::SlugTaken`], nothing stored, `key` not used up.
    /// - With `key`, in the same transaction: the owner has used the key within the last
    ///   [`Idempotency::RETENTION`] → [`Inserted::Replayed`] if the fingerprint is equal, else
    ///   [`Inserted::KeyReused`]; nothing stored. This comes before the slug is looked at. Of parallel
    ///   calls with one key exactly one is [`Inserted::Created`].
    /// - One round trip, or two.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it may have been stored; a repetition with the same `key` tells.
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError>;

    /// Stores many links in one transaction, each judged by itself: an answer for each, in order.
    /// Of two with one slug the first wins.
    async fn insert_many(&self, links: &[Link]) -> Result<Vec<Inserted>, StoreError>;

    /// The link of this id.
    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError>;

    /// The link of this slug. One indexed look-up: this is what a cache miss costs.
    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError>;

    /// Up to `limit` links of `owner` under `domain` to exactly `target`, oldest first. Indexed.
    async fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError>;

    /// Replaces a link by `link` (same id, owner and creation time) if it is still at version
    /// `expected`; `link.version` is stored as given.
    ///
    /// # Behavior
    /// When a cap is set where none was, what the link has been clicked so far counts as taken, and no
    /// less than was granted under an earlier cap.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionMismatch`], and [`StoreError::Conflict`] if the
    /// new slug is taken; the link is then as it was.
    async fn update(&self, link: &Link, expected: u64) -> Result<StoredLink, StoreError>;

    /// Deletes a link, if `expected` is given only at that version. Its slug is free again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionMismatch`].
    async fn delete(&self, id: LinkId, expected: Option<u64>) -> Result<(), StoreError>;

    /// Up to `limit` links that pass `filter` and come after `after`, newest first (by creation
    /// time, then id). Costs the same on every page. A link made or deleted meanwhile never makes
    /// another one appear twice or not at all.
    async fn list(
        &self,
        filter: &LinkFilter,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError>;

    /// Takes up to `wanted` of a capped link's remaining visits, by one conditional update, and
    /// says how many were granted: 0 if it is exhausted. A link without a cap grants all, and
    /// nothing is noted.
    ///
    /// # Behavior
    /// All grants together never exceed `max_visits`, across nodes, restarts and failures.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]. [`StoreError::Unavailable`]: the visits may have been taken; the
    /// caller must treat them as spent and not repeat the call on their behalf.
    async fn reserve(&self, id: LinkId, wanted: u32) -> Result<u32, StoreError>;

    /// Whether the store answers, by the cheapest round trip there is.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// What became of one new link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored.
    Created,
    /// Another link of the domain has the slug.
    SlugTaken,
    /// The same request was answered before, with this link (which may be deleted by now).
    Replayed(LinkId),
    /// The key was used before, for another request.
    KeyReused,
}

/// A request's idempotency key, and what tells its repetition from another request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is: owners do not share them.
    pub owner: AccountId,
    /// The key.
    pub key: IdempotencyKey,
    /// The hash of the request.
    pub fingerprint: Fingerprint,
    /// When the request came, from which its retention runs.
    pub at: Timestamp,
}

impl Idempotency {
    /// How long a key is remembered.
    pub const RETENTION: Duration = Duration::from_secs(24 * 3600);
}

/// A SHA-256 of what a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// 1 to 255 visible ASCII characters, chosen by the client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

/// The text is no idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 255 visible ASCII characters")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.into())).ok_or(InvalidIdempotencyKey)
    }
}

/// Which links to list; an empty filter passes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFilter {
    /// Only what this account owns.
    pub owner: Option<AccountId>,
    /// Only links of this domain.
    pub domain: Option<Domain>,
}

/// The place after one link in the order of [`LinkStore::list`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkCursor {
    /// The link's creation time.
    pub created_at: Timestamp,
    /// The link.
    pub id: LinkId,
}

impl From<&Link> for LinkCursor {
    fn from(link: &Link) -> Self {
        Self { created_at: link.created_at, id: link.id }
    }
}

impl fmt::Display for LinkCursor {
    /// Opaque to clients: hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.created_at.as_micros(), self.id.as_uuid().simple())
    }
}

/// The text is no cursor that we gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the next_cursor of an earlier page")]
pub struct InvalidCursor;

impl FromStr for LinkCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, id) = text.split_at_checked(16).filter(|(_, id)| id.len() == 32).ok_or(InvalidCursor)?;
        let at = u64::from_str_radix(at, 16).map_err(|_| InvalidCursor)?.cast_signed();
        Ok(Self {
            created_at: Timestamp::from_micros(at).ok_or(InvalidCursor)?,
            id: id.parse().map_err(|_| InvalidCursor)?,
        })
    }
}
