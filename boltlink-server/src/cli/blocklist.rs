//! The file of hosts to which no link may lead, and what becomes of it while the server runs.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use boltlink_core::policy::{Blocklist, TargetFilter};

/// How often the file is looked at. By its time and length: what notices files at once does not on every network disk.
const INTERVAL: Duration = Duration::from_secs(2);

/// What tells one state of the file from another.
type State = Option<(SystemTime, u64)>;

/// How to mend what [`read`] tells.
pub(super) const FIX: &str = "mend the file, or name another by BOLTLINK_TARGET_BLOCKLIST";

/// The blocklist in a file; else what is wrong with it.
pub(super) fn read(path: &Path) -> Result<Blocklist, String> {
    let failed = |why: &dyn fmt::Display| format!("the blocklist {} cannot be used: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|why| failed(&why))?;
    Blocklist::parse(&text).map_err(|why| failed(&why))
}

/// Keeps `filter` at what the file says, for ever. What cannot be read leaves it as it was.
pub(super) async fn watch(path: PathBuf, filter: Arc<TargetFilter>) {
    let mut known = state(&path).ok();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let now = state(&path).ok();
        if now == known {
            continue;
        }
        known = now;
        match read(&path) {
            Ok(list) => {
                tracing::info!(entries = list.len(), path = %path.display(), "the blocklist has changed");
                filter.block(list);
            }
            Err(why) => tracing::error!("{why}; what was blocked stays so"),
        }
    }
}

fn state(path: &Path) -> io::Result<State> {
    let metadata = fs::metadata(path)?;
    Ok(metadata.modified().ok().map(|modified| (modified, metadata.len())))
}
