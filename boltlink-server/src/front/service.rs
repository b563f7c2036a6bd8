//! One request: a short link, answered on the spot where the engine can, or something for poem.

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink_core::{Begun, Domain, Error, Outcome, Purpose, Shortener, TraceContext, Visit, Visitor, slug};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header, uri};
use hyper::body::Incoming;
use poem::{
    Addr, Endpoint,
    web::{LocalAddr, RemoteAddr},
};
use tokio::runtime::Handle;
use tracing::Instrument;

use super::{
    answer::{Answer, without_body, without_successor},
    aside,
    body::Body,
    connections::Connection,
    plain::Plain,
};
use crate::{
    api::{Api, Insider, cookie, problem},
    forwarded::Proxies,
    health,
    hosts::Hosts,
    metrics::{Metrics, Route},
    pages::Pages,
    throttle::{Taken, Throttle},
    traces::{Goes, Scope, TRACEPARENT, Traces},
};

/// A link has one pass; another site may have planted others, of which not many are looked at.
const MOST_PASSES: usize = 4;

/// What all connections share.
pub(crate) struct Router {
    pub(super) shortener: Shortener,
    pub(super) hosts: Arc<Hosts>,
    api: Api,
    pub(super) pages: Pages,
    proxies: Proxies,
    pub(super) throttle: Arc<Throttle>,
    pub(super) metrics: Metrics,
    traces: Option<Traces>,
    /// Whether who asks from this machine asks for themselves: not if something here stands in front of the server.
    trusts_machine: bool,
    /// How long a form may take to be here.
    pub(super) body_timeout: Duration,
    /// Of which the connections to stores are, as they live longer than those of clients.
    runtime: Handle,
}

impl Router {
    #[allow(clippy::too_many_arguments)] // One caller, which has just made all of them.
    pub(crate) const fn new(
        shortener: Shortener,
        hosts: Arc<Hosts>,
        api: Api,
        pages: Pages,
        proxies: Proxies,
        throttle: Arc<Throttle>,
        metrics: Metrics,
        traces: Option<Traces>,
        trusts_machine: bool,
        body_timeout: Duration,
        runtime: Handle,
    ) -> Self {
        Self { shortener, hosts, api, pages, proxies, throttle, metrics, traces, trusts_machine, body_timeout, runtime }
    }
}

impl Router {
    /// The passes for links with a password that a browser has kept.
    fn passes<'a>(&self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        cookie::passes(headers, self.hosts.is_https()).take(MOST_PASSES)
    }

    /// The visit; of a link with a password by a pass that the visitor's browser has kept.
    async fn follow(&self, visit: Visit<'_>, headers: &HeaderMap) -> Result<Outcome, Error> {
        let mut outcome = self.shortener.visit(&visit).await?;
        for pass in self.passes(headers) {
            if outcome == Outcome::PasswordRequired {
                outcome = self.shortener.visit(&Visit { pass: Some(pass), ..visit }).await?;
            }
        }
        Ok(outcome)
    }
}

/// Answers the requests of one connection.
pub(super) struct Service {
    router: Arc<Router>,
    connection: Arc<Connection>,
    local: SocketAddr,
    remote: SocketAddr,
    scheme: uri::Scheme,
}

impl Service {
    pub(super) const fn new(
        router: Arc<Router>,
        connection: Arc<Connection>,
        local: SocketAddr,
        remote: SocketAddr,
        scheme: uri::Scheme,
    ) -> Self {
        Self { router, connection, local, remote, scheme }
    }

