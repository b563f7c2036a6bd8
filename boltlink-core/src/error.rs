//! What a store may answer when it cannot do what it was asked.

use std::{error::Error, sync::Arc, time::Duration};

/// Why a store refused or failed; every store maps its driver's errors to these.
///
/// Cloneable, because one failed load answers everybody who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The thing does not exist (or no longer does).
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for, such as `link`.
        what: &'static str,
    },
    /// Another row already has this unique value.
    #[error("{what} is already taken")]
    Conflict {
        /// The unique value, such as `slug`.
        what: &'static str,
    },
    /// The row has changed since it was read; read it again and decide anew.
    #[error("it is at version {current} by now; read it again and repeat the change")]
    VersionMismatch {
        /// The version the store holds.
        current: u64,
    },
    /// The backend is away, busy or full. Nothing is known to have happened; see each method for
    /// what an unknown outcome means there.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// What failed, in words for an operator.
        reason: String,
        /// When a retry is worth its while, where the store knows.
        retry: Option<Duration>,
    },
    /// The store will never accept this value; repeating the call is pointless.
    #[error("refused: {reason}")]
    Invalid {
        /// What is wrong with the value.
        reason: String,
    },
    /// What is asked for is there, but it is damaged, or a newer release wrote it.
    #[error("it cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// A failure that no caller can act on: a broken schema, a corrupt row, a bug.
    #[error("the store failed: {0}")]
    Backend(#[source] Arc<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Wraps a driver's error that callers cannot act on.
    pub fn backend(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(Arc::from(source.into()))
    }

    /// An outage or an overload, without a known end.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry: None }
    }

    /// Whether the same call may succeed later without anything else being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
