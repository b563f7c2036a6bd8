//! Where links live.

use std::{str::FromStr, time::Duration};

use async_trait::async_trait;

use super::{LinkCursor, LinkFilter, LinkOrder};
use crate::{
    domain::Domain,
    error::StoreError,
    id::{AccountId, LinkId},
    link::{Link, StoredLink},
    slug::{Slug, SlugCase},
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
    /// - There is a link of this id → [`Inserted::IdTaken`], likewise; this comes before the slug is looked at.
    /// - With `key`, in the same transaction: the owner has used the key within the last
    ///   [`Idempotency::RETENTION`] → [`Inserted::Replayed`] if the fingerprint is equal, else
    ///   [`Inserted::KeyReused`]; nothing stored. This comes before the slug is looked at. Of parallel
    ///   calls with one key exactly one is [`Inserted::Created`].
    /// - One statement, or two, in a transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it may have been stored; a repetition with the same `key` tells.
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError>;

    /// Stores many links in one transaction, each judged by itself as [`insert`](Self::insert) judges it: an
    /// answer for each, in order. Of two with one id, slug or idempotency key the first wins.
    async fn insert_many(&self, links: &[Insert]) -> Result<Vec<Inserted>, StoreError>;

    /// The link of this id.
    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError>;

    /// The link of this slug. One indexed look-up: this is what a cache miss costs.
    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError>;

    /// Up to `limit` links of `owner` under `domain` to exactly `target`, oldest first. Indexed: costs the same
    /// however many links there are.
    async fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError>;

    /// The same, but only of links that are enabled and have not expired at `now`. Costs the same however many
    /// others lead there, expired ones included; of more than 2,000 that will expire, a store may look at some only.
    async fn usable_by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        now: Timestamp,
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

    /// Up to `limit` links that pass `filter` and come after `after` in `order`. Costs the same on every page.
    /// A link made or deleted meanwhile never makes another one appear twice or not at all; one that is changed
    /// meanwhile moves in an order by change.
    async fn list(
        &self,
        filter: &LinkFilter,
        order: LinkOrder,
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

    /// How the store tells slugs apart: as `wanted`, if nothing was fixed before, and from then on for ever.
    /// A store that has links but never fixed anything is [`SlugCase::Sensitive`]. Of parallel calls all get
    /// the same.
    async fn slug_case(&self, wanted: SlugCase) -> Result<SlugCase, StoreError>;

    /// Changes how slugs are told apart, and spells all slugs anew, in one transaction. Nothing changes if links
    /// of one domain would then share a slug.
    ///
    /// Costs a look at every link, and a write of each whose slug is spelled anew.
    async fn change_slug_case(&self, case: SlugCase) -> Result<SlugCaseChange, StoreError>;

    /// Whether the store answers, by the cheapest round trip there is.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A link on its way into a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    /// The link.
    pub link: Link,
    /// Its opening balance: clicks that no rollup shows. They count as taken from its cap, if it has one.
    pub opening: u64,
    /// What makes the request repeatable.
    pub once: Option<Idempotency>,
}

impl Insert {
    /// What of the opening balance is taken from the link's cap.
    #[must_use]
    pub fn taken(&self) -> u64 {
        if self.link.max_visits.is_some() { self.opening } else { 0 }
    }
}

impl From<Link> for Insert {
    fn from(link: Link) -> Self {
        Self { link, opening: 0, once: None }
    }
}

/// What became of one new link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored.
    Created,
    /// There is a link of its id.
    IdTaken,
    /// Another link of the domain has the slug.
    SlugTaken,
    /// The same request was answered before, with this link (which may be deleted by now).
    Replayed(LinkId),
    /// The key was used before, for another request.
    KeyReused,
}

/// What became of a change of how slugs are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlugCaseChange {
    /// It is done.
    Done {
        /// How many slugs are spelled differently now.
        respelled: u64,
    },
    /// Nothing has changed: these slugs would be the same, up to [`SlugCaseChange::TOLD`] of them, in order.
    Clashes(Vec<(Domain, Slug)>),
}

impl SlugCaseChange {
    /// How many clashes are told at most.
    pub const TOLD: usize = 100;
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
