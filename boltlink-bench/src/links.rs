//! The links that are followed.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use boltlink_testkit::{Builder, Server};
use serde_json::json;
use tempfile::TempDir;

use crate::{Result, visitors};

/// A file of them to be imported, and a database that has them.
pub(crate) struct Links {
    file: PathBuf,
    database: PathBuf,
    _folder: TempDir,
}

impl Links {
    pub(crate) fn make(links: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (file, database) = (folder.path().join("links.ndjson"), folder.path().join("data"));
        let mut lines = BufWriter::new(File::create(&file)?);
        for link in 0..links {
            writeln!(lines, "{}", json!({ "slug": visitors::slug(link), "target": visitors::target(link) }))?;
        }
        lines.into_inner()?.sync_all()?;
        fs::create_dir(&database)?;
        let made = Self { file, database, _folder: folder };
        made.import(Server::builder(Server::built_beside()?), &made.database)?;
        Ok(made)
    }

    /// Puts them into the database of a server with its data in `folder`.
    pub(crate) fn import(&self, server: Builder, folder: &Path) -> Result {
        let output = server.command_in(folder).arg("import").arg(&self.file).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("boltlink import: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// A copy of the embedded database.
    pub(crate) fn database(&self) -> Result<TempDir> {
        let own = tempfile::tempdir()?;
        for entry in fs::read_dir(&self.database)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), own.path().join(entry.file_name()))?;
            }
        }
        Ok(own)
    }
}
