//! A listing in JSON: an array of links, or objects that have one under `data`, as Kutt's API answers.

use std::io::BufRead;

use serde_json::Value;

use super::{
    columns,
    format::{Record, Records},
    source::{LONGEST, Source},
};
use crate::cli::failure::Failure;

/// Reads one link after the other without the rest of the document, several documents in a row too,
/// as pages of a listing put into one file are.
///
/// It looks for the ends of links only; what is between them the parser judges, so that a broken
/// link is told by its line and stops nothing.
pub(super) struct Listing {
    input: Box<dyn BufRead>,
    domain: Option<String>,
    scan: Scan,
}

/// Where the reading is in the document.
struct Scan {
    place: Place,
    /// The string that was read last outside of links: the name of what comes.
    name: Vec<u8>,
    text: Text,
    line: u64,
    link: Vec<u8>,
    link_line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In this many objects and arrays that are no links.
    Outside(u32),
    /// Between the links, in this many objects.
    Between(u32),
    /// In a link, and there in this many objects and arrays.
    Link { outside: u32, inside: u32 },
}

/// Whether brackets count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    No,
    Yes,
    Escaped,
}

/// The longest name that means something here is much shorter.
const NAME: usize = 64;

impl Listing {
    pub(super) fn new(source: Source, domain: Option<String>) -> Self {
        let scan = Scan {
            place: Place::Outside(0),
            name: Vec::new(),
            text: Text::No,
            line: 1,
            link: Vec::new(),
            link_line: 1,
        };
        Self { input: source.into_bytes(), domain, scan }
    }

    fn record(&self) -> Record {
        let Scan { link, link_line: line, .. } = &self.scan;
        if link.len() > LONGEST {
            return Record::broken(*line, "is too long");
        }
        match serde_json::from_slice::<Value>(link) {
            Ok(Value::Object(object)) => Record::new(*line, columns::from_json(object, self.domain.as_deref())),
            Ok(_) => Record::broken(*line, "must be a JSON object"),
            Err(error) => Record::broken(*line, format_args!("is not JSON: {error}")),
        }
    }
}

impl Records for Listing {
    fn next(&mut self) -> Result<Option<Record>, Failure> {
        loop {
            let line = self.scan.line;
            let chunk = self.input.fill_buf();
            let chunk = chunk.map_err(|error| Failure::new(format_args!("cannot read line {line}: {error}")))?;
            if chunk.is_empty() {
                let whole = std::mem::replace(&mut self.scan.place, Place::Outside(0)) == Place::Outside(0);
                return Ok((!whole).then(|| Record::broken(line, "is the last one, but the JSON goes on")));
            }
            let end = chunk.iter().position(|byte| self.scan.take(*byte));
            let read = end.map_or(chunk.len(), |at| at + 1);
            self.input.consume(read);
            if end.is_some() {
                return Ok(Some(self.record()));
            }
        }
    }
}

impl Scan {
    /// Takes one byte; whether a link ends with it.
    fn take(&mut self, byte: u8) -> bool {
        if byte == b'\n' {
            self.line += 1;
        }
        let structural = self.text == Text::No;
        self.text = match (self.text, byte) {
            (Text::No, b'"') => {
                self.name.clear();
                Text::Yes
            }
            (Text::Yes, b'"') => Text::No,
            (Text::Yes, b'\\') => Text::Escaped,
            (Text::Escaped, _) => Text::Yes,
            (text, _) => text,
        };
        match self.place {
            Place::Outside(depth) => {
                match byte {
                    b'[' if structural && (depth == 0 || (depth == 1 && self.name == b"data")) => {
                        self.place = Place::Between(depth);
                    }
                    b'[' | b'{' if structural => self.place = Place::Outside(depth.saturating_add(1)),
                    b']' | b'}' if structural => self.place = Place::Outside(depth.saturating_sub(1)),
                    _ if self.text == Text::Yes && !structural && self.name.len() < NAME => self.name.push(byte),
                    _ => {}
                }
                false
            }
            Place::Between(outside) => match byte {
                b']' => {
                    self.place = Place::Outside(outside);
                    false
                }
                b',' => false,
                _ if byte.is_ascii_whitespace() => false,
                _ => {
                    self.link.clear();
                    self.link.push(byte);
                    self.link_line = self.line;
                    self.place = Place::Link { outside, inside: u32::from(matches!(byte, b'{' | b'[')) };
                    false
                }
            },
            Place::Link { outside, inside } => {
                // A link that is not even an object ends where the next one begins.
                if structural && inside == 0 && matches!(byte, b',' | b']') {
                    self.place = if byte == b']' { Place::Outside(outside) } else { Place::Between(outside) };
                    return true;
                }
                if self.link.len() <= LONGEST {
                    self.link.push(byte);
                }
                let inside = match byte {
                    b'[' | b'{' if structural => inside.saturating_add(1),
                    b']' | b'}' if structural => inside.saturating_sub(1),
                    _ => inside,
                };
                let ends = inside == 0 && structural && matches!(byte, b'}' | b']');
                self.place = if ends { Place::Between(outside) } else { Place::Link { outside, inside } };
                ends
            }
        }
    }
}
