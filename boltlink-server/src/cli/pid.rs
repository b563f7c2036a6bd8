//! Which process serves from a data folder: `boltlink.pid` there, for those who tell it something.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The file of the process that serves, locked as long as that runs. It is removed at the end, unless another process has
/// put its own in its place.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    /// Locked.
    file: File,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Serving {
    /// The process.
    pub(super) process: u32,
    /// Why attempts to hand over failed.
    pub(super) failures: Vec<String>,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("boltlink.pid")
}

impl PidFile {
    /// Says that this process serves.
    pub(super) fn write(folder: &Path) -> io::Result<Self> {
        let (path, process) = (path(folder), std::process::id());
        let new = folder.join(format!("boltlink.pid.{process}"));
        let mut file = File::create(&new)?;
        file.lock()?;
        writeln!(file, "{process}")?;
        fs::rename(&new, &path)?;
        Ok(Self { path, file })
    }

    /// Says why another process could not take over.
    pub(super) fn note(&mut self, failure: &str) -> io::Result<()> {
        writeln!(self.file, "{}", failure.replace('\n', " "))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let ours = |text: String| text.lines().next() == Some(&std::process::id().to_string());
        if fs::read_to_string(&self.path).is_ok_and(ours) {
            // Whoever reads it sees that nobody holds the lock.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Which process serves from this folder; `None` if none does.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn serving(folder: &Path) -> io::Result<Option<Serving>> {
    let file = match File::open(path(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        // Left behind by one that was killed.
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let text = io::read_to_string(file)?;
    let mut lines = text.lines();
    let process = lines.next().and_then(|line| line.parse().ok());
    Ok(process.map(|process| Serving { process, failures: lines.map(str::to_owned).collect() }))
}
