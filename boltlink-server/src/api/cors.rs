//! Which pages of other sites may use the API: the CORS protocol of <https://fetch.spec.whatwg.org/#http-cors-protocol>,
//! for those that are named and without credentials: a key is sent by whoever has it, and no browser adds one by itself.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use super::methods::Methods;
use crate::hosts::BaseUrl;

/// Request headers that operations read, and `tracestate`, which pages send beside `traceparent`: without it a browser would
/// not let the request go.
const ASKED: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, traceparent, tracestate, x-api-key, x-request-id",
);
/// Response headers that clients need.
const TOLD: HeaderValue = HeaderValue::from_static(
    "etag, location, retry-after, traceparent, www-authenticate, x-request-id, ratelimit-limit, ratelimit-remaining, \
     ratelimit-reset",
);
/// For how many seconds a browser need not ask again.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may use the API.
pub(super) struct Cors(Vec<HeaderValue>);

impl Cors {
    pub(super) fn new(origins: &[BaseUrl]) -> Self {
        // Visible ASCII, all of it.
        Self(origins.iter().filter_map(|origin| HeaderValue::from_str(&origin.to_string()).ok()).collect())
    }

    /// The origin that the request names, if it is one of ours.
    pub(super) fn origin(&self, request: &Request) -> Option<HeaderValue> {
        let origin = request.headers().get(header::ORIGIN)?;
        self.0.iter().find(|known| *known == origin).cloned()
    }

    /// The answer to a browser that asks whether it may send a request of this origin.
    pub(super) fn preflight(&self, request: &Request, methods: &Methods) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && self.origin(request).is_some();
        let allowed = methods.allowed(request.original_uri().path());
        if !asks || allowed.is_empty() {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ASKED);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
        Some(response)
    }

    /// What every answer says to a request of `origin`, and to caches.
    pub(super) fn mark(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, TOLD);
        }
    }
}
