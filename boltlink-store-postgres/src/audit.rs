//! The audit log.

use std::sync::Arc;

use async_trait::async_trait;
use boltlink_core::{
    AuditEntry, AuditId, StoreError,
    store::{AuditFilter, AuditStore},
};
use boltlink_store_sql::{Error, audit};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::{
    array::{bigints, optional, statement, texts, uuids},
    pool::Pool,
};

pub(crate) struct PostgresAudit {
    pub(crate) pool: Pool,
}

#[async_trait]
impl AuditStore for PostgresAudit {
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let entries: Arc<[_]> = entries.into();
        self.pool
            .write(move |db| {
                let entries = entries.clone();
                Box::pin(async move { append(db, &entries).await })
            })
            .await
    }

    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.pool.read(|| audit::list(self.pool.connections(), filter, before, limit)).await
    }
}

async fn append(db: &DatabaseTransaction, entries: &[AuditEntry]) -> Result<(), Error> {
    let values = [
        uuids(entries.iter().map(|entry| *entry.id.as_uuid())),
        bigints(entries.iter().map(|entry| entry.at.as_micros())),
        uuids(entries.iter().map(|entry| *entry.author.account.as_uuid())),
        optional(entries.iter().map(|entry| entry.author.key.map(|key| key.to_string()))),
        optional(entries.iter().map(|entry| entry.author.session.map(|session| session.to_string()))),
        texts(entries.iter().map(|entry| entry.action.as_str())),
        texts(entries.iter().map(|entry| entry.object.as_str())),
        bigints(entries.iter().map(|entry| i64::from(entry.certain))),
        optional(entries.iter().map(|entry| entry.detail.as_ref().map(|detail| detail.as_str()))),
    ];
    db.execute_raw(statement(include_str!("sql/audit_append.sql"), values)).await?;
    Ok(())
}
