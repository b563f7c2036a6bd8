//! Everything but short links: the API, its documentation, the health checks.
//!
//! poem routes, poem-openapi reads and describes. One file per concept: operations in `links`, `bulk`, `stats`,
//! `pictures`, `analytics`, `me`, `sessions`, `accounts`, `keys`, `audit` and `queue` (health in [`crate::health`]), what they show in
//! `model`, `counts`, `export` and `qr`, how bodies become the engine's types in `json`, `body` and `draft`, who may call
//! what in `auth`, `cookie` and `access`, and how they refuse in `problem` and `answer`.

mod access;
mod accounts;
mod analytics;
mod answer;
mod audit;
mod auth;
mod body;
mod bulk;
pub(crate) mod cookie;
mod cors;
mod counts;
mod cursor;
mod docs;
mod document;
mod draft;
mod examples;
mod export;
mod finish;
pub(crate) mod form;
mod insider;
mod json;
mod keys;
mod links;
mod me;
mod methods;
mod model;
mod pictures;
mod precondition;
pub(crate) mod problem;
mod qr;
mod queue;
mod robots;
mod scalar;
mod sessions;
mod stats;
mod tickets;

use std::{collections::HashMap, sync::Arc};

use boltlink_core::Shortener;
use http::Method;
use poem::{EndpointExt, IntoEndpoint, Route, endpoint::BoxEndpoint, middleware::CatchPanic};
use poem_openapi::{
    OpenApi, OpenApiService, Tags,
    registry::{MetaApi, Registry},
};

#[cfg(fuzzing)]
pub(crate) use self::cursor::Cursors;
use self::{
    accounts::Accounts, analytics::Analytics, audit::Audit, body::BodyLimits, bulk::Bulk, cors::Cors, finish::Finished,
    keys::Keys, links::Links, me::Me, methods::Methods, pictures::Pictures, queue::Queue, sessions::Sessions,
    stats::LinkCounts,
};
pub(crate) use self::{
    answer::Refused,
    finish::harden,
    insider::{Insider, MayKnow, OnMetrics, Operator},
    problem::Problem,
};
pub use self::{
    queue::{dead_letter_details, dead_letter_summary},
    tickets::link as password_link,
};
use crate::{health::HealthApi, hosts::Hosts, server::ServerOptions, throttle::Throttle};

/// All operations as one endpoint.
pub(crate) type Api = Arc<BoxEndpoint<'static>>;

#[derive(Debug, Clone, Copy, Tags)]
pub(crate) enum Tag {
    /// Short links.
    Links,
    /// Counts across links.
    Analytics,
    /// The accounts of people, and their sessions.
    Accounts,
    /// Programs that may use the API.
    Keys,
    /// Who did what.
    Audit,
    /// Clicks on their way to be stored.
    Queue,
    /// Whether the server is well.
    Health,
}

type Operations = (Links, Bulk, LinkCounts, Pictures, Analytics, Me, Sessions, Accounts, Keys, Audit, Queue, HealthApi);

/// The endpoint that answers everything but short links.
pub(crate) fn endpoint(
    shortener: Shortener,
    hosts: Arc<Hosts>,
    health: HealthApi,
    throttle: Arc<Throttle>,
    options: &ServerOptions,
) -> Api {
    let https = hosts.is_https();
    let service = service((
        Links::new(shortener.clone(), hosts.clone(), throttle.clone()),
        Bulk::new(shortener.clone(), hosts.clone(), throttle.clone()),
        LinkCounts::new(shortener.clone()),
        Pictures::new(shortener.clone(), hosts.clone()),
        Analytics::new(shortener.clone(), hosts.clone()),
        Me::new(shortener.clone(), throttle.clone(), options.registration),
        Sessions::new(shortener.clone(), hosts.clone(), throttle.clone()),
        Accounts::new(shortener.clone(), hosts.clone(), options.registration),
        Keys::new(shortener.clone(), hosts.clone()),
        Audit::new(shortener.clone()),
        Queue(shortener.clone()),
        health,
    ));
    let methods = Arc::new(Methods::new(&Operations::meta(), &docs::PATHS, &[tickets::PATH]));
    let document = document::complete(&service.spec(), shortener.slug_rules().unicode);
    let route = docs::add(
        Route::new(),
        document,
        service.swagger_ui_html(),
        options.root_urls.clone(),
        shortener.clone(),
        hosts.clone(),
    );
    let limits = BodyLimits { bytes: options.limits.body_bytes, time: options.limits.body_timeout };
    let route = route.at(tickets::PATH, tickets::page(shortener.clone(), throttle.clone(), limits.time));
    // Not nested at "/": that would take the start page's place.
    let operations = Arc::new(service.into_endpoint());
    let endpoint = route
        .nest_no_strip("/api", operations.clone())
        .nest_no_strip("/health", operations.clone())
        .nest_no_strip("/ready", operations.clone())
        .nest_no_strip("/metrics", operations)
        .data(shortener)
        .data(methods.clone())
        .data(throttle)
        .data(limits)
        .data(hosts)
        .with(CatchPanic::new().with_handler(finish::panicked));
    let cors = Cors::new(&options.cors_origins);
    Arc::new(Finished { endpoint, methods, cors, https }.boxed())
}

/// The OpenAPI document, as `/openapi.json` and the file in the repository have it.
#[must_use]
pub fn openapi() -> String {
    document::complete(&service(Described).spec(), false)
}

/// The operations without anything behind them: what describes them needs no engine.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        Operations::meta()
    }

    fn register(registry: &mut Registry) {
        Operations::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

fn service<T: OpenApi>(operations: T) -> OpenApiService<T, ()> {
    OpenApiService::new(operations, "BoltLink", env!("CARGO_PKG_VERSION"))
        .description("Short links: make them, change them, count who follows them.")
}
