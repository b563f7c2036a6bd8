//! Why the shortener says no.

use std::time::Duration;

use crate::{error::StoreError, link::InvalidLifetime};

/// Why something asked of a [`Shortener`](crate::Shortener) was not done.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not exist, or the actor may not know that it does.
    #[error("{what} does not exist")]
    NotFound {
        /// `link`, `key` or `dead letter`.
        what: &'static str,
    },
    /// The slug belongs to another link of the domain.
    #[error("the slug is already taken; choose another, or leave it out to get a random one")]
    SlugTaken,
    /// The id belongs to a link that is there already; only imports bring ids.
    #[error("a link of this id is there already")]
    IdTaken,
    /// The link was changed by somebody else since it was read.
    #[error("the link is at version {current} by now; read it again and repeat the change")]
    Stale {
        /// The version it has now.
        current: u64,
    },
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for a different request; use a new one")]
    KeyReused,
    /// The request was answered before, but the link it made is deleted by now.
    #[error("the link that this idempotency key made has been deleted; use a new key to make another")]
    ReplayedDeleted,
    /// The edit would make the link end before it begins.
    #[error("expires_at {0}")]
    Lifetime(#[from] InvalidLifetime),
    /// The store refuses it, and will refuse it again.
    #[error("the store refuses it: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// What is stored is damaged, or a newer release wrote it.
    #[error("it cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// Only an admin may do this.
    #[error("this needs an admin key")]
    Forbidden,
    /// A store is away or overloaded: try again.
    #[error("temporarily unavailable: {reason}")]
    Unavailable {
        /// What failed, for an operator.
        reason: String,
        /// When a retry is worth its while, where that is known.
        retry: Option<Duration>,
    },
    /// A store failed in a way no caller can act on.
    #[error("internal error: {0}")]
    Internal(#[source] StoreError),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Self::NotFound { what },
            StoreError::Conflict { what: "slug" } => Self::SlugTaken,
            StoreError::VersionMismatch { current } => Self::Stale { current },
            StoreError::Invalid { reason } => Self::Refused { reason },
            StoreError::Unreadable { reason } => Self::Unreadable { reason },
            StoreError::Unavailable { reason, retry } => Self::Unavailable { reason, retry },
            other => Self::Internal(other),
        }
    }
}

/// Why a presented key opens nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// It is no key of ours, or revoked, or expired. Which of these is not told.
    #[error("the API key is not valid")]
    Rejected,
    /// The key store is away: the key could not be checked.
    #[error(transparent)]
    Store(StoreError),
}
