//! TLS that ends at the server.

use std::time::Duration;

use boltlink_core::{Actor, NewLink, TargetUrl};
use boltlink_server::{Limits, ServerOptions, Tls, TlsFiles};
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    client::TlsStream,
    rustls::version::{TLS12, TLS13},
};

use crate::{
    certificates::{Pair, connect},
    support::{Server, exchange, follow_and_read_late},
};

/// How a handshake begins: a record of 512 bytes, of which these are the first.
const HALF_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

fn tls(pair: &Pair) -> Tls {
    Tls::from_pem(pair.chain.as_bytes(), pair.key.as_bytes()).unwrap()
}

/// A server with a link `s`.
async fn server(tls: Tls, change: impl FnOnce(&mut Limits)) -> Server {
    let mut limits = Limits::default();
    change(&mut limits);
    let server = Server::with(ServerOptions { tls: Some(tls), limits, ..ServerOptions::default() }).await;
    let target = TargetUrl::from_stored("https://example.com/").unwrap();
    let new = NewLink { slug: Some("s".parse().unwrap()), ..NewLink::to(target) };
    server.shortener.create(&Actor::OPERATOR, new).await.unwrap();
    server
}

/// Asks for `/s` on an open connection that stays open.
async fn follow(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 302 "));
}

async fn send(
    stream: TlsStream<TcpStream>,
    version: Version,
    request: Request<Full<bytes::Bytes>>,
) -> Response<Incoming> {
    let io = TokioIo::new(stream);
    if version == Version::HTTP_2 {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        return sender.send_request(request).await.unwrap();
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

#[tokio::test]
async fn links_are_followed_by_both_versions_of_both() {
    let pair = Pair::new();
    let server = server(tls(&pair), |_| {}).await;
    for (tls, http, protocols) in [
        (&TLS13, Version::HTTP_2, &["h2", "http/1.1"][..]),
        (&TLS13, Version::HTTP_11, &["http/1.1"]),
        (&TLS12, Version::HTTP_2, &["h2"]),
        (&TLS12, Version::HTTP_11, &[]),
    ] {
        let mut client = pair.client_of(&[tls]);
        client.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        for (path, status) in [("/s", 302), ("/none", 404), ("/health/live", 200)] {
            let stream = connect(server.address, client.clone()).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(tls.version));
            let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            assert_eq!(agreed, client.alpn_protocols.first().cloned());
            let uri = if http == Version::HTTP_2 { format!("https://localhost{path}") } else { path.to_owned() };
            let request = Request::builder().uri(uri).header("host", "localhost");
            let answer = send(stream, http, request.body(Full::default()).unwrap()).await;
            assert_eq!((answer.status().as_u16(), answer.version()), (status, http), "{tls:?} {path}");
            let strict = answer.headers().contains_key("strict-transport-security");
            assert!(strict || status == 302, "{tls:?} {http:?} {path}");
        }
    }
}

#[tokio::test]
async fn links_begin_with_https() {
    let pair = Pair::new();
    let server = server(tls(&pair), |_| {}).await;
    let new = boltlink_core::NewKey::new("k".parse().unwrap(), boltlink_core::Scopes::ADMIN);
    let token = server.shortener.create_key(&Actor::OPERATOR, new).await.unwrap().1.reveal();
    let stream = connect(server.address, pair.client()).await.unwrap();
    let request = Request::builder().method("POST").uri("/api/v1/links").header("host", "x").header("x-api-key", token);
    let body = Full::from(r#"{"target":"https://example.com/","slug":"t"}"#);
    let request = request.header("content-type", "application/json").body(body).unwrap();
    let answer = send(stream, Version::HTTP_11, request).await;
    assert_eq!(answer.status(), 201);
    let made = answer.into_body().collect().await.unwrap().to_bytes();
    let made: serde_json::Value = serde_json::from_slice(&made).unwrap();
    assert_eq!(made["short_url"], format!("https://{}/t", server.address));
}

#[tokio::test]
async fn a_pair_takes_the_place_of_another_while_connections_go_on() {
    let (old, new) = (Pair::new(), Pair::new());
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
    let write = |chain: &str, key: &str| {
        std::fs::write(&files.certificate, chain).unwrap();
        std::fs::write(&files.key, key).unwrap();
    };
    write(&old.chain, &old.key);
    let tls = files.load().await.unwrap();
    let server = server(tls.clone(), |_| {}).await;
    let following = tokio::spawn({
        let files = files.clone();
        async move { files.follow(tls, Duration::from_millis(5)).await }
    });
    let mut open = connect(server.address, old.client()).await.unwrap();
    follow(&mut open).await;

    // What cannot be used changes nothing, nor does half of what is new.
    for (chain, key) in [("", ""), (&*new.chain, &*old.key)] {
        write(chain, key);
        for _ in 0..10 {
            connect(server.address, old.client()).await.unwrap();
        }
    }
    std::fs::remove_file(&files.key).unwrap();
    connect(server.address, old.client()).await.unwrap();

    write(&new.chain, &new.key);
    while connect(server.address, new.client()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(connect(server.address, old.client()).await.is_err());
    follow(&mut open).await;
    following.abort();
}

#[tokio::test]
async fn what_is_no_tls_ends_and_harms_nobody() {
    let pair = Pair::new();
    let server = server(tls(&pair), |_| {}).await;
    for rubbish in [&b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0; 64]] {
        let answer = exchange(&server, rubbish).await;
        assert!(!answer.contains("HTTP"), "{answer}");
    }
    // Nor does a client that trusts somebody else, or one that goes in the middle.
    assert!(connect(server.address, Pair::new().client()).await.is_err());
    TcpStream::connect(server.address).await.unwrap().write_all(HALF_HELLO).await.unwrap();
    let mut no_http = pair.client();
    no_http.alpn_protocols = vec![b"smtp".to_vec()];
    assert!(connect(server.address, no_http).await.is_err());
    follow(&mut connect(server.address, pair.client()).await.unwrap()).await;
}

async fn half_open(server: &Server) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(HALF_HELLO).await.unwrap();
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn handshakes_that_stand_still_hold_up_nobody_and_are_ended() {
    let pair = Pair::new();
    let server = server(tls(&pair), |limits| limits.header_timeout = Duration::from_secs(2)).await;
    let streams = half_open(&server).await;
    follow(&mut connect(server.address, pair.client()).await.unwrap()).await;
    for mut stream in streams {
        // Until the server closes.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    // Nor do they trickle in for ever.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(HALF_HELLO).await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn handshakes_count_as_connections() {
    let pair = Pair::new();
    let server = server(tls(&pair), |limits| {
        limits.header_timeout = Duration::from_secs(3_600);
        limits.connections = 50;
    })
    .await;
    let streams = half_open(&server).await;
    let mut late = std::pin::pin!(connect(server.address, pair.client()));
    // That it waits for the others to go can only be sampled.
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut late).await.is_err());
    drop(streams);
    follow(&mut late.await.unwrap()).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_handshakes() {
    let pair = Pair::new();
    let mut server = server(tls(&pair), |limits| {
        limits.header_timeout = Duration::from_secs(3_600);
        limits.drain_timeout = Duration::from_secs(3_600);
    })
    .await;
    let _streams = half_open(&server).await;
    follow(&mut connect(server.address, pair.client()).await.unwrap()).await;
    server.stop();
    server.ended().await;
}

#[tokio::test]
async fn who_reads_late_gets_every_answer() {
    let pair = Pair::new();
    let server = server(tls(&pair), |_| {}).await;
    follow_and_read_late(connect(server.address, pair.client_of(&[&TLS13])).await.unwrap()).await;
}
