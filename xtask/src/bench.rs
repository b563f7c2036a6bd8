//! Benches that start servers and pin them to cores.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    Result,
    cargo::{cargo, release, root, run},
};

/// The core of whatever is no server that is measured: those are on core 0.
const OTHERS: &str = "1";

/// Builds the server as it is run, and what measures it, and lets that measure redirects.
pub(crate) fn redirect(args: &[String]) -> Result {
    needs_linux()?;
    if std::thread::available_parallelism()?.get() < 2 {
        return Err("this needs two cores: one for the server and one for the load".into());
    }
    build()?;
    // Of util-linux, which every distribution has.
    let mut bench = Command::new("taskset");
    bench.args(["-c", OTHERS]).arg(program()).arg("redirect").args(args);
    run(bench.current_dir(root()).stdin(Stdio::null()))
}

/// The same for large databases, with all cores for the server and its database.
pub(crate) fn scale(args: &[String]) -> Result {
    needs_linux()?;
    build()?;
    run(Command::new(program()).arg("scale").args(args).current_dir(root()).stdin(Stdio::null()))
}

/// Computes what carries how much. Starts no server.
pub(crate) fn capacity(args: &[String]) -> Result {
    run(&mut cargo(["build", "--release", "--package", "boltlink-bench"]))?;
    run(Command::new(program()).arg("capacity").args(args).current_dir(root()).stdin(Stdio::null()))
}

fn needs_linux() -> Result {
    if cfg!(target_os = "linux") {
        Ok(())
    } else {
        Err("this reads /proc, and pins programs to cores: run it on Linux".into())
    }
}

fn build() -> Result {
    run(&mut cargo(["build", "--release"]))?;
    // By itself: built together with the server it would have a say in its features.
    run(&mut cargo(["build", "--release", "--package", "boltlink-bench"]))
}

fn program() -> PathBuf {
    release("boltlink-bench")
}
