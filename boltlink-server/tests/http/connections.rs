//! What clients do to connections, by intent or not.

use std::time::Duration;

use boltlink_server::{Limits, ServerOptions};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Server, exchange};

async fn limited(change: impl FnOnce(&mut Limits)) -> Server {
    let mut limits = Limits::default();
    change(&mut limits);
    Server::with(ServerOptions { limits, ..ServerOptions::default() }).await
}

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn half_headers_and_silence_are_given_up() {
    let server = limited(|limits| limits.header_timeout = SHORT).await;
    for beginning in [&b""[..], b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"PRI * HTTP/2.0\r\n"] {
        assert_eq!(exchange(&server, beginning).await, "");
    }
    // Also after a whole request.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    stream.write_all(b"GET /x").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!String::from_utf8(rest).unwrap().contains("HTTP/1.1"));
}

#[tokio::test]
async fn headers_cannot_trickle_in_for_ever() {
    let server = limited(|limits| limits.header_timeout = SHORT).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut sent = 0_u32;
    // Ends because the server closes.
    while stream.write_all(b"X").await.is_ok() {
        sent += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(sent > 0);
}

#[tokio::test]
async fn resting_connections_are_closed() {
    let server = limited(|limits| limits.idle_timeout = SHORT).await;
    assert!(exchange(&server, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn bodies_that_do_not_come_are_given_up() {
    let server = limited(|limits| limits.body_timeout = SHORT).await;
    let new = boltlink_core::NewKey::new("k".parse().unwrap(), boltlink_core::Scopes::ADMIN);
    let token = server.shortener.create_key(&boltlink_core::Actor::OPERATOR, new).await.unwrap().1.reveal();
    let request = format!(
        "POST /api/v1/links HTTP/1.1\r\nHost: x\r\nX-API-Key: {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{"
    );
    let answer = exchange(&server, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"body-timeout\""));
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = limited(|limits| limits.header_bytes = 8 << 10).await;
    let long = "x".repeat(16 << 10);
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /s HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /s HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(500)),
    ] {
        let answer = exchange(&server, request.as_bytes()).await;
        // Bytes beyond the bound may turn the end into a reset, which takes the answer with it.
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn rubbish_is_refused() {
    let server = Server::start().await;
    server.link(json!({ "slug": "s" })).await;
    for rubbish in [
        &b"\r\n\r\n\x00\x01\x02\r\n\r\n"[..],
        b"GET /s\r\nX-Injected: 1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /s HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
        b"GET /s HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        b"POST /api/v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let answer = exchange(&server, rubbish).await;
        // What does not even look like HTTP gets no answer in it.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{rubbish:?}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("x-injected"));
    }
    // What is encoded is a slug that does not exist, and comes back nowhere.
    let answer =
        exchange(&server, b"GET /s%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("x-injected"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start().await;
    for slug in ["a", "b"] {
        server.link(json!({ "slug": slug, "target": format!("https://example.com/{slug}") })).await;
    }
    // Cached and not, and one for poem between them.
    let mut request = String::new();
    for path in ["/a", "/b", "/health/live", "/a", "/none", "/b"] {
        request.push_str(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    request.push_str("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = exchange(&server, request.as_bytes()).await;
    let statuses: Vec<_> = answer.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect();
    assert_eq!(statuses, ["302", "302", "200", "302", "404", "302", "302"]);
    let locations: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("location: ")).collect();
    assert_eq!(locations, ["a", "b", "a", "b", "a"].map(|slug| format!("https://example.com/{slug}")));
}

#[tokio::test]
async fn more_connections_than_allowed_wait_their_turn() {
    let server = limited(|limits| limits.connections = 1).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let second = exchange(&server, request);
    let mut second = std::pin::pin!(second);
    // It must not be answered while the first is open; that it is not yet can only be sampled.
    assert!(tokio::time::timeout(SHORT, &mut second).await.is_err());
    drop(first);
    assert!(second.await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn old_clients_without_a_host_are_served() {
    let server = Server::start().await;
    server.link(json!({ "slug": "s" })).await;
    assert!(exchange(&server, b"GET /s HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 302"));
}

#[tokio::test]
async fn http2_without_tls() {
    let base_url = Some("http://go.example.com".parse().unwrap());
    let server = Server::with(ServerOptions { base_url, ..ServerOptions::default() }).await;
    let new = boltlink_core::NewLink {
        slug: Some("s".parse().unwrap()),
        ..boltlink_core::NewLink::to(boltlink_core::TargetUrl::from_stored("https://example.com/").unwrap())
    };
    let link = server.shortener.create(&boltlink_core::Actor::OPERATOR, new).await.unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    // The host is in `:authority`.
    for (method, uri, status) in [
        ("GET", "http://GO.example.com/s", 302),
        ("HEAD", "http://go.example.com/s", 302),
        ("GET", "http://go.example.com/none", 404),
        ("HEAD", "http://go.example.com/none", 404),
        ("GET", "http://elsewhere.example/s", 404),
        ("GET", "http://elsewhere.example/health", 200),
        ("POST", "http://go.example.com/api/v1/links", 401),
    ] {
        let request = Request::builder().method(method).uri(uri).body(Full::<bytes::Bytes>::default()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{method} {uri}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.is_empty(), method == "HEAD" || status == 302, "{method} {uri}");
    }
    server.shortener.shutdown().await;
    let link = server.shortener.find(&boltlink_core::Actor::OPERATOR, link.link.id).await.unwrap();
    assert_eq!(link.clicks, 1);
}
