//! `boltlink backup`

use std::{path::PathBuf, process::ExitCode};

use boltlink_store_sqlite::{SqliteConfig, SqliteStore};

use super::{
    failure::{Failure, print},
    stop::Signals,
};
use crate::config::{Config, DatabaseUrl};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to write; it must not exist.
    file: PathBuf,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let DatabaseUrl::Sqlite(path) = config.database() else {
        return Err(Failure::new(
            "Postgres has tools of its own for this\n    fix: use pg_dump, or the archive of your provider; see docs/backup.md",
        ));
    };
    let file = &args.file;
    let mut stop = Signals::listen()?;
    let config = SqliteConfig::new(&path);
    tokio::select! {
        made = SqliteStore::backup(&config, file) => made.map_err(Failure::new)?,
        () = stop.stop() => return Err(Failure::new("stopped; there is no backup")),
    }
    let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
    print(&format!("{} is in {}: {bytes} bytes\n", path.display(), file.display()))?;
    Ok(ExitCode::SUCCESS)
}
