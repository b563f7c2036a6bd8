//! Programs beside Rust that a chore may need, and the clear word when one is missing.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Result,
    cargo::{root, run},
};

/// The oldest Node.js that the chores are run with.
const NODE: u32 = 20;
/// The oldest Python 3 that they are run with.
const PYTHON: u32 = 11;

/// Where a chore may write whatever it wants.
pub(crate) fn scratch(chore: &str) -> PathBuf {
    root().join("target").join("xtask").join(chore)
}

/// What node and npm are called.
pub(crate) fn node() -> Result<(&'static str, &'static str)> {
    // A script on Windows, which is not found without its suffix.
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let fix = format!("install Node.js {NODE} or newer, which brings npm: https://nodejs.org");
    // v20.19.5
    let version = version("node").ok_or_else(|| format!("this needs node, which is not found; {fix}"))?;
    if !at_least(version.trim_start_matches('v'), (NODE, 0)) {
        return Err(format!("this needs a newer node than {version}; {fix}").into());
    }
    self::version(npm).ok_or_else(|| format!("this needs npm, which is not found; {fix}"))?;
    Ok(("node", npm))
}

/// A virtual environment of Python with what `requirements` pins.
pub(crate) struct Python {
    programs: PathBuf,
}

impl Python {
    /// Makes the environment in `directory`, or takes the one that is there.
    pub(crate) fn with(requirements: &Path, directory: &Path) -> Result<Self> {
        let fix = format!("install Python 3.{PYTHON} or newer: https://python.org");
        let found = ["python3", "python"].into_iter().find_map(|name| version(name).map(|version| (name, version)));
        let (name, version) = found.ok_or_else(|| format!("this needs python3, which is not found; {fix}"))?;
        // Python 3.11.7
        if !at_least(version.trim_start_matches("Python "), (3, PYTHON)) {
            return Err(format!("this needs a newer python3 than {version}; {fix}").into());
        }
        run(Command::new(name).args(["-m", "venv"]).arg(directory))
            .map_err(|error| format!("{error}; on Debian and its kin, install python3-venv"))?;
        let python = Self { programs: directory.join(if cfg!(windows) { "Scripts" } else { "bin" }) };
        let mut pip = python.command("python");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(requirements))?;
        Ok(python)
    }

    /// One of the environment's programs.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.stdin(Stdio::null());
        command
    }
}

/// The program that counts instructions, installed if it is missing.
pub(crate) fn valgrind() -> Result<Command> {
    if version("valgrind").is_none() {
        Packages { apt: "valgrind", dnf: "valgrind", brew: None, else_say: "install valgrind" }.install()?;
    }
    Ok(Command::new("valgrind"))
}

/// Prometheus' program for rules: that of the system, or the one of Debian's package, which is unpacked below `target`; to
/// install it would start a server.
pub(crate) fn promtool() -> Result<PathBuf> {
    if version("promtool").is_some() {
        return Ok("promtool".into());
    }
    let place = scratch("prometheus");
    let program = place.join("usr").join("bin").join("promtool");
    if version(&program).is_none() {
        if !Path::new("/usr/bin/apt-get").exists() {
            return Err("install promtool, which comes with Prometheus: https://prometheus.io/download".into());
        }
        std::fs::create_dir_all(&place)?;
        let get = || run(Command::new("apt-get").args(["download", "-q", "prometheus"]).current_dir(&place));
        if get().is_err() {
            // The lists of packages may be missing, or too old.
            run(Command::new("sh").args(["-c", &format!("{SUDO} sudo -n apt-get update -q")]).stdin(Stdio::null()))?;
            get()?;
        }
        run(Command::new("sh").args(["-c", "dpkg -x prometheus_*.deb ."]).current_dir(&place))?;
    }
    Ok(program)
}

/// Root needs no sudo, and may not have it.
const SUDO: &str = "if [ \"$(id -u)\" = 0 ]; then sudo() { shift; \"$@\"; }; fi; ";

/// What is called so by the systems' own means of installation.
pub(crate) struct Packages {
    pub(crate) apt: &'static str,
    pub(crate) dnf: &'static str,
    pub(crate) brew: Option<&'static str>,
    /// What to do where there is none of them.
    pub(crate) else_say: &'static str,
}

impl Packages {
    /// Installs them; as root, or by `sudo -n`.
    pub(crate) fn install(&self) -> Result {
        let by = |shell: &str| run(Command::new("sh").args(["-c", shell]).stdin(Stdio::null()));
        match self.brew {
            _ if Path::new("/usr/bin/apt-get").exists() => {
                by(&format!("{SUDO} sudo -n apt-get update -q && sudo -n apt-get install -qy {}", self.apt))
            }
            _ if Path::new("/usr/bin/dnf").exists() => by(&format!("{SUDO} sudo -n dnf install -qy {}", self.dnf)),
            Some(brew) if cfg!(target_os = "macos") => by(&format!("brew install {brew}")),
            _ => Err(self.else_say.into()),
        }
    }
}

/// What the program says its version is; `None` if there is no such program.
pub(crate) fn version(program: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a version such as `3.11.7` is this one or later.
fn at_least(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(at_least("3.11.7", (3, 11)) && at_least("20.9.0", (20, 0)) && at_least("3.12", (3, 11)));
        assert!(!at_least("3.9.2", (3, 11)) && !at_least("18.19.1", (20, 0)) && !at_least("", (3, 11)));
    }
}
