//! Where the programs of the servers are: on the path, where packages put them beside it, or in images of Docker.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{database::named, docker::Docker, error::Error};

/// The images of Docker to take the programs from, also where they are installed.
pub(crate) const POSTGRES_IMAGE: &str = "BOLTLINK_TEST_POSTGRES_IMAGE";
pub(crate) const REDIS_IMAGE: &str = "BOLTLINK_TEST_REDIS_IMAGE";

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

/// Where programs are looked for.
#[derive(Default)]
pub(crate) struct Programs {
    /// In order.
    directories: Vec<PathBuf>,
    /// The images that are named.
    postgres_image: Option<String>,
    redis_image: Option<String>,
}

/// A program, and where it runs.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// A file of this machine.
    Local(PathBuf),
    /// What an image has under the name.
    Image { docker: Docker, image: String, name: &'static str },
}

impl Program {
    /// The image that it is in, if any.
    pub(crate) fn image(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::Image { image, .. } => Some(image),
        }
    }
}

/// The programs of one Postgres.
#[derive(Debug, Clone)]
pub(crate) struct Postgres {
    pub(crate) initdb: Program,
    pub(crate) postgres: Program,
}

impl Programs {
    /// Those of this machine.
    pub(crate) fn installed() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        Self {
            directories: env::split_paths(&path).chain(PLACES.iter().flat_map(|place| expand(place))).collect(),
            postgres_image: named(POSTGRES_IMAGE),
            redis_image: named(REDIS_IMAGE),
        }
    }

    /// The Postgres of the image that is named; else the first that has all its programs in one place; else that of
    /// Docker's own image.
    pub(crate) fn postgres(&self) -> Result<Postgres, Error> {
        let in_image = |docker: Docker, image: String| {
            let program = |name| Program::Image { docker: docker.clone(), image: image.clone(), name };
            Postgres { initdb: program("initdb"), postgres: program("postgres") }
        };
        if let Some(image) = &self.postgres_image {
            return Ok(in_image(self.named_image(POSTGRES_IMAGE, image)?, image.clone()));
        }
        if let Some(local) = self.local_postgres() {
            return Ok(local);
        }
        let image = "postgres:17";
        let docker = self.docker(image).map_err(|why| missing("Postgres (initdb and postgres)", "POSTGRES", &why))?;
        Ok(in_image(docker, image.to_owned()))
    }

    fn local_postgres(&self) -> Option<Postgres> {
        let complete = |initdb: PathBuf| {
            // Distributions link single programs, or put a script of the same name on the path.
            let places = [Some(initdb.clone()), initdb.canonicalize().ok()];
            places.into_iter().flatten().find_map(|initdb| {
                let postgres = initdb.with_file_name("postgres");
                let complete = postgres.is_file();
                complete.then_some(Postgres { initdb: Program::Local(initdb), postgres: Program::Local(postgres) })
            })
        };
        self.all("initdb").find_map(complete)
    }

    /// The program that copies a running server: beside the others of `postgres`, or where clients are.
    pub(crate) fn basebackup(&self, postgres: &Postgres) -> Result<Program, Error> {
        let initdb = match &postgres.initdb {
            Program::Local(initdb) => initdb,
            Program::Image { docker, image, .. } => {
                return Ok(Program::Image { docker: docker.clone(), image: image.clone(), name: "pg_basebackup" });
            }
        };
        let places = [Some(initdb.clone()), initdb.canonicalize().ok()];
        let beside = places.into_iter().flatten().map(|initdb| initdb.with_file_name("pg_basebackup"));
        let mut all = beside.filter(|program| program.is_file()).chain(self.all("pg_basebackup"));
        let found = all.next().ok_or_else(|| {
            let fix = install_command();
            Error::new(format!("this test needs pg_basebackup, which this Postgres lacks; install it by:  {fix}"))
        });
        found.map(Program::Local)
    }

    /// A Redis server: of the image that is named, else the one that is installed, else that of Docker's own image.
    pub(crate) fn redis(&self) -> Result<Program, Error> {
        let in_image = |docker, image| Program::Image { docker, image, name: "redis-server" };
        if let Some(image) = &self.redis_image {
            return Ok(in_image(self.named_image(REDIS_IMAGE, image)?, image.clone()));
        }
        if let Some(local) = self.all("redis-server").next() {
            return Ok(Program::Local(local));
        }
        let image = "redis:7";
        let docker = self.docker(image).map_err(|why| missing("Redis (redis-server)", "REDIS", &why))?;
        Ok(in_image(docker, image.to_owned()))
    }

    fn named_image(&self, variable: &str, image: &str) -> Result<Docker, Error> {
        self.docker(image).map_err(|why| Error::new(format!("{variable} names an image, but {why}")))
    }

    /// Docker with the image at hand; else why not.
    fn docker(&self, image: &str) -> Result<Docker, String> {
        let program = self.all("docker").next().ok_or("Docker is not installed")?;
        Docker::with(program, image)
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

fn missing(what: &str, variable: &str, docker: &str) -> Error {
    Error::new(format!(
        "this test needs {what}, which is neither on the path nor where packages put it; and {docker}.\n\
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

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)] // In the helper too: this is all test.
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(directory: &Path, name: &str, text: &str) {
        fs::write(directory.join(name), text).unwrap();
        fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn docker_is_asked_where_nothing_is_installed() {
        let directory = tempfile::tempdir().unwrap();
        let programs = Programs { directories: vec![directory.path().to_owned()], ..Programs::default() };
        for error in [programs.postgres().unwrap_err(), programs.redis().unwrap_err()] {
            let text = error.to_string();
            assert!(text.contains("Docker is not installed") && text.contains(install_command()), "{text}");
        }
        program(directory.path(), "docker", "#!/bin/sh\n[ \"$1\" = --version ]\n");
        let text = programs.redis().unwrap_err().to_string();
        assert!(text.contains("the daemon of Docker does not answer") && text.contains(install_command()), "{text}");
        program(directory.path(), "docker", "#!/bin/sh\n");
        assert_eq!(programs.redis().unwrap().image(), Some("redis:7"));
        let postgres = programs.postgres().unwrap();
        assert_eq!(postgres.initdb.image(), Some("postgres:17"));
        assert_eq!(programs.basebackup(&postgres).unwrap().image(), Some("postgres:17"));
        for name in ["initdb", "postgres", "redis-server"] {
            program(directory.path(), name, "");
        }
        assert_eq!((programs.redis().unwrap().image(), programs.postgres().unwrap().initdb.image()), (None, None));
    }
}
