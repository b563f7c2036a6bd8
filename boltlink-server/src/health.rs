//! Whether the server is well: for operators, and for what balances and restarts it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use boltlink_core::Shortener;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, payload::Json};
use tokio::time::Instant;

use crate::api::Tag;

/// What is answered on any host, known or not: probes ask by address.
pub(crate) const PATHS: [&str; 3] = ["/health", "/health/live", "/ready"];

/// How long a dependency may take to answer before it counts as down.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the server wants requests.
pub(crate) struct Readiness {
    shortener: Shortener,
    requires_database: bool,
    draining: AtomicBool,
}

impl Readiness {
    pub(crate) const fn new(shortener: Shortener, requires_database: bool) -> Self {
        Self { shortener, requires_database, draining: AtomicBool::new(false) }
    }

    /// Says no from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Asks the database, and says how long it took.
    async fn database(&self) -> Dependency {
        let begin = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, self.shortener.check_store()).await;
        // Why it is down may name hosts and users: that is for the log.
        let up = match answer {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database is down");
                false
            }
            Err(_) => {
                tracing::warn!("the database does not answer");
                false
            }
        };
        Dependency {
            name: "database".to_owned(),
            status: if up { State::Up } else { State::Down },
            latency_ms: begin.elapsed().as_secs_f64() * 1_000.0,
            required: true,
        }
    }
}

/// Health checks.
pub(crate) struct HealthApi(pub(crate) Arc<Readiness>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum State {
    Up,
    Down,
}

#[derive(Debug, Object)]
struct Health {
    /// `down` if a required dependency is.
    status: State,
    /// The server's version.
    version: String,
    /// What the server depends on.
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Object)]
struct Dependency {
    /// Which one.
    name: String,
    /// Whether it answers.
    status: State,
    /// How long it took to answer, or to be given up.
    latency_ms: f64,
    /// Whether nothing works without it.
    required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum Standing {
    /// All is well.
    Ready,
    /// The database is away: links that are cached work on.
    Degraded,
    /// The database is away, and the configuration requires it.
    Unready,
    /// The server is stopping.
    Draining,
}

#[derive(Debug, Object)]
struct Ready {
    /// How it stands.
    status: Standing,
}

#[derive(Debug, Object)]
struct Live {
    /// Always `up`.
    status: State,
}

#[derive(ApiResponse)]
enum HealthAnswer {
    /// Everything required is up.
    #[oai(status = 200)]
    Up(Json<Health>),
    /// Something required is down.
    #[oai(status = 503)]
    Down(Json<Health>),
}

#[derive(ApiResponse)]
enum ReadyAnswer {
    /// The server wants requests.
    #[oai(status = 200)]
    Yes(Json<Ready>),
    /// The server wants no requests.
    #[oai(status = 503)]
    No(Json<Ready>),
}

#[derive(ApiResponse)]
enum LiveAnswer {
    /// The process runs.
    #[oai(status = 200)]
    Yes(Json<Live>),
}

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Ask for each dependency
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self) -> HealthAnswer {
        let database = self.0.database().await;
        let status = database.status;
        let health =
            Json(Health { status, version: env!("CARGO_PKG_VERSION").to_owned(), dependencies: vec![database] });
        if status == State::Up { HealthAnswer::Up(health) } else { HealthAnswer::Down(health) }
    }

    /// Ask whether the process runs
    ///
    /// Says nothing of the database: an outage of it must not make an orchestrator kill every process.
    #[oai(path = "/health/live", method = "get", operation_id = "live")]
    async fn live(&self) -> LiveAnswer {
        LiveAnswer::Yes(Json(Live { status: State::Up }))
    }

    /// Ask whether to send requests here
    #[oai(path = "/ready", method = "get", operation_id = "ready")]
    async fn ready(&self) -> ReadyAnswer {
        let status = if self.0.draining.load(Relaxed) {
            Standing::Draining
        } else if self.0.database().await.status == State::Up {
            Standing::Ready
        } else if self.0.requires_database {
            Standing::Unready
        } else {
            Standing::Degraded
        };
        let answer = Json(Ready { status });
        match status {
            Standing::Ready | Standing::Degraded => ReadyAnswer::Yes(answer),
            Standing::Unready | Standing::Draining => ReadyAnswer::No(answer),
        }
    }
}
