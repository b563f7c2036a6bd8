//! What a database of a service that has run for a while costs: links made, then everything that the API can be asked for
//! on a million links and fifty million clicks, and how long a start takes on them.

mod ask;
mod fill;
mod make;
mod measured;
mod questions;
mod sql;
mod start;
mod store;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use boltlink_testkit::{Server, usage};
use serde_json::json;

use crate::Result;
use measured::{Measured, Times};
use store::{Kind, Store};

/// The domain that some of the links are under, beside the default one.
const DOMAIN: &str = "go.example";
/// How long a server is left alone until it counts as idle.
const REST: Duration = Duration::from_secs(3);
/// How often the server is started to see how long that takes.
const STARTS: usize = 15;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Which stores are measured: both, unless it is said otherwise. Postgres is started for it, and has to be installed.
    #[arg(long = "store", value_enum)]
    stores: Vec<Kind>,
    /// How many links there are.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    links: u64,
    /// How many clicks there are: of the last 90 days, and of the links by Zipf's law.
    #[arg(long, default_value_t = 50_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    clicks: u64,
    /// How long links are made for, one by one and then in bulk.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often each question is asked.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(20..))]
    rounds: u64,
    /// Where the result goes as JSON.
    #[arg(long, default_value = "target/bench/scale.json")]
    json: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(options))
}

async fn measure(options: &Options) -> Result {
    let binary = fs::metadata(Server::built_beside()?)?.len();
    let stores = if options.stores.is_empty() { &[Kind::Sqlite, Kind::Postgres][..] } else { &options.stores };
    let mut all = Vec::new();
    for kind in stores {
        all.push(of_store(*kind, options).await?);
        // After each, so that a failure of the next one loses nothing.
        let measured: Vec<_> = all.iter().map(Measured::json).collect();
        let result = json!({ "binary_bytes": binary, "clicks": options.clicks, "stores": measured });
        if let Some(folder) = options.json.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&options.json, serde_json::to_string_pretty(&result)? + "\n")?;
    }
    measured::print(&all, binary);
    eprintln!("written to {}", options.json.display());
    Ok(())
}

async fn of_store(kind: Kind, options: &Options) -> Result<Measured> {
    let store = Store::new(kind).await?;
    let time = Duration::from_secs(options.seconds);
    // An empty database: the server makes its tables.
    let mut server = store.server()?.start().await?;
    let maker = make::Maker::new(&server).await?;
    say(kind, "links are made one by one");
    let one_by_one = maker.one_by_one(time).await?;
    say(kind, "links are made in bulk");
    let bulk = maker.bulk(time).await?;
    server.stop().await?;

    say(kind, "the database is filled");
    let begin = Instant::now();
    let filled = fill::fill(&store, options.links, options.clicks).await?;
    say(kind, &format!("filled in {:.0} s", begin.elapsed().as_secs_f64()));

    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(start::time(&store)?);
    }
    let mut server = store.server()?.start().await?;
    tokio::time::sleep(REST).await;
    let idle = usage::memory(server.pid())?;
    let asked = ask::ask(&server, kind, &filled, &maker, options.rounds).await?;
    let peak = usage::peak_memory(server.pid())?;
    server.stop().await?;
    let size = store.size().await?;
    Ok(Measured { kind, one_by_one, bulk, rows: filled.rows, size, start: Times::of(starts), idle, peak, asked })
}

fn say(kind: Kind, what: &str) {
    eprintln!("{}: {what}", kind.name());
}
