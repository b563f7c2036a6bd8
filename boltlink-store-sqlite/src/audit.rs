//! The audit log.

use std::sync::LazyLock;

use async_trait::async_trait;
use boltlink_core::{
    AuditEntry, AuditId, StoreError,
    store::{AuditFilter, AuditStore},
};
use boltlink_store_sql::audit;
use sea_orm::{DatabaseConnection, Value};

use crate::{batch::Batch, error::answer, queue::Priority, writer::Writer};

static APPEND: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/audit_append.sql")));

pub(crate) struct SqliteAudit {
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
}

#[async_trait]
impl AuditStore for SqliteAudit {
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let rows: Vec<Value> = entries.iter().flat_map(audit::values).collect();
        self.writer
            .write(Priority::Api, move |db| Box::pin(async move { APPEND.execute(db, rows, |_, _| {}).await }))
            .await
    }

    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        audit::list(&self.readers, filter, before, limit).await.map_err(answer)
    }
}
