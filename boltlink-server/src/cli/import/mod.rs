//! `boltlink import FILE`

#[cfg(any(test, fuzzing))]
mod anything;
mod cell;
mod columns;
mod csv;
mod format;
mod json;
mod lines;
mod pace;
mod progress;
#[cfg(test)]
mod properties;
mod report;
mod sieve;
mod source;
mod store;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use boltlink_core::{NewLink, Slug};

#[cfg(fuzzing)]
pub(crate) use self::anything::import_anything;
pub(super) use self::cell::tags_cell;
use self::{
    format::{Format, Record, Records},
    pace::Pace,
    progress::Progress,
    report::Report,
    source::Source,
    store::{Done, OnConflict, Store, TAKEN},
};
use super::{
    engine::{self, Opened, Site},
    failure::{Failure, print},
    record::{self, Wrong},
};
use crate::config::Config;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What kind of file it is shows at its beginning; --format says it where that fails. docs/import.md has a
section on each kind: how to get the file, and what of it comes along.

  list      a URL a line; empty lines and lines that begin with '#' are skipped
  ndjson    a link in JSON a line, with the names of the HTTP API: target, and if wanted slug, domain,
            title, note, tags, redirect, starts_at, expires_at, max_visits, enabled, created_at, clicks
  csv       a table with a header of these names, delimited by commas, semicolons or tabs

Times without a zone are UTC. Clicks become what the link's count begins with.

Importing again skips what is there: a URL that has a short link, a slug that leads to the same target.

Exits with 0 if every line is in, 2 if some were rejected, 1 if the import failed half-way (what was in
stays; run it again).")]
pub(super) struct Args {
    /// The file to read, or - for standard input.
    file: String,
    /// What kind of file it is.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "auto")]
    format: Format,
    /// Puts all links under this domain, whichever the file names.
    #[arg(long, value_name = "HOST")]
    domain: Option<String>,
    /// What to do with a link whose slug leads to another target already.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "skip")]
    on_conflict: OnConflict,
    /// Says what would happen, and makes no link. Lines that contradict each other, rather than
    /// what is there, may be found by the real import only.
    #[arg(long)]
    dry_run: bool,
    /// Writes what is rejected (line, field, reason) to this file.
    ///
    /// Without it to one beside the input, FILE.rejects.txt, or to standard error if the input is -.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let site = Site::new(config);
    if let Some(domain) = &args.domain {
        site.domain(domain).map_err(|error| Failure::new(format_args!("--domain: {error}")))?;
    }
    let progress = Progress::new();
    let records = format::read(args.format, Source::open(&args.file, &progress)?, args.domain)?;
    if !records.unknown().is_empty() {
        let names = records.unknown().join(", ");
        progress.aside(|| eprintln!("boltlink: left out, as no field of a link is called so: {names}"));
    }
    let report = Report::new(args.rejects.as_deref(), &args.file, progress.clone())?;
    let opened = if args.dry_run { engine::open_to_look(config).await? } else { engine::open_for_bulk(config).await? };
    let mut import = Import { site, report, progress, batch: Vec::new(), pace: Pace::new(), tally: Tally::default() };
    let done = import.all(records, &opened, args.on_conflict, args.dry_run).await;
    opened.close().await;
    import.finish(done, args.dry_run)
}

#[derive(Debug, Default)]
struct Tally {
    made: u64,
    renamed: u64,
    there: u64,
    rejected: u64,
    /// The first thing the report tells.
    first: Option<String>,
}

struct Import {
    site: Site,
    report: Report,
    progress: Progress,
    batch: Vec<(u64, Result<NewLink, Vec<Wrong>>)>,
    pace: Pace,
    tally: Tally,
}

