//! Visits that are answered without hyper are answered as hyper would.

use std::time::Duration;

use boltlink_server::{Limits, ServerOptions};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Server, exchange, follow_and_read_late, path_of};

/// An answer's status line, headers in order of their names, and body. Without the date.
fn parts(answer: &str) -> (String, Vec<String>, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
    let mut lines = head.split("\r\n").map(str::to_owned);
    let status = lines.next().unwrap();
    let mut headers: Vec<_> = lines.filter(|line| !line.starts_with("date: ")).collect();
    headers.sort_unstable();
    (status, headers, body.to_owned())
}

#[tokio::test]
async fn answers_are_the_same_whoever_gives_them() {
    let base_url = Some("http://go.example.com".parse().unwrap());
    let server = Server::with(ServerOptions { base_url, ..ServerOptions::default() }).await;
    let make = async |fields: Value| {
        let client = server.client();
        let request = client.request(Method::POST, "/api/v1/links").header("host", "go.example.com");
        client.send(request.json(&fields)).await.unwrap().expect(201).unwrap();
    };
    make(json!({ "slug": "s", "target": "https://example.com/s" })).await;
    make(json!({ "slug": "kept", "target": "https://example.com/kept", "redirect": 301 })).await;
    make(json!({ "slug": "as-asked", "target": "https://example.com/as-asked", "redirect": 307 })).await;
    make(json!({ "slug": "always", "target": "https://example.com/always", "redirect": 308 })).await;
    make(json!({ "slug": "off", "target": "https://example.com/off", "enabled": false })).await;
    make(json!({ "slug": "shut", "target": "https://example.com/shut", "password": "correct horse" })).await;
    make(json!({ "slug": "once", "target": "https://example.com/once", "max_visits": 1 })).await;
    make(json!({ "slug": "on", "target": "https://example.com/on?x=1", "forward_query": true, "forward_path": true }))
        .await;
    // The last visit that there is goes to one of the two.
    exchange(&server, b"GET /once HTTP/1.1\r\nHost: go.example.com\r\nConnection: close\r\n\r\n").await;
    let mut statuses = Vec::new();
    for path in [
        "/s",
        "/s",
        "/S",
        "/%73",
        "/s/rest",
        "/s?q=1",
        "/none",
        "/kept",
        "/as-asked",
        "/always",
        "/off",
        "/shut",
        "/once",
        "/on/a/b?c=%20d&e",
        "/on?",
    ] {
        for headers in [
            "",
            "Accept: text/html\r\n",
            "Referer: a\r\nreferer: b\r\nCookie: a=b\r\n",
            "Host: go.example.com\r\n",
            "X-Request-Id: another\r\n",
        ] {
            let named = "Host: go.example.com\r\nX-Request-Id: one\r\n";
            let request =
                |more: &str| format!("GET {path} HTTP/1.1\r\n{named}{headers}{more}Connection: close\r\n\r\n");
            let ours = exchange(&server, request("").as_bytes()).await;
            // Whatever asks for another protocol is hyper's, which does not know this one and goes on.
            let hypers = exchange(&server, request("Upgrade: none\r\n").as_bytes()).await;
            assert_eq!(parts(&ours), parts(&hypers), "{path} {headers}");
            assert!(ours.contains("x-request-id: one\r\n") || ours.starts_with("HTTP/1.1 400 "), "{ours}");
            statuses.push(ours[9..12].to_owned());
        }
    }
    for status in ["301", "302", "307", "308", "400", "403", "404", "410"] {
        assert!(statuses.iter().any(|seen| seen == status), "{status} in {statuses:?}");
    }
    let elsewhere = exchange(&server, b"GET /s HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n").await;
    assert!(elsewhere.starts_with("HTTP/1.1 404 Not Found\r\n"), "{elsewhere}");
}

#[tokio::test]
async fn requests_may_come_in_any_pieces() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    let visit =
        "GET /s HTTP/1.1\r\nHost: x\r\nReferer: https://a.example/\r\nUser-Agent: B/1\r\nAccept-Language: de\r\n\r\n";
    let plain = "GET /none HTTP/1.1\r\nHost: x\r\n\r\n";
    let other = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let all = [visit, visit, plain, visit, other, visit, last].concat();
    let len = all.len();
    for size in [1, 2, 7, visit.len() - 1, visit.len() + 1, len / 2, len] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in all.as_bytes().chunks(size) {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let statuses: Vec<_> = answer.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect();
        assert_eq!(statuses, ["302", "302", "404", "302", "200", "302", "302"], "{size} bytes at a time");
    }
    assert_eq!(server.clicks(&link).await, 35);
    let clicks =
        server.client().get(&format!("{}/clicks?limit=500", path_of(&link))).await.unwrap().expect(200).unwrap();
    let with =
        |field: &str, value| clicks["items"].as_array().unwrap().iter().filter(|click| click[field] == value).count();
    let known = (with("referrer", "https://a.example/"), with("user_agent", "B/1"), with("language", "de"));
    assert_eq!(known, (28, 28, 28), "{clicks}");
}

#[tokio::test]
async fn who_reads_late_gets_every_answer() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let followed = follow_and_read_late(stream).await;
    assert_eq!(server.clicks(&link).await, followed);
}

#[tokio::test]
async fn who_never_reads_is_let_go() {
    let short = Duration::from_millis(100);
    let limits = Limits { idle_timeout: short, header_timeout: short, ..Limits::default() };
    let server = Server::with(ServerOptions { limits, ..ServerOptions::default() }).await;
    server.link(json!({ "slug": "s" })).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let requests = "GET /s HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    // Ends because the server closes.
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
}

#[tokio::test]
async fn a_stop_lets_requests_end() {
    let mut server = Server::start().await;
    server.link(json!({ "slug": "s" })).await;
    let mut rests = TcpStream::connect(server.address).await.unwrap();
    let mut asks = TcpStream::connect(server.address).await.unwrap();
    let mut answer = [0; 12];
    for stream in [&mut rests, &mut asks] {
        stream.write_all(b"HEAD /s HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
    }
    let mut fresh = TcpStream::connect(server.address).await.unwrap();
    fresh.write_all(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\nGET /s HT").await.unwrap();
    fresh.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 302");
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\nHEAD /s HTTP").await.unwrap();
    half.read_exact(&mut answer).await.unwrap();
    server.stop();
    half.write_all(b"/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut whole = String::new();
    half.read_to_string(&mut whole).await.unwrap();
    // The rest of the first, and the second, which is hyper's.
    let second = whole.split_once("\r\n\r\n").unwrap().1;
    assert!(second.starts_with("HTTP/1.1 302"), "{whole}");
    let mut rest = Vec::new();
    rests.read_to_end(&mut rest).await.unwrap();
    fresh.write_all(b"TP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut last = String::new();
    fresh.read_to_string(&mut last).await.unwrap();
    let (_, last) = last.split_once("\r\n\r\n").unwrap();
    assert!(last.starts_with("HTTP/1.1 302") && last.contains("\r\nconnection: close\r\n"), "{last}");
    server.ended().await;
}
