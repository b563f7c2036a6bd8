//! What is read: a file or standard input, line by line, with its beginning known beforehand.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Cursor, Read},
};

use super::progress::Progress;
use crate::cli::failure::Failure;

/// How much of the beginning is looked at to tell what the rest is.
const HEAD: u64 = 64 * 1024;
/// The longest line, and the longest record of several lines, that is kept in memory. No link comes
/// near it; what is longer is not what it was taken for.
pub(super) const LONGEST: usize = 1024 * 1024;

/// An input that was opened. Its byte order mark is gone.
pub(super) struct Source {
    head: Vec<u8>,
    reader: Box<dyn BufRead>,
    line: u64,
}

/// What [`Source::next_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line of this number, with its line break.
    Whole(u64),
    /// A line of more than [`LONGEST`] bytes, which is passed over.
    TooLong(u64),
    /// Nothing more.
    End,
}

impl Source {
    /// Opens a file, or standard input for `-`, and lets `progress` see what is read.
    pub(super) fn open(name: &str, progress: &Progress) -> Result<Self, Failure> {
        let cannot = |error: io::Error| Failure::new(format_args!("cannot read {name}: {error}"));
        let input: Box<dyn Read> = if name == "-" {
            progress.unbounded();
            Box::new(progress.watch(io::stdin()))
        } else {
            let meta = fs::metadata(name).map_err(cannot)?;
            if meta.is_dir() {
                return Err(Failure::new(format_args!("cannot read {name}: it is a folder")));
            }
            if meta.is_file() {
                progress.bounded(meta.len())
            } else {
                progress.unbounded()
            }
            Box::new(progress.watch(File::open(name).map_err(cannot)?))
        };
        Self::of(name, input)
    }

    /// Begins to read what is called `name`.
    pub(super) fn of(name: &str, mut input: Box<dyn Read>) -> Result<Self, Failure> {
        let cannot = |error: io::Error| Failure::new(format_args!("cannot read {name}: {error}"));
        let mut head = Vec::new();
        input.by_ref().take(HEAD).read_to_end(&mut head).map_err(cannot)?;
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(Failure::new(format_args!("cannot read {name}: it is UTF-16\n    fix: save it as UTF-8")));
        }
        if head.starts_with("\u{feff}".as_bytes()) {
            head.drain(..3); // Windows likes to begin files with a byte order mark.
        }
        let reader = Box::new(BufReader::with_capacity(64 * 1024, Cursor::new(head.clone()).chain(input)));
        Ok(Self { head, reader, line: 0 })
    }

    /// The first bytes, which will still be read.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Reads a line into `into`.
    pub(super) fn next_line(&mut self, into: &mut Vec<u8>) -> Result<Line, Failure> {
        into.clear();
        self.line += 1;
        self.read_line(into).map_err(|error| Failure::new(format_args!("cannot read line {}: {error}", self.line)))
    }

    fn read_line(&mut self, into: &mut Vec<u8>) -> io::Result<Line> {
        let limit = LONGEST as u64;
        if (&mut self.reader).take(limit).read_until(b'\n', into)? == 0 {
            return Ok(Line::End);
        }
        if into.len() < LONGEST || into.ends_with(b"\n") {
            return Ok(Line::Whole(self.line));
        }
        while !into.ends_with(b"\n") {
            into.clear();
            if (&mut self.reader).take(limit).read_until(b'\n', into)? == 0 {
                break;
            }
        }
        Ok(Line::TooLong(self.line))
    }

    /// The bytes as they are, for who does not read lines.
    pub(super) fn into_bytes(self) -> Box<dyn BufRead> {
        self.reader
    }
}
