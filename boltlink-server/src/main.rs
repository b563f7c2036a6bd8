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
    refuse_huge_pages();
    cli::main()
}

/// The allocator asks for huge pages where it may, and the kernel clears one while a thread waits for it: that takes up to
/// milliseconds, and visits have been such threads.
#[cfg(target_os = "linux")]
fn refuse_huge_pages() {
    // A kernel that knows of none will do.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
const fn refuse_huge_pages() {}
