//! Whom a running process tells what it does.

use std::{sync::Arc, time::Duration};

use boltlink_core::{
    ShortenerBuilder,
    store::{Call, Observer},
};
use boltlink_server::{Metrics, Traces};

/// Metrics, and traces if somebody takes them.
#[derive(Debug, Clone)]
pub(super) struct Telemetry {
    pub(super) metrics: Metrics,
    pub(super) traces: Option<Traces>,
}

impl Telemetry {
    pub(super) fn new(traces: Option<Traces>) -> Self {
        Self { metrics: Metrics::default(), traces }
    }

    /// Who is told of the calls of stores.
    pub(super) fn observer(&self) -> Arc<dyn Observer> {
        match self.traces.clone() {
            Some(traces) => Arc::new(Both(self.metrics.clone(), traces)),
            None => Arc::new(self.metrics.clone()),
        }
    }

    /// Lets the engine make spans of storing clicks.
    pub(super) fn trace(&self, builder: ShortenerBuilder) -> ShortenerBuilder {
        match self.traces.clone() {
            Some(traces) => builder.tracer(Arc::new(traces)),
            None => builder,
        }
    }

    /// Sends the last traces.
    pub(super) async fn end(self) {
        if let Some(traces) = self.traces {
            // If it panicked, that has been reported by now.
            let _ = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        }
    }
}

#[derive(Debug)]
struct Both(Metrics, Traces);

impl Observer for Both {
    fn observe(&self, call: Call, took: Duration) {
        self.0.observe(call, took);
        self.1.observe(call, took);
    }
}
