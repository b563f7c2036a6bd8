//! The last word on every answer of the API: refusals as problem details, and headers for all.

use std::{
    any::Any,
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use boltlink_core::store::Decision;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    error::{MethodNotAllowedError, NotFoundError},
};
use poem_openapi::error::{ParseParamError, ParsePathError};

use super::{
    cors::Cors,
    docs,
    methods::Methods,
    problem::{self, Code, Problem, rate_limit_headers},
};

/// Around all routes.
pub(super) struct Finished<E> {
    pub(super) endpoint: E,
    pub(super) methods: Arc<Methods>,
    pub(super) cors: Cors,
    pub(super) https: bool,
}

impl<E: Endpoint> Endpoint for Finished<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        // A refusal has to name the path, which the request takes with it.
        let uri = request.original_uri().clone();
        let origin = self.cors.origin(&request);
        let quota = Quota::default();
        request.set_data(quota.clone());
        let mut response = match self.cors.preflight(&request, &self.methods) {
            Some(response) => response,
            None => match self.endpoint.call(request).await {
                Ok(response) => response.into_response(),
                Err(error) => refuse(error, uri.path(), &self.methods),
            },
        };
        response.set_data(self.methods.route(uri.path()));
        finish(&mut response, uri.path(), self.https);
        self.cors.mark(origin, response.headers_mut());
        if let Some(decision) = quota.0.get() {
            // A refusal has told of the quota by which it is one.
            for (name, value) in rate_limit_headers(decision).drain().filter_map(|(name, value)| Some((name?, value))) {
                response.headers_mut().entry(name).or_insert(value);
            }
        }
        Ok(response)
    }
}

/// What is left of the caller's quota, once somebody has looked: every answer says it.
#[derive(Clone, Default)]
pub(super) struct Quota(pub(super) Arc<OnceLock<Decision>>);

/// A bug somewhere: its message has been printed where panics are.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    problem::internal(&"an operation panicked").into_response()
}

/// Turns whatever poem refuses with into problem details.
fn refuse(error: poem::Error, path: &str, methods: &Methods) -> Response {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.clone().into_response();
    }
    let problem = if let Some(error) = error.downcast_ref::<ParseParamError>() {
        Problem::parameter(error.name, in_words(&error.reason))
    } else if error.is::<MethodNotAllowedError>() {
        Problem::method_not_allowed(methods.allowed(path))
    } else if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
        Problem::new(Code::NotFound, "nothing is at this path; /docs says what there is")
    } else if error.status().is_client_error() {
        Problem::new(Code::InvalidParameter, error.to_string())
    } else {
        problem::internal(&error)
    };
    problem.into_response()
}

/// Why poem-openapi could not read a parameter, in words that speak of requests and not of its own types.
fn in_words(reason: &str) -> Cow<'_, str> {
    for (theirs, words) in [
        ("Expect a valid enumeration value", "must be one of the values that /docs names"),
        ("expects an input value", "is required"),
        ("invalid digit", "must be a whole number"),
        ("`true` or `false`", "must be true or false"),
    ] {
        if reason.contains(theirs) {
            return words.into();
        }
    }
    // As in `verification failed. minimum(1, exclusive: false)`.
    for (check, words) in [("minimum(", "must be at least"), ("maximum(", "must be at most")] {
        if let Some((_, bound)) = reason.split_once(check) {
            let bound: String = bound.chars().take_while(char::is_ascii_digit).collect();
            return format!("{words} {bound}").into();
        }
    }
    let reason =
        reason.strip_prefix("failed to parse ").and_then(|rest| rest.split_once(": ")).map_or(reason, |(_, why)| why);
    reason.split(" (occurred while parsing").next().unwrap_or(reason).into()
}

/// What every answer has in common.
fn finish(response: &mut Response, path: &str, https: bool) {
    let html = response.content_type().is_some_and(|kind| kind.starts_with("text/html"));
    let ok = response.status() == StatusCode::OK;
    let fixed = docs::PATHS.contains(&path) && ok;
    let headers = response.headers_mut();
    harden(headers, https);
    if html {
        headers.insert(header::CONTENT_SECURITY_POLICY, docs::content_security_policy(path));
    }
    // Counts and links change at any time, and are the key holder's own.
    let control = if fixed { "public, max-age=300" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(control));
}

/// What HTML may do: nothing but show itself.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                                 frame-ancestors 'none'";

/// Headers that take away from browsers what nobody here needs.
pub(crate) fn harden(headers: &mut HeaderMap, https: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
