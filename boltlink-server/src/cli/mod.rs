//! The command line: one file per command.

mod backup;
mod blocklist;
mod copy;
mod doctor;
mod engine;
mod export;
mod failure;
mod flags;
#[cfg(unix)]
mod handover;
mod import;
mod keys;
#[cfg(unix)]
mod lifecycle;
#[cfg(not(unix))]
#[path = "lifecycle_elsewhere.rs"]
mod lifecycle;
mod migrate;
mod openapi;
#[cfg(unix)]
mod pid;
mod probe;
mod queue;
mod reconcile;
mod record;
#[cfg(unix)]
mod reload;
mod scrape;
mod serve;
mod shorten;
mod status;
mod stop;
mod telemetry;
mod times;
mod tls;
mod top;
mod users;
mod worker;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::runtime;

#[cfg(fuzzing)]
pub(crate) use self::import::import_anything;
use self::{failure::Failure, flags::ConfigFlags, lifecycle::Inherited, telemetry::Telemetry};
use crate::{
    config::{self, Config},
    logging,
};

/// Makes short links, follows them and counts every click.
///
/// Without a command it starts the server (serve): data in the current folder, http://127.0.0.1:5000.
/// Every setting may stand in a TOML file (--config), in an environment variable or in a flag; a flag
/// goes before a variable, a variable before the file. --print-config shows them all, documented.
#[derive(Debug, Parser)]
#[command(name = "boltlink", version, max_term_width = 100)]
struct Cli {
    /// Reads settings from this TOML file.
    #[arg(long, value_name = "FILE", global = true, help_heading = "Configuration")]
    config: Option<PathBuf>,

    /// Prints the effective configuration as a commented TOML file, secrets left out, and exits.
    #[arg(long, global = true, help_heading = "Configuration")]
    print_config: bool,

    #[command(flatten)]
    flags: ConfigFlags,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server: API, redirects, counting. The default.
    Serve,
    /// Lets a new process take over from the server in this data folder, without a request or a click lost.
    ///
    /// For a new binary, or a new configuration. If the new process does not become ready, the old one goes on, and this
    /// says why. SIGHUP to the server does the same.
    #[cfg(unix)]
    Reload,
    /// Stores clicks that servers put into Redis: totals (aggregator), or statistics (analytics).
    ///
    /// Needs DATABASE_URL and REDIS_URL as the servers have them. Any number may run, and die, at any time.
    Worker {
        /// What to store.
        kind: worker::Kind,
    },
    /// Makes a short link and prints it.
    Shorten(shorten::Args),
    /// Creates the database, or brings its schema up to date, and exits.
    ///
    /// serve does the same when it starts; this is for those who want it done before.
    Migrate(migrate::Args),
    /// Prints the OpenAPI document of the HTTP API.
    Openapi,
    /// Prints every setting as a page of the documentation.
    #[command(hide = true)]
    ConfigReference,
    /// Makes, lists and revokes API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Makes, lists and changes the accounts of people.
    #[command(subcommand)]
    Users(users::Command),
    /// Makes links from a file: URLs, CSV, NDJSON, or the export of another shortener.
    Import(import::Args),
    /// Writes every link as NDJSON or CSV.
    ///
    /// import reads it back, and makes the same links of it in an empty database, with their
    /// identifiers, times and clicks. May run beside a server.
    Export(export::Args),
    /// Copies an SQLite database into a file, while the server runs.
    ///
    /// Of Postgres, pg_dump does.
    Backup(backup::Args),
    /// Copies everything from one database to another, of the same kind or the other.
    ///
    /// Links, keys, the secret, totals, statistics, single clicks and what was already counted: the
    /// new database is the old one. Stop all servers first.
    Copy(copy::Args),
    /// Checks configuration, folders, database and port, and says what to mend.
    ///
    /// Changes nothing. Exits with 1 if something is broken.
    Doctor {
        /// Compares the total of every link with the sum of its rollups, too. For that it opens the database, and brings an
        /// older schema up to date.
        #[arg(long)]
        reconcile: bool,
        /// Only asks the running server whether it wants requests (/ready), for containers: exits with 1 if not. Of
        /// BOLTLINK_ADMIN_LISTEN, if that is set.
        #[arg(long, conflicts_with = "reconcile")]
        health: bool,
    },
    /// Tells how a running server is: visits a second, how long they take, what waits. Exits with 1 if it is not ready.
    ///
    /// Asks it on BOLTLINK_ADMIN_LISTEN, or, from the same machine, where it listens.
    Status {
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows the same live, with the links that are followed most. q ends it.
    Top,
    /// Tells of clicks that wait to be stored, and of those that the database refused.
    #[command(subcommand)]
    Queue(queue::Command),
}

/// Runs the command that the process's arguments name.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match config::load(cli.config.as_deref(), cli.flags.given()) {
        Ok(config) => config,
        Err(problems) => return failure::finish(Err(Failure::of(&problems))),
    };
    if cli.print_config {
        return failure::finish(failure::print(&config::to_toml(&config)).map(|()| ExitCode::SUCCESS));
    }
    failure::finish(run(cli.command.unwrap_or(Command::Serve), &config))
}

