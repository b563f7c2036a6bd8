//! Loads a server as visitors, editors and analysts do, and judges how it bears that: how long answers take, which fail,
//! whether every click is counted, and whether it grows. Run by `cargo xtask load`.

mod counts;
mod growth;
mod page;
mod profile;
mod run;
mod users;
mod verdict;
mod watch;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{profile::Profile, verdict::Verdict};

/// Something went wrong that is no judgement on the server.
type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Loads a server of its own and judges how it bears that.
#[derive(Parser)]
struct Args {
    /// How it is loaded.
    profile: Profile,
    /// The server's program.
    #[arg(long)]
    exe: PathBuf,
    /// How long it takes, as a share of what the profile says: 0.1 for a tenth, 36 for a soak of half a day.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where reports go: each into a folder of its profile's name, as index.html and what it shows.
    #[arg(long)]
    reports: PathBuf,
    /// Environment variables of the server, as NAME=VALUE: DATABASE_URL and REDIS_URL among others. Without a database it is
    /// on SQLite.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Judges nothing that a slow machine would change: for tests.
    #[arg(long)]
    untimed: bool,
}

fn variable(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(verdict) if verdict.is_good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<Verdict> {
    let folder = args.reports.join(args.profile.name());
    std::fs::create_dir_all(&folder)?;
    let shown = run::run(args, &folder).await?;
    page::write(&folder, &shown)?;
    println!("\n{}\nthe report: {}", shown.verdict, folder.join("index.html").display());
    Ok(shown.verdict)
}
