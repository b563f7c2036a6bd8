//! What kind of file it is: told by the person, or by its beginning.

use serde_json::Value;

use super::{
    columns::Origin,
    csv::{self, Table},
    json::Listing,
    lines::Lines,
    source::Source,
};
use crate::cli::{
    failure::Failure,
    record::{Fields, Wrong},
};

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Told by the beginning of the file
    Auto,
    /// A table with a header that names the fields, as export --format csv writes it
    Csv,
    /// One link in JSON a line, as export writes it
    Ndjson,
    /// One URL a line
    List,
    /// Bitly's CSV
    Bitly,
    /// The CSV of YOURLS' export plugin, or its table yourls_url as CSV
    Yourls,
    /// The CSV of Shlink's web client
    Shlink,
    /// The links of Kutt's API in JSON, or its table links as CSV
    Kutt,
}

/// One link as its file has it.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    /// The line it begins in.
    pub(super) line: u64,
    /// The fields by the API's names, or what is wrong with the whole.
    pub(super) fields: Result<Fields, Wrong>,
    /// What is wrong with parts that are no field.
    pub(super) wrong: Vec<Wrong>,
}

impl Record {
    /// A record that cannot be read.
    pub(super) fn broken(line: u64, reason: impl ToString) -> Self {
        Self { line, fields: Err(Wrong::new("", reason)), wrong: Vec::new() }
    }

    pub(super) fn new(line: u64, (fields, wrong): (Fields, Vec<Wrong>)) -> Self {
        Self { line, fields: Ok(fields), wrong }
    }
}

/// Reads record after record, in constant memory.
pub(super) trait Records {
    /// The next one; a record that is broken stops nothing.
    fn next(&mut self) -> Result<Option<Record>, Failure>;

    /// Columns that nobody knows and whose cells are left out.
    fn unknown(&self) -> &[String] {
        &[]
    }
}

/// Begins to read `source`; with a `domain` every link goes there.
pub(super) fn read(format: Format, source: Source, domain: Option<String>) -> Result<Box<dyn Records>, Failure> {
    if source.head().contains(&b'\r') && !source.head().contains(&b'\n') {
        return Err(Failure::new("the lines end with CR alone; save the file with LF or CRLF line ends"));
    }
    let shape = match format {
        Format::Auto => shape(source.head())?,
        Format::Csv => Shape::Table(Origin::Links),
        Format::Ndjson | Format::List => Shape::Lines,
        Format::Bitly => Shape::Table(Origin::Bitly),
        Format::Yourls => Shape::Table(Origin::Yourls),
        Format::Shlink => Shape::Table(Origin::Shlink),
        Format::Kutt => match first_line(source.head()).chars().next() {
            Some('[' | '{') => shape(source.head())?,
            _ => Shape::Table(Origin::Kutt),
        },
    };
    Ok(match shape {
        Shape::Lines => Box::new(Lines::new(source, domain)),
        Shape::Listing => Box::new(Listing::new(source, domain)),
        Shape::Table(origin) => Box::new(Table::new(source, origin, domain)?),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Lines,
    Listing,
    Table(Origin),
}

fn shape(head: &[u8]) -> Result<Shape, Failure> {
    let line = first_line(head);
    match line.chars().next() {
        None | Some('#') => Ok(Shape::Lines),
        Some('[') => Ok(Shape::Listing),
        Some('{') => Ok(if is_listing(head, &line) { Shape::Listing } else { Shape::Lines }),
        Some(_) => {
            let header = csv::header(&line).names;
            match Origin::of(&header) {
                Some(origin) => Ok(Shape::Table(origin)),
                None if header.len() > 1 && !line.contains("://") => Err(no_target(Origin::Links)),
                None => Ok(Shape::Lines),
            }
        }
    }
}

/// A header without the column that matters.
pub(super) fn no_target(origin: Origin) -> Failure {
    Failure::new(format_args!(
        "the header names no column with the targets\n    fix: call it {}, or say what the file is with --format",
        origin.targets().join(" or ")
    ))
}

fn first_line(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    head.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// Whether the object that begins here is a page of a listing rather than a link.
fn is_listing(head: &[u8], line: &str) -> bool {
    if let Ok(Value::Object(first)) = serde_json::from_str(line) {
        return first.get("data").is_some_and(Value::is_array);
    }
    let start: String = String::from_utf8_lossy(head).chars().filter(|c| !c.is_whitespace()).collect();
    start.contains("\"data\":[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_tells_the_shape() {
        for (head, expected) in [
            ("", Shape::Lines),
            ("# comment\nhttps://example.com/", Shape::Lines),
            ("https://example.com/a,b,c\n", Shape::Lines),
            ("nonsense\n", Shape::Lines),
            ("\r\n{\"target\":\"https://example.com/\"}\n{", Shape::Lines),
            ("{\"target\":\"https://exa", Shape::Lines),
            ("{\"limit\":10,\"data\":[{\"address\":\"a\"}]}", Shape::Listing),
            ("{\n  \"total\": 1,\n  \"data\": [\n    {", Shape::Listing),
            ("[\n{", Shape::Listing),
            ("\n\"Bitlink\";\"Long URL\"\r\n", Shape::Table(Origin::Bitly)),
            ("keyword\turl\ttitle\n", Shape::Table(Origin::Yourls)),
            ("url\nhttps://example.com/\n", Shape::Table(Origin::Links)),
        ] {
            assert_eq!(shape(head.as_bytes()).unwrap(), expected, "{head}");
        }
        assert!(shape(b"name,price\nx,1\n").is_err());
    }
}
