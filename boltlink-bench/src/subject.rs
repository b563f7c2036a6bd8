//! What is measured: servers, each on the one core that all of them take turns on.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use boltlink_testkit::{Builder, Client, Server, usage};
use tempfile::TempDir;

use crate::{
    Result,
    backend::{Backend, Used},
    baselines::Baseline,
    collector,
    links::Links,
    process::Process,
    visitors::Load,
};

/// The core that servers run on. The generator, and whatever else there is, is on others.
pub(crate) const CORE: &str = "0";

/// How a server is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Baseline(Baseline),
    Nginx,
    Ours(Mode),
}

/// How ours is set up, and what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    name: &'static str,
    /// Whether clicks go through Redis to workers, which store them in Postgres.
    shared: bool,
    settings: &'static [(&'static str, &'static str)],
    load: Load,
    /// Whether somebody takes traces.
    traced: bool,
}

const EMBEDDED: Mode = Mode { name: "buffered", shared: false, settings: &[], load: Load::Visits, traced: false };
const SHARED: Mode = Mode { name: "Redis, buffered", shared: true, ..EMBEDDED };
const ACKNOWLEDGED: &[(&str, &str)] = &[("BOLTLINK_DURABILITY", "acknowledged")];

/// What is compared, unless it is said otherwise; the first one is what the others are compared to.
pub(crate) const KINDS: &[Kind] = &[
    Kind::Baseline(Baseline::Hyper),
    Kind::Baseline(Baseline::RawLoop),
    Kind::Baseline(Baseline::HyperOnThreads),
    Kind::Nginx,
    Kind::Baseline(Baseline::Poem),
    Kind::Ours(EMBEDDED),
    Kind::Ours(Mode { name: "buffered, no raw clicks", settings: &[("BOLTLINK_RAW_CLICKS", "0")], ..EMBEDDED }),
    Kind::Ours(Mode { name: "buffered, all raw clicks", settings: &[("BOLTLINK_RAW_CLICKS", "1000000")], ..EMBEDDED }),
    Kind::Ours(Mode { name: "buffered, 1 % traced", traced: true, ..EMBEDDED }),
    Kind::Ours(Mode { name: "acknowledged", settings: ACKNOWLEDGED, ..EMBEDDED }),
    Kind::Ours(SHARED),
    Kind::Ours(Mode { name: "Redis, acknowledged", settings: ACKNOWLEDGED, ..SHARED }),
    Kind::Ours(Mode { name: "unknown slugs", load: Load::Unknown, ..EMBEDDED }),
    Kind::Ours(Mode { name: "unknown slugs, none twice", load: Load::Scan, ..EMBEDDED }),
    Kind::Ours(Mode {
        name: "2 % of it for the API",
        settings: &[("BOLTLINK_LIMIT_API", "off")],
        load: Load::Mixed,
        ..EMBEDDED
    }),
];

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Baseline(baseline) => baseline.name(),
            Self::Nginx => "nginx",
            Self::Ours(mode) => mode.name,
        }
    }

    pub(crate) const fn load(self) -> Load {
        match self {
            Self::Baseline(_) | Self::Nginx => Load::Constant,
            Self::Ours(mode) => mode.load,
        }
    }

    /// Starts one; ours, which is this `program`, with the links, and with `settings` beside its own. `None` if it is not
    /// installed here.
    pub(crate) async fn start(
        self,
        program: &Path,
        links: &Links,
        settings: &[(String, String)],
    ) -> Result<Option<Subject>> {
        Ok(match self {
            Self::Baseline(baseline) => Some(Subject::Other(Process::baseline(baseline)?)),
            Self::Nginx => Process::nginx()?.map(Subject::Other),
            Self::Ours(mode) => Some(mode.start(program, links, settings).await?),
        })
    }
}

impl Mode {
    async fn start(self, program: &Path, links: &Links, settings: &[(String, String)]) -> Result<Subject> {
        let mut server = pinned(program);
        for (name, value) in self.settings {
            server = server.env(name, value);
        }
        if self.traced {
            server = server.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector::start()?));
        }
        for (name, value) in settings {
            server = server.env(name, value);
        }
        if !self.shared {
            let data = links.database()?;
            let server = server.data_dir(data.path()).start().await?;
            return Ok(Subject::Ours { server, backend: None, _data: data });
        }
        let (data, mut backend) = (tempfile::tempdir()?, Backend::start().await?);
        links.import(backend.used_by(Server::builder(program)), data.path())?;
        let server = backend.used_by(server).data_dir(data.path()).start().await?;
        backend.start_workers(program, &server)?;
        Ok(Subject::Ours { server, backend: Some(Box::new(backend)), _data: data })
    }
}

/// A server that runs.
pub(crate) enum Subject {
    Ours { server: Server, backend: Option<Box<Backend>>, _data: TempDir },
    Other(Process),
}

impl Subject {
    pub(crate) const fn address(&self) -> SocketAddr {
        match self {
            Self::Ours { server, .. } => server.address(),
            Self::Other(process) => process.address,
        }
    }

    /// Its API, if it has one.
    pub(crate) fn client(&self) -> Option<Client> {
        match self {
            Self::Ours { server, .. } => Some(server.client()),
            Self::Other(_) => None,
        }
    }

    /// What opens it.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Ours { server, .. } => server.key(),
            Self::Other(_) => "",
        }
    }

    /// What the server has used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        Ok(self.pids()?.into_iter().map(usage::cpu_time).sum::<std::result::Result<_, _>>()?)
    }

    /// Whether it stands on others.
    pub(crate) const fn has_backend(&self) -> bool {
        matches!(self, Self::Ours { backend: Some(_), .. })
    }

    /// What all that it stands on has used so far.
    pub(crate) fn backend_cpu(&self) -> Result<Used> {
        match self {
            Self::Ours { backend: Some(backend), .. } => backend.used(),
            Self::Ours { backend: None, .. } | Self::Other(_) => Ok(Used::default()),
        }
    }

    /// The most memory it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        Ok(self.pids()?.into_iter().map(usage::peak_memory).sum::<std::result::Result<_, _>>()?)
    }

    fn pids(&self) -> Result<Vec<u32>> {
        let first = match self {
            Self::Ours { server, .. } => server.pid(),
            Self::Other(process) => process.id(),
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
