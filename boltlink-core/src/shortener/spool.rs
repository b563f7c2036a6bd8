//! The journal as the shortener uses it: nothing if there is none.

#[cfg(feature = "journal")]
pub(super) use journaled::{Spool, SpoolLog};
#[cfg(not(feature = "journal"))]
pub(super) use without::{Spool, SpoolLog};

#[cfg(feature = "journal")]
mod journaled {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use parking_lot::Mutex;

    use crate::{
        click::{BatchId, ClickBatch},
        id::ProducerId,
        journal::{Journal, JournalConfig, ProducerLog, RetiredLog},
    };

    /// The logs of this process's recorder and of the dead that it adopted.
    pub(in crate::shortener) struct Spool {
        journal: Option<Journal>,
        logs: Mutex<Vec<SpoolLog>>,
        /// Whether the last attempt to write failed: said once, not for every group.
        failing: AtomicBool,
    }

    /// One producer's log. Cloning shares it.
    #[derive(Clone)]
    pub(in crate::shortener) struct SpoolLog {
        producer: ProducerId,
        state: Arc<Mutex<State>>,
    }

    enum State {
        Live(ProducerLog),
        Retired(RetiredLog),
        Gone,
    }

    /// Batches read at a time.
    const CHUNK: usize = 256;
    /// And bytes.
    const CHUNK_BYTES: usize = 1 << 20;

    impl Spool {
        pub(in crate::shortener) fn none() -> Self {
            Self { journal: None, logs: Mutex::default(), failing: AtomicBool::new(false) }
        }

        pub(in crate::shortener) fn open(config: &JournalConfig) -> io::Result<Self> {
            Ok(Self { journal: Some(Journal::open(config.clone())?), ..Self::none() })
        }

        /// Whether clicks are kept at all.
        pub(in crate::shortener) const fn keeps(&self) -> bool {
            self.journal.is_some()
        }

        /// The log of a new producer; `None` without a journal, or if it cannot be written now.
        pub(in crate::shortener) fn begin(&self, producer: ProducerId) -> Option<SpoolLog> {
            match self.journal.as_ref()?.begin(producer) {
                Ok(log) => {
                    let log = SpoolLog::new(producer, State::Live(log));
                    self.logs.lock().push(log.clone());
                    Some(log)
                }
                Err(error) => {
                    self.report(Some(&error));
                    None
                }
            }
        }

        /// Appends a batch, synced if asked; says whether that was done.
        pub(in crate::shortener) fn append(&self, log: &SpoolLog, batch: &ClickBatch, sync: bool) -> bool {
            let mut state = log.state.lock();
            let State::Live(live) = &mut *state else { return false };
            let done = live.append(batch).map_err(|error| Box::new(error) as Box<dyn std::error::Error>);
            let done = done.and_then(|()| if sync { live.sync().map_err(Into::into) } else { Ok(()) });
            self.report(done.as_ref().err().map(|error| &**error));
            done.is_ok()
        }

        fn report(&self, error: Option<&dyn std::error::Error>) {
            let failing = error.is_some();
            if self.failing.swap(failing, Ordering::Relaxed) == failing {
                return;
            }
            match error {
                Some(error) => {
                    let cause = error.source().map(ToString::to_string);
                    tracing::error!(%error, cause, "cannot write the journal: a crash would lose clicks; mend its disk");
                }
                None => tracing::info!("the journal can be written again"),
            }
        }

        /// The producers it holds logs of.
        pub(in crate::shortener) fn producers(&self) -> Vec<ProducerId> {
            self.logs.lock().iter().map(|log| log.producer).collect()
        }

        pub(in crate::shortener) fn find(&self, producer: ProducerId) -> Option<SpoolLog> {
            self.logs.lock().iter().find(|log| log.producer == producer).cloned()
        }

        /// Whether a batch is on disk, as far as is known without a look.
        pub(in crate::shortener) fn holds(&self, id: BatchId) -> bool {
            self.find(id.producer).is_some_and(|log| match &*log.state.lock() {
                State::Live(log) => log.holds(id.sequence),
                State::Retired(log) => log.holds(id.sequence),
                State::Gone => false,
            })
        }

        /// How much may be on disk.
        pub(in crate::shortener) fn max_bytes(&self) -> u64 {
            self.journal.as_ref().map_or(u64::MAX, Journal::max_bytes)
        }

        /// How much of that there is.
        pub(in crate::shortener) fn bytes(&self) -> u64 {
            self.journal.as_ref().map_or(0, |journal| journal.stats().bytes)
        }

        /// Takes over the logs of processes that died.
        pub(in crate::shortener) async fn adopt(&self) -> Vec<SpoolLog> {
            let Some(journal) = self.journal.clone() else { return Vec::new() };
            let adopted = match tokio::task::spawn_blocking(move || journal.adopt()).await {
                Ok(Ok(adopted)) => adopted,
                Ok(Err(error)) => {
                    tracing::error!(%error, "cannot look for the clicks of processes that died");
                    return Vec::new();
                }
                // The runtime is ending.
                Err(_) => return Vec::new(),
            };
            let adopted: Vec<_> =
                adopted.into_iter().map(|log| SpoolLog::new(log.producer(), State::Retired(log))).collect();
            if !adopted.is_empty() {
                tracing::info!(producers = adopted.len(), "recovering clicks of a process that died");
            }
            self.logs.lock().extend(adopted.iter().cloned());
            adopted
        }