    /// From whom a request came, if that is known.
    fn client<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        self.router.proxies.client(self.remote.ip(), request.headers())
    }

    /// Begins a visit, if that can be done at once; see [`Shortener::begin_visit`].
    pub(super) fn begin_visit(&self, plain: &Plain<'_, '_>) -> Option<Begun> {
        let Router { shortener, hosts, proxies, throttle, .. } = &*self.router;
        if throttle.limit_visits() {
            return None;
        }
        let client = proxies.client_by(self.remote.ip(), plain.lines(proxies.header.as_str()));
        shortener.begin_visit(&plain.visit(hosts.of_host(plain.host)?, client))
    }

    /// Whether a request is traced, and how; see [`Traces::takes`].
    pub(super) fn traces(&self, traceparent: Option<&[u8]>) -> Option<Goes> {
        self.router.traces.as_ref()?.takes(traceparent)
    }

    /// Answers a visit that was begun, and whose click could not be made durable.
    pub(super) fn failed(&self, error: Error, headers: &HeaderMap, begin: Instant) -> Response<Body> {
        let (method, metrics) = (Method::GET, &self.router.metrics);
        let mut scope = Scope::begin(headers, &method, None);
        scope.in_full(&method);
        let response = scope.span().in_scope(|| self.router.pages.failed(error, headers));
        told(response, (begin, method, Route::link()), metrics, scope)
    }

    /// The same as [`visit`](Self::visit), and says what came of it.
    pub(super) fn visit_told(&self, request: Request<()>, goes: Option<Goes>) -> Answer {
        let (begin, method) = (Instant::now(), request.method().clone());
        let mut scope = Scope::begin(request.headers(), &method, goes);
        let answer = self.visit(request, &mut scope);
        self.told((begin, method, Route::link()), scope, answer)
    }

    /// Says what came of a request, of this route unless the answer knows better.
    fn told(&self, asked: (Instant, Method, Route), scope: Scope, answer: Answer) -> Answer {
        let metrics = self.router.metrics.clone();
        answer.map(move |response| told(response, asked, &metrics, scope))
    }

    /// Answers what asks for a short link.
    fn visit(&self, request: Request<()>, scope: &mut Scope) -> Answer {
        let router = &self.router;
        let Some(domain) = router.hosts.of(&request) else {
            return Answer::now(router.pages.unknown_host(request.headers()));
        };
        let purpose = match *request.method() {
            Method::GET => Purpose::Follow,
            Method::HEAD => Purpose::Peek,
            _ => return Answer::now(router.pages.method_not_allowed(request.headers())),
        };
        let client = self.client(&request);
        if router.throttle.limit_visits() {
            let slug = asked(request.uri().path()).unwrap_or_default().0;
            let slug = router.shortener.slug_rules().parse_segment(slug).ok();
            let taken = router.throttle.of_visit(client, domain, slug.as_ref());
            match router.throttle.try_visit(&taken) {
                Err(refusal) => return Answer::now(router.pages.too_often(&refusal, request.headers())),
                Ok([]) => {}
                Ok(rest) => return self.visit_later(request, (purpose, client), rest.to_vec(), scope),
            }
        }
        match router.shortener.try_visit(&visit(&request, domain, (purpose, client), scope.trace())) {
            Some(Outcome::PasswordRequired) if router.passes(request.headers()).next().is_some() => {
                self.visit_later(request, (purpose, client), Vec::new(), scope)
            }
            Some(outcome) => {
                router.metrics.came_to(&outcome);
                Answer::now(router.pages.answer(&outcome, domain, request.headers()))
            }
            None => self.visit_later(request, (purpose, client), Vec::new(), scope),
        }
    }

    /// The link is not cached, or takes more than a look: see [`Shortener::visit`]. Or somebody far away has to say
    /// whether it may be followed once more.
    fn visit_later(&self, request: Request<()>, how: How, taken: Vec<Taken>, scope: &mut Scope) -> Answer {
        scope.in_full(request.method());
        let (router, trace) = (self.router.clone(), scope.trace());
        let answering = self.connection.answer();
        let runtime = router.runtime.clone();
        let response = async move {
            let _answering = answering;
            let Some(domain) = router.hosts.of(&request) else {
                return router.pages.unknown_host(request.headers());
            };
            match router.throttle.visit(&taken).await {
                Ok(None) => {}
                Ok(Some(refusal)) => return router.pages.too_often(&refusal, request.headers()),
                Err(error) => return router.pages.failed(error, request.headers()),
            }
            match router.follow(visit(&request, domain, how, trace), request.headers()).await {
                Ok(outcome) => {
                    router.metrics.came_to(&outcome);
                    router.pages.answer(&outcome, domain, request.headers())
                }
                Err(error) => router.pages.failed(error, request.headers()),
            }
        };
        let response = response.instrument(scope.span().clone());
        self.away(async move { aside::run_on(&runtime, response).await })
    }

    /// A form is sent to a link.
    fn unlock(&self, request: Request<Incoming>, scope: &mut Scope) -> Answer {
        scope.in_full(request.method());
        if self.router.hosts.of(&request).is_none() {
            return Answer::now(self.router.pages.unknown_host(request.headers()));
        }
        let (router, client, trace) = (self.router.clone(), self.client(&request), scope.trace());
        let answering = self.connection.answer();
        let response = async move {
            let _answering = answering;
            router.unlock(request, client, trace).await
        };
        self.aside(response.instrument(scope.span().clone()))
    }

    /// An answer that visits must not wait for.
    fn aside(&self, response: impl Future<Output = Response<Body>> + Send + 'static) -> Answer {
        self.away(aside::run(response))
    }

    /// An answer that is made on another thread; `None` if that panicked.
    fn away(&self, response: impl Future<Output = Option<Response<Body>>> + Send + 'static) -> Answer {
        let router = self.router.clone();
        Answer::later(async move {
            let panicked = || router.pages.refused(&problem::internal(&"what answers it panicked"), &HeaderMap::new());
            response.await.unwrap_or_else(panicked)
        })
    }

    fn hand_over(&self, request: Request<Incoming>, scope: &mut Scope) -> Answer {
        scope.in_full(request.method());
        // A probe asks a pod by its address: health is told on any host, everything else on ours.
        if self.router.hosts.of(&request).is_none() && !health::PATHS.contains(&request.uri().path()) {
            return Answer::now(self.router.pages.unknown_host(request.headers()));
        }
        let api = self.router.api.clone();
        let inside = self.router.trusts_machine && Insider::is(self.remote.ip(), &request);
        // Behind a proxy the port is not the client's, and nobody asks for it.
        let client = self.client(&request).map(|client| SocketAddr::new(client, self.remote.port()));
        let answering = self.connection.answer();
        let mut request: poem::Request = (
            request,
            LocalAddr(Addr::SocketAddr(self.local)),
            RemoteAddr(client.map_or(Addr::custom("client", "unknown"), Addr::SocketAddr)),
            self.scheme.clone(),
        )
            .into();
        if inside {
            request.set_data(Insider);
        }
        let response = async move {
            let response: Response<_> = api.get_response(request).await.into();
            response.map(|body| Body::of_api(body, answering))
        };
        self.aside(response.instrument(scope.span().clone()))
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        self.connection.note_request(request.version());
        let head = request.method() == Method::HEAD;
        let last = request.version() < Version::HTTP_2 && self.connection.retires();
        let (begin, method) = (Instant::now(), request.method().clone());
        let goes = self.traces(request.headers().get(TRACEPARENT).map(HeaderValue::as_bytes));
        let mut scope = Scope::begin(request.headers(), &method, goes);
        let (route, answer) = match (asked(request.uri().path()), request.method()) {
            (None, _) => (Route::other(), self.hand_over(request, &mut scope)),
            (Some(_), &Method::POST) => (Route::link(), self.unlock(request, &mut scope)),
            (Some(_), _) => (Route::link(), self.visit(request.map(drop), &mut scope)),
        };
        let answer = self.told((begin, method, route), scope, answer);
        let answer = if head { answer.map(without_body) } else { answer };
        if last { answer.map(without_successor) } else { answer }
    }
}

