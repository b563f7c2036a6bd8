//! Where the programs of the servers are: on the path, and where packages put them beside it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Where packages put programs that are on nobody's path. A `*` stands for any part of a name.
const PLACES: [&str; 13] = [
    "/usr/bin",
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/opt/local/lib/postgresql*/bin",
    "/opt/local/bin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
];

/// The directories in which programs are looked for, in order.
pub(crate) struct Programs {
    directories: Vec<PathBuf>,
}

/// The programs of one Postgres.
#[derive(Clone)]
pub(crate) struct Postgres {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
}

impl Programs {
    /// Those of this machine.
    pub(crate) fn installed() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        Self { directories: env::split_paths(&path).chain(PLACES.iter().flat_map(|place| expand(place))).collect() }
    }

    /// The first Postgres that has all its programs in one place.
    pub(crate) fn postgres(&self) -> Result<Postgres, Error> {
        let complete = |initdb: PathBuf| {
            // Distributions link single programs, or put a script of the same name on the path.
            let places = [Some(initdb.clone()), initdb.canonicalize().ok()];
            places.into_iter().flatten().find_map(|initdb| {
                let postgres = initdb.with_file_name("postgres");
                postgres.is_file().then_some(Postgres { initdb, postgres })
            })
        };
        self.all("initdb").find_map(complete).ok_or_else(|| missing("Postgres (initdb and postgres)", "POSTGRES"))
    }

    /// The program that copies a running server: beside the others of `postgres`, or where clients are.
    pub(crate) fn basebackup(&self, postgres: &Postgres) -> Result<PathBuf, Error> {
        let places = [Some(postgres.initdb.clone()), postgres.initdb.canonicalize().ok()];
        let beside = places.into_iter().flatten().map(|initdb| initdb.with_file_name("pg_basebackup"));
        let mut all = beside.filter(|program| program.is_file()).chain(self.all("pg_basebackup"));
        all.next().ok_or_else(|| missing("pg_basebackup of Postgres", "POSTGRES"))
    }

    /// A Redis server.
    pub(crate) fn redis(&self) -> Result<PathBuf, Error> {
        self.all("redis-server").next().ok_or_else(|| missing("Redis (redis-server)", "REDIS"))
    }

    /// A PgBouncer, if there is one: nothing needs it.
    pub(crate) fn pgbouncer(&self) -> Option<PathBuf> {
        self.all("pgbouncer").next()
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
        self.directories.iter().map(move |directory| directory.join(name)).filter(|program| program.is_file())
    }
}

/// The directories that a pattern names, the highest number first: `16` before `15` before `9.6`.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for part in Path::new(pattern).iter().skip(1).map(|part| part.to_string_lossy()) {
        found = match part.split_once('*') {
            None => found.into_iter().map(|directory| directory.join(&*part)).collect(),
            Some((before, after)) => {
                found.into_iter().flat_map(|directory| matching(&directory, before, after)).collect()
            }
        };
    }
    found
}

fn matching(directory: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(before) && name.ends_with(after)).collect();
    let number = |name: &str| -> f64 {
        let number = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        number.parse().unwrap_or(0.0)
    };
    names.sort_by(|a, b| number(b).total_cmp(&number(a)));
    names.into_iter().map(|name| directory.join(name)).collect()
}

fn missing(what: &str, variable: &str) -> Error {
    Error::new(format!(
        "this test needs {what}, which is neither on the path nor where packages put it.\n\
         Either let `cargo xtask test` install it, or install it by:  {}\n\
         or name a running server by BOLTLINK_TEST_{variable}_URL.\n\
         `cargo xtask test --embedded` runs the tests that need no server.",
        install_command()
    ))
}

/// The command that installs both servers on this machine.
pub(crate) fn install_command() -> &'static str {
    if cfg!(target_os = "macos") {
        "brew install postgresql@17 redis"
    } else if Path::new("/usr/bin/apt-get").exists() {
        "sudo apt-get install -y postgresql redis-server"
    } else if Path::new("/usr/bin/dnf").exists() {
        "sudo dnf install -y postgresql-server redis"
    } else {
        "the package manager of this system (packages postgresql and redis)"
    }
}
