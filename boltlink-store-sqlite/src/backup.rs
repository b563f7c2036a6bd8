//! A copy of the file while others work on it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{
    config::SqliteConfig,
    error::OpenError,
    open::{self, connect},
};

/// Why no copy was made. Nothing is left of one that was begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file that is to be copied cannot be read, or is damaged.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// There is a file already where the copy is to be.
    #[error("{} exists; name another file, or move it away", path.display())]
    Exists {
        /// Where the copy was to be.
        path: PathBuf,
    },
    /// The copy cannot be written.
    #[error("cannot write {}: {source}; choose a folder that exists, is writable and has room", path.display())]
    Target {
        /// Where the copy was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Copies what is committed by now, compacted, into a file that is whole or not there: by `VACUUM INTO`
/// (<https://www.sqlite.org/lang_vacuum.html#vacuuminto>) into a file beside it, which is synced and then gets its name. What
/// `PRAGMA quick_check` finds damaged is not copied. Dropped before its end, it leaves nothing.
pub(crate) async fn backup(config: &SqliteConfig, to: &Path) -> Result<(), BackupError> {
    let fail = |source: io::Error| failed(to, source);
    if to.exists() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let problems = open::check(config).await?.problems;
    if !problems.is_empty() {
        return Err(OpenError::Corrupt { path: config.path.clone(), reason: problems.join("; ") }.into());
    }
    let part = Part::beside(to).map_err(fail)?;
    let name = part.0.to_str().ok_or_else(|| fail(io::Error::other("its name is no text")))?;
    let db = connect(config.looking(), 1).await.map_err(|error| OpenError::from_sql(config.path.clone(), error))?;
    let copy = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [name.into()]);
    let copied = db.execute_raw(copy).await;
    // It can be asked nothing more.
    let _ = db.close_by_ref().await;
    copied.map_err(|error| match OpenError::from_sql(config.path.clone(), error.into()) {
        // What the file itself may be.
        error @ (OpenError::Corrupt { .. } | OpenError::NotADatabase { .. } | OpenError::Locked { .. }) => error.into(),
        error => fail(io::Error::other(error)),
    })?;
    let to = to.to_owned();
    let published = tokio::task::spawn_blocking(move || part.publish(&to).map_err(|source| failed(&to, source)));
    published.await.map_err(|error| fail(io::Error::other(error)))?
}

fn failed(path: &Path, source: io::Error) -> BackupError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { path },
        _ => BackupError::Target { path, source },
    }
}

/// A file that is not whole yet. It is removed whatever happens.
struct Part(PathBuf);

impl Part {
    /// A new file, which nobody else writes to.
    fn beside(to: &Path) -> io::Result<Self> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let mut name = to.as_os_str().to_owned();
        name.push(format!(".{}-{time}.part", process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // As the file that is copied, it holds the server's secret.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&name)?;
        Ok(Self(name.into()))
    }

    /// Syncs it, and gives it its name, unless somebody has taken that meanwhile. Blocks.
    fn publish(&self, to: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(&self.0)?.sync_all()?;
        match fs::hard_link(&self.0, to) {
            // Not every file system has links; there a name that was taken a moment ago may be taken over.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !to.exists() => fs::rename(&self.0, to)?,
            linked => linked?,
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // That the name is on disk: not every system lets a folder be opened.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have got its name.
        let _ = fs::remove_file(&self.0);
    }
}
