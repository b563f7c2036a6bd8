//! Benches that start servers and pin them to cores.

use std::process::{Command, Stdio};

use crate::{
    Result,
    cargo::{cargo, root, run},
};

/// The core of whatever is no server that is measured: those are on core 0.
const OTHERS: &str = "1";

/// Builds the server as it is run, and what measures it, and lets that measure redirects.
pub(crate) fn redirect(args: &[String]) -> Result {
    if !cfg!(target_os = "linux") {
        return Err("this reads /proc and pins programs to cores: it needs Linux".into());
    }
    if std::thread::available_parallelism()?.get() < 2 {
        return Err("this needs two cores: one for the server and one for the load".into());
    }
    run(&mut cargo(["build", "--release"]))?;
    // By itself: built together with the server it would have a say in its features.
    run(&mut cargo(["build", "--release", "--package", "boltlink-bench"]))?;
    // Of util-linux, which every distribution has.
    let mut bench = Command::new("taskset");
    bench.args(["-c", OTHERS]).arg(root().join("target/release/boltlink-bench")).arg("redirect").args(args);
    run(bench.current_dir(root()).stdin(Stdio::null()))
}
