//! What is measured: servers, each on the one core that all of them take turns on.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use boltlink_testkit::{Builder, Server, usage};
use tempfile::TempDir;

use crate::{Result, baselines::Baseline, generator::Expected, this, visitors};

/// The core that servers run on. The generator, and whatever else there is, is on others.
const CORE: &str = "0";

/// How a server is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Baseline(Baseline),
    Nginx,
    Ours(Mode),
}

/// How ours is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [(&'static str, &'static str)],
}

/// What is compared, unless it is said otherwise.
pub(crate) const KINDS: &[Kind] = &[
    Kind::Baseline(Baseline::Hyper),
    Kind::Nginx,
    Kind::Baseline(Baseline::Poem),
    Kind::Ours(Mode { name: "buffered", settings: &[] }),
    Kind::Ours(Mode { name: "buffered, no raw clicks", settings: &[("BOLTLINK_RAW_CLICKS", "0")] }),
    Kind::Ours(Mode { name: "buffered, all raw clicks", settings: &[("BOLTLINK_RAW_CLICKS", "1000000")] }),
    Kind::Ours(Mode { name: "acknowledged", settings: &[("BOLTLINK_DURABILITY", "acknowledged")] }),
];

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Baseline(baseline) => baseline.name(),
            Self::Nginx => "nginx",
            Self::Ours(mode) => mode.name,
        }
    }

    pub(crate) const fn expected(self) -> Expected {
        match self {
            Self::Baseline(_) | Self::Nginx => Expected::Constant,
            Self::Ours(_) => Expected::Target,
        }
    }

    /// Starts one; ours with a copy of the links in `data`, with `settings` beside its own. `None` if it is not installed
    /// here.
    pub(crate) async fn start(self, data: &Path, settings: &[(String, String)]) -> Result<Option<Subject>> {
        Ok(match self {
            Self::Baseline(baseline) => Some(Subject::Other(Process::baseline(baseline)?)),
            Self::Nginx => Process::nginx()?.map(Subject::Other),
            Self::Ours(mode) => {
                let own = copy(data)?;
                let server = pinned(&Server::built_beside()?).data_dir(own.path());
                let server = mode.settings.iter().fold(server, |server, (name, value)| server.env(name, value));
                let server = settings.iter().fold(server, |server, (name, value)| server.env(name, value));
                Some(Subject::Ours { server: server.start().await?, _data: own })
            }
        })
    }
}

/// A server that runs.
pub(crate) enum Subject {
    Ours { server: Server, _data: TempDir },
    Other(Process),
}

impl Subject {
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Ours { server, .. } => server.address(),
            Self::Other(process) => process.address,
        }
    }

    /// What it has used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        Ok(self.pids()?.into_iter().map(usage::cpu_time).sum::<std::result::Result<_, _>>()?)
    }

    /// The most memory it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        Ok(self.pids()?.into_iter().map(usage::peak_memory).sum::<std::result::Result<_, _>>()?)
    }

    fn pids(&self) -> Result<Vec<u32>> {
        let first = match self {
            Self::Ours { server, .. } => server.pid(),
            Self::Other(process) => process.child.id(),
        };
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"))?;
        Ok(std::iter::once(first).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect())
    }
}

/// A program on the servers' core.
fn pinned(program: &Path) -> Builder {
    // It becomes the program, so the process is the same.
    Server::builder("taskset").arg("-c").arg(CORE).arg(program)
}

/// A server that is none of ours. Dropping it ends it.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    _folder: Option<TempDir>,
}

impl Process {
    fn baseline(baseline: Baseline) -> Result<Self> {
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
    fn nginx() -> Result<Option<Self>> {
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
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(process))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The id of a process that has ended may be another's by now.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // Asked, not killed, as nginx has to end its worker.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A copy of a folder of files.
fn copy(data: &Path) -> Result<TempDir> {
    let own = tempfile::tempdir()?;
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), own.path().join(entry.file_name()))?;
        }
    }
    Ok(own)
}
