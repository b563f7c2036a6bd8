//! `boltlink export`

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use boltlink_core::{
    Actor, Shortener,
    store::{LinkFilter, LinkOrder},
};
use serde_json::Value;

use super::{
    engine::{self, Site},
    failure::Failure,
    import::tags_cell,
    record::{self, FIELDS, Fields},
};
use crate::config::Config;

/// Links in memory at a time.
const PAGE: u32 = 500;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How to write it.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "ndjson")]
    format: Format,
    /// Writes to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One link in JSON a line
    Ndjson,
    /// A table with a header; tags are joined by |, or a list in JSON where one has such a character
    Csv,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let opened = engine::open_existing(config).await?;
    let written = export(&opened.shortener, &Site::new(config), &args).await;
    opened.close().await;
    written.map(|()| ExitCode::SUCCESS)
}

async fn export(shortener: &Shortener, site: &Site, args: &Args) -> Result<(), Failure> {
    let Some(path) = &args.output else {
        return Ok(write_all(shortener, site, args.format, io::stdout()).await??);
    };
    let cannot = |error| Failure::new(format_args!("cannot write --output {}: {error}", path.display()));
    let file = File::create(path).map_err(cannot)?;
    write_all(shortener, site, args.format, file).await?.map_err(cannot)
}

/// Writes all links. The inner error is one of writing.
async fn write_all(
    shortener: &Shortener,
    site: &Site,
    format: Format,
    out: impl Write,
) -> Result<io::Result<()>, Failure> {
    let mut out = match Out::new(format, out) {
        Ok(out) => out,
        Err(error) => return Ok(Err(error)),
    };
    let mut after = None;
    loop {
        let page = shortener.list(&Actor::OPERATOR, LinkFilter::default(), LinkOrder::Newest, after, PAGE).await?;
        if let Err(error) = page.links.iter().try_for_each(|link| out.link(record::write(link, site))) {
            return Ok(Err(error));
        }
        after = page.next;
        if after.is_none() {
            return Ok(out.finish());
        }
    }
}

enum Out<W: Write> {
    Lines(BufWriter<W>),
    Table(Box<csv::Writer<W>>),
}

impl<W: Write> Out<W> {
    fn new(format: Format, out: W) -> io::Result<Self> {
        Ok(match format {
            Format::Ndjson => Self::Lines(BufWriter::new(out)),
            Format::Csv => {
                let mut table = csv::Writer::from_writer(out);
                table.write_record(FIELDS).map_err(plain)?;
                Self::Table(Box::new(table))
            }
        })
    }

    fn link(&mut self, fields: Fields) -> io::Result<()> {
        match self {
            Self::Lines(out) => writeln!(out, "{}", Value::Object(fields)),
            Self::Table(out) => {
                out.write_record(FIELDS.map(|name| fields.get(name).map(cell).unwrap_or_default())).map_err(plain)
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Lines(mut out) => out.flush(),
            Self::Table(mut out) => out.flush(),
        }
    }
}

/// The value as import reads it back: nothing is made harmless for spreadsheets, as that would be
/// another value.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(tags) => tags_cell(&tags.iter().filter_map(Value::as_str).collect::<Vec<_>>()),
        value => value.to_string(),
    }
}

/// The error of the file, which a failure knows what to make of.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}
