//! The log of a producer that makes no more batches.

use std::io;

use super::holdings::Holdings;
use crate::{click::ClickBatch, id::ProducerId};

/// The log of a producer that ended, or died and was [adopted](super::Journal::adopt): to be sent
/// again and released, until it [is empty](Self::is_empty).
///
/// Dropping it empty removes its directory; otherwise the batches stay to be adopted.
#[derive(Debug)]
pub struct RetiredLog {
    holdings: Holdings,
}

impl RetiredLog {
    pub(super) const fn new(holdings: Holdings) -> Self {
        Self { holdings }
    }

    /// Whose log it is.
    #[must_use]
    pub const fn producer(&self) -> ProducerId {
        self.holdings.producer
    }

    /// Reads batches as [`ProducerLog::read`](super::ProducerLog::read) does.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(&mut self, from: u64, max_batches: usize, max_bytes: usize) -> io::Result<Vec<ClickBatch>> {
        self.holdings.read(from, max_batches, max_bytes)
    }

    /// Whether a batch of this sequence is on disk.
    #[must_use]
    pub fn holds(&self, sequence: u64) -> bool {
        self.holdings.holds(sequence)
    }

    /// The lowest sequence on disk.
    #[must_use]
    pub fn first_sequence(&self) -> Option<u64> {
        self.holdings.first_sequence()
    }

    /// The highest sequence on disk.
    #[must_use]
    pub fn last_sequence(&self) -> Option<u64> {
        self.holdings.last_sequence()
    }

    /// Lets go of the segments of which every readable batch is dealt with. Those with damage are renamed
    /// to `*.damaged`, those that another release must read stay; neither counts against the bound any more.
    ///
    /// # Errors
    /// If a file cannot be deleted or renamed: it is tried again by the next call, and the others
    /// are gone.
    pub fn release(&mut self, dealt_with: impl Fn(u64) -> bool) -> io::Result<()> {
        self.holdings.release(0, dealt_with)
    }

    /// Whether nothing is left to be released. Drop it then.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.holdings.segments.is_empty()
    }
}
