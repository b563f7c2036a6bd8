//! What stands at the root beside short links: the start page, the documentation, and what browsers
//! and robots ask every host for.

use std::{collections::BTreeMap, sync::Arc};

use boltlink_core::{Domain, Shortener, TargetUrl};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result, Route, endpoint::make_sync, get};

use super::robots::Robots;
use crate::{hosts::Hosts, pages::html};

/// The paths below, with what they allow: [`super::methods`] wants to know.
pub(super) const PATHS: [&str; 5] = ["/", "/docs", "/openapi.json", "/robots.txt", "/favicon.ico"];

/// Adds them to `route`. `swagger_ui` is the documentation's page, with all it needs inside.
pub(super) fn add(
    route: Route,
    document: String,
    swagger_ui: String,
    root_urls: BTreeMap<Domain, TargetUrl>,
    shortener: Shortener,
    hosts: Arc<Hosts>,
) -> Route {
    let root_urls = root_urls.iter().map(|(domain, url)| (domain.clone(), url.location())).collect();
    route
        .at("/", get(Root { hosts: hosts.clone(), root_urls, page: start_page().into() }))
        .at("/docs", get(fixed(html::CONTENT_TYPE, swagger_ui)))
        .at("/openapi.json", get(fixed("application/json", document)))
        .at("/robots.txt", get(Robots::new(shortener, hosts)))
        .at("/favicon.ico", get(make_sync(|_| StatusCode::NO_CONTENT)))
}

fn fixed(kind: &'static str, body: String) -> impl Endpoint<Output = Response> {
    let body = Bytes::from(body);
    make_sync(move |_| body.clone().with_content_type(kind).into_response())
}

/// The bare domain: leads to where the operator wants, or says what this is.
struct Root {
    hosts: Arc<Hosts>,
    root_urls: BTreeMap<Domain, HeaderValue>,
    page: Bytes,
}

impl Endpoint for Root {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let domain = self.hosts.of_parts(request.original_uri(), request.headers());
        Ok(match domain.and_then(|domain| self.root_urls.get(domain)) {
            Some(location) => Response::builder().status(StatusCode::FOUND).header(header::LOCATION, location).finish(),
            None => self.page.clone().with_content_type(html::CONTENT_TYPE).into_response(),
        })
    }
}

fn start_page() -> String {
    html::document(
        "BoltLink",
        "<p>This host shortens links.</p>\n\
         <p><a href=\"/docs\">How to use its API</a> · <a href=\"/openapi.json\">the same for programs</a></p>",
    )
}

/// Which policy fits a page: everything of ours is self-contained, and the documentation's page brings its
/// scripts within itself and may only talk to this server.
pub(super) fn content_security_policy(path: &str) -> header::HeaderValue {
    if path == super::tickets::PATH {
        return header::HeaderValue::from_static(html::FORM_POLICY);
    }
    header::HeaderValue::from_static(if path == "/docs" {
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; \
         font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    } else {
        super::finish::POLICY
    })
}
