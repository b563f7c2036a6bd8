//! What one request is called, in logs and in traces.

use boltlink_core::TraceContext;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use opentelemetry::{
    KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{Status, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::{Goes, TRACED, context_of};
use crate::metrics::known_method;

/// Where whoever traces says in which trace: <https://www.w3.org/TR/trace-context/>.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static(PARENT);
const PARENT: &str = "traceparent";

/// What a request is called in log lines and in its answer (`X-Request-Id`): what whoever sent it, or a proxy, called it, or
/// a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// More bytes than this are nobody's name.
    const MAX_LEN: usize = 128;

    /// The header that it stands in.
    pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

    /// Whether a request may be called this: visible ASCII, as it goes into logs.
    pub(crate) fn is_valid(value: &[u8]) -> bool {
        (1..=Self::MAX_LEN).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
    }

    /// What a request says that it is called.
    fn given(headers: &HeaderMap) -> Option<Self> {
        headers.get(Self::HEADER).filter(|value| Self::is_valid(value.as_bytes())).cloned().map(Self)
    }

    fn generate() -> Self {
        let mut digits = Uuid::encode_buffer();
        let digits = Uuid::now_v7().simple().encode_lower(&mut digits);
        // Digits are visible ASCII.
        Self(HeaderValue::from_str(digits).unwrap_or_else(|_| HeaderValue::from_static("unknown")))
    }

    fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The `traceparent` of a request. Not its `tracestate`: anybody may send kilobytes in it, which each span would keep.
struct Parent<'a>(&'a HeaderMap);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(TRACEPARENT).filter(|_| key == PARENT)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT]
    }
}

/// What is said of a request while it is answered, and where.
#[derive(Debug)]
pub(crate) struct Scope {
    id: Option<RequestId>,
    /// Disabled for what is answered at once, as nobody has anything to say of it.
    span: Span,
    trace: Option<TraceContext>,
}

impl Scope {
    /// Of a request that is answered at once, if it goes well, or that is traced.
    pub(crate) fn begin(headers: &HeaderMap, method: &Method, goes: Option<Goes>) -> Self {
        let scope = Self { id: RequestId::given(headers), span: Span::none(), trace: None };
        match goes {
            Some(goes) => scope.traced(headers, method, goes),
            None => scope,
        }
    }

    fn traced(self, headers: &HeaderMap, method: &Method, goes: Goes) -> Self {
        let id = self.id.unwrap_or_else(RequestId::generate);
        let span = tracing::error_span!(
            target: TRACED,
            "request",
            request_id = id.as_str(),
            method = known_method(method),
            trace_id = Empty,
            "otel.kind" = "server",
        );
        if goes == Goes::On {
            // Not an error: it begins one of its own then, or nobody has set traces up.
            let _ = span.set_parent(TraceContextPropagator::new().extract(&Parent(headers)));
        }
        let trace = context_of(&span);
        if let Some(TraceContext { trace_id, .. }) = trace {
            span.record("trace_id", format!("{:032x}", u128::from_be_bytes(trace_id)));
        }
        Self { id: Some(id), span, trace }
    }

    /// From here on the request has an id, which every log line about it says.
    pub(crate) fn in_full(&mut self, method: &Method) {
        if self.span.is_none() {
            let id = self.id.take().unwrap_or_else(RequestId::generate);
            self.span = tracing::error_span!("request", request_id = id.as_str(), method = known_method(method));
            self.id = Some(id);
        }
    }

    /// Where what is done for it belongs.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Its span, if it is traced.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// Ends it with its answer, which says what it is called.
    pub(crate) fn end(self, route: &str, method: &Method, status: StatusCode, headers: &mut HeaderMap) {
        let Self { id, span, trace } = self;
        if let Some(RequestId(id)) = id {
            headers.insert(RequestId::HEADER, id);
        }
        if !span.is_none() {
            tracing::debug!(parent: &span, route, status = status.as_u16(), "answered");
        }
        let Some(trace) = trace else { return };
        if let Ok(traceparent) = HeaderValue::try_from(trace.to_string()) {
            headers.insert(TRACEPARENT, traceparent);
        }
        let cx = span.context();
        let span = cx.span();
        let method = match known_method(method) {
            "other" => "_OTHER",
            known => known,
        };
        span.update_name(format!("{method} {route}"));
        // As https://opentelemetry.io/docs/specs/semconv/http/http-spans/ calls them. Not the path: it may say who visits.
        span.set_attribute(KeyValue::new("http.request.method", method));
        span.set_attribute(KeyValue::new("http.route", route.to_owned()));
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_stand_in_a_log_is_a_name() {
        let given = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(RequestId::HEADER, HeaderValue::from_bytes(value).unwrap());
            RequestId::given(&headers).is_some()
        };
        assert!(given(b"a") && given(b"7f3c/1:x=~") && given(&[b'x'; 128]));
        assert!(!given(b"") && !given(b"a b") && !given("ä".as_bytes()) && !given(&[b'x'; 129]) && !given(b"a\tb"));
        assert_ne!(RequestId::generate(), RequestId::generate());
        assert_eq!(RequestId::generate().as_str().len(), 32);
    }
}
