//! Threads for connections, one per core, each with a runtime of its own.
//!
//! A connection stays on one thread: no other takes its tasks, and no queue is shared. On a runtime for many threads, even
//! if it has but one, a constant redirect costs 3 to 9 % more (`hyper-on-threads` in `cargo xtask bench redirect`). All
//! threads take from one listener, so that none waits behind a listener of its own while another is idle, and a stop closes
//! one queue of the kernel's.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use super::relay;
use crate::metrics::{Metrics, Visits};

/// The threads; they end, with whatever is on them, when this is dropped.
pub(super) struct Threads {
    lanes: Vec<Arc<Lane>>,
    /// Tell the threads to end by being dropped.
    _running: Vec<oneshot::Sender<()>>,
}

struct Lane {
    runtime: Handle,
    connections: AtomicUsize,
    visits: Arc<Visits>,
}

/// A connection's place on a thread, until it is dropped.
pub(super) struct Seat(Arc<Lane>);

impl Threads {
    /// As many as there are cores.
    ///
    /// # Errors
    /// If the operating system gives none.
    pub(super) fn start(metrics: &Metrics) -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let mut started = Self { lanes: Vec::with_capacity(count), _running: Vec::with_capacity(count) };
        for _ in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            metrics.watch_runtime(runtime.handle().clone());
            let (connections, visits) = (AtomicUsize::new(0), metrics.lane());
            let lane = Arc::new(Lane { runtime: runtime.handle().clone(), connections, visits });
            let (running, ended) = oneshot::channel();
            thread::Builder::new().name("boltlink-visits".into()).spawn(move || {
                runtime.block_on(async {
                    tokio::spawn(relay::run());
                    // That the sender is gone is all that it says.
                    let _ = ended.await;
                });
                runtime.shutdown_background();
            })?;
            started.lanes.push(lane);
            started._running.push(running);
        }
        Ok(started)
    }

    /// A place on the thread with the fewest connections.
    pub(super) fn seat(&self) -> Option<Seat> {
        let lane = self.lanes.iter().min_by_key(|lane| lane.connections.load(Ordering::Relaxed))?;
        lane.connections.fetch_add(1, Ordering::Relaxed);
        Some(Seat(lane.clone()))
    }
}

impl Seat {
    /// Where the redirects of its thread are counted.
    pub(super) fn visits(&self) -> Arc<Visits> {
        self.0.visits.clone()
    }

    /// Runs a connection's task there.
    pub(super) fn spawn(self, connection: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.0.runtime.clone();
        runtime.spawn(async move {
            let _seat = self;
            connection.await;
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
