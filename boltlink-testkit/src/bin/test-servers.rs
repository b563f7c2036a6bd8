//! Starts the servers that one run of the tests shares, says where they are as `NAME=address` lines, and ends them when
//! its standard input does. `cargo xtask test` is who runs it; it ends with 3 if a program has to be installed first.

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    use std::io::Read;

    if let Err(error) = boltlink_testkit::TestServers::installed() {
        eprintln!("{error}");
        return std::process::ExitCode::from(3);
    }
    match boltlink_testkit::TestServers::start().await {
        Ok(servers) => {
            for (name, address) in servers.variables() {
                println!("{name}={address}");
            }
            if let Some(pooler) = servers.pooler() {
                println!("pooler: {pooler}");
            }
            println!("ready: {}", servers.describe());
            // Whoever started this says nothing: its end is the end of the input.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("on this system the tests start no servers: run `cargo xtask test --embedded`");
    std::process::ExitCode::FAILURE
}
