//! One shared connection that is made again when it breaks.

use std::{sync::Arc, time::Duration};

use boltlink_core::{
    StoreError,
    store::{Call, Observer},
};
use parking_lot::Mutex;
use redis::{Cmd, FromRedisValue, RedisResult, ScriptInvocation};
use tokio::time::Instant;

use crate::{
    connect::{Client, Connection},
    error::{is_over, unavailable},
};

/// A connection for one kind of work, so that long answers hold up no short ones.
///
/// It is made when it is first needed. While the server is away, calls fail at once between the attempts to connect.
/// Nothing is repeated but by the caller, who knows what an unknown outcome means; or, on a cluster, by the driver, which
/// follows slots that moved and connects anew by itself. All scripts of the log may be repeated.
pub(crate) struct Lane {
    client: Arc<Client>,
    observer: Option<Arc<dyn Observer>>,
    /// With a number, so that who failed on an old one does not close its successor.
    current: Mutex<(u64, Option<Connection>)>,
    /// Held by whoever connects.
    attempts: tokio::sync::Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    /// After how many failures, when to try again, and why not before.
    failing: Option<(u32, Instant, StoreError)>,
}

impl Lane {
    pub(crate) fn new(client: Arc<Client>, observer: Option<Arc<dyn Observer>>) -> Self {
        Self { client, observer, current: Mutex::new((0, None)), attempts: tokio::sync::Mutex::default() }
    }

    /// Which connection this is: another number after each one that broke. Zero before the first.
    pub(crate) fn number(&self) -> u64 {
        self.current.lock().0
    }

    /// Calls a script, by its name for who [observes](Observer); the server is given its text if it does not know it.
    pub(crate) async fn invoke<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let (number, mut connection) = self.connection().await?;
        let begin = Instant::now();
        let answer = script.invoke_async(&mut connection).await;
        self.observe(operation, begin);
        self.judge(number, answer)
    }

    /// Sends a command.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let (number, mut connection) = self.connection().await?;
        let begin = Instant::now();
        let answer = command.query_async(&mut connection).await;
        self.observe(operation, begin);
        self.judge(number, answer)
    }

    fn observe(&self, operation: &'static str, begin: Instant) {
        if let Some(observer) = &self.observer {
            observer.observe(Call::Command { operation }, begin.elapsed());
        }
    }

    fn judge<T>(&self, number: u64, result: RedisResult<T>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let mut current = self.current.lock();
            if is_over(&error) && current.0 == number {
                current.1 = None;
            }
            unavailable(&error)
        })
    }

    fn current(&self) -> Option<(u64, Connection)> {
        let current = self.current.lock();
        Some((current.0, current.1.clone()?))
    }

    async fn connection(&self) -> Result<(u64, Connection), StoreError> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let mut attempts = self.attempts.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        if let Some((_, next, error)) = &attempts.failing
            && Instant::now() < *next
        {
            return Err(error.clone());
        }
        match self.client.connect().await {
            Ok(connection) => {
                if attempts.failing.take().is_some() {
                    tracing::info!("Redis is back");
                }
                let mut current = self.current.lock();
                *current = (current.0 + 1, Some(connection.clone()));
                Ok((current.0, connection))
            }
            Err(error) => {
                let failures = attempts.failing.as_ref().map_or(0, |(failures, ..)| failures + 1);
                if failures == 0 {
                    tracing::warn!(%error, "cannot reach Redis; trying again");
                }
                let error = unavailable(&error);
                attempts.failing = Some((failures, Instant::now() + pause(failures), error.clone()));
                Err(error)
            }
        }
    }
}

/// How long to wait after so many failures more than one.
pub(crate) fn pause(failures: u32) -> Duration {
    Duration::from_millis(50 << failures.min(5))
}
