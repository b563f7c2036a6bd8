//! Why the shortener says no.

use std::time::Duration;

use crate::{
    access::{Actor, Scope},
    error::StoreError,
    id::ApiKeyId,
    link::InvalidLifetime,
    policy::TargetRefusal,
};

/// Why something asked of a [`Shortener`](crate::Shortener) was not done.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not exist, or the actor may not know that it does.
    #[error("{what} does not exist")]
    NotFound {
        /// `link`, `account`, `session`, `dead letter` or `API key`.
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
    /// A link must not lead there.
    #[error("target {0}")]
    Target(#[from] TargetRefusal),
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
    /// The actor lacks the scope that this needs.
    #[error("this needs the scope {scope}; the API key or the account has others")]
    Forbidden {
        /// The scope.
        scope: Scope,
    },
    /// The actor is bound to certain domains, and this is about others.
    #[error("the API key is for certain domains only, and this is about others")]
    OtherDomain,
    /// The actor is bound to several domains: one of them has to be named.
    #[error("the API key is for certain domains only: name one of them")]
    WhichDomain,
    /// A key must not be good for more than the one by which it is made, rotated or revoked.
    #[error("nobody can make, rotate or revoke an API key with {what} that the caller does not have")]
    Exceeds {
        /// `scopes`, `domains or networks`, `time` or `another owner`.
        what: &'static str,
    },
    /// The idempotency key made an API key before, whose token was told then and is not kept.
    #[error("this idempotency key has made the API key {id} already; its token was told then, and is not kept")]
    KeyMade {
        /// The API key.
        id: ApiKeyId,
    },
    /// Somebody else has an account of this address.
    #[error("there is an account of this e-mail address already; log in, or ask an admin for a new password")]
    EmailTaken,
    /// Nobody is let in by this address and password.
    #[error("the e-mail address or the password is wrong")]
    Credentials,
    /// The one-time link was used, replaced, or is over.
    #[error("this one-time link is not valid any more; ask an admin for another")]
    Ticket,
    /// Only somebody who has logged in may do this.
    #[error("this is for people who have logged in, not for API keys; log in first")]
    NoSession,
    /// A store is away or overloaded: try again.
    #[error("temporarily unavailable: {reason}")]
    Unavailable {
        /// What failed, for an operator.
        reason: String,
        /// When a retry is worth its while, where that is known.
        retry: Option<Duration>,
    },
    /// Too much is being done at once: try again. What was refused was not done; of a call that does several things, those
    /// before may have been. Whatever changes something may be refused so, while the audit log cannot be written for long.
    #[error("{what}; try again")]
    Busy {
        /// Of what there is too much.
        what: &'static str,
        /// When a retry is worth its while.
        retry: Duration,
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
            StoreError::Conflict { what: "e-mail address" } => Self::EmailTaken,
            StoreError::VersionMismatch { current } => Self::Stale { current },
            StoreError::Invalid { reason } => Self::Refused { reason },
            StoreError::Unreadable { reason } => Self::Unreadable { reason },
            StoreError::Unavailable { reason, retry } => Self::Unavailable { reason, retry },
            other => Self::Internal(other),
        }
    }
}

/// Refuses an actor without the scope.
pub(super) fn require(actor: &Actor, scope: Scope) -> Result<(), Error> {
    if actor.may(scope) { Ok(()) } else { Err(Error::Forbidden { scope }) }
}

/// Refuses an actor who is not an admin of all domains.
pub(super) fn require_all(actor: &Actor) -> Result<(), Error> {
    require(actor, Scope::Admin)?;
    if actor.bounds().domains.is_empty() { Ok(()) } else { Err(Error::OtherDomain) }
}

/// Why a presented token opens nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// It is no token of ours, or revoked, or expired. Which of these is not told.
    #[error("the API key or session is not valid")]
    Rejected,
    /// The key is good, but not from where it was used.
    #[error("the API key may not be used from this address")]
    Elsewhere,
    /// The key store is away: the key could not be checked.
    #[error(transparent)]
    Store(StoreError),
}
