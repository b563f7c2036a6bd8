//! What a redirect costs: each server in turn, round after round, so that whatever else happens happens to all.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink_testkit::{Client, Server};

use crate::{
    Result,
    generator::Generator,
    latency::Waits,
    links::Links,
    report::{self, Row, Sample},
    stat::spread,
    subject::{KINDS, Kind, Subject},
    visitors::{self, Load},
};

/// How long it may take until all clicks are stored.
const STORED: Duration = Duration::from_secs(180);
/// After a load, until whatever is left to do is done.
const REST: Duration = Duration::from_millis(1_500);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often each server has its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a turn lasts. A busy server of ours stores clicks every 30 s at the latest, and each turn ends with all of them
    /// stored: shorter ones have more of that than a day does.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// For how long in each round each server is asked half as often as it could answer, to see how long an answer takes; 0
    /// for not.
    #[arg(long, default_value_t = 10)]
    latency_seconds: u64,
    /// How often a second they are asked for that, instead of half as often as each could answer.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How many links there are.
    #[arg(long, default_value_t = 100_000)]
    links: usize,
    /// Only servers of this name, or, if there is none, of which the name has this in it; and hyper.
    #[arg(long)]
    only: Vec<String>,
    /// Waits for the clicks to be stored at the very end only: what a redirect costs without the store's share, if the
    /// server stores seldom (--with BOLTLINK_FLUSH_INTERVAL=60s).
    #[arg(long)]
    unsettled: bool,
    /// Another build of the server, which has its turns beside this one; its path from the workspace's root.
    #[arg(long, value_name = "PROGRAM", value_parser = program)]
    against: Option<PathBuf>,
    /// A setting for all servers of ours, such as BOLTLINK_FLUSH_INTERVAL=10s.
    #[arg(long = "with", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Where the result goes as JSON.
    #[arg(long, default_value = "target/bench/redirect.json")]
    json: PathBuf,
}

/// A server that has its turns.
struct Contender {
    name: String,
    subject: Subject,
    generator: Generator,
    /// When nothing was cached.
    first: Sample,
    samples: Vec<Sample>,
    /// At half the load, or another rate.
    waits: Waits,
}

pub(crate) fn run(options: &Options) -> Result {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(options))
}

async fn measure(options: &Options) -> Result {
    let links = Links::make(options.links)?;
    let visits: Arc<[u32]> = visitors::visits(options.links).into();
    let mut contenders = Vec::new();
    for kind in KINDS.iter().copied().filter(|kind| is_wanted(*kind, &options.only)) {
        for (name, program) in builds(kind, options)? {
            let Some(subject) = kind.start(&program, &links, &options.settings).await? else {
                eprintln!("{name}: not installed, left out");
                continue;
            };
            contenders.push(Contender::new(name, kind.load(), subject, visits.clone(), options.links).await?);
        }
    }
    for round in 1..=options.rounds {
        for contender in turns(&mut contenders, round) {
            let sample = contender.turn(Duration::from_secs(options.seconds), !options.unsettled).await?;
            eprintln!("round {round}: {:<40} {sample}", contender.name);
            contender.samples.push(sample);
        }
    }
    if options.latency_seconds > 0 {
        for round in 1..=options.rounds {
            for contender in turns(&mut contenders, round) {
                contender.wait(options).await?;
            }
        }
    }
    let mut rows = Vec::new();
    for contender in contenders {
        contender.settle().await?;
        contender.check_counts().await?;
        let memory = contender.subject.peak_memory()?;
        let Contender { name, first, samples, waits, .. } = contender;
        rows.push(Row { name, first, samples, waits, memory });
    }
    report::print(&rows);
    if options.latency_seconds > 0 {
        report::print_latencies(&rows);
    }
    if let Some(folder) = options.json.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&options.json, format!("{:#}\n", report::json(&rows)))?;
    println!("\nEvery answer was checked, and every click of every link was counted. {}", options.json.display());
    Ok(())
}

/// To and fro, so that nobody always comes after the same other.
fn turns(contenders: &mut [Contender], round: usize) -> Vec<&mut Contender> {
    let mut turns: Vec<_> = contenders.iter_mut().collect();
    if round.is_multiple_of(2) {
        turns.reverse();
    }
    turns
}

