//! Imports of whatever comes, for tests.

#![allow(clippy::unwrap_used)] // It is all test.

use std::{collections::BTreeMap, io::Cursor};

use super::{
    format::{self, Format, Record},
    source::Source,
};
use crate::{
    cli::engine::Site,
    config::{Input, parse},
};

/// A site of which nothing is configured.
pub(super) fn site() -> Site {
    let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let config = parse(&Input { file: None, env: &BTreeMap::new(), flags: &BTreeMap::new(), read: &read });
    Site::new(&config.unwrap())
}

/// What can be read of `bytes`, up to where reading fails.
pub(super) fn records(format: Format, bytes: &[u8], domain: Option<&str>) -> Vec<Record> {
    let source = Source::of("-", Box::new(Cursor::new(bytes.to_vec())));
    let records = source.and_then(|source| format::read(format, source, domain.map(str::to_owned)));
    let Ok(mut records) = records else { return Vec::new() };
    let mut read = Vec::new();
    while let Ok(Some(record)) = records.next() {
        read.push(record);
        assert!(read.len() <= bytes.len(), "more records than bytes");
    }
    read
}

/// Reads bytes of which the first says the format.
#[cfg(fuzzing)]
pub(crate) fn import_anything(bytes: &[u8]) {
    use clap::ValueEnum;

    let Some((format, bytes)) = bytes.split_first() else { return };
    let formats = Format::value_variants();
    let site = site();
    for record in records(formats[usize::from(*format) % formats.len()], bytes, None) {
        if let Ok(fields) = record.fields {
            let _ = crate::cli::record::read(fields, &site);
        }
    }
}
