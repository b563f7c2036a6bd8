//! A server for one test.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use boltlink_core::{Clock, FakeClock, NewKey, Shortener, Stores};
use boltlink_server::ServerOptions;
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A running server, at 2026-01-01T00:00:00Z until its clock is moved.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shortener: Shortener,
    pub(crate) clock: Arc<FakeClock>,
    admin: String,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<io::Result<()>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(ServerOptions::default()).await
    }

    pub(crate) async fn with(options: ServerOptions) -> Self {
        Self::on(options, |stores| stores).await
    }

    /// With its stores in memory changed by `change`.
    pub(crate) async fn on(options: ServerOptions, change: impl FnOnce(Stores) -> Stores) -> Self {
        let clock = Arc::new(FakeClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let stores = change(Stores::in_memory(shared.clone()));
        let builder = Shortener::builder().stores(stores).clock(shared).flush_interval(Duration::from_millis(10));
        let shortener = builder.build().await.unwrap();
        let (_, token) = shortener.first_key("first".parse().unwrap(), None).await.unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(boltlink_server::run(listener, shortener.clone(), options, async {
            let _ = stopped.await;
        }));
        Self { address, shortener, clock, admin: token.reveal(), stop: Some(stop), running }
    }

    /// The admin.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, &*self.admin)
    }

    /// Somebody without a key.
    pub(crate) fn stranger(&self) -> Client {
        Client::new(self.address, "")
    }

    /// The holder of a new key that is no admin's.
    pub(crate) async fn member(&self) -> Client {
        let new = NewKey { name: "member".parse().unwrap(), admin: false, owner: None, expires_at: None };
        let (_, token) = self.shortener.create_key(new).await.unwrap();
        Client::new(self.address, token.reveal())
    }

    /// Makes a link to `https://example.com/`, with these fields beside.
    pub(crate) async fn link(&self, fields: Value) -> Value {
        let mut link = json!({ "target": "https://example.com/" });
        link.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.client().create(&link).await.unwrap().expect(201).unwrap()
    }

    /// The clicks of a link once everything is stored.
    pub(crate) async fn clicks(&self, link: &Value) -> u64 {
        self.shortener.shutdown().await;
        self.client().clicks(link["id"].as_str().unwrap()).await.unwrap()
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(self) {
        self.running.await.unwrap().unwrap();
    }
}

/// The problem that an answer with `status` tells.
pub(crate) fn problem(reply: &Reply, status: u16) -> Value {
    let problem = reply.expect(status).unwrap();
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem["status"], status);
    let code = problem["code"].as_str().unwrap();
    assert_eq!(problem["type"], format!("urn:boltlink:problem:{code}"));
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    problem
}

/// The JSON pointers that a problem names.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// A request with a JSON body.
pub(crate) async fn send(client: &Client, method: Method, path: &str, body: &Value) -> Reply {
    client.send(client.request(method, path).json(body)).await.unwrap()
}