impl Import {
    async fn all(
        &mut self,
        mut records: Box<dyn Records>,
        opened: &Opened,
        on_conflict: OnConflict,
        dry_run: bool,
    ) -> Result<(), Failure> {
        let mut store = Store::new(&opened.shortener, on_conflict, dry_run).await?;
        while let Some(Record { line, fields, wrong }) = records.next()? {
            self.batch.push((line, self.read(fields, wrong)));
            if self.batch.len() >= self.pace.batch() {
                self.store(&mut store).await?;
            }
        }
        self.store(&mut store).await
    }

    /// The link of a record, or everything that is wrong with it.
    fn read(&self, fields: Result<record::Fields, Wrong>, mut wrong: Vec<Wrong>) -> Result<NewLink, Vec<Wrong>> {
        match fields.map(|fields| record::read(fields, &self.site)) {
            Ok(Ok(new)) if wrong.is_empty() => return Ok(new),
            Ok(Ok(_)) => {}
            Ok(Err(more)) => wrong.extend(more),
            Err(whole) => wrong.push(whole),
        }
        Err(wrong)
    }

    /// Stores the batch, and tells in the order of the file what was not taken as it stood there.
    async fn store(&mut self, store: &mut Store<'_>) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        let links = batch.iter().filter_map(|(_, link)| link.as_ref().ok().cloned()).collect();
        let began = Instant::now();
        let mut done = store.put(links).await?.into_iter();
        self.pace.took(began.elapsed());
        for (line, link) in batch {
            let new = match link {
                Ok(new) => new,
                Err(wrong) => {
                    self.reject(line, &wrong)?;
                    continue;
                }
            };
            match done.next() {
                Some(Done::Made) => self.tally.made += 1,
                Some(Done::Renamed(to)) => self.renamed(line, &new, to)?,
                Some(Done::There) => self.tally.there += 1,
                Some(Done::Rejected(wrong)) => self.reject(line, &wrong)?,
                Some(Done::Conflict) | None => {
                    return Err(Failure::new(format_args!("line {line}: slug: {TAKEN}")));
                }
            }
        }
        self.progress.rows(self.tally.made + self.tally.there + self.tally.rejected);
        Ok(())
    }

    fn reject(&mut self, line: u64, wrong: &[Wrong]) -> Result<(), Failure> {
        self.tally.rejected += 1;
        wrong.iter().try_for_each(|wrong| self.tell(line, &wrong.field, &wrong.reason))
    }

    fn renamed(&mut self, line: u64, new: &NewLink, to: Option<Slug>) -> Result<(), Failure> {
        self.tally.made += 1;
        self.tally.renamed += 1;
        let old = new.slug.as_ref().map_or("", Slug::as_str);
        let to = to.map_or("with another".to_owned(), |slug| format!("as {slug}"));
        self.tell(line, "slug", &format!("{old} {TAKEN}; imported {to}"))
    }

    fn tell(&mut self, line: u64, field: &str, what: &str) -> Result<(), Failure> {
        let field = if field.is_empty() { "the line" } else { field };
        let text = format!("line {line}: {field}: {what}");
        self.report.tell(&text)?;
        self.tally.first.get_or_insert(text);
        Ok(())
    }

    fn finish(self, done: Result<(), Failure>, dry_run: bool) -> Result<ExitCode, Failure> {
        self.progress.finish();
        let Tally { made, renamed, there, rejected, first } = self.tally;
        let of_these = if renamed == 0 { String::new() } else { format!(" ({renamed} under another slug)") };
        let tally = format!("{made} imported{of_these}, {there} already there, {rejected} rejected");
        let report = self.report.finish()?;
        if let (Some(path), Some(first)) = (report, first) {
            eprintln!("boltlink: {} tells what was not taken as it is; it begins with\n  {first}", path.display());
        }
        done.map_err(|failure| {
            failure.map(|reason| format!("the import stopped: {reason}\n{tally}; run it again to go on"))
        })?;
        print(&format!("{}{tally}\n", if dry_run { "dry run: " } else { "" }))?;
        Ok(if rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}
