//! The load suite: a program of its own, in `load/`, which starts a server and judges how it bears what comes.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    cargo::{built, cargo, release, root, run as run_command},
};

/// Those that are short even for every change: what is steady, what changes, and what is killed.
const SHORT: [&str; 3] = ["baseline", "spike", "chaos"];

/// Builds the server as it is run, and loads it.
pub(crate) fn run(args: &[String]) -> Result {
    run_command(&mut cargo(["build", "--release"]))?;
    let loads = build(true)?;
    // Its own words say what is missing.
    let profile = args.first().map_or("", String::as_str);
    load(&loads, &release("boltlink"), profile, args)
}

/// Checks the suite itself, and that it finds nothing in some seconds of it.
pub(crate) fn short() -> Result {
    for check in [&["fmt", "--check"][..], &["clippy", "--all-targets", "--", "-D", "warnings"], &["test", "--quiet"]] {
        run_command(&mut here(check))?;
    }
    let servers = built("bin")?;
    let server = servers.get("boltlink").ok_or("cargo builds no boltlink")?;
    let loads = build(false)?;
    for profile in SHORT {
        load(&loads, server, profile, &[profile, "--scale", "0.04", "--untimed"].map(Into::into))?;
    }
    Ok(())
}

/// Cargo in the suite's own workspace.
fn here(args: &[&str]) -> Command {
    let mut command = cargo(args.iter().copied());
    command.current_dir(root().join("load")).env("CARGO_TARGET_DIR", target());
    command
}

/// Where it is built, apart from the server: its crates have other features.
fn target() -> PathBuf {
    root().join("target").join("load")
}

fn build(release: bool) -> Result<PathBuf> {
    run_command(&mut here(if release { &["build", "--release"] } else { &["build"] }))?;
    let profile = if release { "release" } else { "debug" };
    Ok(target().join(profile).join("boltlink-load"))
}

fn load(loads: &Path, exe: &Path, profile: &str, args: &[String]) -> Result {
    let mut command = Command::new(loads);
    command.args(args).arg("--exe").arg(exe).arg("--out").arg(target().join("reports").join(profile));
    run_command(command.current_dir(root()))
}
