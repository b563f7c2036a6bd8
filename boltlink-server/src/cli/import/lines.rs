//! Lines: a URL each, or a link in JSON.

use serde_json::{Map, Value};

use super::{
    columns,
    format::{Record, Records},
    source::{Line, Source},
};
use crate::cli::failure::Failure;

/// A plain list and NDJSON, also mixed. Empty lines and lines that begin with `#` are no links.
pub(super) struct Lines {
    source: Source,
    domain: Option<String>,
    bytes: Vec<u8>,
}

impl Lines {
    pub(super) fn new(source: Source, domain: Option<String>) -> Self {
        Self { source, domain, bytes: Vec::new() }
    }
}

impl Records for Lines {
    fn next(&mut self) -> Result<Option<Record>, Failure> {
        loop {
            let line = match self.source.next_line(&mut self.bytes)? {
                Line::End => return Ok(None),
                Line::TooLong(line) => return Ok(Some(Record::broken(line, "is too long"))),
                Line::Whole(line) => line,
            };
            let Ok(text) = str::from_utf8(&self.bytes) else {
                return Ok(Some(Record::broken(line, "is not UTF-8 text")));
            };
            let text = text.trim();
            let object = match text.chars().next() {
                None | Some('#') => continue,
                Some('{') => match serde_json::from_str(text) {
                    Ok(object) => object,
                    Err(error) => return Ok(Some(Record::broken(line, format_args!("is not JSON: {error}")))),
                },
                Some(_) => Map::from_iter([("target".to_owned(), Value::from(text))]),
            };
            return Ok(Some(Record::new(line, columns::from_json(object, self.domain.as_deref()))));
        }
    }
}
