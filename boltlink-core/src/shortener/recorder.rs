//! Turns visits into batches of clicks, off the redirect's path.
//!
//! A visit leaves a draft in its thread's buffer. Where nobody waits for it a thread empties all buffers every
//! [`GROUP_TIME`], and whoever fills one to [`GROUP_CLICKS`] empties it on the spot: that bounds what a
//! `kill -9` can take, to one group per buffer. What is emptied becomes a batch, goes into the
//! journal, and from there to the [outbox](super::delivery).
//!
//! Where visitors wait for their clicks a group gathers while the one before is synced, and if there are many visitors for
//! [`SYNC_DELAY`] more.

use std::{
    mem, slice,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    acks::{Ack, Acks},
    commit::Committer,
    drafts::Drafts,
};
use crate::{id::LinkId, time::Timestamp, trace::TraceContext, visit::Visit};

/// How long a click that nobody waits for waits at most for its group to be written.
pub(super) const GROUP_TIME: Duration = Duration::from_millis(2);
/// How many such clicks a group has at most.
pub(super) const GROUP_CLICKS: usize = 512;
/// How long a group that visitors wait for gathers before it is synced, if the one before had [`SYNC_SIBLINGS`] or more:
/// those who were answered just then have time to come again, so that a sync is for more of them. Like `commit_delay` and
/// `commit_siblings` of Postgres; of few visitors all are in a group anyway, and would only wait.
const SYNC_DELAY: Duration = Duration::from_micros(200);
const SYNC_SIBLINGS: usize = 16;

/// What was buffered together.
#[derive(Default)]
pub(super) struct Group {
    pub(super) drafts: Drafts,
    /// Where somebody waits; more than one where the disk takes long.
    pub(super) acks: Vec<Arc<Ack>>,
    /// The visits that are traced.
    pub(super) traces: Vec<TraceContext>,
}

/// Takes clicks, from any thread.
pub(super) struct Recorder {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// To wake it; outlives the join handle.
    handle: Thread,
}

struct Shared {
    /// One per core, which bounds what can be lost; a thread keeps to one of them, so that cores seldom meet.
    buffers: Box<[Mutex<Group>]>,
    /// The empty group that takes the place of the next full one.
    spare: Mutex<Group>,
    acks: Arc<Acks>,
    /// Whether the thread has been told that there is something to do.
    awake: AtomicBool,
    stopping: AtomicBool,
    committer: Mutex<Committer>,
    /// Whether visitors wait for their clicks.
    durable: bool,
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub(super) fn start(committer: Committer) -> std::io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shared = Arc::new(Shared {
            buffers: (0..cores).map(|_| Mutex::default()).collect(),
            spare: Mutex::default(),
            acks: Arc::default(),
            awake: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            durable: committer.is_durable(),
            committer: Mutex::new(committer),
        });
        let thread = thread::Builder::new().name("boltlink-recorder".into()).spawn({
            let shared = shared.clone();
            move || shared.run()
        })?;
        let handle = thread.thread().clone();
        Ok(Self { shared, thread: Mutex::new(Some(thread)), handle })
    }

    /// Takes a click. Returns at once: the thread's buffer is seldom anybody else's but for the moment in which it is
    /// emptied.
    pub(super) fn record(&self, link: LinkId, at: Timestamp, visit: &Visit<'_>) {
        self.push(link, at, visit, |_| ());
    }

    /// Takes a click, and gives what tells when it is durable.
    pub(super) fn record_durably(&self, link: LinkId, at: Timestamp, visit: &Visit<'_>) -> Arc<Ack> {
        self.push(link, at, visit, |group| match group.acks.last() {
            Some(ack) if ack.is_open() => ack.clone(),
            _ => {
                let ack = self.shared.acks.begin();
                group.acks.push(ack.clone());
                ack
            }
        })
    }

    /// The groups that somebody waits for.
    pub(super) fn acks(&self) -> Arc<Acks> {
        self.shared.acks.clone()
    }

    fn push<T>(&self, link: LinkId, at: Timestamp, visit: &Visit<'_>, join: impl FnOnce(&mut Group) -> T) -> T {
        let shared = &*self.shared;
        let (joined, full) = {
            let mut group = shared.buffers[shared.own_buffer()].lock();
            group.drafts.push(link, at, &visit.visitor);
            group.traces.extend(visit.trace);
            let joined = join(&mut group);
            // Seen under the buffer's lock: a click that comes too late for the thread's last round
            // sees that it does, and is committed here.
            let late = shared.stopping.load(Ordering::Acquire);
            let full = group.drafts.len() >= GROUP_CLICKS && !shared.durable;
            (joined, (late || full).then(|| mem::replace(&mut *group, mem::take(&mut *shared.spare.lock()))))
        };
        if let Some(mut group) = full {
            shared.committer.lock().commit(slice::from_mut(&mut group));
            *shared.spare.lock() = group;
        } else if !shared.awake.swap(true, Ordering::AcqRel) {
            self.handle.unpark();
        }
        joined
    }

    /// Commits what is buffered and ends the thread. Blocks for as long as the disk takes.
    pub(super) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.handle.unpark();
        if let Some(thread) = self.thread.lock().take() {
            // If it panicked, that has been reported by now.
            let _ = thread.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn run(&self) {
        // These trade places with the buffers, so that neither allocates again and again.
        let mut groups: Vec<Group> = self.buffers.iter().map(|_| Group::default()).collect();
        // Of the last group that was not empty.
        let mut clicks = 0;
        loop {
            while !self.awake.load(Ordering::Acquire) && !self.stopping.load(Ordering::Acquire) {
                thread::park();
            }
            let stopping = self.stopping.load(Ordering::Acquire);
            if !stopping {
                thread::sleep(self.group_time(clicks));
            }
            // Before the buffers are emptied: who comes later wakes us again.
            self.awake.store(false, Ordering::Release);
            for (buffer, group) in self.buffers.iter().zip(&mut groups) {
                mem::swap(&mut *buffer.lock(), group);
            }
            let gathered = groups.iter().map(|group| group.drafts.len()).sum();
            clicks = if gathered > 0 { gathered } else { clicks };
            self.committer.lock().commit(&mut groups);
            if stopping {
                return;
            }
        }
    }

    /// How long to gather after a group of so many clicks.
    const fn group_time(&self, clicks: usize) -> Duration {
        match self.durable {
            false => GROUP_TIME,
            true if clicks >= SYNC_SIBLINGS => SYNC_DELAY,
            true => Duration::ZERO,
        }
    }

    /// The number of the calling thread's buffer.
    fn own_buffer(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        OWN.with(|own| *own) % self.buffers.len()
    }
}
