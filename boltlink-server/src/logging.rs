//! Where log lines go, and in what form; and where spans go.

use std::io::{self, IsTerminal};

use boltlink_server::Traces;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Config, Origin};

/// Logs to standard error: for people if that is a terminal, else one JSON object a line. Unless it
/// was asked for, a command that does not serve has nothing to say but warnings.
pub(crate) fn install(config: &Config, serves: bool, traces: Option<&Traces>) {
    let asked = config.origins.get("log") != Some(&Origin::Default);
    let filter = EnvFilter::new(if serves || asked { config.logging.log.as_str() } else { "warn" });
    let lines = fmt::layer::<Registry>().with_writer(io::stderr);
    let lines = if io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces.map(Traces::layer)).init();
}
