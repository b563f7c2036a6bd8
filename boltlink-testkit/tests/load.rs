//! The load and the raw connection against a server of a few lines.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use boltlink_testkit::{Connection, Load};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// How the server breaks an answer off.
#[derive(Clone, Copy)]
enum Fault {
    /// Says nothing and closes the connection.
    Silence,
    /// Closes the connection in the middle of the body.
    HalfABody,
}

/// Answers each path with its last byte as a status; every `nth` request meets the fault.
struct TinyServer {
    address: SocketAddr,
    seen: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl TinyServer {
    async fn start(nth: u64, fault: Fault) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            // Ends with this task, as connections end with their server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&counter), nth, fault));
            }
        });
        Ok(Self { address, seen, task })
    }
}

impl Drop for TinyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, seen: Arc<AtomicU64>, nth: u64, fault: Fault) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let number = seen.fetch_add(1, Ordering::Relaxed) + 1;
        let status = if head.starts_with("GET /missing ") { 404 } else { 302 };
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nX-Y:  z \r\n\r\n{head}", head.len());
        let cut = match fault {
            _ if !number.is_multiple_of(nth) => answer.len(),
            Fault::Silence => 0,
            Fault::HalfABody => answer.len() - 5,
        };
        if stream.write_all(&answer.as_bytes()[..cut]).await.is_err() || cut < answer.len() {
            return;
        }
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_carries_headers() {
    let server = TinyServer::start(u64::MAX, Fault::Silence).await.unwrap();
    let mut connection = Connection::open(server.address).await.unwrap();
    for _ in 0..3 {
        let answer =
            connection.get("/a", &[("Accept-Language", "de"), ("Referer", "https://x.example/")]).await.unwrap();
        assert_eq!(answer.status, 302);
        assert_eq!(answer.header("x-y"), Some("z"));
        let request = String::from_utf8(answer.body).unwrap();
        let host = server.address;
        assert_eq!(
            request,
            format!("GET /a HTTP/1.1\r\nHost: {host}\r\nAccept-Language: de\r\nReferer: https://x.example/\r\n\r\n")
        );
    }
}

#[tokio::test]
async fn an_answer_broken_off_is_no_answer() {
    for fault in [Fault::Silence, Fault::HalfABody] {
        let server = TinyServer::start(1, fault).await.unwrap();
        let mut connection = Connection::open(server.address).await.unwrap();
        connection.get("/a", &[]).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_load_sends_exactly_its_requests_and_counts_by_status() {
    let server = TinyServer::start(u64::MAX, Fault::Silence).await.unwrap();
    let load =
        Load::new(server.address, ["/a", "/missing"]).connections(3).requests(1_000).header("User-Agent", "load");
    let tally = load.start().finish().await;
    assert_eq!((tally.sent(), tally.answered(), tally.lost()), (1_000, 1_000, 0));
    assert_eq!((tally.answered_with(302), tally.answered_with(404), tally.answered_with(200)), (500, 500, 0));
    assert_eq!(server.seen.load(Ordering::Relaxed), 1_000);
}

#[tokio::test]
async fn a_load_goes_on_when_connections_break_and_tells_what_was_lost() {
    for fault in [Fault::Silence, Fault::HalfABody] {
        let server = TinyServer::start(10, fault).await.unwrap();
        let tally = Load::new(server.address, ["/a"]).connections(2).requests(500).start().finish().await;
        assert_eq!((tally.sent(), tally.answered_with(302), tally.lost()), (500, 450, 50));
    }
}

#[tokio::test]
async fn a_load_runs_until_it_is_stopped() {
    let server = TinyServer::start(u64::MAX, Fault::Silence).await.unwrap();
    let load = Load::new(server.address, ["/a"]).connections(2).start();
    load.answers(100).await.unwrap();
    let tally = load.stop().await;
    assert!(tally.answered() >= 100);
    assert_eq!(tally.lost(), 0);
    assert_eq!(tally.sent(), server.seen.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_load_outlives_its_server() {
    let server = TinyServer::start(u64::MAX, Fault::Silence).await.unwrap();
    let load = Load::new(server.address, ["/a"]).connections(2).start();
    load.answers(100).await.unwrap();
    let seen = Arc::clone(&server.seen);
    drop(server);
    let tally = load.stop().await;
    assert!(tally.answered() <= seen.load(Ordering::Relaxed) && seen.load(Ordering::Relaxed) <= tally.sent());
}

#[tokio::test]
async fn a_load_that_ends_early_is_no_reason_to_wait() {
    let server = TinyServer::start(u64::MAX, Fault::Silence).await.unwrap();
    let load = Load::new(server.address, ["/a"]).requests(10).start();
    load.answers(11).await.unwrap_err();
}
