//! `boltlink migrate`

use std::process::ExitCode;

use boltlink_store_sqlite::{SqliteConfig, SqliteStore};

use super::{
    engine,
    failure::{Failure, print},
};
use crate::config::Config;

pub(super) async fn run(config: &Config) -> Result<ExitCode, Failure> {
    engine::make_folder(config.data_dir())?;
    let path = config.database();
    let migrated = SqliteStore::migrate(&SqliteConfig::new(&path)).await.map_err(Failure::new)?;
    let steps = migrated.applied.len();
    let done = if steps == 0 { "was up to date".to_owned() } else { format!("is up to date after {steps} migrations") };
    print(&format!("{} {done}: schema version {}\n", path.display(), migrated.version))?;
    Ok(ExitCode::SUCCESS)
}
