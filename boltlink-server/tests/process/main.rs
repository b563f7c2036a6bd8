//! The real binary as a stranger meets it: started, loaded, killed, started again.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod crash;
mod guide;
mod input;
#[path = "../common/nodes.rs"]
mod nodes;
mod restart;
mod sharing;
mod targets;

use boltlink_testkit::{Builder, Server};

/// A server of this build, with nothing said but where it is.
fn server() -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_boltlink"))
}
