//! Keeps clicks on disk until every consumer has stored them.
//!
//! ```text
//! DIR/lock                              held for a moment by whoever makes, adopts or removes a directory
//! DIR/<producer>/lock                   held by the process that owns the directory, as long as it lives
//! DIR/<producer>/0000000000000001.seg   a segment, named by the first sequence it holds
//! DIR/<producer>-0000000000000001.damaged   a damaged segment, kept for the operator
//! ```
//!
//! A recorder [begins](Journal::begin) a [`ProducerLog`], appends its batches, and releases those
//! that both consumers have dealt with. When its process dies, the operating system drops the lock,
//! and any other process on the same directory [adopts](Journal::adopt) what is left, as a
//! [`RetiredLog`] to be sent again and released.
//!
//! # What it promises
//!
//! - A batch that was appended survives the death of the process, one that was also
//!   [synced](ProducerLog::sync) survives the death of the machine.
//! - A torn tail is what a crash leaves, and ends its segment in silence. Any other damage costs the
//!   records it touches and no more; it is logged and counted ([`JournalStats::damaged_bytes`]),
//!   and the segment is kept as `*.damaged` instead of being deleted.
//! - Batches in an encoding that this release does not know stay where they are for a release that
//!   does. They are logged and counted, and hold up nothing else.
//! - A batch may be read again after it was released: segments go as a whole. The sinks' ledgers
//!   drop it.
//!
//! # What it costs
//!
//! One `write` per batch, and memory for a few numbers per segment; reading holds one window of a
//! file. All calls block: make them on a thread that may wait for the disk.

mod holdings;
mod producer;
mod record;
mod retired;
mod segment;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use self::holdings::Holdings;
use crate::id::ProducerId;

pub use producer::{AppendError, ProducerLog};
pub use retired::RetiredLog;

/// Where a journal lives and how large it may grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// Its directory, made if missing. Processes on one machine may share it; it belongs on a local disk,
    /// where file locks can be trusted.
    pub dir: PathBuf,
    /// The segments that this process owns, adopted ones included, take no more bytes than this.
    pub max_bytes: u64,
    /// A new segment is begun when one would grow beyond this (or beyond a quarter of `max_bytes`).
    pub segment_bytes: u64,
}

impl JournalConfig {
    /// 256 MiB in segments of 4 MiB.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), max_bytes: 256 << 20, segment_bytes: 4 << 20 }
    }
}

/// A directory of click batches, as one process sees it. Cloning it costs a reference count.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

/// What a journal holds and has met since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Bytes in the segments that count against [`JournalConfig::max_bytes`]: not those of other
    /// processes, and not those kept for an operator or another release.
    pub bytes: u64,
    /// Bytes found damaged. Each of them belonged to a batch that may be lost.
    pub damaged_bytes: u64,
    /// Records (or whole segments) found in a format that this release does not know.
    pub unknown_records: u64,
}

