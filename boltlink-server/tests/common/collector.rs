//! Takes traces as a collector does, and keeps them.

use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span as Sent,
};
use prost::Message;
use tokio::{net::TcpListener, sync::Mutex};

/// A span as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    /// As numbers of <https://opentelemetry.io/docs/specs/otel/trace/api/#spankind>, from 1.
    pub(crate) kind: i32,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty if it has none.
    pub(crate) parent: String,
    pub(crate) state: String,
    /// The traces and spans that it is linked to.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) service: String,
}

/// Listens on a free port for as long as the test runs.
pub(crate) struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, spans) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Span>>>::default());
        let kept = spans.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let kept = kept.clone();
                let serve = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(move |request| take(request, kept.clone())));
                tokio::spawn(serve);
            }
        });
        Self { address, spans }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` has to say.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn spans(&self) -> Vec<Span> {
        self.spans.lock().await.clone()
    }

    /// The first span that is as `wanted`, once it has come.
    pub(crate) async fn span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        for _ in 0..1_000 {
            if let Some(span) = self.spans.lock().await.iter().find(|span| wanted(span)) {
                return span.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no span is {what}: {:#?}", self.spans().await)
    }
}

async fn take(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<Span>>>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/traces"));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let sent = ExportTraceServiceRequest::decode(body).unwrap();
    for resource in sent.resource_spans {
        let named = attributes(&resource.resource.unwrap().attributes);
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        kept.lock().await.extend(spans.map(|span| read(span, &named["service.name"])));
    }
    Ok(Response::new(Full::default()))
}

fn read(span: Sent, service: &str) -> Span {
    Span {
        name: span.name,
        kind: span.kind,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        state: span.trace_state,
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        attributes: attributes(&span.attributes),
        service: service.to_owned(),
    }
}

fn attributes(given: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &any_value::Value| match value {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pair = |pair: &KeyValue| Some((pair.key.clone(), text(pair.value.as_ref()?.value.as_ref()?)));
    given.iter().filter_map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
