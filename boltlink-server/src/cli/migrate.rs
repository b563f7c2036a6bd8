//! `boltlink migrate`

use std::process::ExitCode;

use super::{
    engine,
    failure::{Failure, print},
};
use crate::config::Config;

pub(super) async fn run(config: &Config) -> Result<ExitCode, Failure> {
    // Opening a database is what brings it up to date.
    engine::open(config).await?.close().await;
    print(&format!("{} is up to date.\n", config.database().display()))?;
    Ok(ExitCode::SUCCESS)
}
