//! The tests. None needs anything from outside: databases are embedded, and servers are started by
//! the tests themselves, each on a port and a directory of its own.

use std::process::{Command, Stdio};

use crate::{
    Result,
    cargo::{WORKSPACE, cargo, run},
};

/// Runs every test. The doctests come first, so that the runner's own count stands at the end.
pub(crate) fn all() -> Result {
    let docs = docs();
    let tests = tests();
    docs.and(tests)
}

/// Runs the doctests.
pub(crate) fn docs() -> Result {
    run(cargo(["test", "--doc"]).args(WORKSPACE))
}

/// Runs all other tests, to the last one even if some fail.
pub(crate) fn tests() -> Result {
    run(runner().args(WORKSPACE).args(["--tests", "--no-fail-fast"]))
}

/// Runs the tests that `args` select, in the words of the runner.
pub(crate) fn some(args: &[String]) -> Result {
    run(runner().args(WORKSPACE).arg("--tests").args(args))
}

/// cargo-nextest if it is installed, as it runs the tests of all crates at the same time.
fn runner() -> Command {
    let nextest = cargo(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if nextest.is_ok_and(|status| status.success()) { cargo(["nextest", "run"]) } else { cargo(["test"]) }
}
