//! The log of a recorder that runs.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
};

use super::{
    RetiredLog,
    holdings::Holdings,
    record::{self, MAX_PAYLOAD},
    segment::Segment,
    sync_dir,
};
use crate::{click::ClickBatch, id::ProducerId};

/// The log of one producer, which appends to it.
///
/// Dropping it leaves the batches on disk for [`Journal::adopt`](super::Journal::adopt).
#[derive(Debug)]
pub struct ProducerLog {
    holdings: Holdings,
    /// The last segment, while it is being written.
    pub(super) active: Option<File>,
    /// The highest sequence appended.
    last: u64,
    /// A file or directory was made whose name was not synced yet.
    new_names: bool,
    buffer: Vec<u8>,
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// It would take more than [`JournalConfig::max_bytes`](super::JournalConfig::max_bytes).
    #[error("the journal is full")]
    Full,
    /// The file system refused it.
    #[error("the journal cannot be written")]
    Io(#[source] io::Error),
}

impl ProducerLog {
    pub(super) const fn new(holdings: Holdings) -> Self {
        Self { holdings, active: None, last: 0, new_names: true, buffer: Vec::new() }
    }

    /// Whose log it is.
    #[must_use]
    pub const fn producer(&self) -> ProducerId {
        self.holdings.producer
    }

    /// Appends a batch of this producer by one `write`. Sequences must ascend; they may skip.
    ///
    /// # Errors
    /// [`AppendError::Full`]: nothing was written. [`AppendError::Io`]: the batch is as good as not
    /// written, and the next one can be appended all the same. It may nevertheless turn up later, so its
    /// sequence must not go to other clicks. `InvalidInput` if the batch is another producer's, out
    /// of order or larger than 16 MiB.
    pub fn append(&mut self, batch: &ClickBatch) -> Result<(), AppendError> {
        let id = batch.id();
        let payload = batch.encoded();
        let len = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD);
        let Some(len) = len.filter(|_| id.producer == self.holdings.producer && id.sequence > self.last) else {
            return Err(AppendError::Io(io::Error::from(io::ErrorKind::InvalidInput)));
        };

        let size = (record::RECORD_HEAD + payload.len()) as u64;
        let grown = self.holdings.segments.last().map_or(0, |segment| segment.len) + size;
        if grown > self.holdings.shared.config.segment_bytes {
            self.active = None;
        }
        self.buffer.clear();
        if self.active.is_none() {
            record::put_segment_head(&mut self.buffer);
        }
        record::put_record(&mut self.buffer, len, payload);

        let written = self.buffer.len() as u64;
        if !self.holdings.shared.reserve(written) {
            return Err(AppendError::Full);
        }
        let result = if self.active.is_some() { self.extend() } else { self.begin_segment(id.sequence) };
        if let Err(error) = result {
            self.holdings.shared.give_back(written);
            return Err(AppendError::Io(error));
        }
        if let Some(segment) = self.holdings.segments.last_mut() {
            segment.len += written;
            segment.dirty = true;
            segment.hold(id.sequence);
        }
        self.last = id.sequence;
        Ok(())
    }

    /// Makes durable what was appended.
    ///
    /// # Errors
    /// If the disk does not confirm it. Then it may never: what was appended since the last sync is
    /// not covered by a later one either, as the system may have dropped it.
    pub fn sync(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        let mut active = self.active.as_ref();
        for segment in self.holdings.segments.iter_mut().rev() {
            let open = active.take();
            if segment.dirty {
                segment.dirty = false;
                let synced = match open {
                    Some(file) => file.sync_data(),
                    None => File::options().write(true).open(&segment.path).and_then(|file| file.sync_data()),
                };
                result = result.and(synced);
            }
        }
        if result.is_ok() && self.new_names {
            let root = &self.holdings.shared.config.dir;
            result = sync_dir(&self.holdings.shared.dir_of(self.producer())).and_then(|()| sync_dir(root));
            self.new_names = result.is_err();
        }
        if result.is_err() {
            self.active = None;
        }
        result
    }

    /// Reads batches in order, beginning with the first whose sequence is `from` or higher: at most
    /// so many, with at most so many bytes (but at least one, whatever its size). Fewer may come
    /// than there are; none come only if there are none.
    ///
    /// Going on where the last call stopped (`from` = the last sequence + 1) scans no record twice.
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

    /// Deletes the segments of which every batch is dealt with, but not the one being written.
    ///
    /// # Errors
    /// If a file cannot be deleted: it is tried again by the next call, and the others are gone.
    pub fn release(&mut self, dealt_with: impl Fn(u64) -> bool) -> io::Result<()> {
        self.holdings.release(usize::from(self.active.is_some()), dealt_with)
    }

    /// Ends the log: nothing more will be appended.
    #[must_use = "dropping it leaves its batches to be adopted"]
    pub fn retire(self) -> RetiredLog {
        RetiredLog::new(self.holdings)
    }

    /// Writes the buffer behind the last record.
    fn extend(&mut self) -> io::Result<()> {
        let (Some(file), Some(segment)) = (&mut self.active, self.holdings.segments.last()) else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        let result = file.write_all(&self.buffer);
        // After an error half a record may be there. Nothing must come behind it.
        if result.is_err() && file.set_len(segment.len).and_then(|()| file.seek(SeekFrom::Start(segment.len))).is_err()
        {
            self.active = None;
        }
        result
    }

    /// Writes the buffer into a new segment.
    fn begin_segment(&mut self, first: u64) -> io::Result<()> {
        let segment = Segment::new(&self.holdings.shared.dir_of(self.producer()), first);
        // What an attempt that failed left under the name is not worth keeping: no batch with such a
        // sequence was appended.
        let mut file = File::options().write(true).create(true).truncate(true).open(&segment.path)?;
        if let Err(error) = file.write_all(&self.buffer) {
            drop(file);
            let _ = fs::remove_file(&segment.path);
            return Err(error);
        }
        self.active = Some(file);
        self.new_names = true;
        self.holdings.segments.push(segment);
        Ok(())
    }
}