        /// Ends all logs: nothing more will be appended.
        pub(in crate::shortener) fn retire_all(&self) {
            for log in &*self.logs.lock() {
                log.retire();
            }
        }

        /// Lets go of what both consumers have dealt with.
        pub(in crate::shortener) async fn release(
            &self,
            producer: ProducerId,
            dealt_with: impl Fn(u64) -> bool + Send + 'static,
        ) {
            let Some(log) = self.find(producer) else { return };
            let released = tokio::task::spawn_blocking(move || log.release(dealt_with)).await;
            match released {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => self.logs.lock().retain(|log| log.producer != producer),
                Ok(Err(error)) => tracing::warn!(%producer, %error, "cannot delete journaled clicks that are stored"),
                // The runtime is ending: the next process looks again.
                Err(_) => {}
            }
        }
    }

    impl SpoolLog {
        fn new(producer: ProducerId, state: State) -> Self {
            Self { producer, state: Arc::new(Mutex::new(state)) }
        }

        pub(in crate::shortener) const fn producer(&self) -> ProducerId {
            self.producer
        }

        /// Nothing more will be appended.
        pub(in crate::shortener) fn retire(&self) {
            let mut state = self.state.lock();
            *state = match std::mem::replace(&mut *state, State::Gone) {
                State::Live(log) => State::Retired(log.retire()),
                other => other,
            };
        }

        /// Some batches, in order, from sequence `from` on; none at the end.
        ///
        /// # Errors
        /// If the files cannot be read now.
        pub(in crate::shortener) async fn read(&self, from: u64) -> io::Result<Vec<ClickBatch>> {
            let state = self.state.clone();
            let read = tokio::task::spawn_blocking(move || match &mut *state.lock() {
                State::Live(log) => log.read(from, CHUNK, CHUNK_BYTES),
                State::Retired(log) => log.read(from, CHUNK, CHUNK_BYTES),
                State::Gone => Ok(Vec::new()),
            });
            // An error here: the runtime is ending.
            read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        }

        /// Deletes what is dealt with; true if nothing is left and the log is gone.
        fn release(&self, dealt_with: impl Fn(u64) -> bool) -> io::Result<bool> {
            let mut state = self.state.lock();
            match &mut *state {
                State::Live(log) => log.release(dealt_with).map(|()| false),
                State::Retired(log) => {
                    log.release(dealt_with)?;
                    let empty = log.is_empty();
                    if empty {
                        *state = State::Gone;
                    }
                    Ok(empty)
                }
                State::Gone => Ok(true),
            }
        }
    }
}

/// The same without a journal: it keeps nothing, and there are no logs.
#[cfg(not(feature = "journal"))]
mod without {
    use crate::{
        click::{BatchId, ClickBatch},
        id::ProducerId,
    };

    pub(in crate::shortener) struct Spool;

    #[derive(Clone)]
    pub(in crate::shortener) enum SpoolLog {}

    #[allow(clippy::unused_self, clippy::unused_async)] // Each is the twin of one above.
    impl Spool {
        pub(in crate::shortener) const fn none() -> Self {
            Self
        }

        pub(in crate::shortener) const fn keeps(&self) -> bool {
            false
        }

        pub(in crate::shortener) const fn begin(&self, _: ProducerId) -> Option<SpoolLog> {
            None
        }

        pub(in crate::shortener) const fn append(&self, log: &SpoolLog, _: &ClickBatch, _: bool) -> bool {
            match *log {}
        }

        pub(in crate::shortener) const fn producers(&self) -> Vec<ProducerId> {
            Vec::new()
        }

        pub(in crate::shortener) const fn find(&self, _: ProducerId) -> Option<SpoolLog> {
            None
        }

        pub(in crate::shortener) const fn holds(&self, _: BatchId) -> bool {
            false
        }

        pub(in crate::shortener) const fn max_bytes(&self) -> u64 {
            u64::MAX
        }

        pub(in crate::shortener) const fn bytes(&self) -> u64 {
            0
        }

        pub(in crate::shortener) async fn adopt(&self) -> Vec<SpoolLog> {
            Vec::new()
        }

        pub(in crate::shortener) const fn retire_all(&self) {}

        pub(in crate::shortener) async fn release(&self, _: ProducerId, _: impl Fn(u64) -> bool) {}
    }

    #[allow(clippy::unused_async)] // The twin of one above.
    impl SpoolLog {
        pub(in crate::shortener) const fn producer(&self) -> ProducerId {
            match *self {}
        }

        pub(in crate::shortener) const fn retire(&self) {
            match *self {}
        }

        pub(in crate::shortener) async fn read(&self, _: u64) -> std::io::Result<Vec<ClickBatch>> {
            match *self {}
        }
    }
}
