//! What the server tells Prometheus: counted where it happens, put into words when it is asked for.

mod durations;
mod process;
mod text;

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use boltlink_core::{
    Outcome, RedirectKind,
    store::{Call, Observer},
};
use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use tokio::runtime::Handle;

use self::durations::{Durations, Histogram};
pub(crate) use self::text::render;

/// What is counted. Cloning shares it.
///
/// As an [`Observer`] it is told how long the calls of stores take: give it to their configurations, and to
/// [`ServerOptions::metrics`](crate::ServerOptions::metrics).
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requests: Durations<Request>,
    queries: Durations<Query>,
    commands: Durations<Command>,
    /// By [`OUTCOMES`]; but for the redirects of `lanes`.
    outcomes: [AtomicU64; OUTCOMES.len()],
    lanes: Mutex<Vec<Arc<Visits>>>,
    pools: Mutex<Vec<Pool>>,
    /// Those whose tasks are counted.
    runtimes: Mutex<Vec<Handle>>,
}

/// What becomes of visits.
const OUTCOMES: [&str; 7] =
    ["redirect", "not_found", "not_yet_active", "expired", "exhausted", "disabled", "password_required"];

/// A kind of requests. Few different ones: none of its labels is a visitor's to choose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: Route,
    status_code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Query {
    operation: &'static str,
    table: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Command {
    operation: &'static str,
}

/// Connections to a database.
struct Pool {
    name: &'static str,
    most: u32,
    /// How many are open, and how many of these have nothing to do.
    connections: Box<dyn Fn() -> (u32, u32) + Send + Sync>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The redirects that are answered at once on one thread, which alone writes here: shared numbers would cost each redirect
/// more than all else that is measured.
#[derive(Debug, Default)]
pub(crate) struct Visits([Histogram; RedirectKind::ALL.len()]);

impl Visits {
    /// So many of each kind took so long each.
    pub(crate) fn observe(&self, given: &Given, took: Duration) {
        for (histogram, count) in self.0.iter().zip(given.0) {
            if count > 0 {
                histogram.observe_alone(count, took);
            }
        }
    }
}

/// How many redirects of each kind were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Given([u64; RedirectKind::ALL.len()]);

impl Given {
    pub(crate) const fn one(&mut self, kind: RedirectKind) {
        self.0[kind as usize] += 1;
    }
}

/// What was asked for, without what is a client's to choose: an extension of an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Route(Cow<'static, str>);

impl Route {
    /// A short link.
    pub(crate) const fn link() -> Self {
        Self(Cow::Borrowed("/{slug}"))
    }

    /// Nothing that there is.
    pub(crate) const fn other() -> Self {
        Self(Cow::Borrowed("other"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of an operation or a page, with names for what varies.
    pub(crate) fn of_path(path: &str) -> Self {
        Self(Cow::Owned(path.to_owned()))
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&&*self.0, encoder)
    }
}

impl Metrics {
    /// Also tells of the connections to a database, of which there are `most` at most: how many are open, and how many of
    /// these have nothing to do.
    pub fn watch_pool(
        &self,
        name: &'static str,
        most: u32,
        connections: impl Fn() -> (u32, u32) + Send + Sync + 'static,
    ) {
        self.0.pools.lock().push(Pool { name, most, connections: Box::new(connections) });
    }

    /// Counts the tasks of a runtime, too.
    pub(crate) fn watch_runtime(&self, runtime: Handle) {
        let mut runtimes = self.0.runtimes.lock();
        if runtimes.iter().all(|known| known.id() != runtime.id()) {
            runtimes.push(runtime);
        }
    }

    /// For the redirects of one more thread.
    pub(crate) fn lane(&self) -> Arc<Visits> {
        let lane = Arc::<Visits>::default();
        self.0.lanes.lock().push(lane.clone());
        lane
    }

    /// A request was answered.
    pub(crate) fn answered(&self, method: &http::Method, route: Route, status: http::StatusCode, took: Duration) {
        let method = known_method(method);
        self.0.requests.observe(&Request { method, route, status_code: status.as_u16() }, took);
    }

    /// A visit came to this, elsewhere than on a [lane](Self::lane).
    pub(crate) fn came_to(&self, outcome: &Outcome) {
        let place = match outcome {
            Outcome::Redirect(_) => 0,
            Outcome::NotFound => 1,
            Outcome::NotYetActive => 2,
            Outcome::Expired => 3,
            Outcome::Exhausted => 4,
            Outcome::Disabled => 5,
            Outcome::PasswordRequired => 6,
        };
        self.0.outcomes[place].fetch_add(1, Relaxed);
    }
}

/// The method, of which a client may make up any: there are few in metrics, logs and traces.
pub(crate) fn known_method(method: &http::Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| method == *known).unwrap_or("other")
}

impl Observer for Metrics {
    fn observe(&self, call: Call, took: Duration) {
        match call {
            Call::Query { operation, table } => self.0.queries.observe(&Query { operation, table }, took),
            Call::Command { operation } => self.0.commands.observe(&Command { operation }, took),
            _ => {}
        }
    }
}
