//! A server that is thrown away afterwards: its own data, port and key.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Result, cargo::built};

/// How long a start may take: an unoptimised build on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills the process; its data and its log are left for who looks for a reason.
pub(crate) struct Server {
    child: Child,
    directory: PathBuf,
    url: String,
    key: String,
}

impl Server {
    /// Builds the server and starts it on a free port, with its data and its log in `directory`, which is
    /// emptied first.
    /// `settings` are environment variables.
    pub(crate) fn start(directory: PathBuf, settings: &[(&str, &str)]) -> Result<Self> {
        let programs = built("bin")?;
        let program = programs.get("boltlink").ok_or("the workspace has no program 'boltlink'")?;
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let log = fs::File::create(directory.join("log"))?;
        let mut command = process::Command::new(program);
        // What the developer has set for a server of their own must not change this one.
        for (name, _) in env::vars_os().filter(|(name, _)| is_ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        // A key of this run: one that opens another server would hide a mistake.
        let key = format!("blt_{:032x}_{:064x}", process::id(), process::id());
        let child = command
            .env("BOLTLINK_LISTEN", "127.0.0.1:0")
            .env("BOLTLINK_DATA_DIR", &directory)
            .env("BOLTLINK_INITIAL_API_KEY", &key)
            .envs(settings.iter().copied())
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        // Made before the wait, so that a failed start ends the process too.
        let mut server = Self { child, directory, url: String::new(), key };
        server.url = server.wait()?;
        Ok(server)
    }

    /// Where it listens, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its admin key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Waits until it says where it listens.
    fn wait(&mut self) -> Result<String> {
        let end = Instant::now() + START;
        loop {
            let log = fs::read_to_string(self.directory.join("log"))?;
            if let Some(url) = url_in(&log) {
                return Ok(url.to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended at once: {status}. It wrote:\n{log}").into());
            }
            if Instant::now() >= end {
                return Err(format!("the server did not start within {} s. It wrote:\n{log}", START.as_secs()).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ours(variable: &str) -> bool {
    variable.starts_with("BOLTLINK_")
        || ["DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "RUST_LOG"].contains(&variable)
}

/// The first complete address in what the server wrote.
fn url_in(log: &str) -> Option<&str> {
    let begin = log.find("http://127.0.0.1:")?;
    let (url, _) = log[begin..].split_once(char::is_whitespace)?;
    Some(url)
}
