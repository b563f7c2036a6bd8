//! The program `boltlink`: a link-shortening server and the commands around it.

mod cli;
mod config;
mod duration;
mod logging;

use std::process::ExitCode;

/// The server allocates small things from many threads at once: what the system's allocator is worst at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
