//! The real binary as a stranger meets it: started, loaded, killed, started again.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

#[path = "../common/certificates.rs"]
mod certificates;
#[path = "../common/collector.rs"]
mod collector;
mod crash;
mod guide;
mod input;
#[cfg(target_os = "linux")]
mod memory;
#[path = "../common/nodes.rs"]
mod nodes;
#[cfg(unix)]
mod reload;
mod restart;
mod sharing;
mod status;
mod targets;
mod tls;
mod traces;

use boltlink_testkit::{Builder, Server};

/// A server of this build, with nothing said but where it is.
fn server() -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_boltlink"))
}