/// The slug that a path asks for, and what follows it: its first segment, unless that is the service's own.
pub(super) fn asked(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    // Slugs are short: setting a search up would cost more than it finds.
    let (segment, rest) = path.split_at(path.bytes().position(|byte| byte == b'/').unwrap_or(path.len()));
    (!segment.is_empty() && !slug::is_reserved(segment)).then_some((segment, rest))
}

/// What a request came to, as metrics, logs and traces say it. Its route is this one unless the answer knows better.
fn told(
    mut response: Response<Body>,
    (begin, method, route): (Instant, Method, Route),
    metrics: &Metrics,
    scope: Scope,
) -> Response<Body> {
    let route = response.extensions().get::<Route>().cloned().unwrap_or(route);
    let status = response.status();
    scope.end(route.as_str(), &method, status, response.headers_mut());
    metrics.answered(&method, route, status, begin.elapsed());
    response
}

/// What a visit is for, and from where it comes, if that is known.
pub(super) type How = (Purpose, Option<IpAddr>);

pub(super) fn visit<'a, B>(
    request: &'a Request<B>,
    domain: &'a Domain,
    (purpose, client): How,
    trace: Option<TraceContext>,
) -> Visit<'a> {
    let headers = request.headers();
    let (slug, rest) = asked(request.uri().path()).unwrap_or_default();
    Visit {
        domain,
        slug,
        rest,
        query: request.uri().query().unwrap_or_default(),
        pass: None,
        purpose,
        visitor: Visitor {
            address: client,
            referrer: headers.get(header::REFERER).map(HeaderValue::as_bytes),
            user_agent: headers.get(header::USER_AGENT).map(HeaderValue::as_bytes),
            language: headers.get(header::ACCEPT_LANGUAGE).map(HeaderValue::as_bytes),
        },
        trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_slug_and_what_follows() {
        for (path, found) in [
            ("/abc", Some(("abc", ""))),
            ("/no.slug", Some(("no.slug", ""))),
            ("/%20", Some(("%20", ""))),
            ("/abc/", Some(("abc", "/"))),
            ("/a/b/c", Some(("a", "/b/c"))),
            ("/", None),
            ("", None),
            ("*", None),
            ("//a", None),
            ("/api", None),
            ("/API", None),
            ("/api/v1/links", None),
            ("/openapi.json", None),
            ("/robots.txt", None),
            ("/.well-known/x", None),
        ] {
            assert_eq!(asked(path), found, "{path}");
        }
    }
}
