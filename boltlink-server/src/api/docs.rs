//! What stands at the root beside short links: the start page, the documentation, and what browsers
//! and robots ask every host for.

use bytes::Bytes;
use http::header;
use poem::{Endpoint, IntoResponse, Response, Route, endpoint::make_sync, get};

use crate::pages::html;

/// The paths below, with what they allow: [`super::methods`] wants to know.
pub(super) const PATHS: [&str; 5] = ["/", "/docs", "/openapi.json", "/robots.txt", "/favicon.ico"];

/// Adds them to `route`. `swagger_ui` is the documentation's page, with all it needs inside.
pub(super) fn add(route: Route, document: String, swagger_ui: String) -> Route {
    route
        .at("/", get(fixed(html::CONTENT_TYPE, start_page())))
        .at("/docs", get(fixed(html::CONTENT_TYPE, swagger_ui)))
        .at("/openapi.json", get(fixed("application/json", document)))
        .at("/robots.txt", get(fixed("text/plain; charset=utf-8", "User-agent: *\nDisallow: /\n".to_owned())))
        .at("/favicon.ico", get(make_sync(|_| http::StatusCode::NO_CONTENT)))
}

fn fixed(kind: &'static str, body: String) -> impl Endpoint<Output = Response> {
    let body = Bytes::from(body);
    make_sync(move |_| body.clone().with_content_type(kind).into_response())
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
    header::HeaderValue::from_static(if path == "/docs" {
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; \
         font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    } else {
        super::finish::POLICY
    })
}
