//! How long a start takes, until somebody is answered.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::store::Store;
use crate::{Result, process::stop};

/// How often it is tried to connect.
const POLL: Duration = Duration::from_micros(200);
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// From the start of the process until `/health` answers that all is well. The server is stopped again as an operator would.
pub(crate) fn time(store: &Store) -> Result<Duration> {
    // Free a moment ago, and nobody else on this machine is given it soon.
    let address = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?.local_addr()?;
    let mut command = store.server()?.env("BOLTLINK_LISTEN", address.to_string()).command_in(store.folder());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let healthy = loop {
        if is_healthy(address) {
            break Ok(begin.elapsed());
        }
        if begin.elapsed() > PATIENCE || child.try_wait()?.is_some() {
            break Err(format!(
                "the server does not start on {address}: look whether `boltlink doctor` finds a reason"
            ));
        }
        thread::sleep(POLL);
    };
    stop(&mut child)?;
    Ok(healthy?)
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
