//! Long work in short pieces, so that visits that need the same core do not wait for it.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long to work at least before a rest, and how long to rest. A scheduler leaves a core for milliseconds to a thread
/// that does not rest.
const PIECE: Duration = Duration::from_micros(200);

/// Rests between pieces of work. After a rest that took longer than it should, as the core was busy or the timer is coarse,
/// the next piece is as long: at least half of the time goes to work.
pub(super) struct Pace {
    since: Instant,
    piece: Duration,
}

impl Pace {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), piece: PIECE }
    }

    /// Rests, if a piece is done. Holds up the calling thread for that: nobody may wait for what it has locked.
    pub(super) fn step(&mut self) {
        if self.since.elapsed() < self.piece {
            return;
        }
        let rest = Instant::now();
        thread::sleep(PIECE);
        self.since = Instant::now();
        self.piece = self.since - rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_as_long_as_the_rest_before_it() {
        let mut pace = Pace { since: Instant::now(), piece: Duration::ZERO };
        pace.step();
        assert!(pace.piece >= PIECE, "it has rested");
        let Pace { since, .. } = pace;
        pace.piece = Duration::from_secs(3600);
        pace.step();
        assert_eq!(pace.since, since, "it goes on");
    }
}
