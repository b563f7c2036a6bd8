//! The bytes of a segment.
//!
//! ```text
//! segment = magic:[8] format:u32 crc32(magic, format):u32 record*
//! record  = marker:[4] len:u32 crc32(len, payload):u32 payload:[len]        (numbers little-endian)
//! ```

use std::io::{self, Read};

const MAGIC: [u8; 8] = *b"BLTJRNL\n";
const FORMAT: u32 = 1;
/// The length of a segment's head.
pub(super) const SEGMENT_HEAD: usize = 16;

/// No text holds the byte 0xff in UTF-8, so nothing that a visitor sends can pass for a record.
const MARKER: [u8; 4] = [0xff, b'B', b'L', 0xfe];
/// The length of a record's head.
pub(super) const RECORD_HEAD: usize = 12;

/// A longer payload is refused, and a longer length read from disk is damage.
pub(super) const MAX_PAYLOAD: usize = 16 << 20;

/// Read at least so much at once.
const WINDOW: usize = 64 << 10;

/// Adds a segment's head.
pub(super) fn put_segment_head(out: &mut Vec<u8>) {
    out.extend_from_slice(&segment_head(FORMAT));
}

pub(super) fn segment_head(format: u32) -> [u8; SEGMENT_HEAD] {
    let mut head = [0; SEGMENT_HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&format.to_le_bytes());
    let crc = crc32fast::hash(&head[..12]);
    head[12..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Adds a record.
pub(super) fn put_record(out: &mut Vec<u8>, len: u32, payload: &[u8]) {
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&checksum(len, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(len: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&len.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Finds the records of a segment, whatever happened to it.
pub(super) struct Scanner<R> {
    input: R,
    /// Read and not yet passed: `buffer[at..]`.
    buffer: Vec<u8>,
    at: usize,
    /// Where in the file `buffer[at]` is.
    offset: u64,
    damaged: u64,
}

/// What there is at a place.
enum Sight {
    /// A record with a payload so long.
    Record(usize),
    /// What may be the beginning of a record that the file's end cuts off.
    Cut,
    /// Nothing that could be a record.
    Rubbish,
    /// The file's end.
    End,
}

impl<R: Read> Scanner<R> {
    /// Scans `input`, which begins at this offset of a segment.
    pub(super) const fn new(input: R, offset: u64) -> Self {
        Self { input, buffer: Vec::new(), at: 0, offset, damaged: 0 }
    }

    /// Passes the segment's head. The answer is its format if that is a foreign one: then nothing
    /// can be said about the rest. A damaged head is left to be passed as damage.
    pub(super) fn head(&mut self) -> io::Result<Option<u32>> {
        let rest = self.fill(SEGMENT_HEAD)?;
        let Some(head) = rest.first_chunk::<SEGMENT_HEAD>() else {
            // A crash cut it off. No record fits.
            let len = rest.len();
            self.pass(len);
            return Ok(None);
        };
        let format = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if *head != segment_head(format) {
            return Ok(None);
        }
        self.pass(SEGMENT_HEAD);
        Ok((format != FORMAT).then_some(format))
    }

    /// The payload of the next record that is whole.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let mut passed = 0;
        let mut torn = false;
        let mut zeros = true;
        loop {
            match self.look()? {
                Sight::Record(len) => {
                    self.damaged += passed;
                    self.pass(RECORD_HEAD + len);
                    return Ok(Some(&self.buffer[self.at - len..self.at]));
                }
                Sight::End => {
                    // What a crash leaves is the beginning of a record, or a length without content.
                    if !torn && !zeros {
                        self.damaged += passed;
                    }
                    return Ok(None);
                }
                Sight::Cut if passed == 0 => torn = true,
                Sight::Cut | Sight::Rubbish => {}
            }
            let rest = &self.buffer[self.at..];
            let step = rest.iter().skip(1).position(|byte| *byte == MARKER[0]).map_or(rest.len(), |found| found + 1);
            zeros = zeros && rest[..step].iter().all(|byte| *byte == 0);
            self.pass(step);
            passed += step as u64;
        }
    }

    /// Where the next record begins, unless damage comes first.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes were passed that are no record, and no torn tail.
    pub(super) const fn damaged(&self) -> u64 {
        self.damaged
    }

    /// What was being scanned.
    pub(super) fn into_input(self) -> R {
        self.input
    }

    fn look(&mut self) -> io::Result<Sight> {
        let rest = self.fill(RECORD_HEAD)?;
        let Some(head) = rest.first_chunk::<RECORD_HEAD>() else {
            return Ok(if rest.is_empty() { Sight::End } else { Sight::Cut });
        };
        let [m0, m1, m2, m3, l0, l1, l2, l3, c0, c1, c2, c3] = *head;
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        if [m0, m1, m2, m3] != MARKER || len as usize > MAX_PAYLOAD {
            return Ok(Sight::Rubbish);
        }
        let whole = RECORD_HEAD + len as usize;
        let Some(record) = self.fill(whole)?.get(..whole) else { return Ok(Sight::Cut) };
        let valid = checksum(len, &record[RECORD_HEAD..]) == u32::from_le_bytes([c0, c1, c2, c3]);
        Ok(if valid { Sight::Record(len as usize) } else { Sight::Rubbish })
    }

    /// What comes next: at least `len` bytes, or all that are left.
    fn fill(&mut self, len: usize) -> io::Result<&[u8]> {
        let have = self.buffer.len() - self.at;
        if have < len {
            self.buffer.drain(..self.at);
            self.at = 0;
            let more = (len - have).max(WINDOW) as u64;
            self.input.by_ref().take(more).read_to_end(&mut self.buffer)?;
        }
        Ok(&self.buffer[self.at..])
    }

    fn pass(&mut self, len: usize) {
        self.at += len;
        self.offset += len as u64;
    }
}
