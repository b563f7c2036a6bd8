//! Servers out of Docker's images, for machines on which they are not installed.
//!
//! By its command line: that finds its daemon by itself (contexts, rootless, `DOCKER_HOST`), and needs nothing in the
//! build of every test. A container has the network and the directory of a process of this machine, so that everything
//! else about a server is the same.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a daemon may take to say its version, and to say whether it has an image.
const ANSWER: Duration = Duration::from_secs(10);

/// How long it may take to get an image.
const PULL: Duration = Duration::from_secs(300);

/// Docker's program, of which it is known that a daemon answers it.
#[derive(Debug, Clone)]
pub(crate) struct Docker {
    pub(crate) program: PathBuf,
}

/// Whose the files are that a container writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Docker {
    /// Asks the daemon whether it is there and has the image; one that it does not have is pulled.
    ///
    /// # Errors
    /// Why it cannot be used, as the end of a sentence.
    pub(crate) fn with(program: PathBuf, image: &str) -> Result<Self, String> {
        if !cfg!(target_os = "linux") {
            return Err("Docker is used on Linux only, where a container has this machine's network".to_owned());
        }
        let run = |args: &[&str], limit| {
            let mut command = Command::new(&program);
            command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            ended(&mut command, limit).is_ok_and(|status| status.is_some_and(|status| status.success()))
        };
        // Fails, unlike `--version`, where there is the program alone.
        if !run(&["version"], ANSWER) {
            return Err("the daemon of Docker does not answer".to_owned());
        }
        if !run(&["image", "inspect", image], ANSWER) {
            eprintln!("docker pull {image}");
            if !run(&["pull", image], PULL) {
                return Err(format!("Docker can neither find nor pull the image {image}"));
            }
        }
        Ok(Self { program })
    }

    /// A command that runs one program of the image in `directory`, as its owner, until it ends; arguments are to be
    /// added.
    ///
    /// # Errors
    /// If the directory cannot be written to.
    pub(crate) fn command(&self, image: &str, name: &str, directory: &Path, owner: Owner) -> io::Result<Command> {
        let Owner { user, group } = owner;
        // Postgres asks for its user's name, and an image knows none but its own.
        let passwd = directory.join("passwd");
        fs::write(&passwd, format!("postgres:x:{user}:{group}::/:/bin/sh\n"))?;
        let mount = |from: &Path, to: &str| format!("{}:{to}", from.display());
        let mut command = Command::new(&self.program);
        command.args(["run", "--rm", "--network", "host", "--name", &container(directory)]);
        command.args(["--user", &format!("{user}:{group}"), "--workdir"]).arg(directory);
        command.args(["--volume", &mount(directory, &directory.to_string_lossy())]);
        command.args(["--volume", &mount(&passwd, "/etc/passwd:ro")]);
        command.args(["--entrypoint", name, image]);
        Ok(command)
    }

    /// Sends the container of the directory a signal, such as `INT`.
    pub(crate) fn signal(&self, signal: &str, directory: &Path) -> io::Result<ExitStatus> {
        self.quietly(&["kill", "--signal", signal, &container(directory)])
    }

    /// Kills the container of the directory, and waits until it is gone.
    pub(crate) fn remove(&self, directory: &Path) -> io::Result<ExitStatus> {
        self.quietly(&["rm", "--force", &container(directory)])
    }

    fn quietly(&self, args: &[&str]) -> io::Result<ExitStatus> {
        Command::new(&self.program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    }
}

/// What the container that uses a directory is called. There is one at a time.
pub(crate) fn container(directory: &Path) -> String {
    directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// How a command ended; `None` if it had to be killed after this time.
fn ended(command: &mut Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}
