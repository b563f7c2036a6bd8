//! `boltlink import FILE`

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use boltlink_core::{Actor, Domain, Error, NewLink, TargetUrl};

use super::{
    engine::{self, Opened, Site},
    failure::{Failure, print},
    record::{self, Wrong},
};
use crate::config::Config;

/// Links in one transaction, and in memory, at a time.
const BATCH: usize = 500;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line that begins with '{' is a link in JSON, with the names of the HTTP API: target, and if wanted
slug, domain, title, note, tags, redirect, starts_at, expires_at, max_visits, enabled, created_at.
Any other line is a URL to shorten. Empty lines and lines that begin with '#' are skipped.

Importing again skips what is there: a URL that has a short link, a slug that leads to the same target.

Exits with 0 if every line is in, 2 if some were rejected, 1 if the import failed half-way (what was in
stays; run it again).")]
pub(super) struct Args {
    /// The file to read, or - for standard input.
    file: String,
    /// Says what would happen, and changes nothing. Lines that contradict each other, rather than
    /// what is there, may be found by the real import only.
    #[arg(long)]
    dry_run: bool,
    /// Writes rejected lines (number, field, reason) to this file instead of standard error.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let input = open(&args.file)?;
    let rejects: Box<dyn Write> = match &args.rejects {
        None => Box::new(io::stderr()),
        Some(path) => {
            let file = File::create(path)
                .map_err(|error| Failure::new(format_args!("cannot write --rejects {}: {error}", path.display())))?;
            Box::new(BufWriter::new(file))
        }
    };
    let opened = if args.dry_run { engine::open_to_look(config).await? } else { engine::open(config).await? };
    let mut import = Import {
        site: Site::new(config),
        dry_run: args.dry_run,
        rejects,
        batch: Vec::new(),
        made: 0,
        skipped: 0,
        rejected: 0,
    };
    let done = import.all(input, &opened).await;
    opened.close().await;
    let Import { made, skipped, rejected, .. } = import;
    let tally = format!("{made} imported, {skipped} already there, {rejected} rejected");
    done.map_err(|failure| {
        failure.map(|reason| format!("the import stopped: {reason}\n{tally}; run it again to go on"))
    })?;
    print(&format!("{}{tally}\n", if args.dry_run { "dry run: " } else { "" }))?;
    Ok(if rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn open(name: &str) -> Result<Box<dyn BufRead>, Failure> {
    if name == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let cannot = |error: io::Error| Failure::new(format_args!("cannot read {name}: {error}"));
    if fs::metadata(name).map_err(cannot)?.is_dir() {
        return Err(Failure::new(format_args!("cannot read {name}: it is a folder")));
    }
    Ok(Box::new(BufReader::new(File::open(name).map_err(cannot)?)))
}

/// A line that is a link.
struct Item {
    line: u64,
    new: NewLink,
}

struct Import {
    site: Site,
    dry_run: bool,
    rejects: Box<dyn Write>,
    batch: Vec<Item>,
    made: u64,
    skipped: u64,
    rejected: u64,
}

impl Import {
    async fn all(&mut self, mut input: Box<dyn BufRead>, opened: &Opened) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let read = input.read_until(b'\n', &mut bytes);
            if read.map_err(|error| Failure::new(format_args!("cannot read line {line}: {error}")))? == 0 {
                break;
            }
            match self.read_line(&bytes) {
                Ok(Some(new)) => self.batch.push(Item { line, new }),
                Ok(None) => {}
                Err(wrong) => self.reject(line, &wrong)?,
            }
            if self.batch.len() >= BATCH {
                self.store(opened).await?;
            }
        }
        self.store(opened).await?;
        self.rejects.flush().map_err(cannot_report)
    }

    fn read_line(&self, bytes: &[u8]) -> Result<Option<NewLink>, Vec<Wrong>> {
        let text = str::from_utf8(bytes).map_err(|_| vec![Wrong::new("", "is not UTF-8 text")])?;
        let text = text.trim_start_matches('\u{feff}').trim(); // Windows likes to begin files with a BOM.
        match text.chars().next() {
            None | Some('#') => Ok(None),
            Some('{') => record::read(text, &self.site).map(Some),
            Some(_) => {
                let target = TargetUrl::parse(text, &self.site.rules).map_err(|e| vec![Wrong::new("target", e)])?;
                Ok(Some(NewLink::to(target)))
            }
        }
    }

    /// Stores the batch. Links without a slug are recognised by their target before, those with one
    /// by the database's answer, so that two imports at once do no harm.
    async fn store(&mut self, opened: &Opened) -> Result<(), Failure> {
        let mut seen: HashSet<(Domain, TargetUrl)> = HashSet::new();
        let mut items = Vec::new();
        for item in std::mem::take(&mut self.batch) {
            let Item { new, .. } = &item;
            if new.slug.is_none() {
                let known = !seen.insert((new.domain.clone(), new.target.clone()))
                    || opened.shortener.find_target(&Actor::OPERATOR, &new.domain, &new.target).await?.is_some();
                if known {
                    self.skipped += 1;
                    continue;
                }
            }
            items.push(item);
        }
        if self.dry_run {
            for item in items {
                self.judge(item, opened, true).await?;
            }
            return Ok(());
        }
        let links = items.iter().map(|item| item.new.clone()).collect();
        let answers = opened.shortener.create_many(&Actor::OPERATOR, links).await?;
        for (item, answer) in items.into_iter().zip(answers) {
            match answer {
                Ok(_) => self.made += 1,
                Err(Error::SlugTaken) => self.judge(item, opened, false).await?,
                Err(error @ (Error::Unavailable { .. } | Error::Internal(_))) => return Err(error.into()),
                Err(error) => self.reject(item.line, &[Wrong::new("", error)])?,
            }
        }
        Ok(())
    }

    /// Compares a link with the one that has its slug. Without one it is as good as made, if it is
    /// `free` to be.
    async fn judge(&mut self, item: Item, opened: &Opened, free: bool) -> Result<(), Failure> {
        let there = match &item.new.slug {
            Some(slug) => match opened.shortener.find_slug(&Actor::OPERATOR, &item.new.domain, slug).await {
                Ok(there) => Some(there),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        match there {
            Some(there) if there.link.target == item.new.target => self.skipped += 1,
            Some(_) => self.reject(item.line, &[Wrong::new("slug", "is taken by a link to another target")])?,
            None if free => self.made += 1,
            None => self.reject(item.line, &[Wrong::new("slug", Error::SlugTaken)])?,
        }
        Ok(())
    }

    fn reject(&mut self, line: u64, wrong: &[Wrong]) -> Result<(), Failure> {
        self.rejected += 1;
        for Wrong { field, reason } in wrong {
            let field = if field.is_empty() { "the line" } else { field };
            writeln!(self.rejects, "line {line}: {field}: {reason}").map_err(cannot_report)?;
        }
        Ok(())
    }
}

fn cannot_report(error: io::Error) -> Failure {
    Failure::new(format_args!("cannot write the rejected lines: {error}"))
}
