//! The examples: each is built, run, and has to end well.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Result,
    cargo::{WORKSPACE, cargo, read, root},
};

/// How long an example may run.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds every example of the workspace and runs one after the other.
pub(crate) fn run() -> Result {
    let examples = build()?;
    if examples.is_empty() {
        return Err("the workspace has no examples".into());
    }
    for (name, program) in examples {
        eprintln!("\n$ cargo run --example {name}");
        let status = run_within(&program, LIMIT).map_err(|error| format!("example {name}: {error}"))?;
        if !status.success() {
            return Err(format!("example {name} failed: {status}").into());
        }
    }
    Ok(())
}

/// Builds the examples; returns their names and programs, sorted.
fn build() -> Result<Vec<(String, PathBuf)>> {
    let mut build = cargo(["build", "--examples", "--message-format=json-render-diagnostics"]);
    let messages = read(build.args(WORKSPACE))?;
    let mut examples: Vec<_> = messages.lines().filter_map(example).collect();
    examples.sort();
    Ok(examples)
}

/// The example whose completion is the message of cargo on this line.
fn example(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = message.get("target")?;
    let is_example = target.get("kind")?.as_array()?.iter().any(|kind| kind == "example");
    let name = target.get("name")?.as_str()?;
    let program = message.get("executable")?.as_str()?;
    is_example.then(|| (name.to_owned(), program.into()))
}

/// Runs the program where `cargo run` would. Run directly and not by cargo, so that the right
/// process ends when the time is over.
fn run_within(program: &Path, limit: Duration) -> Result<ExitStatus> {
    let mut child = Command::new(program).current_dir(root()).stdin(Stdio::null()).spawn()?;
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(format!("still running after {} s", limit.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(20));
    }
}
