//! What a redirect costs: each server in turn, round after round, so that whatever else happens happens to all.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink_testkit::{Client, Server};
use serde_json::json;

use crate::{
    Result,
    generator::Generator,
    report::{self, Row, Sample},
    subject::{KINDS, Kind, Subject},
    visitors,
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
    /// How long a turn lasts. A busy server of ours stores clicks every 30 s at the latest.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many links there are.
    #[arg(long, default_value_t = 100_000)]
    links: usize,
    /// Only servers of which the name has this in it, and hyper.
    #[arg(long)]
    only: Vec<String>,
    /// Waits for the clicks to be stored at the very end only: what a redirect costs without the store's share, if the
    /// server stores seldom (--with BOLTLINK_FLUSH_INTERVAL=60s).
    #[arg(long)]
    unsettled: bool,
    /// A setting for all servers of ours, such as BOLTLINK_FLUSH_INTERVAL=10s.
    #[arg(long = "with", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Where the result goes as JSON.
    #[arg(long, default_value = "target/bench/redirect.json")]
    json: PathBuf,
}

/// A server that has its turns.
struct Contender {
    kind: Kind,
    subject: Subject,
    generator: Generator,
    samples: Vec<Sample>,
}

pub(crate) fn run(options: &Options) -> Result {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(options))
}

async fn measure(options: &Options) -> Result {
    let data = tempfile::tempdir()?;
    make_links(data.path(), options.links).await?;
    let visits: Arc<[u32]> = visitors::visits(options.links).into();
    let mut contenders = Vec::new();
    for kind in KINDS.iter().copied().filter(|kind| is_wanted(*kind, &options.only)) {
        let Some(subject) = kind.start(data.path(), &options.settings).await? else {
            eprintln!("{}: not installed, left out", kind.name());
            continue;
        };
        let mut generator = Generator::new(subject.address(), (visits.clone(), options.links), kind.expected());
        generator.warm_up()?;
        contenders.push(Contender { kind, subject, generator, samples: Vec::new() });
    }
    for contender in &contenders {
        contender.settle().await?;
    }
    for round in 1..=options.rounds {
        for contender in &mut contenders {
            let sample = contender.turn(Duration::from_secs(options.seconds), !options.unsettled).await?;
            eprintln!("round {round}: {:<28} {sample}", contender.kind.name());
            contender.samples.push(sample);
        }
    }
    let mut rows = Vec::new();
    for contender in contenders {
        contender.settle().await?;
        contender.check_counts().await?;
        let memory = contender.subject.peak_memory()?;
        rows.push(Row { name: contender.kind.name(), samples: contender.samples, memory });
    }
    report::print(&rows);
    if let Some(folder) = options.json.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&options.json, format!("{:#}\n", report::json(&rows)))?;
    println!("\nEvery answer was checked, and every click of every link was counted. {}", options.json.display());
    Ok(())
}

fn setting(text: &str) -> std::result::Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn is_wanted(kind: Kind, only: &[String]) -> bool {
    only.is_empty() || kind.name() == "hyper" || only.iter().any(|part| kind.name().contains(part.as_str()))
}

/// Puts the links into a database in `folder`.
async fn make_links(folder: &Path, links: usize) -> Result {
    let file = tempfile::tempdir()?;
    let path = file.path().join("links.ndjson");
    let mut lines = BufWriter::new(File::create(&path)?);
    for link in 0..links {
        writeln!(lines, "{}", json!({ "slug": visitors::slug(link), "target": visitors::target(link) }))?;
    }
    lines.into_inner()?.sync_all()?;
    let mut import = Server::builder(Server::built_beside()?).command_in(folder);
    let output = import.arg("import").arg(&path).output()?;
    if !output.status.success() {
        return Err(format!("boltlink import: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(())
}

impl Contender {
    /// Follows links for a while, and waits until every click is stored, if it is to be a part of what they cost.
    async fn turn(&mut self, time: Duration, settles: bool) -> Result<Sample> {
        let (before, begin) = (self.subject.cpu()?, Instant::now());
        let requests = self.generator.visit_for(time)?;
        let (taken, loaded) = (begin.elapsed(), self.subject.cpu()? - before);
        if settles {
            self.settle().await?;
        }
        Ok(Sample { requests, taken, loaded, cpu: self.subject.cpu()? - before })
    }

    async fn settle(&self) -> Result {
        tokio::time::sleep(REST).await;
        let Subject::Ours { server, .. } = &self.subject else { return Ok(()) };
        let (client, sent) = (server.client(), self.generator.sent.iter().sum::<u64>());
        let end = Instant::now() + STORED;
        loop {
            let stored = client.rolled_up().await?;
            if stored == sent {
                return Ok(());
            }
            if stored > sent || Instant::now() > end {
                return Err(format!("{}: {sent} were sent, {stored} are stored", self.kind.name()).into());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Whether each link has as many clicks as it was followed.
    async fn check_counts(&self) -> Result {
        let Subject::Ours { server, .. } = &self.subject else { return Ok(()) };
        let counted = counts(&server.client()).await?;
        for (link, sent) in self.generator.sent.iter().enumerate() {
            let slug = visitors::slug(link);
            let counted = counted.get(&slug).copied().unwrap_or_default();
            if counted != *sent {
                return Err(format!("{}: {slug} was followed {sent} times, counted {counted}", self.kind.name()).into());
            }
        }
        Ok(())
    }
}

/// The clicks of every link, as the API has them.
async fn counts(client: &Client) -> Result<HashMap<String, u64>> {
    let mut counts = HashMap::new();
    let mut path = "/api/v1/links?limit=500".to_owned();
    loop {
        let page = client.get(&path).await?.expect(200)?;
        for link in page["items"].as_array().into_iter().flatten() {
            let slug = link["slug"].as_str().unwrap_or_default().to_owned();
            counts.insert(slug, link["clicks"].as_u64().unwrap_or_default());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return Ok(counts) };
        path = format!("/api/v1/links?limit=500&cursor={cursor}");
    }
}
