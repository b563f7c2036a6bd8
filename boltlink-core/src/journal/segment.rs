//! One file of records.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Take},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use bytes::Bytes;

use super::{
    Shared,
    record::{RECORD_HEAD, Scanner},
};
use crate::{
    click::{ClickBatch, DecodeError},
    id::ProducerId,
};

/// What is known of a segment without opening it.
#[derive(Debug)]
pub(super) struct Segment {
    /// Names it; no sequence in it is lower.
    pub(super) first: u64,
    pub(super) path: PathBuf,
    /// How many of its bytes are to be read.
    pub(super) len: u64,
    /// The sequences of its batches, ascending.
    pub(super) held: Vec<RangeInclusive<u64>>,
    /// Something in it was damaged.
    pub(super) damaged: bool,
    /// Something in it is for another release to read.
    pub(super) unknown: bool,
    /// Something in it was not synced yet.
    pub(super) dirty: bool,
}

impl Segment {
    pub(super) fn new(dir: &Path, first: u64) -> Self {
        Self {
            first,
            path: dir.join(name(first)),
            len: 0,
            held: Vec::new(),
            damaged: false,
            unknown: false,
            dirty: false,
        }
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.held.last().map(|range| *range.end())
    }

    /// Notes that it holds a batch, which comes after all others.
    pub(super) fn hold(&mut self, sequence: u64) {
        match self.held.last_mut() {
            Some(range) if range.end().checked_add(1) == Some(sequence) => *range = *range.start()..=sequence,
            _ => self.held.push(sequence..=sequence),
        }
    }

    /// The batches from this offset on (0, or one that [`Records::offset`] gave).
    pub(super) fn records(&self, producer: ProducerId, offset: u64) -> io::Result<Records> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut scanner = Scanner::new(file.take(self.len.saturating_sub(offset)), offset);
        let mut unknown = 0;
        if offset == 0 && scanner.head()?.is_some() {
            unknown = 1;
            scanner = Scanner::new(scanner.into_input().into_inner().take(0), self.len);
        }
        Ok(Records { scanner, producer, foreign: 0, unknown })
    }

    /// Reads it through, to learn which batches above the sequence `after` it really holds. Reports
    /// what cannot be read.
    pub(super) fn survey(&mut self, producer: ProducerId, after: u64, shared: &Shared) -> io::Result<()> {
        let mut records = self.records(producer, 0)?;
        let mut last = after;
        self.held.clear();
        while let Some(batch) = records.next()? {
            let sequence = batch.id().sequence;
            if sequence > last {
                last = sequence;
                self.hold(sequence);
            }
        }
        let (damaged_bytes, unknown) = (records.damaged(), records.unknown);
        if damaged_bytes > 0 {
            self.damaged = true;
            shared.damaged_bytes.fetch_add(damaged_bytes, Ordering::Relaxed);
            tracing::error!(
                file = %self.path.display(), damaged_bytes,
                "clicks in a journal are damaged; the others in the file are not affected"
            );
        }
        if unknown > 0 {
            self.unknown = true;
            shared.unknown_records.fetch_add(unknown, Ordering::Relaxed);
            tracing::error!(
                file = %self.path.display(), unknown_records = unknown,
                "clicks in a journal were written by another release; they are kept until it reads them"
            );
        }
        Ok(())
    }
}

/// The batches of a segment.
pub(super) struct Records {
    scanner: Scanner<Take<File>>,
    producer: ProducerId,
    /// Bytes of records that are whole, but not a batch of this producer.
    foreign: u64,
    unknown: u64,
}

impl Records {
    pub(super) fn next(&mut self) -> io::Result<Option<ClickBatch>> {
        while let Some(payload) = self.scanner.next()? {
            let payload = Bytes::copy_from_slice(payload);
            let len = RECORD_HEAD + payload.len();
            match ClickBatch::decode(payload) {
                Ok(batch) if batch.id().producer == self.producer => return Ok(Some(batch)),
                Err(DecodeError::UnknownVersion(_)) => self.unknown += 1,
                Ok(_) | Err(DecodeError::Malformed) => self.foreign += len as u64,
            }
        }
        Ok(None)
    }

    /// Where the record after the last one begins.
    pub(super) const fn offset(&self) -> u64 {
        self.scanner.offset()
    }

    pub(super) const fn damaged(&self) -> u64 {
        self.scanner.damaged() + self.foreign
    }
}

/// Surveys the segments of a producer.
pub(super) fn load_all(
    dir: &Path,
    producer: ProducerId,
    firsts: Vec<u64>,
    shared: &Shared,
) -> io::Result<Vec<Segment>> {
    let mut after = 0;
    let load = |first| {
        let mut segment = Segment::new(dir, first);
        segment.len = fs::metadata(&segment.path)?.len();
        segment.survey(producer, after, shared)?;
        after = segment.last().unwrap_or(after);
        Ok(segment)
    };
    firsts.into_iter().map(load).collect()
}

/// The segments in a directory, ascending.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let file = entry?.file_name();
        let first = file.to_str().and_then(|file| file.strip_suffix(".seg")).and_then(|first| first.parse().ok());
        firsts.extend(first.filter(|first| *file == *name(*first)));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

fn name(first: u64) -> String {
    format!("{first:016}.seg")
}
