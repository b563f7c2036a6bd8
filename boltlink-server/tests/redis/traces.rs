//! A trace whose end is in another process.

use std::collections::BTreeSet;

use crate::{
    collector::{Collector, Span},
    nodes::example,
    place::{Place, Worker},
    settles_at,
};

#[tokio::test(flavor = "multi_thread")]
async fn workers_say_of_which_visits_they_store_the_clicks() {
    let (place, collector) = (Place::new().await, Collector::start().await);
    let endpoint = collector.endpoint();
    let server = place.server().env("BOLTLINK_WORKERS", "none").env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    let server = server.env("BOLTLINK_TRACE_SHARE", "1").start().await.unwrap();
    let id = server.client().make(&example("far")).await.unwrap();
    let named = |kind: &'static str| [("OTEL_SERVICE_NAME", kind)];
    let workers = ["aggregator", "analytics"].map(|kind| Worker::start_with(&server, kind, &named(kind)));
    for _ in 0..3 {
        assert_eq!(server.client().get("/far").await.unwrap().status, 302);
    }
    settles_at(&server.client(), &id, 3).await;
    let mut linked = BTreeSet::new();
    for worker in ["aggregator", "analytics"] {
        collector.span(worker, |span| span.service == worker && !span.links.is_empty()).await;
    }
    for span in collector.spans().await.into_iter().filter(|span| span.name == "store clicks") {
        assert!(["aggregator", "analytics"].contains(&&*span.service), "{span:?}");
        linked.extend(span.links.into_iter().map(|link| (span.service.clone(), link)));
    }
    let spans = collector.spans().await;
    let visits = spans.iter().filter(|span| span.name == "GET /{slug}" && span.service == "boltlink");
    let visits: Vec<_> = visits.map(|span| (span.trace.clone(), span.id.clone())).collect();
    assert_eq!(visits.len(), 3);
    for worker in ["aggregator", "analytics"] {
        assert!(
            visits.iter().all(|visit| linked.contains(&(worker.to_owned(), visit.clone()))),
            "{worker}: {linked:?}"
        );
    }
    // A link's clicks are those stored and those on their way.
    let asked = |span: &&Span| span.name == "GET /api/v1/links/{id}";
    let of_redis = |span: &&Span| span.attributes.get("db.system.name").is_some_and(|name| name == "redis");
    let asking: BTreeSet<_> = spans.iter().filter(asked).map(|span| &span.trace).collect();
    assert!(spans.iter().filter(of_redis).any(|span| asking.contains(&span.trace)), "{spans:#?}");
    for worker in workers {
        assert!(worker.stop().await.success());
    }
}
