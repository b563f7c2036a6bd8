//! A server for one test.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use boltlink_core::{AccountId, Actor, Clock, FakeClock, NewKey, Role, Scopes, Shortener, ShortenerBuilder, Stores};
use boltlink_server::ServerOptions;
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

/// The password of all accounts, and the one in the document's examples.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

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
        Self::built(options, change, |builder| builder).await
    }

    /// The same, and with its engine set up by `settle`.
    pub(crate) async fn built(
        options: ServerOptions,
        change: impl FnOnce(Stores) -> Stores,
        settle: impl FnOnce(ShortenerBuilder) -> ShortenerBuilder,
    ) -> Self {
        let clock = Arc::new(FakeClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let stores = change(Stores::in_memory(shared.clone()));
        let builder = Shortener::builder()
            .stores(stores)
            .clock(shared)
            .flush_interval(Duration::from_millis(10))
            .hash_cost("m=64,t=1,p=1".parse().unwrap());
        let shortener = settle(builder).build().await.unwrap();
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
        let owner = Some(self.shortener.new_account());
        self.holder(NewKey { owner, ..NewKey::new("member".parse().unwrap(), Scopes::MEMBER) }).await
    }

    /// The holder of a new key like this.
    pub(crate) async fn holder(&self, new: NewKey) -> Client {
        let (_, token) = self.shortener.create_key(&Actor::OPERATOR, new).await.unwrap();
        Client::new(self.address, token.reveal())
    }

    /// A new account, whose password is [`PASSWORD`].
    pub(crate) async fn account(&self, email: &str, role: Role) -> AccountId {
        let invited = self.shortener.invite(&Actor::OPERATOR, email.parse().unwrap(), role).await;
        let (account, ticket) = invited.unwrap();
        self.shortener.redeem_ticket(&ticket, &PASSWORD.parse().unwrap()).await.unwrap();
        account.id
    }

    /// Somebody who has logged in to the account of this address.
    pub(crate) async fn logged_in(&self, email: &str) -> Client {
        let login = self.shortener.login(&email.parse().unwrap(), PASSWORD, None).await.unwrap();
        Client::new(self.address, login.token.reveal())
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

/// The parameters that a problem names.
pub(crate) fn parameters(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["parameter"].as_str().unwrap()).collect()
}

/// The path of a link in the API.
pub(crate) fn path_of(link: &Value) -> String {
    format!("/api/v1/links/{}", link["id"].as_str().unwrap())
}

/// The slugs of links, in their order.
pub(crate) fn slugs(links: &Value) -> Vec<&str> {
    links.as_array().unwrap().iter().map(|link| link["slug"].as_str().unwrap()).collect()
}

/// A whole answer, as it came.
pub(crate) struct Raw {
    /// 0 if the connection was closed without an answer.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// Sends a request whose path is exactly these bytes, which HTTP clients would mend, and reads to the end.
pub(crate) async fn raw(server: &Server, method: &str, path: impl AsRef<[u8]>) -> Raw {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(" HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address);
    let request = [method.as_bytes(), b" ", path.as_ref(), head.as_bytes()].concat();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    if answer.is_empty() {
        return Raw { status: 0, headers: Vec::new(), body: answer };
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Raw { status, headers: lines.map(|line| header(line).unwrap()).collect(), body: body.to_owned() }
}

/// A request with a JSON body.
pub(crate) async fn send(client: &Client, method: Method, path: &str, body: &Value) -> Reply {
    client.send(client.request(method, path).json(body)).await.unwrap()
}

/// Sends `request` and reads until the server closes.
pub(crate) async fn exchange(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Asks for `/s` so often, on one connection, that the answers are more than the buffers between us hold, and reads them only
/// then. Each is there; says how many.
pub(crate) async fn follow_and_read_late<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> u64 {
    const REQUESTS: usize = 20_000;
    let (mut reading, mut writing) = tokio::io::split(stream);
    let writer = tokio::spawn(async move {
        let request = "GET /s HTTP/1.1\r\nHost: x\r\n\r\n".repeat(REQUESTS - 1);
        writing.write_all(request.as_bytes()).await.unwrap();
        writing.write_all(b"GET /s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        writing.flush().await.unwrap();
        writing
    });
    // The server has to wait for us.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut answer = String::new();
    reading.read_to_string(&mut answer).await.unwrap();
    drop(writer.await.unwrap());
    assert_eq!(answer.matches("HTTP/1.1 302 Found\r\n").count(), REQUESTS);
    REQUESTS as u64
}
