//! What happened so far, for operators.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::{error::StoreError, store::Consumer};

/// Numbers since the start, as of one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Clicks put into batches.
    pub clicks_recorded: u64,
    /// The batches. The fewer there are for as many clicks, the less each click costs.
    pub batches_recorded: u64,
    /// Links that a visit had to be told by the store, as they were not cached.
    pub links_loaded: u64,
    /// Clicks that every bound was full for: redirected, but never to be counted.
    pub clicks_lost: u64,
    /// Clicks that were redirected although nothing durable took them in time.
    pub clicks_unacknowledged: u64,
    /// Clicks that consumers of this process made part of totals.
    pub clicks_in_totals: u64,
    /// Clicks that consumers of this process made part of analytics.
    pub clicks_in_analytics: u64,
    /// Clicks that a store refused for good and that wait for an operator in its dead letters.
    pub clicks_dead: u64,
    /// Attempts to store clicks that failed, and were or will be made again.
    pub stores_failed: u64,
    /// Batches that a store refused whole and that wait for an operator in its quarantine.
    pub batches_set_aside: u64,
}

/// How much there is of what comes and goes, as of one moment; see [`Shortener::gauges`](crate::Shortener::gauges).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gauges {
    /// Links that are cached.
    pub links_cached: u64,
    /// About how many bytes they take.
    pub links_cached_bytes: u64,
    /// Batches of clicks that are not in the click log yet. Those that are in the journal alone are not counted.
    pub batches_undelivered: u64,
    /// Bytes that the journal takes of its bound.
    pub journal_bytes: u64,
}

/// [`Counters`], being counted. All off the redirect's path.
#[derive(Debug, Default)]
pub(super) struct Counts {
    recorded: AtomicU64,
    batches: AtomicU64,
    lost: AtomicU64,
    unacknowledged: AtomicU64,
    in_totals: AtomicU64,
    in_analytics: AtomicU64,
    dead: AtomicU64,
    set_aside: AtomicU64,
    stores_failed: AtomicU64,
    unkept: AtomicBool,
    /// Why the click log takes nothing at present, if so.
    log_refusal: Mutex<Option<StoreError>>,
}

impl Counts {
    /// Notes that some clicks are in memory only, as no journal took them.
    pub(super) fn not_kept(&self) {
        self.unkept.store(true, Ordering::Release);
    }

    /// Whether every click so far went into a journal, so that stopping may leave it there.
    pub(super) fn all_kept(&self) -> bool {
        !self.unkept.load(Ordering::Acquire)
    }

    /// Notes whether the click log takes what it is sent.
    pub(super) fn log_takes(&self, outcome: Result<(), StoreError>) {
        *self.log_refusal.lock() = outcome.err();
    }

    /// Whether the click log took what it was sent last.
    pub(super) fn log_took(&self) -> Result<(), StoreError> {
        self.log_refusal.lock().clone().map_or(Ok(()), Err)
    }

    pub(super) fn recorded(&self, clicks: usize) {
        self.recorded.fetch_add(clicks as u64, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost(&self, clicks: usize) {
        self.lost.fetch_add(clicks as u64, Ordering::Relaxed);
    }

    pub(super) fn unacknowledged(&self) {
        self.unacknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stored(&self, consumer: Consumer, clicks: u64) {
        let counter = match consumer {
            Consumer::Totals => &self.in_totals,
            Consumer::Analytics => &self.in_analytics,
        };
        counter.fetch_add(clicks, Ordering::Relaxed);
    }

    pub(super) fn died(&self, clicks: u64) {
        self.dead.fetch_add(clicks, Ordering::Relaxed);
    }

    pub(super) fn store_failed(&self) {
        self.stores_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_aside(&self, batches: u64) {
        self.set_aside.fetch_add(batches, Ordering::Relaxed);
    }

    /// All of it, and how many links were loaded, which the cache counts.
    pub(super) fn read(&self, links_loaded: u64) -> Counters {
        Counters {
            clicks_recorded: self.recorded.load(Ordering::Relaxed),
            batches_recorded: self.batches.load(Ordering::Relaxed),
            links_loaded,
            clicks_lost: self.lost.load(Ordering::Relaxed),
            clicks_unacknowledged: self.unacknowledged.load(Ordering::Relaxed),
            clicks_in_totals: self.in_totals.load(Ordering::Relaxed),
            clicks_in_analytics: self.in_analytics.load(Ordering::Relaxed),
            clicks_dead: self.dead.load(Ordering::Relaxed),
            stores_failed: self.stores_failed.load(Ordering::Relaxed),
            batches_set_aside: self.set_aside.load(Ordering::Relaxed),
        }
    }
}
