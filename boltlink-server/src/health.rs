//! Whether the server is well: for operators, and for what balances and restarts it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use boltlink_core::{Error, Shortener};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    payload::{Json, PlainText},
};
use tokio::time::Instant;

use crate::{
    api::{MayKnow, OnMetrics, Operator, Refused, Tag},
    metrics::{self, Metrics},
    server::ServerOptions,
    throttle::Throttle,
};

/// What is answered on any host, known or not: probes ask by address.
pub(crate) const PATHS: [&str; 4] = ["/health", "/health/live", "/ready", "/metrics"];

/// How long a dependency may take to answer before it counts as down.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the server wants requests.
pub(crate) struct Readiness {
    shortener: Shortener,
    requires_database: bool,
    requires_redis: bool,
    draining: AtomicBool,
}

impl Readiness {
    pub(crate) const fn new(shortener: Shortener, options: &ServerOptions) -> Self {
        Self {
            shortener,
            requires_database: options.ready_requires_database,
            requires_redis: options.ready_requires_redis,
            draining: AtomicBool::new(false),
        }
    }

    /// Says no from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Asks the database and, where there is one, Redis.
    async fn ask(&self) -> (Dependency, Option<Dependency>) {
        let database = Dependency::ask("database", true, self.shortener.check_store());
        let redis = async {
            if !self.shortener.shares_log() {
                return None;
            }
            Some(Dependency::ask("redis", self.requires_redis, self.shortener.check_log()).await)
        };
        let (database, redis) = tokio::join!(database, redis);
        (database, redis)
    }
}

impl Dependency {
    /// How `name` answers, and after how long.
    async fn ask(name: &str, required: bool, question: impl Future<Output = Result<(), Error>>) -> Self {
        let begin = Instant::now();
        // Why it is down may name hosts and users: that is for the log.
        let up = match tokio::time::timeout(PATIENCE, question).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "{name} is down");
                false
            }
            Err(_) => {
                tracing::warn!("{name} does not answer");
                false
            }
        };
        let latency_ms = begin.elapsed().as_secs_f64() * 1_000.0;
        Self { name: name.to_owned(), status: if up { State::Up } else { State::Down }, latency_ms, required }
    }
}

/// Health checks, and metrics.
#[derive(Clone)]
pub(crate) struct HealthApi {
    readiness: Arc<Readiness>,
    shortener: Shortener,
    metrics: Metrics,
    throttle: Option<Arc<Throttle>>,
}

impl HealthApi {
    pub(crate) const fn new(
        readiness: Arc<Readiness>,
        shortener: Shortener,
        metrics: Metrics,
        throttle: Option<Arc<Throttle>>,
    ) -> Self {
        Self { readiness, shortener, metrics, throttle }
    }
}

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
    /// The server's version. For admins, and whoever asks from the same machine or on the listener for operators.
    #[oai(skip_serializing_if_is_none)]
    version: Option<String>,
    /// What the server depends on. For the same.
    #[oai(skip_serializing_if_is_none)]
    dependencies: Option<Vec<Dependency>>,
}

#[derive(Debug, Object)]
struct Dependency {
    /// Which one.
    name: String,
    /// Whether it answers.
    status: State,
    /// How long it took to answer, or to be given up.
    latency_ms: f64,
    /// Whether the server counts as down without it.
    required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum Standing {
    /// All is well.
    Ready,
    /// Something is away, and the rest works on.
    Degraded,
    /// Something is away that the configuration requires.
    Unready,
    /// The server is stopping.
    Draining,
}

#[derive(Debug, Object)]
struct Ready {
    /// How it stands.
    status: Standing,
    /// Why it is not `ready`.
    #[oai(skip_serializing_if_is_none)]
    reason: Option<String>,
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

#[derive(ApiResponse)]
enum MetricsAnswer {
    /// All of them.
    #[oai(status = 200)]
    All(PlainText<String>),
}

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Ask for each dependency
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self, MayKnow(all): MayKnow) -> HealthAnswer {
        let (database, redis) = self.readiness.ask().await;
        let mut dependencies = vec![database];
        dependencies.extend(redis);
        let down = dependencies.iter().any(|dependency| dependency.required && dependency.status == State::Down);
        let status = if down { State::Down } else { State::Up };
        let version = all.then(|| env!("CARGO_PKG_VERSION").to_owned());
        let health = Json(Health { status, version, dependencies: all.then_some(dependencies) });
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
        if self.readiness.draining.load(Relaxed) {
            let reason = Some("the server is stopping".to_owned());
            return ReadyAnswer::No(Json(Ready { status: Standing::Draining, reason }));
        }
        let (database, redis) = self.readiness.ask().await;
        let mut reasons = Vec::new();
        let mut required = false;
        if database.status == State::Down {
            reasons.push("the database is away: cached links work on, and clicks wait");
            required |= self.readiness.requires_database;
        }
        if redis.is_some_and(|redis| redis.status == State::Down) {
            reasons.push("redis is away, or takes no clicks: they wait in the journal");
            required |= self.readiness.requires_redis;
        }
        let status = match (reasons.is_empty(), required) {
            (true, _) => Standing::Ready,
            (false, false) => Standing::Degraded,
            (false, true) => Standing::Unready,
        };
        let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
        let answer = Json(Ready { status, reason });
        if required { ReadyAnswer::No(answer) } else { ReadyAnswer::Yes(answer) }
    }

    /// Read the metrics
    ///
    /// In Prometheus' text format. Without a key on the same machine, or on the listener for operators
    /// (`BOLTLINK_ADMIN_LISTEN`).
    #[oai(path = "/metrics", method = "get", operation_id = "metrics")]
    async fn metrics(&self, _operator: Operator) -> Result<MetricsAnswer, Refused<OnMetrics>> {
        let decisions = self.throttle.as_ref().map(|throttle| throttle.decisions());
        Ok(MetricsAnswer::All(PlainText(metrics::render(&self.metrics, &self.shortener, decisions).await)))
    }
}
