//! Every chore of the repository, the same on every OS: `cargo xtask help`.

mod alerts;
mod bench;
mod book;
mod cargo;
mod ci;
mod clients;
mod examples;
mod instructions;
mod load;
mod pgo;
mod schemathesis;
mod server;
mod servers;
mod test;
mod tools;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};

/// Every chore of the repository, the same on every OS.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Set up what the tests need and run all of them, doctests included.
    ///
    /// Starts a Postgres and a Redis for the run, and installs them first where they are missing; those named by
    /// BOLTLINK_TEST_POSTGRES_URL and BOLTLINK_TEST_REDIS_URL are taken instead. Uses cargo-nextest where it is installed, else
    /// `cargo test`.
    Test {
        /// Run only what needs no server, and say at the end what was left out.
        #[arg(long, conflicts_with = "args")]
        embedded: bool,
        /// What to hand to the test runner, such as a filter; the doctests are then left out.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run the example clients against a server of their own: generated anew, in Rust, TypeScript and Python.
    ///
    /// Needs node and npm, and python3 with venv.
    Clients,
    /// Try the API against its document: thousands of requests made up by Schemathesis.
    ///
    /// Needs python3 with venv.
    Schemathesis {
        /// What to hand to `schemathesis run`, such as `--include-operation-id create_link`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Count the instructions that a visit takes, and fail if it has become costlier.
    ///
    /// Takes valgrind, and installs it if it is missing. On Linux only.
    Instructions,
    /// Build the documentation as a site, in target/book.
    ///
    /// Installs mdBook below target.
    Book,
    /// Let Prometheus check and test the alerts in deploy/prometheus.
    ///
    /// Takes promtool; unpacks Debian's below target if it is missing.
    Alerts,
    /// Load a server of its own as visitors, editors and analysts do, and judge how it bears that; the report is a page below
    /// target/load/reports.
    ///
    /// `cargo xtask load baseline` (1,000 requests a second), `ramp` (more and more users), `stress` (without a pause), `spike`
    /// (many at once), `soak` (20 minutes: does it grow?), `ultra` (more than it can do) or `chaos` (killed again and again).
    /// `--scale 0.1` takes a tenth of the time, `--scale 36` of soak half a day; `--env DATABASE_URL=…` is for another database.
    Load {
        /// What to hand to the load suite: a profile, and `--scale`, `--env` or `--help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        args: Vec<String>,
    },
    /// Build the server by a profile of itself under load (PGO), below target/pgo.
    ///
    /// Needs Linux and the llvm-profdata of the compiler's LLVM; builds the server twice.
    Pgo,
    /// Measure the release build.
    Bench {
        #[command(subcommand)]
        bench: Bench,
    },
    /// Do everything that a change has to pass: format, lints, docs, tests, instructions, examples, clients, the document.
    Ci {
        /// Go on after a step has failed.
        #[arg(long)]
        keep_going: bool,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// What a redirect costs, on one core, beside servers that answer with a constant redirect and count nothing. Checks
    /// every answer, and that every click is counted.
    ///
    /// Needs Linux and two cores. Takes nginx along where it is installed.
    Redirect {
        /// What to hand to boltlink-bench, such as `--rounds 9` or `--help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// What carries how many redirects a second, and what bends first: computed from what single steps cost.
    Capacity {
        /// What to hand to boltlink-bench, such as `--rate 250000 --links 10000000` or `--help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// What the server costs on a large database: links made a second, then each list, search and count on a million links
    /// and fifty million clicks, and a start on them. On SQLite, and on a Postgres of its own.
    ///
    /// Needs Linux, Postgres and some 30 GB below the temporary directory; takes most of an hour. `--links 100000 --clicks
    /// 5000000` takes some minutes.
    Scale {
        /// What to hand to boltlink-bench, such as `--store sqlite` or `--help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// A chore has done its work, or says what is wrong.
type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Test { embedded: true, .. } => test::embedded(),
        Chore::Test { args, .. } if args.is_empty() => test::all(),
        Chore::Test { args, .. } => test::some(&args),
        Chore::Clients => clients::run(),
        Chore::Schemathesis { args } => schemathesis::run(&args),
        Chore::Instructions => instructions::run(),
        Chore::Book => book::run(),
        Chore::Alerts => alerts::run(),
        Chore::Pgo => pgo::run(),
        Chore::Load { args } => load::run(&args),
        Chore::Bench { bench: Bench::Redirect { args } } => bench::redirect(&args),
        Chore::Bench { bench: Bench::Capacity { args } } => bench::capacity(&args),
        Chore::Bench { bench: Bench::Scale { args } } => bench::scale(&args),
        Chore::Ci { keep_going } => ci::run(keep_going),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
