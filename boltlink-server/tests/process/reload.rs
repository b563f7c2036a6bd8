//! A new process takes over from one that runs.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use boltlink_testkit::{Client, Connection, Load, Server};
use command_fds::{CommandFdExt, FdMapping};

use crate::{
    nodes::{self, example},
    server,
};

/// Whoever serves from a folder; ended with this.
struct Serving<'a>(&'a Path);

impl Serving<'_> {
    fn process(&self) -> Option<u32> {
        let text = fs::read_to_string(self.0.join("boltlink.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }

    fn tell(&self, signal: &str) {
        if let Some(process) = self.process() {
            let _ = Command::new("/bin/sh").args(["-c", &format!("kill -{signal} {process}")]).status();
        }
    }

    /// Asks it to stop, and waits until it has.
    async fn stop(&self) {
        self.tell("TERM");
        until("it stops", async || self.process().is_none()).await;
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.tell("KILL");
    }
}

async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    nodes::until(Duration::from_secs(30), what, is_so).await;
}

fn reload(server: &Server) -> Output {
    server.command().arg("reload").output().unwrap()
}

fn assert_reloads(server: &Server) {
    let reload = reload(server);
    assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_under_load_lose_nothing() {
    let mut server = server().start().await.unwrap();
    let folder = server.data_dir().to_owned();
    let serving = Serving(&folder);
    let id = server.client().make(&example("busy")).await.unwrap();
    let load = Load::new(server.address(), ["/busy"]).connections(8).start();
    let first = server.pid();
    let mut processes = vec![first];
    for round in 1..=3 {
        load.answers(round * 400).await.unwrap();
        assert_reloads(&server);
        processes.push(serving.process().unwrap());
    }
    load.answers(1_600).await.unwrap();
    let tally = load.stop().await;
    processes.dedup();
    assert_eq!(processes.len(), 4, "each is another one");
    assert_eq!((tally.lost(), tally.answered_with(302)), (0, tally.sent()));

    serving.stop().await;
    server.restart().await.unwrap();
    let client = server.client();
    // Those before it may still be writing theirs.
    until("every click is counted", async || client.clicks(&id).await.unwrap() == tally.sent()).await;
    until("it is in the rollups, too", async || client.rolled_up().await.unwrap() == tally.sent()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_connections_are_answered_once_more() {
    let server = server().start().await.unwrap();
    let serving = Serving(server.data_dir());
    server.client().make(&example("kept")).await.unwrap();
    let bearer = format!("Bearer {}", server.key());
    let authorized = [("authorization", bearer.as_str())];
    let mut visitor = Connection::open(server.address()).await.unwrap();
    let mut program = Connection::open(server.address()).await.unwrap();
    for last in [None, Some("close")] {
        let visit = visitor.get("/kept", &[]).await.unwrap();
        let list = program.get("/api/v1/links", &authorized).await.unwrap();
        assert_eq!((visit.status, list.status), (302, 200));
        for answer in [visit, list] {
            assert_eq!(answer.header("connection").filter(|said| *said == "close"), last);
        }
        if last.is_none() {
            assert_reloads(&server);
        }
    }
    assert!(visitor.get("/kept", &[]).await.is_err());
    assert_eq!(Connection::open(server.address()).await.unwrap().get("/kept", &[]).await.unwrap().status, 302);
    assert_ne!(serving.process(), Some(server.pid()));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_whom_a_handover_would() {
    let server = server().start().await.unwrap();
    let serving = Serving(server.data_dir());
    // It rests: after a handover it could be answered once more.
    let mut resting = Connection::open(server.address()).await.unwrap();
    assert_eq!(resting.get("/health/live", &[]).await.unwrap().status, 200);
    let first = server.pid();
    assert_reloads(&server);
    let is_there = || Command::new("/bin/sh").args(["-c", &format!("kill -0 {first}")]).status().unwrap().success();
    assert!(is_there());
    Command::new("/bin/sh").args(["-c", &format!("kill -TERM {first}")]).status().unwrap();
    // Its parent has not asked for its end yet; what is gone are its connections.
    until("it lets go", async || resting.get("/health/live", &[]).await.is_err()).await;
    assert_eq!(Client::new(server.address(), "").get("/ready").await.unwrap().status, 200);
    serving.stop().await;
    assert!(Connection::open(server.address()).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_binary_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let binary = place.path().join("boltlink");
    fs::copy(env!("CARGO_BIN_EXE_boltlink"), &binary).unwrap();
    let mut server = Server::builder(&binary).start().await.unwrap();
    let id = server.client().make(&example("kept")).await.unwrap();
    let reload = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boltlink"));
        command.args(["reload", "--data-dir"]).arg(server.data_dir()).output().unwrap()
    };
    // The same failure twice is one more.
    for (mode, why) in [(0o755, "exit status: 3"), (0o755, "exit status: 3"), (0o644, "cannot be started")] {
        // As an update does it: what runs stays what it was.
        let new = place.path().join("new");
        fs::write(&new, "#!/bin/sh\nexit 3\n").unwrap();
        fs::set_permissions(&new, Permissions::from_mode(mode)).unwrap();
        fs::rename(&new, &binary).unwrap();
        let reload = reload();
        let told = String::from_utf8_lossy(&reload.stderr);
        assert!(!reload.status.success() && told.contains("goes on as before") && told.contains(why), "{told}");
        assert_eq!(server.client().get("/kept").await.unwrap().status, 302);
    }
    until("every click is counted", async || server.client().clicks(&id).await.unwrap() == 3).await;
    server.stop().await.unwrap();
    assert!(!server.data_dir().join("boltlink.pid").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_nobody_serves_nobody_reloads() {
    let place = tempfile::tempdir().unwrap();
    // As one leaves it that was killed.
    for left in [None, Some("1\n")] {
        if let Some(text) = left {
            fs::write(place.path().join("boltlink.pid"), text).unwrap();
        }
        let reload = server().command_in(place.path()).arg("reload").output().unwrap();
        let told = String::from_utf8_lossy(&reload.stderr);
        assert!(!reload.status.success() && told.contains("no server runs with its data in"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_given_is_served() {
    let place = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = server().command_in(place.path());
    command.stdout(Stdio::null()).stderr(Stdio::null()).env("LISTEN_FDS", "1");
    command.fd_mappings(vec![FdMapping { parent_fd: OwnedFd::from(listener), child_fd: 3 }]).unwrap();
    let mut process = command.spawn().unwrap();
    drop(command);
    // Nothing is refused: it waits in the socket until somebody accepts.
    assert_eq!(Client::new(address, "").get("/ready").await.unwrap().status, 200);
    Serving(place.path()).stop().await;
    assert!(process.wait().unwrap().success());
}
