//! Traces for OpenTelemetry: what a request took its time with, up to the click that is stored.
//!
//! Whether a request is traced is decided before anything else is done for it, so that others cost a look at a number. Spans
//! are made by [`tracing`], in the engine too; those of calls to stores by the [`Observer`] that the metrics have as well.

mod export;
mod request;

use std::{
    borrow::Cow,
    cell::Cell,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use boltlink_core::{
    TraceContext, Tracer,
    store::{Call, Consumer, Observer},
};
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Span as _, SpanContext, SpanKind, TraceContextExt, TraceState, Tracer as _},
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Metadata, Span, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    Layer,
    layer::{self, Filter},
    registry::LookupSpan,
};

pub use self::export::Collector;
pub(crate) use self::request::{RequestId, Scope, TRACEPARENT};

/// Spans of this target begin a trace, or go on with one that began elsewhere.
const TRACED: &str = "boltlink_server::trace";

/// What asks to be traced is traced this often a second and thread at most: anybody can ask.
const ASKED_EACH: Duration = Duration::from_millis(10);

/// How long a stop waits for the last traces: no more than is left of what a stop may take.
const LAST: Duration = Duration::from_secs(1);

/// Traces of requests on their way to a [`Collector`]. Cloning shares them.
///
/// Whoever sets up [`tracing`] adds the [`layer`](Self::layer). Give the same to
/// [`ServerOptions::traces`](crate::ServerOptions::traces), and as a [`Tracer`] to the engine, and as an [`Observer`] to the
/// stores' configurations.
#[derive(Clone)]
pub struct Traces(Arc<Inner>);

struct Inner {
    share: f64,
    is_asked: bool,
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

impl Traces {
    fn new(provider: SdkTracerProvider, tracer: SdkTracer, (share, is_asked): (f64, bool)) -> Self {
        Self(Arc::new(Inner { share, is_asked, tracer, provider }))
    }

    /// What hands spans over: the server's and the engine's, within requests that are traced.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer.clone());
        layer
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Ours)
    }

    /// Sends what is not sent yet, and nothing from then on. Blocks for a second at most; what cannot be sent by then is lost.
    pub fn shutdown(&self) {
        if let Err(error) = self.0.provider.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }

    /// Whether a request is traced, and how: because it is its turn, or because its `traceparent` says that it is.
    pub(crate) fn takes(&self, traceparent: Option<&[u8]>) -> Option<Goes> {
        let Inner { share, is_asked, .. } = *self.0;
        let asks = is_asked && traceparent.is_some_and(is_sampled);
        let taken = asks && may_ask() || share > 0.0 && fastrand::f64() < share;
        taken.then_some(if is_asked { Goes::On } else { Goes::Anew })
    }
}

/// Where the trace of a request begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goes {
    /// Here, whatever the request says.
    Anew,
    /// Where its `traceparent` says, if it has one.
    On,
}

/// Whether whoever sent this header keeps the trace: the lowest bit of its last two digits. (What it is otherwise is read
/// where the trace goes on.)
fn is_sampled(traceparent: &[u8]) -> bool {
    traceparent.get(54).is_some_and(|digit| char::from(*digit).to_digit(16).is_some_and(|flags| flags & 1 == 1))
}

/// Whether one more may be traced because it asks for it.
fn may_ask() -> bool {
    thread_local! {
        static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    let may = LAST.get().is_none_or(|last| now.duration_since(last) >= ASKED_EACH);
    if may {
        LAST.set(Some(now));
    }
    may
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").field("share", &self.0.share).finish_non_exhaustive()
    }
}

/// The spans that go to the collector: ours, if they begin a trace or are within one. What others say of themselves, such as
/// drivers and HTTP clients, is not even asked for.
struct Ours;

impl Ours {
    fn may_be(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("boltlink")
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for Ours {
    fn enabled(&self, metadata: &Metadata<'_>, cx: &layer::Context<'_, S>) -> bool {
        Self::may_be(metadata) && (metadata.target() == TRACED || cx.lookup_current().is_some())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::may_be(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
}

/// Calls of stores within a request that is traced become spans of its trace.
impl Observer for Traces {
    fn observe(&self, call: Call, took: Duration) {
        Context::map_current(|cx| {
            if !cx.span().span_context().is_sampled() {
                return;
            }
            let end = SystemTime::now();
            let begin = end.checked_sub(took).unwrap_or(end);
            let (name, attributes): (Cow<'static, str>, _) = match call {
                Call::Query { operation, table } => (
                    format!("{operation} {table}").into(),
                    vec![KeyValue::new("db.operation.name", operation), KeyValue::new("db.collection.name", table)],
                ),
                Call::Command { operation } => (
                    operation.into(),
                    vec![KeyValue::new("db.system.name", "redis"), KeyValue::new("db.operation.name", operation)],
                ),
                _ => return,
            };
            let span = self.0.tracer.span_builder(name).with_kind(SpanKind::Client).with_start_time(begin);
            span.with_attributes(attributes).start_with_context(&self.0.tracer, cx).end_with_timestamp(end);
        });
    }
}

impl Tracer for Traces {
    fn storing(&self, consumer: Consumer, visits: &[TraceContext]) -> Span {
        let span =
            tracing::debug_span!(target: TRACED, "store clicks", consumer = consumer.name(), "otel.kind" = "consumer");
        for TraceContext { trace_id, span_id } in visits {
            let (trace, visit) = (TraceId::from_bytes(*trace_id), SpanId::from_bytes(*span_id));
            span.add_link(SpanContext::new(trace, visit, TraceFlags::SAMPLED, true, TraceState::NONE));
        }
        span
    }
}

/// What the trace of a span is called, and the span in it; `None` unless it is on its way to a collector.
fn context_of(span: &Span) -> Option<TraceContext> {
    let cx = span.context();
    let span = cx.span();
    let named = span.span_context();
    let sampled = named.is_valid() && named.is_sampled();
    sampled.then(|| TraceContext { trace_id: named.trace_id().to_bytes(), span_id: named.span_id().to_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_says_whether_its_trace_is_kept() {
        let parent = |flags: &str| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        for (flags, kept) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true), ("0x", false)] {
            assert_eq!(is_sampled(parent(flags).as_bytes()), kept, "{flags}");
        }
        assert!(!is_sampled(b"") && !is_sampled(b"00-1-1-01"));
    }
}
