//! How processes learn what others wrote.

use async_trait::async_trait;

use crate::{
    domain::Domain,
    error::StoreError,
    id::{AccountId, ApiKeyId, SessionId},
    slug::Slug,
    time::Timestamp,
};

/// Something that caches may hold has changed, come into being or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// What this slug leads to.
    Link(Domain, Slug),
    /// An API key.
    ApiKey(ApiKeyId),
    /// An account, or what it may do.
    Account(AccountId),
    /// A session.
    Session(SessionId),
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeCursor(pub u64);

/// What came after a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These, in the order in which they became visible.
    Some {
        /// The changes.
        changes: Vec<Change>,
        /// Where to go on.
        next: ChangeCursor,
    },
    /// More than is worth telling one by one, or the log no longer reaches back that far: forget
    /// everything, and go on at `next`.
    Everything {
        /// Where to go on.
        next: ChangeCursor,
    },
}

/// The log of changes that a store writes within the transactions that make them.
///
/// # Contract
///
/// - A change is visible no later than what it announces.
/// - Whoever polls from cursor to cursor misses no change, however slowly transactions commit; one
///   may be told twice.
/// - The log is kept for some minutes at least; who asks for older changes is told
///   [`Changes::Everything`].
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// The end of the log: poll from here after starting with empty caches.
    async fn head(&self) -> Result<ChangeCursor, StoreError>;

    /// The changes after `cursor`: all of them if there are at most `limit`, else
    /// [`Changes::Everything`]. One indexed look-up when there is none.
    async fn since(&self, cursor: ChangeCursor, limit: u32) -> Result<Changes, StoreError>;

    /// Drops changes made before `before`.
    async fn trim(&self, before: Timestamp) -> Result<(), StoreError>;

    /// Tells other processes, as far as it can, that there is something new: they need not wait for their next poll.
    async fn announce(&self) {}

    /// Waits until another process may have [announced](Self::announce) something; for ever where none can. Whoever
    /// relies on it alone misses changes: it only saves waiting for the next poll.
    async fn announced(&self) {
        std::future::pending().await
    }
}
