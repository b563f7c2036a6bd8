//! The documentation as a site, by mdBook. Where its links lead is a test's to look at (`tests/process/guide.rs`).

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    Result,
    cargo::{cargo, root, run as run_command},
    tools::{self, scratch},
};

/// The version of mdBook that the site is built with.
const MDBOOK: &str = "0.5.4";

/// Builds the site in `target/book`.
pub(crate) fn run() -> Result {
    run_command(Command::new(mdbook()?).arg("build").current_dir(root()).stdin(Stdio::null()))
}

/// mdBook of our version, installed below `target` if it is not there.
fn mdbook() -> Result<PathBuf> {
    let place = scratch("book");
    let program = place.join("bin").join(format!("mdbook{}", std::env::consts::EXE_SUFFIX));
    if tools::version(&program).as_deref() != Some(&format!("mdbook v{MDBOOK}")) {
        let mut install = cargo(["install", "mdbook", "--version", MDBOOK, "--locked", "--no-default-features"]);
        // What it is built for is seconds of work: no need to optimise it.
        install.args(["--features", "search", "--debug", "--force", "--root"]).arg(&place);
        run_command(&mut install)?;
    }
    Ok(program)
}
