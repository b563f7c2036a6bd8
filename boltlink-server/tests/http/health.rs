//! Health checks, and a stopping server.

use boltlink_server::{Limits, ServerOptions};
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::support::Server;

#[tokio::test]
async fn a_well_server_says_so() {
    let server = Server::start().await;
    let client = server.stranger();
    assert_eq!(client.get("/health/live").await.unwrap().expect(200).unwrap(), json!({ "status": "up" }));
    assert_eq!(client.get("/ready").await.unwrap().expect(200).unwrap(), json!({ "status": "ready" }));
    let health = client.get("/health").await.unwrap().expect(200).unwrap();
    assert_eq!(health["status"], "up");
    assert_eq!(health["dependencies"][0]["name"], "database");
    assert!(health["dependencies"][0]["latency_ms"].as_f64().is_some());
}

#[tokio::test]
async fn a_stopping_server_closes_what_rests_and_takes_nothing_new() {
    let mut server = Server::start().await;
    let mut resting = TcpStream::connect(server.address).await.unwrap();
    let address = server.address;
    assert_eq!(server.stranger().get("/health/live").await.unwrap().status, 200);
    server.stop();
    let mut rest = Vec::new();
    assert_eq!(resting.read_to_end(&mut rest).await.unwrap_or(0), 0);
    server.ended().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_has_begun() {
    use tokio::io::AsyncWriteExt;
    let mut server = Server::start().await;
    let link = json!({ "target": "https://example.com/" }).to_string();
    let token = {
        let new = boltlink_core::NewKey::new("k".parse().unwrap(), boltlink_core::Scopes::ADMIN);
        server.shortener.create_key(&boltlink_core::Actor::OPERATOR, new).await.unwrap().1.reveal()
    };
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/v1/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nExpect: 100-continue\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        link.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: it has begun.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.stop();
    stream.write_all(link.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn draining_has_an_end() {
    use tokio::io::AsyncWriteExt;
    let limits = Limits { drain_timeout: std::time::Duration::from_millis(50), ..Limits::default() };
    let mut server = Server::with(ServerOptions { limits, ..ServerOptions::default() }).await;
    // Half a header is nothing that can be finished.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    server.stop();
    server.ended().await;
}
