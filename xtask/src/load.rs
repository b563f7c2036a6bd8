//! The load suite: a program of its own, in `load/`, which starts a server and judges how it bears what comes.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    cargo::{built, cargo, release, root, run as run_command},
};

/// For every change: all of them, each for some ten seconds.
const SHORT: [(&str, &str); 7] = [
    ("baseline", "0.02"),
    ("ramp", "0.02"),
    ("stress", "0.01"),
    ("spike", "0.02"),
    ("soak", "0.008"),
    ("ultra", "0.02"),
    ("chaos", "0.06"),
];

/// Builds the server as it is run, and loads it.
pub(crate) fn run(args: &[String]) -> Result {
    run_command(&mut cargo(["build", "--release"]))?;
    load(&build(true)?, &release("boltlink"), args)
}

/// Checks the suite itself, and that it finds nothing in some seconds of it.
pub(crate) fn short() -> Result {
    if !cfg!(unix) {
        eprintln!("Left out: the load suite, as nobody has tried it here.");
        return Ok(());
    }
    for check in [&["fmt", "--check"][..], &["clippy", "--all-targets", "--", "-D", "warnings"], &["test", "--quiet"]] {
        run_command(&mut here(check))?;
    }
    let servers = built("bin")?;
    let server = servers.get("boltlink").ok_or("cargo builds no boltlink")?;
    let loads = build(false)?;
    for (profile, scale) in SHORT {
        load(&loads, server, &[profile, "--scale", scale, "--untimed"].map(Into::into))?;
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

pub(crate) fn build(release: bool) -> Result<PathBuf> {
    run_command(&mut here(if release { &["build", "--release"] } else { &["build"] }))?;
    let profile = if release { "release" } else { "debug" };
    Ok(target().join(profile).join("boltlink-load"))
}

pub(crate) fn load(loads: &Path, exe: &Path, args: &[String]) -> Result {
    let mut command = Command::new(loads);
    command.args(args).arg("--exe").arg(exe).arg("--reports").arg(target().join("reports"));
    run_command(command.current_dir(root()))
}
