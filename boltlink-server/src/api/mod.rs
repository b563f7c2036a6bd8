//! Everything but short links: the API, its documentation, the health checks.
//!
//! poem routes, poem-openapi reads and describes. One file per concept: operations in `links` and
//! `analytics` (health in [`crate::health`]), what they show in `model`, how bodies become the engine's
//! types in `body` and `draft`, and how they refuse in `problem` and `answer`.

mod analytics;
mod answer;
mod auth;
mod body;
mod docs;
mod draft;
mod finish;
mod links;
mod methods;
mod model;
mod precondition;
pub(crate) mod problem;
mod scalar;

use std::{collections::HashMap, sync::Arc};

use boltlink_core::Shortener;
use http::Method;
use poem::{EndpointExt, IntoEndpoint, Route, endpoint::BoxEndpoint, middleware::CatchPanic};
use poem_openapi::{
    OpenApi, OpenApiService, Tags,
    registry::{MetaApi, Registry},
};

use self::{analytics::Analytics, body::BodyLimits, finish::Finished, links::Links, methods::Methods};
pub(crate) use self::{finish::harden, problem::Problem};
use crate::{
    health::{HealthApi, Readiness},
    hosts::Hosts,
    server::Limits,
};

/// All operations as one endpoint.
pub(crate) type Api = Arc<BoxEndpoint<'static>>;

#[derive(Debug, Clone, Copy, Tags)]
pub(crate) enum Tag {
    /// Short links.
    Links,
    /// Counts across links.
    Analytics,
    /// Whether the server is well.
    Health,
}

type Operations = (Links, Analytics, HealthApi);

/// The endpoint that answers everything but short links.
pub(crate) fn endpoint(shortener: Shortener, hosts: Arc<Hosts>, readiness: Arc<Readiness>, limits: &Limits) -> Api {
    let https = hosts.is_https();
    let service =
        service((Links::new(shortener.clone(), hosts), Analytics::new(shortener.clone()), HealthApi(readiness)));
    let methods = Methods::new(&Operations::meta(), &docs::PATHS);
    let route = docs::add(Route::new(), service.spec(), service.swagger_ui_html());
    // Not nested at "/": that would take the start page's place.
    let operations = Arc::new(service.into_endpoint());
    let endpoint = route
        .nest_no_strip("/api", operations.clone())
        .nest_no_strip("/health", operations.clone())
        .nest_no_strip("/ready", operations)
        .data(shortener)
        .data(BodyLimits { bytes: limits.body_bytes, time: limits.body_timeout })
        .with(CatchPanic::new().with_handler(finish::panicked));
    Arc::new(Finished { endpoint, methods, https }.boxed())
}

/// The OpenAPI document, as `/openapi.json` and the file in the repository have it.
#[must_use]
pub fn openapi() -> String {
    service(Described).spec()
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
