//! The server as one function: [`run`].

use std::{collections::BTreeMap, future::Future, io, pin::Pin, str::FromStr, sync::Arc, time::Duration};

use boltlink_core::{Domain, Shortener, TargetUrl};
use tokio::{net::TcpListener, runtime::Handle};

use crate::{
    api,
    forwarded::Proxies,
    front::{Front, Router},
    health::{HealthApi, Readiness},
    hosts::{BaseUrl, Hosts},
    inside,
    metrics::Metrics,
    pages::Pages,
    rates::Rates,
    throttle::Throttle,
    tls::Tls,
    traces::Traces,
};

/// What a server is told about the world outside.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Scheme and host of the default domain; `http` (with [`tls`](Self::tls) `https`) and the listen address if not
    /// said.
    pub base_url: Option<BaseUrl>,
    /// Other hosts that have links of their own.
    pub domains: Vec<Domain>,
    /// Where the bare domain (`/`) leads, by domain; a page about the service where nothing is said.
    pub root_urls: BTreeMap<Domain, TargetUrl>,
    /// Where visitors of unknown links are sent, by domain; an error where nothing is said.
    pub not_found_urls: BTreeMap<Domain, TargetUrl>,
    /// Whether `/ready` says no while the database is away. By default it does not: redirects that
    /// are cached go on, and taking every node out of the balancer would help nobody.
    pub ready_requires_database: bool,
    /// Whether `/ready` says no while the click log that nodes share is away. By default it does not: clicks wait in
    /// the journal.
    pub ready_requires_redis: bool,
    /// The proxies in front of it; none by default, so that nobody can pretend to come from elsewhere.
    pub proxies: Proxies,
    /// Other sites whose pages may use the API from within a browser (CORS); none by default.
    pub cors_origins: Vec<BaseUrl>,
    /// Who may have an account.
    pub registration: Registration,
    /// How often somebody may come.
    pub rates: Rates,
    /// How much a client may take.
    pub limits: Limits,
    /// What is counted and measured. Give the same to the stores' configurations, so that it hears of their calls, too.
    pub metrics: Metrics,
    /// The traces of requests that are traced; without them, none is.
    pub traces: Option<Traces>,
    /// What TLS is spoken with; without it the server speaks plain HTTP, as behind a proxy that ends TLS.
    pub tls: Option<Tls>,
}

/// Who may have an account by way of the API. By the command line an operator makes accounts in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Registration {
    /// Nobody.
    #[default]
    Closed,
    /// Whom an admin invites.
    Invitation,
    /// Whoever comes, as an editor; and whom an admin invites.
    Open,
}

/// The text names no way to register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be closed, invitation or open")]
pub struct InvalidRegistration;

impl Registration {
    /// Its name, such as `closed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invitation => "invitation",
            Self::Open => "open",
        }
    }
}

impl FromStr for Registration {
    type Err = InvalidRegistration;

    fn from_str(text: &str) -> Result<Self, InvalidRegistration> {
        let all = [Self::Closed, Self::Invitation, Self::Open];
        all.into_iter().find(|known| known.as_str() == text).ok_or(InvalidRegistration)
    }
}

/// Bounds on what one client, and all together, may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at a time; further ones wait in the kernel's queue.
    pub connections: usize,
    /// From a connection's first moment, or a request's first byte, to the end of its headers. A TLS handshake is
    /// within it.
    pub header_timeout: Duration,
    /// How long a connection may rest between two requests, or stand still within an answer.
    pub idle_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How many bytes the body of a request may have.
    pub body_bytes: usize,
    /// How many bytes the request line and the headers may have together; at least 8 KiB.
    pub header_bytes: u32,
    /// How long a stopping server waits for requests that are being answered.
    pub drain_timeout: Duration,
    /// How long a server that has handed over waits for its clients to come once more; see [`Stop::Handover`].
    pub handover_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            body_bytes: 1 << 20,
            header_bytes: 32 << 10,
            drain_timeout: Duration::from_secs(5),
            handover_timeout: Duration::from_secs(30),
        }
    }
}

/// How a server stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stop {
    /// Nobody goes on here: `/ready` says so, and connections that rest are closed.
    #[default]
    Drain,
    /// Another process accepts from the same listening socket by now. Connections stay open until their client has asked
    /// once more, and the answer says that it is the last one (`Connection: close`): closed earlier, they could cross a
    /// request that is on its way. Those that are silent for [`Limits::handover_timeout`] are then drained.
    Handover,
}

