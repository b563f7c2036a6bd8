//! What BoltLink costs, beside what else could be picked. `cargo xtask bench redirect|scale|capacity` builds and runs it.

mod backend;
mod baselines;
mod capacity;
mod collector;
mod connection;
mod generator;
mod kernel;
mod latency;
mod links;
mod process;
mod redirect;
mod report;
mod scale;
mod stat;
mod subject;
mod visitors;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// The one that the server has, for whatever is compared with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The core of whatever is no server that is measured: this program is started on it.
const OTHERS: &str = "1";

/// A measurement, or why there is none.
type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "boltlink-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Redirects: what one costs the server, against a constant answer.
    Redirect(redirect::Options),
    /// Everything that the API can be asked for, on a million links and fifty million clicks.
    Scale(scale::Options),
    /// What carries how much, and what bends first, computed from what single steps cost.
    Capacity(capacity::Options),
    /// Serves a constant redirect, to be compared with.
    #[command(hide = true)]
    Serve {
        /// By what.
        baseline: baselines::Baseline,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Redirect(options) => redirect::run(&options),
        Command::Scale(options) => scale::run(&options),
        Command::Capacity(options) => capacity::run(&options),
        Command::Serve { baseline } => baselines::serve(baseline),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boltlink-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// This program, to be run again.
fn this() -> Result<PathBuf> {
    Ok(std::env::current_exe()?)
}
