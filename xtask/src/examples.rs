//! The examples: each is built, run, and has to end well.

use std::{
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    cargo::{built, root},
};

/// How long an example may run.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds every example of the workspace and runs one after the other.
pub(crate) fn run() -> Result {
    let examples = built("example")?;
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
