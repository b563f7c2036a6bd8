//! `boltlink reload`

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    failure::{Failure, print},
    pid,
};
use crate::config::Config;

/// Longer than a new process may take.
const PATIENCE: Duration = Duration::from_secs(75);
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn run(config: &Config) -> Result<ExitCode, Failure> {
    let folder = config.data_dir();
    let look = || {
        let unread = |error| Failure::new(format_args!("cannot read boltlink.pid in {}: {error}", folder.display()));
        pid::serving(folder).map_err(unread)
    };
    let Some(before) = look()? else {
        return Err(Failure::new(format_args!(
            "no server runs with its data in {}\n    fix: name the server's folder with --data-dir or BOLTLINK_DATA_DIR",
            folder.display()
        )));
    };
    let process = i32::try_from(before.process).ok().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| Failure::new("boltlink.pid names no process"))?;
    // Not SIGHUP, which ends a server on a terminal, as it does when that is closed.
    kill_process(process, Signal::USR2)
        .map_err(|error| Failure::new(format_args!("cannot tell the process {}: {error}", before.process)))?;
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        match look()? {
            Some(now) if now.process != before.process => {
                print(&format!("process {} has taken over from process {}\n", now.process, before.process))?;
                return Ok(ExitCode::SUCCESS);
            }
            Some(now) if now.failures.len() > before.failures.len() => {
                let why = now.failures.last().map_or("", String::as_str);
                return Err(Failure::new(format_args!("process {} goes on as before: {why}", before.process)));
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
    Err(Failure::new(format_args!("process {} has not handed over; its log may say why", before.process)))
}
