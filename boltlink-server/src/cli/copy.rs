//! `boltlink copy`

use std::{convert::Infallible, fmt::Write, fs, process::ExitCode, str::FromStr, time::Duration};

use boltlink_store_postgres::PostgresStore;
use boltlink_store_sql::copy::{Copied, CopyError, Phase, Source, Step, Target, copy};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    engine,
    failure::{Failure, print},
};
use crate::config::{Config, DatabaseUrl};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Others on the machine can see what stands on a command line: a URL with a password belongs in
BOLTLINK_COPY_FROM, BOLTLINK_COPY_TO, or in the files that BOLTLINK_COPY_FROM_FILE and
BOLTLINK_COPY_TO_FILE name; or leave the password out, and put it in ~/.pgpass (PGPASSFILE).

The target must be empty; an SQLite file is made. While a copy runs, nobody else can open the source
or write to it. If it is interrupted, run the same again: it goes on where it was. At the end both
databases are read and compared row by row; until then the target cannot be opened otherwise. The
source stays as it is. docs/copy.md has the rest.")]
pub(super) struct Args {
    /// The database to copy from: sqlite: and the path of a file, or a postgres:// URL. Without it: the
    /// configured one [env: BOLTLINK_COPY_FROM]
    #[arg(long, value_name = "URL")]
    from: Option<Given>,
    /// The database to copy to [env: BOLTLINK_COPY_TO]
    #[arg(long, value_name = "URL")]
    to: Option<Given>,
}

/// What was given for a URL. Judged later: the command line's own errors would repeat it, password and all.
#[derive(Debug, Clone)]
struct Given(Result<DatabaseUrl, String>);

impl FromStr for Given {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse()))
    }
}

impl Given {
    fn judged(given: Option<Self>, flag: &str) -> Result<Option<DatabaseUrl>, Failure> {
        given.map(|Self(url)| url.map_err(|wrong| Failure::new(format_args!("{flag} {wrong}")))).transpose()
    }
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let (from, to) = (Given::judged(args.from, "--from")?, Given::judged(args.to, "--to")?);
    let from = from.or_else(|| config.copying.copy_from.clone()).unwrap_or_else(|| config.database());
    let to = to.or_else(|| config.copying.copy_to.clone()).ok_or_else(|| {
        Failure::new(
            "which database to copy to?\n    fix: name it with --to or BOLTLINK_COPY_TO, such as sqlite:copy.db or \
             postgres://user@host/database",
        )
    })?;
    refuse_itself(&from, &to)?;
    let source = open_source(&from).await?;
    let copied = copy_from(&source, &to).await;
    source.close().await;
    print(&summary(&from, &to, &copied?))?;
    Ok(ExitCode::SUCCESS)
}

/// Looking into a file that this process has locked would unlock it.
fn refuse_itself(from: &DatabaseUrl, to: &DatabaseUrl) -> Result<(), Failure> {
    if let (DatabaseUrl::Sqlite(from), DatabaseUrl::Sqlite(to)) = (from, to) {
        let same =
            from == to || fs::canonicalize(from).is_ok_and(|from| fs::canonicalize(to).is_ok_and(|to| from == to));
        if same {
            return Err(Failure::new(format_args!("cannot copy {} to itself", from.display())));
        }
    }
    Ok(())
}

async fn open_source(from: &DatabaseUrl) -> Result<Source, Failure> {
    match from {
        DatabaseUrl::Sqlite(path) if !path.exists() => Err(engine::no_database(path)),
        DatabaseUrl::Sqlite(path) => SqliteStore::copy_source(&SqliteConfig::new(path)).await.map_err(Failure::new),
        DatabaseUrl::Postgres(postgres) => PostgresStore::copy_source(postgres).await.map_err(Failure::new),
    }
}

async fn open_target(to: &DatabaseUrl) -> Result<Target, Failure> {
    match to {
        DatabaseUrl::Sqlite(path) => SqliteStore::copy_target(&SqliteConfig::new(path)).await.map_err(Failure::new),
        DatabaseUrl::Postgres(postgres) => PostgresStore::copy_target(postgres).await.map_err(Failure::new),
    }
}

async fn copy_from(source: &Source, to: &DatabaseUrl) -> Result<Copied, Failure> {
    let target = open_target(to).await?;
    let bar = Bar::new();
    let copied = copy(source, &target, |step| bar.show(step)).await;
    bar.0.finish_and_clear();
    let closed = target.close().await;
    let copied = copied.map_err(|error| match error {
        error @ (CopyError::Source(_) | CopyError::Target(_)) => {
            Failure::new(format_args!("the copy stopped: {error}\n    run the same again, and it goes on where it was"))
        }
        error => Failure::new(error),
    })?;
    closed.map_err(Failure::new)?;
    Ok(copied)
}

fn summary(from: &DatabaseUrl, to: &DatabaseUrl, copied: &Copied) -> String {
    let mut text = format!("{from} is copied to {to}, and both were compared:\n");
    for table in &copied.tables {
        let clicks = table.clicks.map(|clicks| format!(" ({clicks} clicks)")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<16} {:>12}{clicks}", table.name, HumanCount(table.rows).to_string());
    }
    text + "Start the servers with DATABASE_URL set to the new database, in the data folders they had.\n"
}

/// How far it is, on a terminal and nowhere else.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg:26} {bar:30} {human_pos}/{human_len} rows  {eta} left") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    fn show(&self, step: Step) {
        if !self.0.is_hidden() {
            let doing = match step.phase {
                Phase::Copying => "copying",
                Phase::Verifying => "comparing",
            };
            self.0.set_message(format!("{doing} {}", step.table));
            self.0.set_length(step.of);
            self.0.set_position(step.rows);
        }
    }
}
