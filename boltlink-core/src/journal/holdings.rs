//! What a producer has on disk, whoever owns it now.

use std::{
    fs::{self, File},
    io, mem,
    sync::{Arc, atomic::Ordering},
};

use super::{Shared, segment::Segment};
use crate::{click::ClickBatch, id::ProducerId};

/// A locked directory and its segments.
#[derive(Debug)]
pub(super) struct Holdings {
    pub(super) shared: Arc<Shared>,
    pub(super) producer: ProducerId,
    /// Ascending.
    pub(super) segments: Vec<Segment>,
    /// Some only until the drop.
    lock: Option<File>,
    /// Where the last reading stopped.
    bookmark: Option<Bookmark>,
    /// A segment that another release must read was left in the directory.
    leaves_unknown: bool,
}

/// The batch `sequence` and those after it are found in this segment from this offset on.
#[derive(Debug, Clone, Copy)]
struct Bookmark {
    sequence: u64,
    segment: u64,
    offset: u64,
}

impl Holdings {
    pub(super) fn new(shared: Arc<Shared>, producer: ProducerId, lock: File, segments: Vec<Segment>) -> Self {
        shared.bytes.fetch_add(segments.iter().map(|segment| segment.len).sum(), Ordering::Relaxed);
        Self { shared, producer, segments, lock: Some(lock), bookmark: None, leaves_unknown: false }
    }

    pub(super) fn first_sequence(&self) -> Option<u64> {
        self.segments.iter().find_map(|segment| segment.held.first()).map(|range| *range.start())
    }

    pub(super) fn last_sequence(&self) -> Option<u64> {
        self.segments.iter().rev().find_map(Segment::last)
    }

    pub(super) fn holds(&self, sequence: u64) -> bool {
        // The last ones are asked for most.
        let holding = |segment: &Segment| segment.held.iter().rev().any(|range| range.contains(&sequence));
        self.segments.iter().rev().any(holding)
    }

    pub(super) fn read(&mut self, from: u64, max_batches: usize, max_bytes: usize) -> io::Result<Vec<ClickBatch>> {
        let mut batches = Vec::new();
        let mut bytes = 0_usize;
        for index in 0..self.segments.len() {
            let segment = &self.segments[index];
            if segment.last().is_none_or(|last| last < from) {
                continue;
            }
            let resumed = self.bookmark.filter(|mark| mark.sequence == from && mark.segment == segment.first);
            let mut records = segment.records(self.producer, resumed.map_or(0, |mark| mark.offset))?;
            let mut next = from;
            while batches.len() < max_batches
                && let Some(batch) = records.next()?
            {
                let sequence = batch.id().sequence;
                if sequence < next {
                    continue;
                }
                bytes = bytes.saturating_add(batch.encoded().len());
                if bytes > max_bytes && !batches.is_empty() {
                    break;
                }
                next = sequence.saturating_add(1);
                self.bookmark = Some(Bookmark { sequence: next, segment: segment.first, offset: records.offset() });
                batches.push(batch);
            }
            if records.damaged() > 0 && !segment.damaged {
                let after = self.segments[..index].iter().rev().find_map(Segment::last).unwrap_or(0);
                self.segments[index].survey(self.producer, after, &self.shared)?;
            }
            // Never past a segment's end, so that a segment that cannot be read holds up only what
            // comes after it.
            if !batches.is_empty() {
                break;
            }
        }
        Ok(batches)
    }

    /// Lets go of the segments whose batches are all dealt with, but for the last `keep`.
    pub(super) fn release(&mut self, keep: usize, dealt_with: impl Fn(u64) -> bool) -> io::Result<()> {
        let mut result = Ok(());
        let releasable = self.segments.len().saturating_sub(keep);
        for (index, segment) in mem::take(&mut self.segments).into_iter().enumerate() {
            let done = index < releasable && segment.held.iter().cloned().flatten().all(&dealt_with);
            match if done { self.let_go(&segment).map(|()| true) } else { Ok(false) } {
                Ok(true) => self.shared.give_back(segment.len),
                Ok(false) => self.segments.push(segment),
                Err(error) => {
                    self.segments.push(segment);
                    result = Err(error);
                }
            }
        }
        result
    }

    fn let_go(&mut self, segment: &Segment) -> io::Result<()> {
        if segment.unknown {
            self.leaves_unknown = true;
            return Ok(());
        }
        if segment.damaged {
            let kept = format!("{}-{:016}.damaged", self.producer, segment.first);
            return fs::rename(&segment.path, self.shared.config.dir.join(kept));
        }
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Holdings {
    fn drop(&mut self) {
        self.shared.give_back(self.segments.iter().map(|segment| segment.len).sum());
        let Some(lock) = self.lock.take().filter(|_| self.segments.is_empty()) else { return };
        if self.leaves_unknown {
            self.shared.set_aside.lock().insert(self.producer);
        } else if let Err(error) = self.shared.guard().and_then(|_guard| self.shared.remove(self.producer, lock)) {
            tracing::warn!(producer = %self.producer, %error, "cannot remove an empty directory of a journal");
        }
    }
}
