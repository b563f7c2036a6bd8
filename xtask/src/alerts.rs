//! Prometheus' own checks of the alerts in `deploy/prometheus`.

use std::process::Command;

use crate::{
    Result,
    cargo::{root, run as run_command},
    tools,
};

/// Checks that the rules and the configuration are right, and that the rules fire in the cases of their test.
pub(crate) fn run() -> Result {
    if !cfg!(unix) {
        eprintln!("Left out: Prometheus' checks of the alerts, as nobody has tried them here.");
        return Ok(());
    }
    let promtool = tools::promtool()?;
    let check = |args: &[&str]| {
        run_command(Command::new(&promtool).args(args).current_dir(root().join("deploy").join("prometheus")))
    };
    check(&["check", "rules", "alerts.yml"])?;
    check(&["check", "config", "prometheus.yml"])?;
    check(&["test", "rules", "alerts.test.yml"])
}
