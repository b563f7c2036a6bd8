//! Follows what other processes (and this one) wrote, so that caches do not show old things.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::Caches;
use crate::{
    error::StoreError,
    store::{ChangeCursor, ChangeLog, Changes},
    time::Clock,
};

const INTERVAL: Duration = Duration::from_millis(500);
/// However often others announce changes, so long passes between two polls.
const WAKING_PAUSE: Duration = Duration::from_millis(20);
/// More changes than this in one poll, and it is cheaper to forget everything.
const LIMIT: u32 = 10_000;
/// Who has not polled for so long begins anew.
const RETENTION: Duration = Duration::from_secs(10 * 60);
const TRIM_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Watcher {
    pub(super) log: Arc<dyn ChangeLog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) caches: Caches,
}

impl Watcher {
    pub(super) async fn run(self, mut cursor: ChangeCursor, mut stop: watch::Receiver<bool>) {
        let mut trimmed = Instant::now();
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.pause() => {}
                () = stopping(&mut stop) => return,
            }
            match self.poll(cursor).await {
                Ok(next) => {
                    cursor = next;
                    failing = false;
                }
                // Cached links go on being served; what changed meanwhile shows when the store is back.
                Err(error) if !failing => {
                    tracing::warn!(%error, "cannot read the change log; changes may show late");
                    failing = true;
                }
                Err(_) => {}
            }
            if !failing && trimmed.elapsed() > TRIM_INTERVAL {
                trimmed = Instant::now();
                if let Err(error) = self.log.trim(self.clock.now().minus(RETENTION)).await {
                    tracing::warn!(%error, "cannot trim the change log");
                }
            }
        }
    }

    /// Waits until it is time to look at the log again.
    async fn pause(&self) {
        let announced = async {
            self.log.announced().await;
            tokio::time::sleep(WAKING_PAUSE).await;
        };
        // Who tells nothing in time is asked.
        let _ = tokio::time::timeout(INTERVAL, announced).await;
    }

    async fn poll(&self, cursor: ChangeCursor) -> Result<ChangeCursor, StoreError> {
        match self.log.since(cursor, LIMIT).await? {
            Changes::Some { changes, next } => {
                for change in changes {
                    self.caches.evict(change);
                }
                Ok(next)
            }
            Changes::Everything { next } => {
                self.caches.clear();
                Ok(next)
            }
        }
    }
}

async fn stopping(stop: &mut watch::Receiver<bool>) {
    // An error says that the shortener is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}
