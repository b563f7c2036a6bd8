//! TLS as the program speaks it: a certificate and a key in files.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{
    certificates::{Pair, connect},
    nodes::until,
    server,
};

/// `boltlink serve` with TLS, in a folder of its own.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    fn start(folder: &Path) -> Self {
        let mut child = command(folder).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address =
            lines.into_iter().find_map(|line| Some(line.split_once("listening on https://")?.1.parse().unwrap()));
        Self { child, address: address.unwrap() }
    }

    /// What a client who trusts this certificate alone is answered.
    async fn live(&self, pair: &Pair) -> Option<String> {
        ask(&mut self.connect(pair).await?).await
    }

    async fn connect(&self, pair: &Pair) -> Option<TlsStream<TcpStream>> {
        connect(self.address, pair.client()).await.ok()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first bytes of an answer: its status.
async fn ask(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    stream.write_all(b"HEAD /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.ok()?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.ok()?;
    Some(String::from_utf8_lossy(&answer[..length]).lines().next()?.to_owned())
}

fn command(folder: &Path) -> Command {
    let builder = server().env("BOLTLINK_TLS_CERT", folder.join("chain.pem"));
    let mut command = builder.env("BOLTLINK_TLS_KEY", folder.join("key.pem")).command_in(folder);
    command.stderr(Stdio::null());
    command
}

fn write(folder: &Path, chain: &Pair, key: &Pair) {
    fs::write(folder.join("chain.pem"), &chain.chain).unwrap();
    fs::write(folder.join("key.pem"), &key.key).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Pair::new(), Pair::new());
    write(folder.path(), &old, &old);
    let server = Serving::start(folder.path());
    let mut open = server.connect(&old).await.unwrap();
    let ok = Some("HTTP/1.1 200 OK".to_owned());
    assert_eq!(ask(&mut open).await, ok);
    assert_eq!(server.live(&new).await, None, "nobody else's certificate is served");

    // Half of the new pair changes nothing.
    write(folder.path(), &new, &old);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(server.live(&old).await, ok);
    write(folder.path(), &new, &new);
    until(Duration::from_secs(60), "the new certificate is served", async || server.live(&new).await.is_some()).await;
    assert_eq!(server.live(&old).await, None);
    assert_eq!(ask(&mut open).await, ok, "who was connected stays so");
}

#[test]
fn what_is_wrong_with_the_files_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (pair, other) = (Pair::new(), Pair::new());
    let refused = |parts: &[&str]| {
        let output = command(folder.path()).arg("serve").stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{told}");
        for part in parts {
            assert!(told.contains(part), "{part}: {told}");
        }
        // Whatever is wrong, nothing of a key is repeated.
        let secret = pair.key.lines().nth(1).unwrap();
        assert!(!told.contains(&secret[..16]), "{told}");
    };
    let [cert, key] = ["CERT", "KEY"].map(|name| format!("(environment variable BOLTLINK_TLS_{name}): "));
    refused(&["2 problems", &cert, &key, "No such file", "fix: give the path"]);
    write(folder.path(), &pair, &other);
    refused(&["a problem", &key, "not that of the first certificate", "fix: give the key"]);
    write(folder.path(), &Pair::expired(), &pair);
    refused(&[&cert, "expired at 2020-02-01T00:00:00Z", "fix: renew"]);
    // The files in each other's place.
    fs::write(folder.path().join("chain.pem"), &pair.key).unwrap();
    fs::write(folder.path().join("key.pem"), &pair.chain).unwrap();
    refused(&["2 problems", &cert, "no certificate", &key, "no private key"]);

    for (missing, name) in [("tls_key", "BOLTLINK_TLS_KEY"), ("tls_cert", "BOLTLINK_TLS_CERT")] {
        let half = command(folder.path()).env_remove(name).arg("doctor").stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(half.stderr).unwrap();
        assert!(told.contains(&format!("fix: set {missing}")) && told.contains("is needed"), "{told}");
    }
}

#[test]
fn the_doctor_looks_at_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let (pair, expired) = (Pair::new(), Pair::expired());
    let doctor = || {
        let output = command(folder.path()).args(["doctor", "--listen", "127.0.0.1:0"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    write(folder.path(), &pair, &pair);
    let (code, report) = doctor();
    assert!(code == Some(0) && report.contains("chain.pem and its key belong together"), "{report}");
    for (chain, key, fix) in [(&pair, &expired, "key"), (&expired, &expired, "fix: renew the certificate")] {
        write(folder.path(), chain, key);
        let (code, report) = doctor();
        assert!(code == Some(1) && report.contains("BROKEN  tls") && report.contains(fix), "{report}");
    }
}
