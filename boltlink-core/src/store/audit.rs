//! Where the audit log lives.

use async_trait::async_trait;

use crate::{
    audit::{AuditEntry, ObjectId},
    error::StoreError,
    id::{AccountId, AuditId},
};

/// Which entries are wanted: those for which all hold that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// On whose behalf it was done.
    pub account: Option<AccountId>,
    /// To what it was done.
    pub object: Option<ObjectId>,
}

/// Keeps the audit log.
///
/// # Contract
/// Entries are added, and never changed or taken away.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Adds entries. One whose id is there stays as it is, so that a repetition adds nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: all of them or none may have been added.
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError>;

    /// Up to `limit` entries that pass `filter` and have smaller ids than `before`, largest id first. Costs the same on
    /// every page, if at most one of the filter's fields is given.
    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;
}