fn run(command: Command, config: &Config) -> Result<ExitCode, Failure> {
    let serves = matches!(command, Command::Serve);
    let stays = serves || matches!(command, Command::Worker { .. });
    // Before there are threads: it changes the environment.
    let given = if serves { Inherited::take() } else { Ok(Inherited::default()) };
    let mut runtime =
        if serves { runtime::Builder::new_multi_thread() } else { runtime::Builder::new_current_thread() };
    let runtime = runtime.enable_all().build().map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let traces = match config.collector().filter(|_| stays) {
        Some(collector) => Some(collector.traces(runtime.handle().clone()).map_err(|error| {
            Failure::new(format_args!(
                "cannot send traces: {error}\n    fix: mend that, or remove OTEL_EXPORTER_OTLP_ENDPOINT"
            ))
        })?),
        None => None,
    };
    logging::install(config, stays, traces.as_ref());
    let names: Vec<_> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    for name in config::unknown(names.iter().map(String::as_str)) {
        tracing::warn!("{name} is not a setting and is ignored; --print-config shows those there are");
    }
    let given = given
        .map_err(|error| Failure::new(format_args!("what LISTEN_FDS names is no socket to accept from: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config, given, Telemetry::new(traces)).await,
            #[cfg(unix)]
            Command::Reload => reload::run(config).await,
            Command::Worker { kind } => worker::run(config, kind, Telemetry::new(traces)).await,
            Command::Shorten(args) => shorten::run(config, args).await,
            Command::Migrate(args) => migrate::run(config, args).await,
            Command::Openapi => openapi::run(),
            Command::ConfigReference => failure::print(&config::to_markdown()).map(|()| ExitCode::SUCCESS),
            Command::Keys(command) => keys::run(config, command).await,
            Command::Users(command) => users::run(config, command).await,
            Command::Import(args) => import::run(config, args).await,
            Command::Export(args) => export::run(config, args).await,
            Command::Backup(args) => backup::run(config, args).await,
            Command::Copy(args) => copy::run(config, args).await,
            Command::Doctor { health: true, .. } => doctor::ask(config).await,
            Command::Doctor { reconcile, .. } => doctor::run(config, reconcile).await,
            Command::Status { json } => status::run(config, json).await,
            Command::Top => top::run(config).await,
            Command::Queue(command) => queue::run(config, command).await,
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_but_secrets_has_a_flag_that_works_behind_a_command_too() {
        for setting in config::all() {
            let flag = format!("--{}", config::flag(setting));
            let parsed = Cli::try_parse_from(["boltlink", "doctor", &flag, "x"]);
            assert_eq!(parsed.is_ok(), !setting.secret, "{flag}");
            if let Ok(cli) = parsed {
                assert_eq!(cli.flags.given().get(setting.name).map(String::as_str), Some("x"), "{flag}");
            }
        }
    }
}
