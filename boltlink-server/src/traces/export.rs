//! How traces leave the process: OTLP over HTTP, <https://opentelemetry.io/docs/specs/otlp/>.

use std::{collections::HashMap, env, error::Error, fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{Sampler, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::Url;

use super::Traces;

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who takes traces: anything that speaks OTLP over HTTP, such as an OpenTelemetry Collector, Jaeger or Tempo.
#[derive(Clone, PartialEq)]
pub struct Collector {
    /// Where it listens, as `http://127.0.0.1:4318`; spans go to `/v1/traces` below it.
    pub endpoint: Url,
    /// Further headers, such as one that says who sends; secrets, mostly. What the variables
    /// `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_EXPORTER_OTLP_TRACES_HEADERS` say goes before them.
    pub headers: HashMap<String, String>,
    /// Which share of requests is traced without being asked for: 0 to 1.
    pub share: f64,
    /// Whether a request is traced, too, of which the `traceparent` says that its trace is kept.
    pub is_asked: bool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, share, is_asked, .. } = self;
        let mut shown = f.debug_struct("Collector");
        shown
            .field("endpoint", &endpoint.as_str())
            .field("share", share)
            .field("is_asked", is_asked)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// Begins to send what is traced: every few seconds, on the threads of `runtime`. What cannot be sent is dropped, and
    /// nobody waits for it.
    ///
    /// The service is called `boltlink` there; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
    ///
    /// # Errors
    /// If the system has no certificates by which an `https` endpoint could be trusted.
    pub fn traces(self, runtime: Handle) -> Result<Traces, Box<dyn Error + Send + Sync>> {
        let tls = HttpsConnectorBuilder::new();
        let tls = if self.endpoint.scheme() == "https" {
            tls.with_provider_and_native_roots(ring::default_provider())?.https_only().enable_http1().build()
        } else {
            // Nobody is trusted, as nobody is asked.
            let config = ClientConfig::builder_with_provider(ring::default_provider().into());
            let config = config.with_safe_default_protocol_versions()?.with_root_certificates(RootCertStore::empty());
            tls.with_tls_config(config.with_no_client_auth()).https_or_http().enable_http1().build()
        };
        let client = Client { client: HyperClient::new(tls, PATIENCE, None), runtime };
        let endpoint = format!("{}/v1/traces", self.endpoint.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_http_client(client).with_endpoint(endpoint);
        let exporter = exporter.with_headers(self.headers).with_timeout(PATIENCE).build()?;
        // What is traced is decided before there is a span: see `Traces::takes`.
        let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_resource(named());
        let provider = provider.with_batch_exporter(exporter).build();
        let tracer = provider.tracer("boltlink");
        Ok(Traces::new(provider, tracer, (self.share, self.is_asked)))
    }
}

/// What the service is called.
fn named() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder_empty()
        .with_service_name("boltlink")
        .with_attribute(version)
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
    // It goes before the attributes: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    match env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => named.with_service_name(name).build(),
        _ => named.build(),
    }
}

/// Spans are sent by a thread that has no runtime of its own.
#[derive(Debug)]
struct Client {
    client: HyperClient<HttpsConnector<HttpConnector>>,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}
