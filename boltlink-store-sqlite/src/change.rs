//! The change log.

use async_trait::async_trait;
use boltlink_core::{
    StoreError, Timestamp,
    store::{ChangeCursor, ChangeLog, Changes},
};
use boltlink_store_sql::{Error, change};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::{error::answer, queue::Priority, writer::Writer};

/// The last id given out. SQLite keeps it per table; there are few of those.
const HEAD: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'change_log'";

/// Ids come from transactions that run one after the other: they become visible in their order, and
/// without gaps.
pub(crate) struct SqliteChanges {
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
}

impl SqliteChanges {
    async fn last(&self) -> Result<u64, Error> {
        let row = self.readers.query_one_raw(Statement::from_string(DbBackend::Sqlite, HEAD)).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.map_or(0, boltlink_store_sql::row::unsigned))
    }
}

#[async_trait]
impl ChangeLog for SqliteChanges {
    async fn head(&self) -> Result<ChangeCursor, StoreError> {
        self.last().await.map(ChangeCursor).map_err(answer)
    }

    async fn since(&self, cursor: ChangeCursor, limit: u32) -> Result<Changes, StoreError> {
        let head = self.last().await.map_err(answer)?;
        change::since(&self.readers, cursor, limit, head).await.map_err(answer)
    }

    async fn trim(&self, before: Timestamp) -> Result<(), StoreError> {
        self.writer.write(Priority::Bulk, move |db| Box::pin(async move { change::trim(db, before).await })).await
    }
}
