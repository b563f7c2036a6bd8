//! The audit log.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::RwLock;

use crate::{
    audit::AuditEntry,
    error::StoreError,
    id::AuditId,
    store::{AuditFilter, AuditStore},
};

/// The audit log in this process's memory. It grows with everything that is done.
#[derive(Debug, Default)]
pub struct MemoryAudit(RwLock<BTreeMap<AuditId, AuditEntry>>);

#[async_trait]
impl AuditStore for MemoryAudit {
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let mut log = self.0.write();
        for entry in entries {
            log.entry(entry.id).or_insert_with(|| entry.clone());
        }
        Ok(())
    }

    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let wanted = |entry: &&AuditEntry| {
            filter.account.is_none_or(|account| entry.author.account == account)
                && filter.object.as_ref().is_none_or(|object| entry.object == *object)
        };
        let log = self.0.read();
        let older = log.values().rev().filter(|entry| before.is_none_or(|before| entry.id < before));
        Ok(older.filter(wanted).take(limit as usize).cloned().collect())
    }
}
