//! What every change has to pass.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    Result, alerts, book,
    cargo::{cargo, read, run as run_command},
    clients, examples, instructions, load, schemathesis, test,
};

/// A step: what it is called, and what it does.
type Step = (&'static str, fn() -> Result);

/// The steps, the quick ones first.
const STEPS: [Step; 15] = [
    ("format", format),
    ("clippy, default features", || clippy(&[])),
    ("clippy, no features", || clippy(&["--no-default-features"])),
    ("clippy, all features", || clippy(&["--all-features"])),
    ("clippy, each feature alone", each_feature),
    ("documentation", documentation),
    ("doctests", test::docs),
    ("tests", test::tests),
    (INSTRUCTIONS, instructions::run),
    ("examples", examples::run),
    ("clients", clients::run),
    ("alerts", alerts::run),
    ("book", book::run),
    ("load, short", load::short),
    ("schemathesis", || schemathesis::run(&[])),
];

/// So that nobody takes it for done where it is not.
const INSTRUCTIONS: &str = if cfg!(target_os = "linux") { "instructions" } else { "instructions, left out" };

/// Runs all steps, up to the first that fails unless `keep_going`, and prints what became of each.
pub(crate) fn run(keep_going: bool) -> Result {
    let begin = Instant::now();
    let mut rows = Vec::new();
    let mut failures = 0;
    for (name, step) in STEPS {
        if failures > 0 && !keep_going {
            rows.push(format!("{name:<28} {:>7}  not run", ""));
            continue;
        }
        eprintln!("\n=== {name}");
        let begin = Instant::now();
        let outcome = match step() {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                failures += 1;
                format!("FAILED: {error}")
            }
        };
        rows.push(format!("{name:<28} {:>7}  {outcome}", minutes(begin.elapsed())));
    }
    eprintln!("\n{}\n{:<28} {:>7}", rows.join("\n"), "whole", minutes(begin.elapsed()));
    if failures == 0 { Ok(()) } else { Err(format!("{failures} of {} steps failed", STEPS.len()).into()) }
}

fn format() -> Result {
    run_command(&mut cargo(["fmt", "--all", "--", "--check"]))
}

fn clippy(features: &[&str]) -> Result {
    let mut command = cargo(["clippy", "--workspace", "--all-targets"]);
    run_command(command.args(features).args(["--", "-D", "warnings"]))
}

/// Lints each library with none and with each single one of its features. In a build of the whole
/// workspace the server turns on features of the libraries; here a library stands by itself.
fn each_feature() -> Result {
    for (package, features) in libraries_with_features()? {
        let mut choices = vec![String::new()];
        choices.extend(features);
        for feature in choices {
            let mut command = cargo(["clippy", "--lib", "--no-default-features", "--package", &package]);
            if !feature.is_empty() {
                command.args(["--features", &feature]);
            }
            run_command(command.args(["--", "-D", "warnings"]))?;
        }
    }
    Ok(())
}

fn libraries_with_features() -> Result<Vec<(String, Vec<String>)>> {
    let text = read(&mut cargo(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    Ok(packages.iter().filter_map(library_with_features).collect())
}

fn library_with_features(package: &Value) -> Option<(String, Vec<String>)> {
    let is_library = package["targets"].as_array()?.iter().any(|target| target["kind"][0] == "lib");
    let features: Vec<_> = package["features"].as_object()?.keys().filter(|name| *name != "default").cloned().collect();
    let name = package["name"].as_str()?.to_owned();
    (is_library && !features.is_empty()).then_some((name, features))
}

fn documentation() -> Result {
    let mut command = cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
