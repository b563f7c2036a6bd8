//! The store as a whole.

use std::{fmt, path::Path, sync::Arc};

use boltlink_core::{
    Clock, LinkId, StoreError, Stores,
    sample::{RawClicks, Sampler},
    store::{Balance, CounterStore},
};
use boltlink_store_sql::{
    copy::{Source, Target},
    reconcile,
};
use sea_orm::DatabaseConnection;

use crate::{
    account::SqliteAccounts,
    analytics::SqliteAnalytics,
    audit::SqliteAudit,
    backup::{self, BackupError},
    change::SqliteChanges,
    click::SqliteClicks,
    config::{SqliteConfig, Sync},
    copy,
    effect::Effect,
    error::OpenError,
    key::SqliteKeys,
    link::SqliteLinks,
    open::{self, Health, Migrated},
    search::Search,
    writer::Writer,
};

/// An open database file. Cloning shares its connections.
#[derive(Clone)]
pub struct SqliteStore {
    writer: Writer,
    readers: DatabaseConnection,
    clock: Arc<dyn Clock>,
    raw: RawClicks,
    sync: Sync,
}

impl SqliteStore {
    /// Opens the file, which is made if it does not exist, and brings its schema up to date.
    ///
    /// # Errors
    /// Why it cannot be served; the file is then as it was.
    pub async fn open(config: &SqliteConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let open::Opened { writing, queue, reading, .. } = open::open(config).await?;
        let writer = Writer::new(writing, queue);
        Ok(Self { writer, readers: reading, clock, raw: config.raw_clicks, sync: config.sync })
    }

    /// Brings the schema of the file up to date, without opening it for anything else.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(config: &SqliteConfig) -> Result<Migrated, OpenError> {
        let opened = open::open(config).await?;
        opened.close().await;
        Ok(opened.migrated)
    }

    /// Looks the file over, without changing it.
    ///
    /// # Errors
    /// If it cannot be read at all, or belongs to somebody else.
    pub async fn check(path: &Path) -> Result<Health, OpenError> {
        open::check(&SqliteConfig::new(path)).await
    }

    /// Copies what is committed by now into a new file, compacted, while others go on reading and writing. The copy is whole
    /// and on disk when this returns. Costs reading the whole file twice, and as much room at `to` (for a moment beside it).
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left then.
    pub async fn backup(config: &SqliteConfig, to: &Path) -> Result<(), BackupError> {
        backup::backup(config, to).await
    }

    /// Opens the file to be copied, for nobody else: other processes that have it open are a reason to refuse, and until
    /// the source is closed or the process ends no other opens it. Brings its schema up to date before.
    ///
    /// This process must not open the file by other means meanwhile.
    ///
    /// # Errors
    /// [`OpenError::InUse`], or as [`open`](Self::open).
    pub async fn copy_source(config: &SqliteConfig) -> Result<Source, OpenError> {
        copy::source(config).await
    }

    /// Opens the file to be copied to, in the same way, and makes it if it does not exist. What is in it is for the copy
    /// to judge.
    ///
    /// # Errors
    /// As [`copy_source`](Self::copy_source).
    pub async fn copy_target(config: &SqliteConfig) -> Result<Target, OpenError> {
        copy::target(config).await
    }

    /// The store's traits, with `log` for the clicks on their way.
    #[must_use]
    pub fn stores(&self, log: Arc<dyn CounterStore>) -> Stores {
        let (writer, readers, clock) = (&self.writer, &self.readers, &self.clock);
        let sampler = Sampler::new(self.raw, clock.now());
        let sink = |effect| {
            let (writer, readers, clock) = (writer.clone(), readers.clone(), clock.clone());
            Arc::new(SqliteClicks { effect, writer, readers, clock })
        };
        Stores {
            links: Arc::new(SqliteLinks {
                writer: writer.clone(),
                readers: readers.clone(),
                clock: clock.clone(),
                search: Search::default(),
            }),
            totals: sink(Effect::Totals),
            analytics: sink(Effect::Analytics(sampler)),
            reader: Arc::new(SqliteAnalytics {
                readers: readers.clone(),
                clock: clock.clone(),
                retention: self.raw.retention,
            }),
            log,
            keys: Arc::new(SqliteKeys { writer: writer.clone(), readers: readers.clone(), clock: clock.clone() }),
            accounts: Arc::new(SqliteAccounts {
                writer: writer.clone(),
                readers: readers.clone(),
                clock: clock.clone(),
            }),
            changes: Arc::new(SqliteChanges { writer: writer.clone(), readers: readers.clone() }),
            audit: Arc::new(SqliteAudit { writer: writer.clone(), readers: readers.clone() }),
        }
    }

    /// What is stored of the clicks of links after `after`, by id, at most `limit`: see [`Balance`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn balances(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Balance>, StoreError> {
        reconcile::page(&self.readers, after, limit).await.map_err(crate::error::answer)
    }

    /// The same of one link, if it exists.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn balance(&self, link: LinkId) -> Result<Option<Balance>, StoreError> {
        reconcile::of(&self.readers, link).await.map_err(crate::error::answer)
    }

    /// Closes the file once the transactions that wait are done, and what they wrote is synced. The last process to do so folds the
    /// write-ahead log into it. Later calls on the store's traits fail.
    ///
    /// # Errors
    /// If the file system refuses; nothing that was answered is lost.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close_by_ref().await.map_err(|error| crate::error::answer(error.into()))?;
        if self.sync == Sync::OnClose {
            self.writer.sync().await?;
        }
        self.writer.close().await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore { … }")
    }
}
