//! The connections, and how long anything may take on them.
//!
//! Nothing belongs to a session: bounds of time are set for each transaction, locks end with it. So a pooler may give
//! every transaction another connection.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use boltlink_core::StoreError;
use boltlink_store_sql::{Error, observe::observed};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqlxPostgresConnector, TransactionTrait,
    sqlx::postgres::PgPoolOptions,
};
use tokio::task::AbortHandle;
use tracing::Instrument;

use crate::{
    config::{PostgresConfig, PostgresUrl},
    error::{answer, is_lost, is_worth_repeating},
};

/// Work within a transaction.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// How often a transaction that was in the way of another is tried.
const TRIES: u32 = 5;

/// How often a pool shows that it is there.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// Connections to one database. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: DatabaseConnection,
    suspicion: Arc<Suspicion>,
    begin: Arc<str>,
    read_timeout: Duration,
    write_timeout: Duration,
    heartbeat: Option<Arc<Heartbeat>>,
}

impl Pool {
    /// Connects to `url` as soon as it is needed.
    pub(crate) fn new(url: &PostgresUrl, config: &PostgresConfig) -> Self {
        let suspicion = Arc::<Suspicion>::default();
        let (before, after) = (suspicion.clone(), suspicion.clone());
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections.max(1))
            .acquire_timeout(config.acquire_timeout)
            // A new connection costs little, one that a proxy has dropped in silence much.
            .idle_timeout(Duration::from_secs(300))
            .max_lifetime(Duration::from_secs(1_800))
            // A round trip before each call would be dear; what is known to be bad is not given out all the same.
            .test_before_acquire(false)
            .before_acquire(move |_, meta| {
                let trusted = before.trusts(meta.age);
                Box::pin(async move { Ok(trusted) })
            })
            // The driver asks each one that comes back whether it still answers, and waits for ever: not for these.
            .after_release(move |_, meta| {
                let trusted = after.trusts(meta.age);
                Box::pin(async move { Ok(trusted) })
            })
            .connect_lazy_with(url.options());
        // To compile a statement to machine code takes the server longer than to write many thousand rows by it.
        //
        // Every commit is on disk before it is answered, and on the synchronous standby if there is one: no less than
        // that, whatever the default is.
        let begin = format!(
            "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; SET LOCAL jit = off; \
             SELECT set_config('synchronous_commit', 'on', TRUE) \
             WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')",
            config.statement_timeout.as_millis().max(1),
            config.lock_timeout.as_millis().max(1),
        );
        Self {
            connections: observed(SqlxPostgresConnector::from_sqlx_postgres_pool(pool), config.observer.as_ref()),
            suspicion,
            begin: begin.into(),
            read_timeout: config.acquire_timeout + config.statement_timeout,
            // Several statements, of which each has its own bound: this one is for a server that says nothing at all.
            write_timeout: config.acquire_timeout + 3 * config.statement_timeout,
            heartbeat: None,
        }
    }

    /// The same pool, which asks something from time to time for as long as it is open: so that it shows that somebody
    /// works on the database, even one who has nothing to do just now. See [`copy`](crate::copy).
    pub(crate) fn with_heartbeat(self) -> Self {
        let pool = self.clone();
        let beating = tokio::spawn(async move {
            loop {
                // While the database is away there is nobody to be shown to. Within bounds, as every read: a connection
                // that has gone silent must not silence this for good.
                let _ = pool.read(async || Ok(pool.connections.execute_unprepared("SELECT 1").await?)).await;
                tokio::time::sleep(HEARTBEAT).await;
            }
        });
        Self { heartbeat: Some(Arc::new(Heartbeat(beating.abort_handle()))), ..self }
    }

    /// How many connections are open, and how many of these have nothing to do.
    pub(crate) fn size(&self) -> (u32, u32) {
        let pool = self.connections.get_postgres_connection_pool();
        (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX))
    }

    /// For reads, each of which is a statement of its own.
    pub(crate) const fn connections(&self) -> &DatabaseConnection {
        &self.connections
    }

    /// Reads within the time that a read may take; once more if the connection turns out to be lost.
    pub(crate) async fn read<T, F>(&self, read: impl Fn() -> F + Send + Sync) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let reading = async {
            match read().await {
                Err(error) if self.note(&error) => {
                    tracing::debug!(%error, "a connection was lost; reading again");
                    read().await.inspect_err(|error| {
                        self.note(error);
                    })
                }
                done => done,
            }
        };
        self.within(self.read_timeout, reading).await
    }

    /// Runs `work` in a transaction (READ COMMITTED), which is committed if it succeeds and rolled back if not. It is
    /// run again if the server gave it up in favour of another one, and if the connection was lost before anything of
    /// it was sent.
    ///
    /// The work is done by a task of its own: whoever drops the future gets the whole effect all the same.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a DatabaseTransaction) -> Work<'a, T> + Send + Sync + 'static,
    {
        self.write_all(0, work).await
    }

    /// The same for work of so many `statements` beside the usual few, each of which may take as long as one may.
    pub(crate) async fn write_all<T, F>(&self, statements: u32, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a DatabaseTransaction) -> Work<'a, T> + Send + Sync + 'static,
    {
        let (pool, time) = (self.clone(), self.write_timeout + self.read_timeout * statements);
        in_task(async move { pool.within(time, pool.transactions(work)).await }).await
    }

    /// The same for work of very many statements, each of which has its bound, but not all of them together.
    pub(crate) async fn write_at_length<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a DatabaseTransaction) -> Work<'a, T> + Send + Sync + 'static,
    {
        let pool = self.clone();
        in_task(async move { pool.transactions(work).await.map_err(answer) }).await
    }

    async fn within<T>(
        &self,
        time: Duration,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, StoreError> {
        // Dropped at the end only: what it leaves of its connection is then known to be bad.
        let mut work = pin!(work);
        match tokio::time::timeout(time, work.as_mut()).await {
            Ok(done) => done.map_err(answer),
            Err(_) => {
                self.suspicion.rise();
                Err(StoreError::unavailable(format!("the database gave no answer within {} s", time.as_secs())))
            }
        }
    }

    async fn transactions<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: for<'a> Fn(&'a DatabaseTransaction) -> Work<'a, T> + Send + Sync,
    {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.transaction(&work).await {
                Err(error) if tried < TRIES && is_worth_repeating(&error) => {
                    tracing::debug!(%error, tried, "a transaction gave way to another one");
                }
                done => return done,
            }
        }
    }

    async fn transaction<T, F>(&self, work: &F) -> Result<T, Error>
    where
        F: for<'a> Fn(&'a DatabaseTransaction) -> Work<'a, T> + Send + Sync,
    {
        let begun = match self.begin().await {
            // Nothing was sent but the beginning.
            Err(error) if self.note(&error) => self.begin().await,
            begun => begun,
        };
        let transaction = begun.inspect_err(|error| {
            self.note(error);
        })?;
        match work(&transaction).await {
            Ok(done) => {
                transaction.commit().await.map_err(Error::from).inspect_err(|error| {
                    self.note(error);
                })?;
                Ok(done)
            }
            Err(error) => {
                self.note(&error);
                // The first error is the one to tell; what cannot be rolled back is not committed either.
                if let Err(error) = transaction.rollback().await {
                    tracing::debug!(%error, "a transaction could not be rolled back");
                }
                Err(error)
            }
        }
    }

    async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        let transaction = self.connections.begin().await?;
        transaction.execute_unprepared(&self.begin).await?;
        Ok(transaction)
    }

    /// Whether the error is that of a lost connection; the others that are open are then not used any more.
    fn note(&self, error: &Error) -> bool {
        let lost = is_lost(error);
        if lost {
            self.suspicion.rise();
        }
        lost
    }

    /// Waits for the calls that run, and closes the connections.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        if let Some(Heartbeat(beating)) = self.heartbeat.as_deref() {
            beating.abort();
        }
        self.connections.close_by_ref().await.map_err(|error| answer(error.into()))
    }
}

/// A task that ends with the last of the pool's clones.
struct Heartbeat(AbortHandle);

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done,
        Err(cut_off) if cut_off.is_cancelled() => Err(StoreError::unavailable("the process is stopping")),
        // The transaction was rolled back.
        Err(panic) => Err(StoreError::backend(panic)),
    }
}

/// Since when connections are not to be trusted: those that were open when one turned out to be lost or read-only lead
/// to a server that is gone, or is no primary any more.
#[derive(Debug, Default)]
struct Suspicion(Mutex<Option<Instant>>);

impl Suspicion {
    fn rise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection of this age may be used.
    fn trusts(&self, age: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_none_or(|since| since.elapsed() > age)
    }
}
