//! All open connections, and when one has wasted enough time.
//!
//! Each connection notes what happens on it with plain stores to its own [`Connection`]; one timer for
//! all looks at them in turn and tells those that stand still to go. So a request costs no timer.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Waker},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::server::Limits;

/// What a connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Command {
    /// Go on.
    Serve,
    /// Answer once more, and say that it is the last time.
    Retire,
    /// Finish what is being answered, then close.
    Drain,
    /// Close.
    Stop,
}

/// What happens on one connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    command: AtomicU8,
    waker: OnceLock<Waker>,
    /// Requests whose headers were read.
    requests: AtomicU64,
    /// Requests being answered by more than one poll.
    answering: AtomicU32,
    /// Whether bytes came since the last request: the beginning of the next one.
    heard: AtomicBool,
    /// Whether bytes went either way since the last sweep.
    moved: AtomicBool,
    /// HTTP/2: bytes may come that begin no request.
    multiplexed: AtomicBool,
}

impl Connection {
    /// What the connection's task is to do; from the first call on it is woken when that changes.
    pub(super) fn command(&self, cx: &Context<'_>) -> Command {
        // A spawned task keeps its waker for life: once is enough.
        self.waker.get_or_init(|| cx.waker().clone());
        match self.command.load(SeqCst) {
            0 => Command::Serve,
            1 => Command::Retire,
            2 => Command::Drain,
            _ => Command::Stop,
        }
    }

    /// Whether the next answer is the last one.
    pub(super) fn retires(&self) -> bool {
        self.command.load(SeqCst) > Command::Serve as u8
    }

    /// Whether it has answers side by side (HTTP/2).
    pub(super) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Relaxed)
    }

    fn tell(&self, command: Command) {
        self.command.fetch_max(command as u8, SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(super) fn note_read(&self) {
        self.heard.store(true, Relaxed);
        self.moved.store(true, Relaxed);
    }

    pub(super) fn note_written(&self) {
        self.moved.store(true, Relaxed);
    }

    /// A request's headers are complete.
    pub(super) fn note_request(&self, version: http::Version) {
        // Only the connection's own task writes this: no locked increment is needed.
        self.requests.store(self.requests.load(Relaxed) + 1, Relaxed);
        self.heard.store(false, Relaxed);
        if version == http::Version::HTTP_2 {
            self.multiplexed.store(true, Relaxed);
        }
    }

    /// Begins an answer that takes its time; it ends when the guard is dropped.
    pub(super) fn answer(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Relaxed);
        Answering(self.clone())
    }
}

/// Lives as long as an answer is being made or sent.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Relaxed);
    }
}

/// The open connections.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    open: Mutex<Open>,
    closed: Notify,
    header_timeout: Duration,
    idle_timeout: Duration,
}

#[derive(Default)]
struct Open {
    next: u64,
    watched: HashMap<u64, Watched>,
}

/// A connection as the last sweep saw it.
struct Watched {
    connection: Arc<Connection>,
    requests: u64,
    heard: bool,
    /// When it last came on.
    since: Instant,
}

/// A connection's place among the open ones, until it is dropped.
pub(super) struct Registration {
    connections: Connections,
    number: u64,
    connection: Arc<Connection>,
}

impl Registration {
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.connections.0.open.lock();
        open.watched.remove(&self.number);
        if open.watched.is_empty() {
            self.connections.0.closed.notify_one();
        }
    }
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            open: Mutex::default(),
            closed: Notify::new(),
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
        }))
    }

    /// How often to [`sweep`](Self::sweep), so that no bound is passed by more than a quarter.
    pub(super) fn sweep_interval(&self) -> Duration {
        let shortest = self.0.header_timeout.min(self.0.idle_timeout);
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    pub(super) fn register(&self) -> Registration {
        let connection = Arc::new(Connection::default());
        let mut open = self.0.open.lock();
        let number = open.next;
        open.next += 1;
        let watched = Watched { connection: connection.clone(), requests: 0, heard: true, since: Instant::now() };
        // Its first bytes are as urgent as the rest of a header.
        connection.heard.store(true, Relaxed);
        open.watched.insert(number, watched);
        Registration { connections: self.clone(), number, connection }
    }

    /// Tells the connections that have stood still for too long to close.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut open = self.0.open.lock();
        for watched in open.watched.values_mut() {
            if let Some(command) = watched.judge(now, &self.0) {
                watched.connection.tell(command);
            }
        }
    }

    /// Lets every connection answer once more.
    pub(super) fn retire(&self) {
        self.tell_all(Command::Retire);
    }

    /// Lets every connection finish what it is answering.
    pub(super) fn drain(&self) {
        self.tell_all(Command::Drain);
    }

    /// Closes every connection.
    pub(super) fn stop(&self) {
        self.tell_all(Command::Stop);
    }

    fn tell_all(&self, command: Command) {
        for watched in self.0.open.lock().watched.values() {
            watched.connection.tell(command);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.open.lock().watched.is_empty()
    }

    /// Until the last connection has gone.
    pub(super) async fn changed(&self) {
        self.0.closed.notified().await;
    }
}

impl Watched {
    fn judge(&mut self, now: Instant, bounds: &Inner) -> Option<Command> {
        let connection = &self.connection;
        let answering = connection.answering.load(Relaxed) > 0;
        let requests = connection.requests.load(Relaxed);
        let heard = connection.heard.load(Relaxed);
        let moved = connection.moved.swap(false, Relaxed);
        // What counts as coming on: a request; the first bytes of one; and any byte of a long answer.
        // Not any byte otherwise, or a header could trickle in for ever.
        if requests != self.requests || (heard && !self.heard) || (answering && moved) {
            self.since = now;
        }
        self.requests = requests;
        self.heard = heard;
        let within_header = heard && !answering && !connection.multiplexed.load(Relaxed);
        let still = now.duration_since(self.since);
        if within_header && still >= bounds.header_timeout {
            return Some(Command::Stop);
        }
        if still >= bounds.idle_timeout + bounds.header_timeout {
            return Some(Command::Stop);
        }
        // HTTP/2 is told that we go, and may answer.
        (still >= bounds.idle_timeout).then_some(if answering { Command::Stop } else { Command::Drain })
    }
}
