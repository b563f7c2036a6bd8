//! Tells other processes that something was written.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use boltlink_core::{
    StoreError, Timestamp,
    store::{ChangeCursor, ChangeLog, Changes},
};
use redis::{ErrorKind, RedisError, RedisResult};
use tokio::{sync::Notify, task::JoinHandle};
use uuid::Uuid;

use crate::{keys, lane::pause, store::Inner};

/// So long a connection may take until it listens.
const PATIENCE: Duration = Duration::from_secs(5);

/// A [`ChangeLog`] whose `announce` reaches the others by a channel of Redis. What is said there means only: look.
pub(crate) struct Waking {
    redis: Arc<Inner>,
    changes: Arc<dyn ChangeLog>,
    /// What its own announcements are known by.
    me: String,
    heard: Arc<Notify>,
    listener: JoinHandle<()>,
}

impl Waking {
    pub(crate) fn new(redis: Arc<Inner>, changes: Arc<dyn ChangeLog>) -> Self {
        let me = Uuid::now_v7().to_string();
        let heard = Arc::new(Notify::new());
        let listener = tokio::spawn(listen(redis.clone(), me.clone(), heard.clone()));
        Self { redis, changes, me, heard, listener }
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Listens, and connects again whenever that ends.
async fn listen(redis: Arc<Inner>, me: String, heard: Arc<Notify>) {
    let mut failures = 0;
    loop {
        if let Err(error) = hear(&redis, &me, &heard, &mut failures).await {
            tracing::debug!(%error, "cannot listen for changes; they are polled for");
        }
        tokio::time::sleep(pause(failures)).await;
        failures += 1;
    }
}

async fn hear(redis: &Inner, me: &str, heard: &Notify, failures: &mut u32) -> RedisResult<()> {
    let connected = async {
        let (mut sink, stream) = redis.client.listen().await?.split();
        sink.subscribe(keys::changes(&redis.config.prefix)).await?;
        RedisResult::Ok((sink, stream))
    };
    let silent = |_| RedisError::from((ErrorKind::Client, "nobody answers"));
    // Without the sink the connection would be closed.
    let (_sink, mut stream) = tokio::time::timeout(PATIENCE, connected).await.map_err(silent)??;
    *failures = 0;
    // What was said meanwhile is not known.
    heard.notify_one();
    while let Some(message) = futures_util::StreamExt::next(&mut stream).await {
        if message.get_payload_bytes() != me.as_bytes() {
            heard.notify_one();
        }
    }
    Ok(())
}

#[async_trait]
impl ChangeLog for Waking {
    async fn head(&self) -> Result<ChangeCursor, StoreError> {
        self.changes.head().await
    }

    async fn since(&self, cursor: ChangeCursor, limit: u32) -> Result<Changes, StoreError> {
        self.changes.since(cursor, limit).await
    }

    async fn trim(&self, before: Timestamp) -> Result<(), StoreError> {
        self.changes.trim(before).await
    }

    async fn announce(&self) {
        let mut command = redis::cmd("PUBLISH");
        command.arg(keys::changes(&self.redis.config.prefix)).arg(&self.me);
        // Who does not hear of it polls.
        let _ = self.redis.limits.query::<i64>("publish", &command).await;
    }

    async fn announced(&self) {
        self.heard.notified().await;
    }
}
