//! The servers that the tests of one run share.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{Result, cargo::built, tools::Packages};

/// What the program that starts them ends with if one is not installed.
const NOT_INSTALLED: i32 = 3;

/// Running servers. They end with this, and with this process however it ends.
pub(crate) struct Servers {
    child: Child,
    /// By which variables tests find them.
    pub(crate) variables: Vec<(String, String)>,
    /// The address of a pooler in front of Postgres, if a PgBouncer is installed that will do.
    pub(crate) pooler: Option<String>,
    /// What they are.
    pub(crate) described: String,
}

impl Servers {
    /// Starts them, and installs what is missing for it.
    pub(crate) fn start() -> Result<Self> {
        let programs = built("bin")?;
        let program = programs.get("test-servers").ok_or("the workspace has no program 'test-servers'")?;
        if let Some(servers) = Self::launch(program)? {
            return Ok(servers);
        }
        install()?;
        Self::launch(program)?.ok_or_else(|| "what was installed is not where it is looked for".into())
    }

    /// `None` if a program is not installed. Every other failure is one that installing would not mend.
    fn launch(program: &Path) -> Result<Option<Self>> {
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the servers' output is not at hand")?;
        let mut servers = Self { child, variables: Vec::new(), pooler: None, described: String::new() };
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(described) = line.strip_prefix("ready: ") {
                described.clone_into(&mut servers.described);
                return Ok(Some(servers));
            }
            if let Some(pooler) = line.strip_prefix("pooler: ") {
                servers.pooler = Some(pooler.to_owned());
            } else if let Some((name, address)) = line.split_once('=') {
                servers.variables.push((name.to_owned(), address.to_owned()));
            }
        }
        match servers.child.wait()?.code() {
            Some(NOT_INSTALLED) => Ok(None),
            _ => Err("the servers that the tests need did not start".into()),
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // The end of its input tells it to end.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Installs Postgres and Redis with the system's own means.
fn install() -> Result {
    let packages = Packages {
        apt: "postgresql redis-server",
        dnf: "postgresql-server redis",
        brew: Some("postgresql@17 redis"),
        else_say: "install Postgres and Redis, or run `cargo xtask test --embedded`",
    };
    packages.install()
}
