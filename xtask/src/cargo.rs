//! Runs cargo, and other programs as one would type them.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::Result;

/// The packages and features that tests and examples are built with: always these, because cargo
/// would build the dependencies anew for every other selection. Without `xtask`, because Windows
/// cannot overwrite a program that is running.
pub(crate) const WORKSPACE: [&str; 4] = ["--workspace", "--exclude", "xtask", "--all-features"];

/// The directory of the workspace's manifest.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Where cargo puts a program of the release build, unless it is told otherwise.
pub(crate) fn release(name: &str) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target));
    target.join("release").join(name)
}

/// The cargo that runs this program, to be called with `args` at the root.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// Shows the command, runs it and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result {
    let shown = show(command);
    let status = command.status().map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed: {status}").into()) }
}

/// Shows the command, runs it, fails if it does, and returns what it wrote to standard output.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("`{shown}` failed: {}", output.status).into())
    }
}

/// Builds all programs of a kind, `bin` or `example`; returns where each is, by name.
pub(crate) fn built(kind: &str) -> Result<BTreeMap<String, PathBuf>> {
    let selection = format!("--{kind}s");
    let mut build = cargo(["build", &selection, "--message-format=json-render-diagnostics"]);
    let messages = read(build.args(WORKSPACE))?;
    Ok(messages.lines().filter_map(|line| program(line, kind)).collect())
}

/// Builds a bench of a package as it is run, and returns where it is.
pub(crate) fn bench(package: &str, name: &str) -> Result<PathBuf> {
    let selection = ["bench", "--no-run", "--package", package, "--bench", name];
    let messages = read(cargo(selection).arg("--message-format=json-render-diagnostics"))?;
    let mut programs = messages.lines().filter_map(|line| program(line, "bench"));
    Ok(programs.next().ok_or_else(|| format!("{package} has no bench '{name}'"))?.1)
}

/// The program whose completion is the message of cargo on this line.
fn program(line: &str, wanted: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = message.get("target")?;
    let is_wanted = target.get("kind")?.as_array()?.iter().any(|kind| kind == wanted);
    let name = target.get("name")?.as_str()?;
    let program = message.get("executable")?.as_str()?;
    is_wanted.then(|| (name.to_owned(), program.into()))
}

/// Prints the command as one would type it.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut shown = program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for arg in command.get_args() {
        shown.push(' ');
        shown.push_str(&arg.to_string_lossy());
    }
    eprintln!("\n$ {shown}");
    shown
}