/// Says when a server is to stop, and how.
pub trait Stops: Send {
    /// Comes back when it is to. Asked as soon as connections can be served; and once more after [`Stop::Handover`], as
    /// whoever is about to end may be told to hurry.
    fn next(&mut self) -> impl Future<Output = Stop> + Send;
}

impl<S: Stops> Stops for &mut S {
    fn next(&mut self) -> impl Future<Output = Stop> + Send {
        (**self).next()
    }
}

/// Drains when this is done.
struct Once<F>(Pin<Box<F>>);

impl<F: Future<Output = ()> + Send> Stops for Once<F> {
    async fn next(&mut self) -> Stop {
        self.0.as_mut().await;
        Stop::Drain
    }
}

/// What the rest of a server does when it stops.
struct Stopping<S> {
    stops: S,
    readiness: Arc<Readiness>,
    inside: Option<inside::Serving>,
}

impl<S: Stops> Stops for Stopping<S> {
    async fn next(&mut self) -> Stop {
        let stop = self.stops.next().await;
        match stop {
            Stop::Drain => self.readiness.drain(),
            // The other process answers there by now.
            Stop::Handover => self.inside = None,
        }
        stop
    }
}

/// The same as [`run_until`], with [`Stop::Drain`].
///
/// # Errors
/// As that.
pub async fn run(
    listener: TcpListener,
    shortener: Shortener,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    run_until(listener, shortener, options, Once(Box::pin(shutdown))).await
}

/// Where a server listens.
#[derive(Debug)]
pub struct Listeners {
    /// For visitors, and for who uses the API.
    pub public: TcpListener,
    /// For operators, in plain HTTP: `/metrics`, and the health checks with all details, to whoever reaches it.
    pub admin: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(public: TcpListener) -> Self {
        Self { public, admin: None }
    }
}

/// Serves `shortener` over HTTP/1.1 and HTTP/2 on `listeners`, with TLS if [`ServerOptions::tls`] says so, until `stops`
/// says so, then drains: no new connections, and [`Limits::drain_timeout`] for requests that are being answered. To flush what
/// was recorded is left to whoever built the shortener: [`Shortener::shutdown`].
///
/// Connections are on threads of the server's own, as many as there are cores, so that nothing else of the process holds up
/// a visit; they are closed when this returns, or is dropped. The runtime that calls this accepts them, and looks up the
/// links that are not cached. Everything but visits is answered on threads apart, as many again, which all servers of a
/// process share and which live as long as it does.
///
/// # Errors
/// If the listener has no address, or the operating system gives no threads. A connection's failure is its own.
pub async fn run_until(
    listeners: impl Into<Listeners>,
    shortener: Shortener,
    options: ServerOptions,
    stops: impl Stops,
) -> io::Result<()> {
    let Listeners { public: listener, admin } = listeners.into();
    let hosts = Arc::new(Hosts::new(
        options.base_url.as_ref(),
        &options.domains,
        listener.local_addr()?,
        options.tls.is_some(),
    ));
    options.metrics.watch_runtime(Handle::current());
    let readiness = Arc::new(Readiness::new(shortener.clone(), &options));
    let pages = Pages::new(hosts.is_https(), &options.not_found_urls);
    let throttle = Arc::new(Throttle::new(options.rates.clone(), &shortener));
    let health = HealthApi::new(readiness.clone(), shortener.clone(), options.metrics.clone(), Some(throttle.clone()));
    let api = api::endpoint(shortener.clone(), hosts.clone(), health.clone(), throttle.clone(), &options);
    let (body_timeout, metrics) = (options.limits.body_timeout, options.metrics.clone());
    let trusts_machine = options.base_url.is_none() && options.proxies.trusted.is_empty();
    let router = Router::new(
        shortener,
        hosts,
        api,
        pages,
        options.proxies,
        throttle,
        metrics,
        options.traces,
        trusts_machine,
        body_timeout,
        Handle::current(),
    );
    let inside = admin.map(|listener| inside::serve(listener, health));
    let mut stopping = Stopping { stops, readiness, inside };
    Front::new(router, options.limits, options.tls).serve(listener, &mut stopping).await
}

/// Serves what [`Listeners::admin`] does for a process that serves nothing else, such as one that stores clicks, for as long
/// as this is not dropped.
///
/// # Errors
/// If the listener cannot be used.
pub async fn run_admin(listener: TcpListener, shortener: Shortener, options: ServerOptions) -> io::Result<()> {
    options.metrics.watch_runtime(Handle::current());
    let readiness = Arc::new(Readiness::new(shortener.clone(), &options));
    let serving = inside::serve(listener, HealthApi::new(readiness, shortener, options.metrics, None));
    serving.ended().await
}
