//! Servers that are none of ours.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{Result, baselines::Baseline, subject::CORE, this, visitors};

/// How long a stop may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on the servers' core. Dropping it ends it.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: Option<TempDir>,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn baseline(baseline: Baseline) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", CORE]).arg(this()?).args(["serve", baseline.name()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        // Made before the address may be wrong, so that the process is killed.
        let mut process = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), _folder: None };
        process.address = line.trim().trim_start_matches("http://").parse()?;
        Ok(process)
    }

    /// nginx with a constant redirect, if it is installed.
    pub(crate) fn nginx() -> Result<Option<Self>> {
        if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let configuration = format!(
            "worker_processes 1;\npid {folder}/pid;\nerror_log {folder}/errors;\ndaemon off;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  server_tokens off;\n  keepalive_requests 1000000000;\n  \
             client_body_temp_path {folder}/a;\n  proxy_temp_path {folder}/b;\n  fastcgi_temp_path {folder}/c;\n  \
             uwsgi_temp_path {folder}/d;\n  scgi_temp_path {folder}/e;\n  \
             server {{\n    listen {address};\n    return 302 {target};\n  }}\n}}\n",
            folder = folder.path().display(),
            target = visitors::constant_target(),
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new("taskset");
        command.args(["-c", CORE, "nginx", "-e"]).arg(folder.path().join("errors")).arg("-c").arg(file);
        let child = command.stdin(Stdio::null()).spawn()?;
        let mut process = Self { child, address, _folder: Some(folder) };
        let end = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(address).is_err() {
            if process.child.try_wait()?.is_some() || Instant::now() > end {
                return Err("nginx does not start".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(process))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first, as nginx has to end its worker.
        let _ = stop(&mut self.child);
    }
}

/// Asks a process to end, as an operator would, and sees to it that it does.
pub(crate) fn stop(child: &mut Child) -> Result {
    // The id of a process that has ended may be another's by now.
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    // A process of its own: the standard library only kills.
    Command::new("kill").arg(child.id().to_string()).status()?;
    let end = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Err("a server did not stop when it was told to".into());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
