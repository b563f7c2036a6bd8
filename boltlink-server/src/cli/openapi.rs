//! `boltlink openapi`

use std::process::ExitCode;

use super::failure::{Failure, print};

pub(super) fn run() -> Result<ExitCode, Failure> {
    print(&format!("{}\n", boltlink_server::openapi().trim_end()))?;
    Ok(ExitCode::SUCCESS)
}
