//! Visits that are answered once their click is durable.

use boltlink_core::{Durability, journal::JournalConfig};
use boltlink_server::ServerOptions;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Server, exchange};

/// A server that acknowledges clicks, with room for so many bytes of them.
async fn acknowledging(room: u64) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let journal = JournalConfig { max_bytes: room, ..JournalConfig::new(folder.path()) };
    let options = ServerOptions::default();
    let server = Server::built(
        options,
        |stores| stores,
        |builder| builder.journal(journal).durability(Durability::Acknowledged),
    );
    (server.await, folder)
}

#[tokio::test]
async fn every_one_of_a_crowd_is_answered_in_order_and_counted_once() {
    let (server, _folder) = acknowledging(64 << 20).await;
    let link = server.link(json!({ "slug": "s" })).await;
    let visit = "GET /s HTTP/1.1\r\nHost: x\r\nUser-Agent: B/1\r\n\r\n";
    let none = "GET /none HTTP/1.1\r\nHost: x\r\n\r\n";
    let other = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let all = [visit, none, visit, visit, none, other, visit, last].concat();
    let crowd = (0..40).map(|number| {
        let (address, all) = (server.address, all.clone());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for piece in all.as_bytes().chunks(all.len() / (1 + number % 7) + 1) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer.split("HTTP/1.1 ").skip(1).map(|rest| rest[..3].to_owned()).collect::<Vec<_>>()
        })
    });
    for visitor in crowd.collect::<Vec<_>>() {
        assert_eq!(visitor.await.unwrap(), ["302", "404", "302", "302", "404", "200", "302", "302"]);
    }
    assert_eq!(server.clicks(&link).await, 40 * 5);
}

#[tokio::test]
async fn who_goes_away_while_the_click_is_written_has_been_counted_and_holds_nobody_up() {
    let (server, _folder) = acknowledging(64 << 20).await;
    let link = server.link(json!({ "slug": "s" })).await;
    let visit = b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n";
    // From here on it is cached, and begun at once.
    exchange(&server, b"GET /s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    for _ in 0..50 {
        let mut gone = TcpStream::connect(server.address).await.unwrap();
        let mut stays = TcpStream::connect(server.address).await.unwrap();
        gone.write_all(visit).await.unwrap();
        stays.write_all(visit).await.unwrap();
        drop(gone);
        let mut answer = [0; 12];
        stays.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 302");
    }
    let counted = server.clicks(&link).await;
    assert!((51..=101).contains(&counted), "{counted}");
}

#[tokio::test]
async fn a_click_that_cannot_be_written_is_refused_in_the_form_that_the_visitor_reads() {
    let (server, _folder) = acknowledging(1).await;
    let link = server.link(json!({ "slug": "s" })).await;
    for (accept, kind) in [("text/html", "text/html; charset=utf-8"), ("*/*", "application/problem+json")] {
        let request = |more: &str| {
            format!(
                "GET /s HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n{more}\r\n\
                 GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
        };
        // The first one loads the link; the last one is hyper's.
        for more in ["", "", "Upgrade: none\r\n"] {
            let answer = exchange(&server, request(more).as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
            assert!(answer.contains(&format!("content-type: {kind}\r\n")), "{answer}");
            assert!(answer.contains("retry-after: "), "{answer}");
            assert!(answer.contains("HTTP/1.1 404 Not Found\r\n"), "the next request is answered: {answer}");
        }
    }
    drop(link);
}