impl Journal {
    /// Opens the journal, and makes its directory if need be.
    ///
    /// # Errors
    /// If the directory can be neither made nor written to.
    pub fn open(mut config: JournalConfig) -> io::Result<Self> {
        // The segment being written is never released, so it must not fill the journal by itself.
        config.segment_bytes = config.segment_bytes.min(config.max_bytes / 4);
        if !config.dir.exists() {
            make_dir(&config.dir)?;
            if let Some(parent) = config.dir.canonicalize()?.parent() {
                sync_dir(parent)?;
            }
        }
        let shared = Shared {
            config,
            bytes: AtomicU64::new(0),
            damaged_bytes: AtomicU64::new(0),
            unknown_records: AtomicU64::new(0),
            set_aside: Mutex::default(),
        };
        shared.guard()?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Begins the log of a new producer.
    ///
    /// # Errors
    /// `AlreadyExists` if the producer has a log already, or whatever the file system says.
    pub fn begin(&self, producer: ProducerId) -> io::Result<ProducerLog> {
        let _guard = self.shared.guard()?;
        let dir = self.shared.dir_of(producer);
        fs::create_dir(&dir)?;
        let lock = try_lock(&dir)?.ok_or_else(|| io::Error::from(io::ErrorKind::WouldBlock))?;
        Ok(ProducerLog::new(Holdings::new(Arc::clone(&self.shared), producer, lock, Vec::new())))
    }

    /// Takes over the logs of all producers whose process has died (or has dropped them). Those
    /// that are alive are left alone, in this process or another.
    ///
    /// A directory that cannot be read now is logged and left for the next call. One that holds
    /// nothing else than what this release cannot read is handed out once and then left alone.
    ///
    /// # Errors
    /// If the journal's directory cannot be listed.
    pub fn adopt(&self) -> io::Result<Vec<RetiredLog>> {
        let mut orphans = Vec::new();
        {
            let _guard = self.shared.guard()?;
            for entry in fs::read_dir(&self.shared.config.dir)? {
                let Some(producer) = producer_of(&entry?.path()) else { continue };
                match self.shared.claim(producer) {
                    Ok(Some(orphan)) => orphans.push((producer, orphan)),
                    Ok(None) => {}
                    Err(error) => tracing::error!(%producer, %error, "cannot adopt the clicks in a journal"),
                }
            }
        }
        // Producers in the order they began.
        orphans.sort_unstable_by_key(|(producer, _)| *producer);
        let adopted = orphans.into_iter().filter_map(|(producer, Orphan { lock, segments })| {
            match segment::load_all(&self.shared.dir_of(producer), producer, segments, &self.shared) {
                Ok(segments) => {
                    Some(RetiredLog::new(Holdings::new(Arc::clone(&self.shared), producer, lock, segments)))
                }
                Err(error) => {
                    tracing::error!(%producer, %error, "cannot read the clicks in a journal");
                    None
                }
            }
        });
        Ok(adopted.collect())
    }

    /// Whether a process that is alive has a log here: a server runs on the same data.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn is_in_use(&self) -> io::Result<bool> {
        let _guard = self.shared.guard()?;
        for entry in fs::read_dir(&self.shared.config.dir)? {
            let path = entry?.path();
            if producer_of(&path).is_some() && try_lock(&path)?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// [`JournalConfig::max_bytes`].
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.shared.config.max_bytes
    }

    /// What it holds and has met.
    #[must_use]
    pub fn stats(&self) -> JournalStats {
        JournalStats {
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            damaged_bytes: self.shared.damaged_bytes.load(Ordering::Relaxed),
            unknown_records: self.shared.unknown_records.load(Ordering::Relaxed),
        }
    }
}

/// What a journal and all its logs share.
#[derive(Debug)]
struct Shared {
    config: JournalConfig,
    bytes: AtomicU64,
    damaged_bytes: AtomicU64,
    unknown_records: AtomicU64,
    /// Producers of which only segments are left that this release cannot read.
    set_aside: Mutex<HashSet<ProducerId>>,
}

/// A directory whose owner is gone, and its lock.
struct Orphan {
    lock: File,
    /// The first sequences of its segments, ascending.
    segments: Vec<u64>,
}

impl Shared {
    fn dir_of(&self, producer: ProducerId) -> PathBuf {
        self.config.dir.join(producer.to_string())
    }

    /// Keeps everybody else, in any process, from making, claiming and removing directories, until
    /// the answer is dropped. Without it a directory could vanish under one who just locked it.
    fn guard(&self) -> io::Result<File> {
        let file = open_lock(&self.config.dir)?;
        file.lock()?;
        Ok(file)
    }

    /// Locks the directory if nobody has; removes it if it is empty. Call it under the guard.
    fn claim(&self, producer: ProducerId) -> io::Result<Option<Orphan>> {
        if self.set_aside.lock().contains(&producer) {
            return Ok(None);
        }
        let dir = self.dir_of(producer);
        let Some(lock) = try_lock(&dir)? else { return Ok(None) };
        let segments = segment::list(&dir)?;
        if segments.is_empty() {
            self.remove(producer, lock)?;
            return Ok(None);
        }
        Ok(Some(Orphan { lock, segments }))
    }

    /// Removes the directory unless something is left in it. Call it under the guard.
    fn remove(&self, producer: ProducerId, lock: File) -> io::Result<()> {
        let dir = self.dir_of(producer);
        for entry in fs::read_dir(&dir)? {
            if entry?.file_name() != LOCK {
                return Ok(());
            }
        }
        // Windows removes no file that is open; under the guard nobody else can lock it meanwhile.
        drop(lock);
        fs::remove_file(dir.join(LOCK))?;
        fs::remove_dir(dir)
    }

    /// Makes room for `bytes` more, if there is.
    fn reserve(&self, bytes: u64) -> bool {
        let max = self.config.max_bytes;
        let grown = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

const LOCK: &str = "lock";

fn open_lock(dir: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(dir.join(LOCK))
}

fn try_lock(dir: &Path) -> io::Result<Option<File>> {
    let file = open_lock(dir)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn producer_of(path: &Path) -> Option<ProducerId> {
    let name = path.file_name()?.to_str()?;
    let producer: ProducerId = name.parse().ok()?;
    (producer.to_string() == name && path.is_dir()).then_some(producer)
}

/// Makes the journal's directory, for nobody else's eyes: it says who followed which link.
fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes new names in a directory durable. Windows has no such call and needs none.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}
