//! The faults of a network that fails on demand.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{net::SocketAddr, time::Duration};

use boltlink_testkit::Proxy;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

#[tokio::test]
async fn without_a_fault_everything_passes() {
    let (mut server, proxy) = proxied().await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut client, "one").await, Some("echo one".to_owned()));
    assert_eq!(ask(&mut client, "two").await, Some("echo two".to_owned()));
    assert_eq!((server.heard().await, server.heard().await), ("one".to_owned(), "two".to_owned()));
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_nothing_else() {
    let (_server, proxy) = proxied().await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut client, "one").await.is_some());
    proxy.cut();
    assert_eq!(ask(&mut client, "two").await, None);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut client, "three").await.is_some());
}

#[tokio::test]
async fn a_dropped_proxy_closes_its_connections_and_its_port() {
    let (_server, proxy) = proxied().await;
    let address = proxy.address();
    let mut client = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut client, "one").await.is_some());
    drop(proxy);
    assert_eq!(ask(&mut client, "two").await, None);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn refusing_spares_the_connections_that_are_open() {
    let (_server, proxy) = proxied().await;
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut open, "one").await.is_some());
    proxy.refuse(true);
    assert!(ask(&mut open, "two").await.is_some());
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut refused, "three").await, None);
    proxy.refuse(false);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut client, "four").await.is_some());
}

#[tokio::test]
async fn a_lost_reply_was_heard() {
    let (mut server, proxy) = proxied().await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut client, "one").await.is_some());
    proxy.lose_replies(true);
    assert_eq!(ask(&mut client, "two").await, None);
    assert_eq!((server.heard().await, server.heard().await), ("one".to_owned(), "two".to_owned()));
    proxy.lose_replies(false);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut client, "three").await.is_some());
}

#[tokio::test]
async fn only_the_reply_to_one_request_is_lost() {
    let (mut server, proxy) = proxied().await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.lose_reply_to("COMMIT");
    assert!(ask(&mut client, "BEGIN").await.is_some());
    assert_eq!(ask(&mut client, "; COMMIT;").await, None);
    assert_eq!((server.heard().await, server.heard().await), ("BEGIN".to_owned(), "; COMMIT;".to_owned()));
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut client, "COMMIT").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_back_both_directions() {
    let (_server, proxy) = proxied().await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.delay(Duration::from_secs(100));
    let begin = tokio::time::Instant::now();
    assert!(ask(&mut client, "one").await.is_some());
    // The clock of this test stands still but for what is waited for.
    assert!(begin.elapsed() >= Duration::from_secs(200), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_switch_sends_new_connections_elsewhere() {
    let (mut first, proxy) = proxied().await;
    let mut second = Echo::start().await;
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut old, "one").await.is_some());
    proxy.switch(second.address);
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut new, "two").await.is_some());
    assert!(ask(&mut old, "three").await.is_some());
    assert_eq!((first.heard().await, first.heard().await), ("one".to_owned(), "three".to_owned()));
    assert_eq!(second.heard().await, "two");
}

#[tokio::test]
async fn a_server_that_is_away_closes_the_connection() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(gone).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut client, "one").await, None);
}

async fn proxied() -> (Echo, Proxy) {
    let server = Echo::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    (server, proxy)
}

/// Says a word, and returns what comes back unless the connection breaks.
async fn ask(client: &mut TcpStream, word: &str) -> Option<String> {
    client.write_all(word.as_bytes()).await.ok()?;
    let mut buffer = [0; 100];
    let length = client.read(&mut buffer).await.ok()?;
    (length > 0).then(|| String::from_utf8(buffer[..length].to_vec()).unwrap())
}

/// A server that says back what it hears.
struct Echo {
    address: SocketAddr,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let tell = tell.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 100];
                    while let Ok(length @ 1..) = client.read(&mut buffer).await {
                        let word = String::from_utf8_lossy(&buffer[..length]).into_owned();
                        if tell.send(word.clone()).is_err()
                            || client.write_all(format!("echo {word}").as_bytes()).await.is_err()
                        {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, heard }
    }

    async fn heard(&mut self) -> String {
        self.heard.recv().await.unwrap()
    }
}
