//! Where log lines go, and in what form.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, Origin};

/// Logs to standard error: for people if that is a terminal, else one JSON object a line. Unless it
/// was asked for, a command that does not serve has nothing to say but warnings.
pub(crate) fn install(config: &Config, serves: bool) {
    let asked = config.origins.get("log") != Some(&Origin::Default);
    let filter = if serves || asked { config.logging.log.as_str() } else { "warn" };
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(io::stderr);
    if io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