fn setting(text: &str) -> std::result::Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Servers are started in their data folders, so its whole path.
fn program(path: &str) -> std::io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Which programs are measured as this kind, and under which names.
fn builds(kind: Kind, options: &Options) -> Result<Vec<(String, PathBuf)>> {
    let mut builds = vec![(kind.name().to_owned(), Server::built_beside()?)];
    if let (Kind::Ours(_), Some(other)) = (kind, &options.against) {
        builds.push((format!("{}, other build", kind.name()), other.clone()));
    }
    Ok(builds)
}

fn is_wanted(kind: Kind, only: &[String]) -> bool {
    let named = |part: &String| {
        let is_whole = KINDS.iter().any(|kind| kind.name() == part);
        if is_whole { kind.name() == part } else { kind.name().contains(part.as_str()) }
    };
    only.is_empty() || kind.name() == "hyper" || only.iter().any(named)
}

impl Contender {
    /// Has it asked for everything once.
    async fn new(name: String, load: Load, subject: Subject, visits: Arc<[u32]>, links: usize) -> Result<Self> {
        let generator = Generator::new(subject.address(), subject.key(), load, visits, links);
        let mut new =
            Self { name, subject, generator, first: Sample::default(), samples: Vec::new(), waits: Waits::default() };
        new.first = new.measure(Generator::warm_up, true).await?;
        Ok(new)
    }

    /// Asks for a while.
    async fn turn(&mut self, time: Duration, settles: bool) -> Result<Sample> {
        self.measure(|generator| generator.ask_for(time), settles).await
    }

    /// Asks, and waits until every click is stored, if it is to be a part of what they cost.
    async fn measure(&mut self, ask: impl FnOnce(&mut Generator) -> Result<u64>, settles: bool) -> Result<Sample> {
        let (cpu, backend, begin) = (self.subject.cpu()?, self.subject.backend_cpu()?, Instant::now());
        let requests = ask(&mut self.generator)?;
        let (taken, loaded) = (begin.elapsed(), self.subject.cpu()? - cpu);
        if settles {
            self.settle().await?;
        }
        let backend = self.subject.backend_cpu()?.since(backend);
        Ok(Sample { requests, taken, loaded, cpu: self.subject.cpu()? - cpu, backend })
    }

    /// Notes how long answers take at half the load that was measured, or another rate.
    async fn wait(&mut self, options: &Options) -> Result {
        let half = || spread(self.samples.iter().map(|sample| sample.per_second() / 2.0).collect())[0];
        let rate = options.rate.map_or_else(half, f64::from);
        let waits = self.generator.ask_at(rate, options.latency_seconds, self.subject.has_backend())?;
        eprintln!("{:<40} asked {:.0} times a second, of {rate:.0}", self.name, waits.per_second());
        self.waits.add(waits);
        // Whatever is left to store is not to hold up the next one.
        self.settle().await
    }

    async fn settle(&self) -> Result {
        tokio::time::sleep(REST).await;
        let Some(client) = self.subject.client() else { return Ok(()) };
        let sent = self.generator.clicks();
        let end = Instant::now() + STORED;
        loop {
            let stored = client.rolled_up().await?;
            if stored == sent && waiting(&client).await? == 0 {
                return Ok(());
            }
            if stored > sent || Instant::now() > end {
                return Err(format!("{}: {sent} were sent, {stored} are stored", self.name).into());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Whether each link has as many clicks as it was followed.
    async fn check_counts(&self) -> Result {
        let Some(client) = self.subject.client() else { return Ok(()) };
        let counted = client.clicks_by_slug().await?;
        for (link, sent) in self.generator.sent.iter().enumerate() {
            let slug = visitors::slug(link);
            let counted = counted.get(&slug).copied().unwrap_or_default();
            if counted != *sent {
                return Err(format!("{}: {slug} was followed {sent} times, counted {counted}", self.name).into());
            }
        }
        Ok(())
    }
}

/// Batches of clicks that are not stored yet.
async fn waiting(client: &Client) -> Result<u64> {
    let queue = client.get("/api/v1/admin/queue").await?.expect(200)?;
    let consumers = queue["consumers"].as_array().ok_or("a queue without consumers")?;
    Ok(consumers.iter().filter_map(|consumer| consumer["batches"].as_u64()).sum())
}
