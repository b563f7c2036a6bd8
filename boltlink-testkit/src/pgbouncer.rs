//! A PgBouncer in front of a test's Postgres.

use std::{env, fs, path::PathBuf, process::Command};

use url::Url;

use crate::{
    daemon::{Daemon, free_port},
    error::Error,
    programs::{Program, Programs},
};

/// Names the program, or (empty) says that there is none.
const PGBOUNCER: &str = "BOLTLINK_TEST_PGBOUNCER";

/// The first version that keeps prepared statements apart in transaction mode.
const KEEPS_STATEMENTS: (u32, u32) = (1, 21);

/// How often a start may meet a port that someone else was quicker to take.
const ATTEMPTS: usize = 5;

/// A PgBouncer of this machine.
#[derive(Debug, Clone)]
pub struct InstalledPgBouncer {
    program: PathBuf,
    version: (u32, u32),
}

impl InstalledPgBouncer {
    /// The one that `BOLTLINK_TEST_PGBOUNCER` names, else the one that is installed, if any.
    ///
    /// # Errors
    /// If the variable names something else.
    pub fn find() -> Result<Option<Self>, Error> {
        let program = match env::var_os(PGBOUNCER) {
            Some(named) if named.is_empty() => None,
            Some(named) => Some(PathBuf::from(named)),
            None => Programs::installed().pgbouncer(),
        };
        let Some(program) = program else { return Ok(None) };
        let output = Command::new(&program).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let version = text.ok().and_then(|text| parsed(&text));
        let version = version.ok_or_else(|| Error::new(format!("{} is no PgBouncer", program.display())))?;
        Ok(Some(Self { program, version }))
    }

    /// Its version, such as `1.25`.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    /// Whether it keeps prepared statements in transaction mode, without which the store refuses it.
    #[must_use]
    pub fn keeps_statements(&self) -> bool {
        self.version >= KEEPS_STATEMENTS
    }
}

fn parsed(text: &str) -> Option<(u32, u32)> {
    let version = text.lines().next()?.strip_prefix("PgBouncer ")?;
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A PgBouncer in transaction mode in front of a Postgres server, for all its databases. It ends with this.
pub struct PgBouncer {
    daemon: Daemon,
    url: String,
}

impl PgBouncer {
    /// Starts it on a free port in front of the server at `server`.
    ///
    /// # Errors
    /// If it does not start; with all that it wrote.
    pub async fn start(installed: &InstalledPgBouncer, server: &str) -> Result<Self, Error> {
        let mut url = Url::parse(server).map_err(|error| Error::new(error.to_string()))?;
        let target = (url.host_str().unwrap_or("127.0.0.1").to_owned(), url.port().unwrap_or(5432));
        let program = Program::Local(installed.program.clone());
        // It does not run as root either.
        let mut daemon = Daemon::new("pgbouncer", &program, true)?;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let statements = if installed.keeps_statements() { "max_prepared_statements = 200" } else { "" };
            let settings = format!(
                "[databases]\n* = host={} port={} user={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = any\npool_mode = transaction\nmax_client_conn = 2000\n\
                 default_pool_size = 20\n{statements}\n",
                target.0,
                target.1,
                url.username()
            );
            fs::write(daemon.directory().join("pgbouncer.ini"), settings)?;
            let mut command = daemon.command(&program)?;
            command.arg("pgbouncer.ini");
            let answers = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
            if daemon.start(&mut command, &["Address already in use"], answers).await? {
                // Whoever owns the port there has no say here.
                let _ = url.set_port(Some(port));
                return Ok(Self { daemon, url: url.into() });
            }
        }
        Err(daemon.failed("found no free port"))
    }

    /// The address of the same database as the server's was, through it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has written.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}
