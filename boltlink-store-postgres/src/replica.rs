//! Lists and analytics from a replica, if there is one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use boltlink_core::StoreError;
use boltlink_store_sql::Error;
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::{array::statement, pool::Pool};

/// How long a replica that gave no answer is let be.
const PAUSE: Duration = Duration::from_secs(5);
/// How long the primary is read after a write of which the place in the log is not known.
const UNKNOWN: Duration = Duration::from_secs(60);

/// Where lists and analytics are read. Cloning shares it.
///
/// Who has written through this store reads what it wrote: the replica is asked only once it has replayed the last write
/// of links. Whatever it cannot answer, the primary does.
#[derive(Clone)]
pub(crate) struct Readers {
    primary: Pool,
    replica: Option<Pool>,
    state: Arc<Mutex<State>>,
}

/// What keeps the replica from being asked.
#[derive(Debug, Default)]
struct State {
    /// The place in the primary's log that it has not been seen to have replayed.
    behind: Option<Place>,
    not_before: Option<Instant>,
}

impl State {
    fn pause(&mut self, pause: Duration) {
        self.not_before = self.not_before.max(Some(Instant::now() + pause));
    }
}

/// A place in the log (a log sequence number), in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(i64);

impl Readers {
    pub(crate) fn new(primary: Pool, replica: Option<Pool>) -> Self {
        Self { primary, replica, state: Arc::default() }
    }

    /// Reads, wherever that may be done.
    pub(crate) async fn read<T, F>(&self, read: impl Fn(DatabaseConnection) -> F + Send + Sync) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        if let Some(replica) = &self.replica
            && self.is_current(replica).await
        {
            match replica.read(|| read(replica.connections().clone())).await {
                Ok(done) => return Ok(done),
                Err(error) => self.let_be(&error),
            }
        }
        self.primary.read(|| read(self.primary.connections().clone())).await
    }

    /// Does a write that this store's readers must see, wherever they read.
    pub(crate) async fn after<T>(
        &self,
        write: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let done = write.await;
        if self.replica.is_some() {
            match self.primary.read(|| place(&self.primary)).await {
                Ok(place) => {
                    let mut state = self.state();
                    state.behind = state.behind.max(Some(place));
                }
                Err(_) => self.state().pause(UNKNOWN),
            }
        }
        done
    }

    async fn is_current(&self, replica: &Pool) -> bool {
        let (behind, not_before) = {
            let state = self.state();
            (state.behind, state.not_before)
        };
        if not_before.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let Some(place) = behind else { return true };
        match replica.read(|| has_replayed(replica, place)).await {
            Ok(true) => {
                let mut state = self.state();
                // Another write may have come meanwhile.
                let is_last = state.behind == Some(place);
                if is_last {
                    state.behind = None;
                }
                is_last || state.behind.is_none()
            }
            Ok(false) => false,
            Err(error) => {
                self.let_be(&error);
                false
            }
        }
    }

    fn let_be(&self, error: &StoreError) {
        tracing::warn!(%error, "the replica gives no answer; the primary is asked");
        self.state().pause(PAUSE);
    }

    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        match &self.replica {
            Some(replica) => replica.close().await,
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the primary's log.
async fn place(primary: &Pool) -> Result<Place, Error> {
    let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
    let row = primary.connections().query_one_raw(statement(sql, [])).await?;
    let row = row.ok_or_else(|| StoreError::backend("the database does not tell the end of its log"))?;
    Ok(Place(row.try_get_by_index(0)?))
}

/// Whether the replica has replayed the log up to `place`; one that replays nothing has not.
async fn has_replayed(replica: &Pool, place: Place) -> Result<bool, Error> {
    let sql = "SELECT pg_is_in_recovery() AND COALESCE((pg_last_wal_replay_lsn() - '0/0')::bigint >= $1, FALSE)";
    let row = replica.connections().query_one_raw(statement(sql, [place.0.into()])).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default())
}
