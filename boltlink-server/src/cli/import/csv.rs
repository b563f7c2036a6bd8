//! Tables: CSV as spreadsheets, databases and other shorteners write it.

use std::collections::VecDeque;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde_json::Value;

use super::{
    columns::{self, Column, Origin},
    format::{Record, Records, no_target},
    source::{LONGEST, Line, Source},
};
use crate::cli::failure::Failure;

/// A table whose first record names the columns.
///
/// A record that is broken costs its first line only, and reading goes on at the next one: a quote
/// that is not closed must not swallow the rest of the file.
pub(super) struct Table {
    lines: LinesAgain,
    cells: Cells,
    /// Whether `\n`, `\t` and `\\` stand for a line break, a tab and a backslash.
    escaped: bool,
    origin: Origin,
    /// What each column holds; `None` if nobody knows.
    columns: Vec<Option<Column>>,
    unknown: Vec<String>,
    domain: Option<String>,
}

impl Table {
    pub(super) fn new(source: Source, origin: Origin, domain: Option<String>) -> Result<Self, Failure> {
        let mut lines = LinesAgain { source, again: VecDeque::new() };
        let header = loop {
            match lines.next()? {
                None => return Err(no_target(origin)),
                Some((_, Ok(line))) if line.trim_ascii().is_empty() => {}
                Some((_, Ok(line))) => break header(&String::from_utf8_lossy(&line)),
                Some((_, Err(_))) => return Err(no_target(origin)),
            }
        };
        let columns: Vec<_> = header.names.iter().map(|name| origin.column(name)).collect();
        if !columns.contains(&Some(Column::Field("target"))) {
            return Err(no_target(origin));
        }
        let names = header.names.iter().zip(&columns).filter(|(name, column)| column.is_none() && !name.is_empty());
        let unknown = names.map(|(name, _)| name.clone()).collect();
        // Databases' clients write tabs between cells without quotes, and escape what is in them.
        let escaped = header.delimiter == b'\t' && matches!(origin, Origin::Yourls | Origin::Kutt);
        let cells = Cells::by(header.delimiter, !escaped);
        Ok(Self { lines, cells, escaped, origin, columns, unknown, domain })
    }

    /// Reads the record that begins in the first of `taken` and may go on behind it.
    fn record(&mut self, taken: &mut Vec<(u64, Vec<u8>)>) -> Result<Result<(), String>, Failure> {
        self.cells.clear();
        let mut size = 0;
        for at in 0.. {
            if at == taken.len() {
                match self.lines.next()? {
                    Some((line, Ok(bytes))) => taken.push((line, bytes)),
                    _ => return Ok(Err("has a quote that is not closed".to_owned())),
                }
            }
            let Some((_, bytes)) = taken.get(at) else { break };
            size += bytes.len();
            match self.cells.feed(bytes) {
                Fed::Open if size > LONGEST => return Ok(Err("has a quote that is not closed".to_owned())),
                Fed::Open => {}
                Fed::Broken(reason) => return Ok(Err(reason.to_owned())),
                Fed::Record => break,
            }
        }
        let (cells, columns) = (self.cells.count, self.columns.len());
        Ok(if cells == columns { Ok(()) } else { Err(format!("has {cells} cells, but the header {columns}")) })
    }
}

impl Records for Table {
    fn next(&mut self) -> Result<Option<Record>, Failure> {
        loop {
            let (line, bytes) = match self.lines.next()? {
                None => return Ok(None),
                Some((line, Err(TooLong))) => return Ok(Some(Record::broken(line, "is too long"))),
                Some((line, Ok(bytes))) => (line, bytes),
            };
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let mut taken = vec![(line, bytes)];
            if let Err(reason) = self.record(&mut taken)? {
                // Spreadsheets leave rows of nothing but delimiters behind.
                if self.cells.length == 0 && taken.len() == 1 {
                    continue;
                }
                self.lines.put_back(taken.drain(1..));
                return Ok(Some(Record::broken(line, reason)));
            }
            let Some(texts) = self.cells.texts() else {
                return Ok(Some(Record::broken(line, "is not UTF-8 text")));
            };
            if texts.iter().all(|text| text.trim().is_empty()) {
                continue;
            }
            let cells = self.columns.iter().zip(texts);
            let value = |text: &str| if self.escaped { Value::from(unescaped(text)) } else { Value::from(text) };
            let cells = cells.filter_map(|(column, text)| Some(((*column)?, value(text))));
            return Ok(Some(Record::new(line, columns::assemble(self.origin, cells, self.domain.as_deref()))));
        }
    }

    fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

/// The names in a header.
pub(super) struct Header {
    pub(super) names: Vec<String>,
    delimiter: u8,
}

/// Reads a header. What occurs most of comma, semicolon and tab is the delimiter.
pub(super) fn header(line: &str) -> Header {
    let count = |delimiter: u8| line.bytes().filter(|b| *b == delimiter).count();
    let delimiter = [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',');
    let mut cells = Cells::by(delimiter, true);
    cells.feed(format!("{}\n", line.trim_end_matches(['\r', '\n'])).as_bytes());
    let names = cells.texts().unwrap_or_default().iter().map(|name| name.trim().to_owned()).collect();
    Header { names, delimiter }
}

/// The text of a cell as the clients of MySQL and Postgres write it. `\N`, which is nothing, stays.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(escape @ ('n' | 't' | 'r' | '\\'))) => {
                chars.next();
                plain.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                });
            }
            _ => plain.push(c),
        }
    }
    plain
}

/// Lines, some of them for the second time.
struct LinesAgain {
    source: Source,
    again: VecDeque<(u64, Vec<u8>)>,
}

/// A line and its number.
type Numbered = (u64, Result<Vec<u8>, TooLong>);

/// A line of more than [`LONGEST`] bytes.
struct TooLong;

impl LinesAgain {
    /// The next line with its number. It ends with a line break, also the last one of the file.
    fn next(&mut self) -> Result<Option<Numbered>, Failure> {
        if let Some((line, bytes)) = self.again.pop_front() {
            return Ok(Some((line, Ok(bytes))));
        }
        let mut bytes = Vec::new();
        Ok(match self.source.next_line(&mut bytes)? {
            Line::End => None,
            Line::TooLong(line) => Some((line, Err(TooLong))),
            Line::Whole(line) => {
                if !bytes.ends_with(b"\n") {
                    bytes.push(b'\n');
                }
                Some((line, Ok(bytes)))
            }
        })
    }

    fn put_back(&mut self, lines: impl DoubleEndedIterator<Item = (u64, Vec<u8>)>) {
        for line in lines.rev() {
            self.again.push_front(line);
        }
    }
}

/// The cells of one record.
struct Cells {
    reader: Reader,
    quotes: Quotes,
    bytes: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    count: usize,
}

enum Fed {
    /// The record goes on in the next line.
    Open,
    Record,
    Broken(&'static str),
}

impl Cells {
    fn by(delimiter: u8, quoted: bool) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).quoting(quoted).build();
        let quotes = Quotes { delimiter, quoted, at: At::Start };
        Self { reader, quotes, bytes: Vec::new(), length: 0, ends: Vec::new(), count: 0 }
    }

    fn clear(&mut self) {
        self.reader.reset();
        self.quotes.at = At::Start;
        (self.length, self.count) = (0, 0);
    }

    /// Takes one line, which ends with a line break.
    fn feed(&mut self, line: &[u8]) -> Fed {
        // A line yields no more bytes and no more cells than it has bytes, so that one call does it.
        self.bytes.resize(self.bytes.len().max(self.length + line.len()), 0);
        self.ends.resize(self.ends.len().max(self.count + line.len() + 1), 0);
        let (bytes, ends) = (&mut self.bytes[self.length..], &mut self.ends[self.count..]);
        let (result, read, wrote, ended) = self.reader.read_record(line, bytes, ends);
        self.length += wrote;
        self.count += ended;
        match result {
            _ if !line.iter().all(|byte| self.quotes.allow(*byte)) => Fed::Broken("has text behind a closing quote"),
            ReadRecordResult::Record if line[read..].trim_ascii().is_empty() => Fed::Record,
            ReadRecordResult::InputEmpty => Fed::Open,
            _ => Fed::Broken("has a line break of an unknown kind"),
        }
    }

    /// The cells as text, if all of them are text.
    fn texts(&self) -> Option<Vec<&str>> {
        let text = str::from_utf8(&self.bytes[..self.length]).ok()?;
        let mut from = 0;
        self.ends[..self.count].iter().map(|&to| text.get(std::mem::replace(&mut from, to)..to)).collect()
    }
}

/// Watches the quotes more closely than the reader does, which makes something of anything: text
/// behind a closing quote shows that the quote was meant to open, and one before it is missing.
struct Quotes {
    delimiter: u8,
    /// Whether quotes mean anything.
    quoted: bool,
    at: At,
}

enum At {
    /// The beginning of a cell.
    Start,
    /// A cell without quotes, or with quotes that are text.
    Bare,
    Quoted,
    /// Behind a quote in a quoted cell: it ends the cell, unless another one follows.
    Closed,
}

impl Quotes {
    fn allow(&mut self, byte: u8) -> bool {
        if !self.quoted {
            return true;
        }
        self.at = match (&self.at, byte) {
            (At::Start, b'"') | (At::Closed, b'"') => At::Quoted,
            (At::Quoted, b'"') => At::Closed,
            (At::Quoted, _) => At::Quoted,
            (_, b'\r' | b'\n') => At::Start,
            (_, byte) if byte == self.delimiter => At::Start,
            (At::Closed, b' ') => At::Closed,
            (At::Closed, _) => return false,
            (At::Start | At::Bare, _) => At::Bare,
        };
        true
    }
}
