//! A load that knows what it sent and what was answered.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{connection::Connection, error::Error};

/// How long an answer may take before its connection counts as lost.
const ANSWER: Duration = Duration::from_secs(10);

/// How long nobody may listen before a load gives up.
const PATIENCE: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(5);

/// Requests to be sent over a few connections, on each the next one when the last is answered.
///
/// A connection that breaks, or is closed after an answer, is opened again, so a load outlives the server it is for; what it was
/// sent and did not answer is [lost](Tally::lost).
pub struct Load {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    limit: u64,
    connections: usize,
}

impl Load {
    /// A load that gets these paths in turn, until it is stopped.
    pub fn new<P: AsRef<str>>(address: SocketAddr, paths: impl IntoIterator<Item = P>) -> Self {
        let request = |path: P| format!("GET {} HTTP/1.1\r\nHost: {address}\r\n\r\n", path.as_ref()).into_bytes();
        Self { address, requests: paths.into_iter().map(request).collect(), limit: u64::MAX, connections: 1 }
    }

    /// Uses this many connections instead of one.
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Ends by itself when this many requests are sent.
    #[must_use]
    pub const fn requests(mut self, requests: u64) -> Self {
        self.limit = requests;
        self
    }

    /// Sends a header with every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        for request in &mut self.requests {
            // Before the empty line that ends the request.
            request.truncate(request.len() - 2);
            request.extend_from_slice(format!("{name}: {value}\r\n\r\n").as_bytes());
        }
        self
    }

    /// Begins to send.
    #[must_use]
    pub fn start(self) -> Running {
        let connections = self.connections;
        let shared = Arc::new(Shared {
            load: self,
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let mut workers = JoinSet::new();
        for _ in 0..connections {
            workers.spawn(work(Arc::clone(&shared)));
        }
        Running { shared, workers }
    }
}

/// A load under way. Dropping it ends it at once.
pub struct Running {
    shared: Arc<Shared>,
    workers: JoinSet<BTreeMap<u16, u64>>,
}

impl Running {
    /// Waits until `count` requests are answered, to do something in the middle of the load.
    ///
    /// # Errors
    /// If the load ends, or no answer comes for a while, before.
    pub async fn answers(&self, count: u64) -> Result<(), Error> {
        let mut last = 0;
        let mut since = Instant::now();
        loop {
            // Every worker holds the shared state as long as it works.
            let is_over = Arc::strong_count(&self.shared) == 1;
            let answered = self.shared.answered.load(Ordering::Relaxed);
            if answered >= count {
                return Ok(());
            }
            if answered > last {
                (last, since) = (answered, Instant::now());
            }
            if is_over || since.elapsed() > PATIENCE {
                return Err(Error::new(format!("{answered} answers came instead of {count}")));
            }
            sleep(POLL).await;
        }
    }

    /// Sends nothing more, waits for the answers under way, and says what there was.
    pub async fn stop(self) -> Tally {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.finish().await
    }

    /// Waits until all requests are sent and says what there was.
    pub async fn finish(self) -> Tally {
        let mut answered = BTreeMap::new();
        for (status, count) in self.workers.join_all().await.into_iter().flatten() {
            *answered.entry(status).or_default() += count;
        }
        let sent = self.shared.sent.load(Ordering::Relaxed);
        Tally { sent, answered }
    }
}

/// What a load has sent and got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    sent: u64,
    answered: BTreeMap<u16, u64>,
}

impl Tally {
    /// Requests of which at least a part may have reached the server.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Requests that were answered, the answer complete.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered.values().sum()
    }

    /// Requests that were answered with this status.
    #[must_use]
    pub fn answered_with(&self, status: u16) -> u64 {
        self.answered.get(&status).copied().unwrap_or(0)
    }

    /// Requests without a complete answer.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.sent - self.answered()
    }
}

struct Shared {
    load: Load,
    sent: AtomicU64,
    answered: AtomicU64,
    stopped: AtomicBool,
}

impl Shared {
    /// The next request, counted as sent: from here on the server may see it.
    fn take(&self) -> Option<&[u8]> {
        let count = |sent| (!self.is_over(sent)).then_some(sent + 1);
        let number = self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).ok()?;
        let requests = &self.load.requests;
        Some(&requests[number as usize % requests.len()])
    }

    /// Whether there is nothing more to send after `sent` requests.
    fn is_over(&self, sent: u64) -> bool {
        sent >= self.load.limit || self.load.requests.is_empty() || self.stopped.load(Ordering::Relaxed)
    }
}

/// Sends requests one by one until the load is over; returns the answers by status.
async fn work(shared: Arc<Shared>) -> BTreeMap<u16, u64> {
    let mut answered = BTreeMap::new();
    while let Some(mut connection) = connect(&shared).await {
        while let Some(request) = shared.take() {
            match timeout(ANSWER, connection.exchange(request)).await {
                Ok(Ok(answer)) => {
                    *answered.entry(answer.status).or_default() += 1;
                    shared.answered.fetch_add(1, Ordering::Relaxed);
                    if answer.header("connection") == Some("close") {
                        break;
                    }
                }
                // Lost, like whatever else was on its way to this server.
                _ => break,
            }
        }
    }
    answered
}

/// A connection, as soon as somebody listens; none if the load is over or nobody does for too long.
async fn connect(shared: &Shared) -> Option<Connection> {
    let end = Instant::now() + PATIENCE;
    while !shared.is_over(shared.sent.load(Ordering::Relaxed)) && Instant::now() < end {
        if let Ok(connection) = Connection::open(shared.load.address).await {
            return Some(connection);
        }
        sleep(POLL).await;
    }
    None
}
