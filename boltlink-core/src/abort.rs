//! Places at which a test may end the process, to see what a crash there leaves behind.
//!
//! Without the feature `abort-points`, which only tests turn on, they are nothing.

use crate::store::Consumer;

/// A moment in the life of a group of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// They are leased, and nothing was done.
    Sealed,
    /// Their effect is written, but not committed.
    Written,
    /// Their effect is committed, and the log does not know.
    Applied,
    /// They are settled.
    Settled,
}

/// Ends the process as a crash does, if `BOLTLINK_ABORT_AT` names this place and it is passed for the how-manieth time it
/// says, such as `Totals.Applied.2`.
#[cfg(feature = "abort-points")]
pub fn point(consumer: Consumer, step: Step) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Ok(place) = std::env::var("BOLTLINK_ABORT_AT") else { return };
    let Some(times) = place.strip_prefix(&format!("{consumer:?}.{step:?}.")) else { return };
    if times == (PASSED.fetch_add(1, Ordering::Relaxed) + 1).to_string() {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(feature = "abort-points"))]
pub const fn point(_consumer: Consumer, _step: Step) {}
