//! A copy of the file while others work on it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
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
    /// The file that is to be copied cannot be read, or the disk for the copy is full.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// There is a file already where the copy is to be.
    #[error("{} exists; name another file, or move it away", path.display())]
    Exists {
        /// Where the copy was to be.
        path: PathBuf,
    },
    /// The copy cannot be written.
    #[error("cannot write {}: {source}; choose a folder that exists and is writable", path.display())]
    Target {
        /// Where the copy was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Copies what is committed by now, compacted, into a file that is whole or not there: by `VACUUM INTO`
/// (<https://www.sqlite.org/lang_vacuum.html#vacuuminto>), which holds up nobody, into a file beside it, which is synced and
/// then gets its name.
pub(crate) async fn backup(config: &SqliteConfig, to: &Path) -> Result<(), BackupError> {
    let fail = |source: io::Error| BackupError::Target { path: to.to_owned(), source };
    if to.exists() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    // What is no database of ours is not worth a backup.
    open::check(config).await?;
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = Unfinished(part.into());
    // As the file itself, it holds the server's secret.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&part.0).map_err(fail)?;
    let db = connect(config.looking(), 1).await.map_err(|error| OpenError::from_sql(config.path.clone(), error))?;
    let name = part.0.to_str().ok_or_else(|| fail(io::Error::other("its name is no text")))?;
    let copy = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [name.into()]);
    let copied = db.execute_raw(copy).await;
    // It can be asked nothing more.
    let _ = db.close_by_ref().await;
    copied.map_err(|error| OpenError::from_sql(config.path.clone(), error.into()))?;
    File::open(&part.0).and_then(|file| file.sync_all()).map_err(fail)?;
    fs::rename(&part.0, to).map_err(fail)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // That the name is on disk: not every system lets a folder be opened.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file that is removed whatever happens.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It may have got its name.
        let _ = fs::remove_file(&self.0);
    }
}
