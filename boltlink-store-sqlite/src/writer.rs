//! The one connection that writes.

use std::{pin::Pin, sync::Arc};

use boltlink_core::StoreError;
use boltlink_store_sql::Error;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::runtime::{Handle, RuntimeFlavor};
use tracing::Instrument;

use crate::{
    error::answer,
    queue::{Priority, Queue},
};

/// Work within a transaction.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Runs transactions one after the other. Between processes SQLite's lock does the same.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    connection: DatabaseConnection,
    queue: Arc<Queue>,
}

impl Writer {
    pub(crate) fn new(connection: DatabaseConnection, queue: Arc<Queue>) -> Self {
        Self { connection, queue }
    }

    /// Those who write by it.
    pub(crate) const fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Runs `work` in a transaction, which is committed if it succeeds and rolled back if not.
    ///
    /// Once it is its turn, the work is done by a task of its own: whoever drops the future gets
    /// the whole effect all the same, and a half-done transaction is never left to a destructor.
    pub(crate) async fn write<T, F>(&self, priority: Priority, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a DatabaseTransaction) -> Work<'a, T> + Send + 'static,
    {
        let turn = self.queue.turn(priority).await;
        let connection = self.connection.clone();
        let work = async move {
            let done = transaction(&connection, work).await;
            drop(turn);
            done
        };
        let task = tokio::spawn(work.in_current_span());
        match task.await {
            Ok(done) => done.map_err(answer),
            Err(cut_off) if cut_off.is_cancelled() => Err(StoreError::unavailable("the process is stopping")),
            // The transaction was rolled back.
            Err(panic) => Err(StoreError::backend(panic)),
        }
    }

    /// Syncs what was committed before: a commit that is synced takes all that stands before it in the write-ahead log
    /// along.
    pub(crate) async fn sync(&self) -> Result<(), StoreError> {
        let turn = self.queue.turn(Priority::Bulk).await;
        let full = self.connection.execute_unprepared("PRAGMA synchronous = FULL").await;
        full.map_err(|error| answer(error.into()))?;
        drop(turn);
        self.write(Priority::Bulk, |db| Box::pin(async move { boltlink_store_sql::schema::touch(db).await })).await
    }

    /// Waits for the transactions that wait, and closes the connection.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        let _turn = self.queue.turn(Priority::Bulk).await;
        self.connection.close_by_ref().await.map_err(|error| answer(error.into()))
    }
}

/// Runs `work` in one immediate transaction: it takes the write lock at once, so that what it reads
/// is what it writes on, and it never fails for having read first.
pub(crate) async fn transaction<T, F>(connection: &DatabaseConnection, work: F) -> Result<T, Error>
where
    F: for<'a> FnOnce(&'a DatabaseTransaction) -> Work<'a, T>,
{
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = connection.begin_with_options(options).await?;
    match work(&transaction).await {
        Ok(done) => {
            transaction.commit().await?;
            Ok(done)
        }
        Err(error) => {
            // The first error is the one to tell; what cannot be rolled back is not committed either.
            if let Err(error) = transaction.rollback().await {
                tracing::warn!(%error, "a transaction could not be rolled back");
            }
            Err(error)
        }
    }
}

/// Does work that may take its time: where other threads can do what this one is to do meanwhile, they do.
pub(crate) fn at_length<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
