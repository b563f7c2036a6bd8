//! Servers out of images. Docker itself is played by a script that runs this machine's programs: what is asked of it is
//! shown here, and that nothing is left behind.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sea_orm::sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// A container is a process whose number is in a file of the container's name.
const STAND_IN: &str = r#"#!/bin/sh
state=$(dirname "$0")
echo "$*" >> "$state/asked"
find_program() {
    for place in $(echo "$SERVER_PATH" | tr : ' ') /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/bin /usr/local/bin; do
        if [ -x "$place/$1" ]; then echo "$place/$1"; return; fi
    done
}
case "$1" in
version) [ -e "$state/up" ] ;;
image) [ -e "$state/has-$3" ] ;;
pull) touch "$state/has-$2"; [ "$2" != nowhere ] ;;
kill) kill -"$3" "$(cat "$state/container-$4")" ;;
rm) kill -KILL "$(cat "$state/container-$3")" ;;
run)
    shift
    while [ $# -gt 0 ]; do
        case "$1" in
        --rm) shift ;;
        --network) [ "$2" = host ] || exit 125; shift 2 ;;
        --name) name=$2; shift 2 ;;
        --user) user=${2%:*} group=${2#*:}; shift 2 ;;
        --workdir) cd "$2" || exit 125; shift 2 ;;
        --volume) shift 2 ;;
        --entrypoint) program=$2; shift 2 ;;
        *) break ;;
        esac
    done
    shift
    echo $$ > "$state/container-$name"
    if [ "$(id -u)" = "$user" ]; then exec "$(find_program "$program")" "$@"; fi
    exec setpriv --reuid "$user" --regid "$group" --clear-groups "$(find_program "$program")" "$@"
    ;;
*) exit 125 ;;
esac
"#;

/// The stand-in, alone on the path before all else.
struct Docker(TempDir);

impl Docker {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // For whom a server runs as.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let program = directory.path().join("docker");
        fs::write(&program, STAND_IN).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(directory.path().join("up"), "").unwrap();
        Self(directory)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.file("asked")).unwrap()
    }

    /// The program that starts servers, all of them out of an image.
    fn servers(&self, image: &str) -> Command {
        let path = env::var("PATH").unwrap();
        let mut servers = Command::new(env!("CARGO_BIN_EXE_test-servers"));
        servers.env("SERVER_PATH", &path).env("PATH", format!("{}:{path}", self.0.path().display()));
        for started in ["POSTGRES", "REDIS", "REDIS_CLUSTER"] {
            servers.env(format!("BOLTLINK_TEST_{started}_URL"), "");
        }
        servers.env("BOLTLINK_TEST_POSTGRES_IMAGE", image).env("BOLTLINK_TEST_REDIS_IMAGE", image);
        servers.env("BOLTLINK_TEST_PGBOUNCER", "");
        servers.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        servers
    }
}

/// Waits for the line that says what was started; returns it and the addresses before it.
fn ready(servers: &mut Child) -> (String, Vec<String>) {
    let mut addresses = Vec::new();
    for line in BufReader::new(servers.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(what) = line.strip_prefix("ready: ") {
            return (what.to_owned(), addresses);
        }
        addresses.push(line.split_once('=').unwrap().1.to_owned());
    }
    panic!("{}", std::io::read_to_string(servers.stderr.take().unwrap()).unwrap());
}

fn is_gone(directory: &Path) -> bool {
    let end = Instant::now() + Duration::from_secs(30);
    while directory.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(50));
    }
    !directory.exists()
}

#[tokio::test]
async fn servers_come_out_of_an_image_and_leave_nothing_when_their_starter_is_killed() {
    let docker = Docker::new();
    let mut servers = docker.servers("some:1").spawn().unwrap();
    let (what, addresses) = ready(&mut servers);
    assert!(what.starts_with("Postgres ") && what.contains("of the image some:1, Redis of the image some:1"), "{what}");
    PgConnection::connect(&addresses[0]).await.unwrap().close().await.unwrap();
    let asked = docker.asked();
    assert!(asked.contains("pull some:1") && asked.contains("--entrypoint initdb some:1"), "{asked}");
    // Each once: a start that meets a port that is taken is repeated.
    let directories: BTreeSet<_> = asked
        .lines()
        .filter(|line| line.contains("--entrypoint postgres") || line.contains("--entrypoint redis-server"))
        .map(|line| PathBuf::from(line.split(' ').skip_while(|word| *word != "--workdir").nth(1).unwrap()))
        .collect();
    assert_eq!(directories.len(), 5, "Postgres, Redis and three of a cluster: {asked}");
    servers.kill().unwrap();
    servers.wait().unwrap();
    for directory in directories {
        assert!(is_gone(&directory), "{}", directory.display());
        let removed = format!("rm --force {}", directory.file_name().unwrap().to_string_lossy());
        assert!(docker.asked().contains(&removed), "{}", docker.asked());
    }
    assert!(PgConnection::connect(&addresses[0]).await.is_err());
}

#[test]
fn an_image_that_cannot_be_had_is_named() {
    let docker = Docker::new();
    let error = refused(docker.servers("nowhere"));
    assert!(error.contains("BOLTLINK_TEST_POSTGRES_IMAGE names an image"), "{error}");
    assert!(error.contains("can neither find nor pull the image nowhere"), "{error}");
}

#[test]
fn a_daemon_that_does_not_answer_is_named() {
    let docker = Docker::new();
    fs::remove_file(docker.file("up")).unwrap();
    let error = refused(docker.servers("some:1"));
    assert!(error.contains("the daemon of Docker does not answer"), "{error}");
    assert_eq!(docker.asked(), "version\n");
}

/// What a start that fails says.
fn refused(mut servers: Command) -> String {
    let output = servers.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "installing does not mend it");
    String::from_utf8(output.stderr).unwrap()
}
