//! How long to wait before asking a store again that was away.

use std::time::Duration;

/// Doubles from [`FIRST`](Self::FIRST) to [`LONGEST`](Self::LONGEST), each wait up to a half shorter, so
/// that processes which failed together do not come back together.
pub(super) struct Backoff {
    next: Duration,
    state: u64,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(30);

    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(Self::LONGEST);
        // Any scatter will do here (a linear congruential step); nobody must be kept from guessing it.
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let half = u64::try_from(wait.as_micros() / 2).unwrap_or(u64::MAX).max(1);
        wait - Duration::from_micros((self.state >> 33) % half)
    }

    pub(super) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        // The address of a local differs between processes and tasks.
        let here = 0_u8;
        Self { next: Self::FIRST, state: std::ptr::from_ref(&here).addr() as u64 ^ u64::from(std::process::id()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_and_longer_within_bounds() {
        let mut backoff = Backoff::default();
        let mut full = Backoff::FIRST;
        for _ in 0..20 {
            let wait = backoff.next();
            assert!(wait > full / 2 && wait <= full, "{wait:?} of {full:?}");
            full = (full * 2).min(Backoff::LONGEST);
        }
        backoff.reset();
        assert!(backoff.next() <= Backoff::FIRST);
    }
}
