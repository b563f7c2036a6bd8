//! The tests. What they need from outside is started for the run and ends with it.

use std::process::{Command, Stdio};

use crate::{
    Result,
    cargo::{WORKSPACE, cargo, run},
    servers::Servers,
};

/// The packages, and the test programs of others, that need Postgres or Redis.
const SERVER_PACKAGES: [&str; 2] = ["boltlink-store-postgres", "boltlink-store-redis"];
const SERVER_PROGRAMS: [&str; 3] = ["servers", "postgres", "redis"];

/// What is run once more through a pooler.
const THROUGH_POOLER: &str = "package(boltlink-store-postgres) | binary(=postgres)";
/// What of it is about who logs in and what a connection to the server is like: a pooler logs in for all.
const ABOUT_SESSIONS: [&str; 5] = [
    "an_empty_database_is_migrated_once",
    "connections_that_turned_read_only_are_left",
    "who_cannot_log_in_is_told_so",
    "who_may_not_make_tables_is_told_so",
    "without_the_extension_lists_by_text_walk",
];

/// Runs every test. The doctests come first, so that the runner's own count stands at the end.
pub(crate) fn all() -> Result {
    let docs = docs();
    let tests = tests();
    docs.and(tests)
}

/// Runs every test that needs no server, and says which were left out.
pub(crate) fn embedded() -> Result {
    let docs = docs();
    let tests = without_servers();
    docs.and(tests)
}

fn without_servers() -> Result {
    let mut tests = nextest().ok_or("this needs cargo-nextest: cargo install --locked cargo-nextest")?;
    let programs = SERVER_PROGRAMS.map(|program| format!("binary(={program})")).join(" | ");
    for package in SERVER_PACKAGES {
        tests.args(["--exclude", package]);
    }
    tests.args(WORKSPACE).args(["--tests", "--no-fail-fast", "-E"]).arg(format!("not ({programs})"));
    let tests = run(&mut tests);
    eprintln!(
        "\nLeft out, as they need servers: the tests of {}, and the test programs {}.",
        SERVER_PACKAGES.join(", "),
        SERVER_PROGRAMS.join(", ")
    );
    tests
}

/// Runs the doctests.
pub(crate) fn docs() -> Result {
    run(cargo(["test", "--doc"]).args(WORKSPACE))
}

/// Runs all other tests, to the last one even if some fail. Where no servers can be started, those that need none.
pub(crate) fn tests() -> Result {
    if cfg!(not(unix)) {
        return without_servers();
    }
    let servers = Servers::start()?;
    let outcome = with(&servers, runner().args(WORKSPACE).args(["--tests", "--no-fail-fast"]));
    outcome.and(through_pooler(&servers))
}

/// Runs the tests of Postgres once more, through PgBouncer in transaction mode, where one is installed that can do that.
fn through_pooler(servers: &Servers) -> Result {
    let (Some(pooler), Some(mut tests)) = (&servers.pooler, nextest()) else { return Ok(()) };
    let left_out = ABOUT_SESSIONS.map(|test| format!("test(={test})")).join(" | ");
    let chosen = format!("({THROUGH_POOLER}) & !({left_out})");
    tests.args(WORKSPACE).args(["--tests", "--no-fail-fast", "-E", &chosen]).env("BOLTLINK_TEST_POOLER_URL", pooler);
    eprintln!("\nOnce more, through PgBouncer:");
    with(servers, &mut tests)
}

/// Runs the tests that `args` select, in the words of the runner.
pub(crate) fn some(args: &[String]) -> Result {
    with_servers(runner().args(WORKSPACE).arg("--tests").args(args))
}

fn with_servers(command: &mut Command) -> Result {
    with(&Servers::start()?, command)
}

fn with(servers: &Servers, command: &mut Command) -> Result {
    let outcome = run(command.envs(servers.variables.iter().map(|(name, address)| (name, address))));
    eprintln!("\nThe tests ran with {}.", servers.described);
    outcome
}

/// cargo-nextest if it is installed, as it runs the tests of all crates at the same time.
fn runner() -> Command {
    nextest().unwrap_or_else(|| cargo(["test"]))
}

fn nextest() -> Option<Command> {
    let nextest = cargo(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    nextest.is_ok_and(|status| status.success()).then(|| cargo(["nextest", "run"]))
}
