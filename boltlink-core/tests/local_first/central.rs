//! A central limiter at the other end of a wire.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use boltlink_core::{
    StoreError,
    memory::MemoryLimiter,
    store::{Decision, Quota, RateLimiter},
};
use parking_lot::Mutex;

/// Answers only who waits, and counts them.
pub(crate) struct Remote {
    limiter: MemoryLimiter,
    calls: AtomicUsize,
    error: Mutex<Option<StoreError>>,
}

impl Remote {
    pub(crate) fn new(limiter: MemoryLimiter) -> Self {
        Self { limiter, calls: AtomicUsize::new(0), error: Mutex::new(None) }
    }

    /// How often it was asked since the last time.
    pub(crate) fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }

    /// From now on it answers this, if anything.
    pub(crate) fn fail(&self, error: Option<StoreError>) {
        *self.error.lock() = error;
    }
}

#[async_trait]
impl RateLimiter for Remote {
    async fn check(&self, key: &str, quota: &Quota, cost: u32) -> Result<Decision, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if let Some(error) = self.error.lock().clone() {
            return Err(error);
        }
        self.limiter.check(key, quota, cost).await
    }
}
