//! Long work in short pieces, so that visits that need the same core do not wait for it.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a piece takes. A scheduler takes a core from a thread that works only after some milliseconds.
const PIECE: Duration = Duration::from_micros(200);

/// Rests between pieces of work, each time as long as the piece took.
pub(super) struct Pace(Instant);

impl Pace {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Rests, if a piece is done. Holds up the calling thread for that: nobody may wait for what it has locked.
    pub(super) fn step(&mut self) {
        let worked = self.0.elapsed();
        if worked >= PIECE {
            // No longer, if it was itself held up.
            thread::sleep(worked.min(2 * PIECE));
            self.0 = Instant::now();
        }
    }
}
