//! How many links go into one transaction.

use std::time::Duration;

/// As many as are stored in a time that others can wait: a server beside the import stores its clicks
/// and its new links between two transactions.
pub(super) struct Pace {
    batch: usize,
}

/// How long a transaction may keep others out.
const PATIENCE: Duration = Duration::from_millis(20);
/// Fewer links are not worth a transaction of their own: waiting for the disk takes longer than they do.
const FEWEST: usize = 256;
/// More would have to be kept in memory for nothing: their transactions are long enough.
const MOST: usize = 1_024;

impl Pace {
    pub(super) fn new() -> Self {
        Self { batch: FEWEST }
    }

    /// How many links to put into the next transaction.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Learns how long the last one took.
    pub(super) fn took(&mut self, time: Duration) {
        // Steps of two, so that one slow write does not undo what many quick ones showed.
        let next = if time > PATIENCE {
            self.batch / 2
        } else if time < PATIENCE / 2 {
            self.batch * 2
        } else {
            self.batch
        };
        self.batch = next.clamp(FEWEST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_the_store_is_quick_and_shrinks_when_it_is_not() {
        let mut pace = Pace::new();
        let mut after = |millis| {
            pace.took(Duration::from_millis(millis));
            pace.batch()
        };
        assert_eq!([5, 5, 5, 15, 30, 30, 500, 500].map(&mut after), [512, 1_024, 1_024, 1_024, 512, 256, 256, 256]);
    }
}
