//! `boltlink queue depth | dead | show | replay | purge`

use std::{collections::VecDeque, fmt::Write, process::ExitCode};

use boltlink_core::{
    Actor, Clock, DeadLetterId, Error, QueueDepth, Shortener, SystemClock, Timestamp, store::DeadLetter,
};
use boltlink_server::{dead_letter_details, dead_letter_summary};
use serde_json::{Value, json};

use super::{
    engine,
    failure::{Failure, print},
};
use crate::config::Config;

/// Dead letters read at a time: each may have a batch of clicks in it.
const LETTERS: u32 = 20;
/// Names of dead letters read at a time.
const IDS: u32 = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Tells how many batches of clicks wait to be stored, and of how many something was refused.
    Depth {
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists what the database refused.
    Dead {
        /// Writes one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Shows what the database refused of one batch, click by click, as JSON.
    Show {
        /// The id, as dead lists it.
        id: DeadLetterId,
    },
    /// Counts clicks that were refused, once the cause is mended.
    Replay {
        #[command(flatten)]
        which: Which,
    },
    /// Drops clicks that were refused, for good. Dropped from the totals only, or from analytics only, they are a
    /// difference between the two from then on.
    Purge {
        #[command(flatten)]
        which: Which,
        /// Says that you mean it. Needed with --all.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// The id, as dead lists it.
    id: Option<DeadLetterId>,
    /// All there are.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    let opened = engine::open_existing(config).await?;
    let done = answer(&opened.shortener, command).await;
    opened.close().await;
    done
}

async fn answer(shortener: &Shortener, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Depth { json } => {
            let depths = shortener.queue(&Actor::OPERATOR).await?;
            print(&depth(&depths, shortener.shares_log(), json))?;
        }
        Command::Dead { json } => {
            if !list(shortener, json).await? && !json {
                print("There are no dead letters.\n")?;
            }
        }
        Command::Show { id } => {
            let letter = shortener.dead_letter(&Actor::OPERATOR, id).await?;
            print(&format!("{:#}\n", dead_letter_details(id, &letter)))?;
        }
        Command::Replay { which } => return replay(shortener, which).await,
        Command::Purge { which, yes } => {
            if which.all && !yes {
                return Err(Failure::new("purging drops clicks for good\n    fix: add --yes if you mean all of them"));
            }
            let mut chosen = Chosen::new(&which);
            while let Some(id) = chosen.next(shortener).await? {
                match shortener.purge(&Actor::OPERATOR, id).await {
                    Ok(()) => print(&format!("{id} is purged.\n"))?,
                    Err(Error::NotFound { .. }) if which.all => {}
                    Err(other) => return Err(other.into()),
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints them page by page, and says whether there are any.
async fn list(shortener: &Shortener, json: bool) -> Result<bool, Failure> {
    let mut after = None;
    loop {
        let page = shortener.dead_letters(&Actor::OPERATOR, after, LETTERS).await?;
        let Some((last, _)) = page.last() else { return Ok(after.is_some()) };
        after = Some(*last);
        let mut text = String::new();
        for (id, letter) in &page {
            let line = if json { dead_letter_summary(*id, letter).to_string() } else { line(*id, letter) };
            text.push_str(&line);
            text.push('\n');
        }
        print(&text)?;
    }
}

/// One that is still refused, or cannot be read, keeps none of the others from being tried.
async fn replay(shortener: &Shortener, which: Which) -> Result<ExitCode, Failure> {
    let mut left = false;
    let mut chosen = Chosen::new(&which);
    while let Some(id) = chosen.next(shortener).await? {
        let text = match shortener.replay(&Actor::OPERATOR, id).await {
            Ok(applied) => format!("{id} counts: {} clicks.\n", applied.clicks),
            Err(Error::Refused { reason }) => {
                left = true;
                format!("{id} is still refused: {}\n", plain(&reason))
            }
            Err(Error::Unreadable { reason }) => {
                left = true;
                let reason = plain(&reason);
                format!("{id} cannot be read: {reason}; replay it with the release that wrote it, or purge it\n")
            }
            // Somebody else was quicker.
            Err(Error::NotFound { .. }) if which.all => continue,
            Err(other) => return Err(other.into()),
        };
        print(&text)?;
    }
    Ok(if left { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The dead letters that a command is about, of which only names are read, a page at a time.
struct Chosen {
    page: VecDeque<DeadLetterId>,
    after: Option<DeadLetterId>,
    all: bool,
}

impl Chosen {
    fn new(which: &Which) -> Self {
        Self { page: which.id.into_iter().collect(), after: None, all: which.all }
    }

    async fn next(&mut self, shortener: &Shortener) -> Result<Option<DeadLetterId>, Failure> {
        if self.page.is_empty() && self.all {
            self.page = shortener.dead_letter_ids(&Actor::OPERATOR, self.after, IDS).await?.into();
            self.after = self.page.back().copied();
        }
        Ok(self.page.pop_front())
    }
}

fn depth(depths: &[QueueDepth], shared: bool, json: bool) -> String {
    if json {
        let depth = |depth: &QueueDepth| {
            // Without a Redis only each server knows what it has in memory.
            let batches = shared.then_some(depth.backlog.batches);
            let oldest = depth.backlog.oldest.map(|oldest| oldest.to_string());
            json!({
                "consumer": depth.consumer.name(),
                "batches": batches,
                "oldest": oldest,
                "dead_letters": depth.dead_letters,
            })
        };
        return format!("{}\n", Value::Array(depths.iter().map(depth).collect()));
    }
    let mut text = format!("{:10}  {:>10}  {:>10}  {:>12}\n", "CONSUMER", "BATCHES", "LAG", "DEAD LETTERS");
    for QueueDepth { consumer, backlog, dead_letters } in depths {
        let lag = backlog.oldest.map_or_else(|| "-".to_owned(), lag);
        let batches = if shared { backlog.batches.to_string() } else { "-".to_owned() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:10}  {batches:>10}  {lag:>10}  {dead_letters:>12}", consumer.name());
    }
    if !shared {
        text.push_str(
            "Without a Redis each server has its clicks in its memory: ask it, by GET /api/v1/admin/queue.\n",
        );
    }
    text
}

fn lag(oldest: Timestamp) -> String {
    format!("{:.1} s", SystemClock.now().since(oldest).as_secs_f64())
}

/// The reason comes last, as it may have spaces.
fn line(id: DeadLetterId, letter: &DeadLetter) -> String {
    let (since, reason) = (letter.since, plain(&letter.reason));
    match &letter.clicks {
        Ok(clicks) => {
            let whole = if clicks.places().is_none() { ", the whole batch" } else { "" };
            format!("{id}  {} clicks{whole}  {since}  {reason}", clicks.batch().len())
        }
        Err(why) => format!("{id}  cannot be read: {}  {since}  {reason}", plain(&why.to_string())),
    }
}

/// A database's words on one line, and with nothing in them that a terminal obeys: they may repeat what a visitor sent.
fn plain(reason: &str) -> String {
    reason.replace(char::is_control, " ")
}
