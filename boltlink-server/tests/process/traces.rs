//! What a collector of traces is told, and what log lines and answers say of a request.

use std::{net::TcpListener, time::Duration};

use boltlink_testkit::{Builder, Connection};
use reqwest::Method;
use serde_json::Value;

use crate::{
    collector::{Collector, Span},
    nodes::example,
    server,
};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const CONSUMER: i32 = 5;

/// A trace that began elsewhere.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traced(collector: &Collector, share: &str) -> Builder {
    server().env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()).env("BOLTLINK_TRACE_SHARE", share)
}

/// Those below `span`, at any depth.
fn below<'a>(all: &'a [Span], span: &Span) -> Vec<&'a Span> {
    let children: Vec<_> = all.iter().filter(|child| child.trace == span.trace && child.parent == span.id).collect();
    let further: Vec<_> = children.iter().flat_map(|child| below(all, child)).collect();
    children.into_iter().chain(further).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_request_to_the_database_and_is_linked_to_where_the_click_is_stored() {
    let collector = Collector::start().await;
    let mut server =
        traced(&collector, "1").env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test").start().await.unwrap();
    let client = server.client();
    client.make(&example("far")).await.unwrap();
    let visit = client.get("/far").await.unwrap();
    assert_eq!(visit.status, 302);
    server.stop().await.unwrap();

    let spans = collector.spans().await;
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    let creation = named("POST /api/v1/links");
    assert_eq!((creation.kind, &*creation.parent, &*creation.service), (SERVER, "", "boltlink"));
    assert_eq!(creation.attributes["http.route"], "/api/v1/links");
    assert_eq!(creation.attributes["http.response.status_code"], "201");
    let within = below(&spans, creation);
    let has =
        |within: &[&Span], name: &str, kind: i32| within.iter().any(|span| span.name == name && span.kind == kind);
    assert!(has(&within, "create", 1) && has(&within, "insert link", CLIENT), "{within:#?}");
    let insert = within.iter().find(|span| span.name == "insert link").unwrap();
    assert_eq!(
        (&*insert.attributes["db.operation.name"], &*insert.attributes["db.collection.name"]),
        ("insert", "link")
    );

    let visited = named("GET /{slug}");
    let within = below(&spans, visited);
    assert!(has(&within, "visit", 1) && has(&within, "select link", CLIENT), "{within:#?}");
    let answered = visit.header("traceparent").unwrap();
    assert_eq!(answered, format!("00-{}-{}-01", visited.trace, visited.id));
    assert_eq!(visit.header("x-request-id").unwrap(), visited.attributes["request_id"]);

    for consumer in ["totals", "analytics"] {
        let stored =
            spans.iter().find(|span| span.attributes.get("consumer").is_some_and(|own| own == consumer)).unwrap();
        assert_eq!((&*stored.name, stored.kind, &*stored.parent), ("store clicks", CONSUMER, ""));
        assert_eq!(stored.links, [(visited.trace.clone(), visited.id.clone())]);
        assert!(below(&spans, stored).iter().any(|span| span.kind == CLIENT), "{spans:#?}");
    }
    // No word of who came, or of what they asked for.
    assert!(
        spans
            .iter()
            .all(|span| span.attributes.values().all(|value| !value.contains("127.0.0.1") && !value.contains("far")))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_began_elsewhere_goes_on_if_it_is_kept_there() {
    let collector = Collector::start().await;
    let server = traced(&collector, "0").start().await.unwrap();
    server.client().make(&example("near")).await.unwrap();
    let mut visitor = Connection::open(server.address()).await.unwrap();
    let mut visit = async |flags: &str| {
        let traceparent = format!("00-{TRACE}-{PARENT}-{flags}");
        let state = ("tracestate", "vendor=much");
        visitor.get("/near", &[("traceparent", &traceparent), state, ("x-request-id", "mine")]).await.unwrap()
    };
    // Loaded, and from then on answered at once.
    for _ in 0..2 {
        let untraced = visit("00").await;
        assert_eq!((untraced.status, untraced.header("traceparent")), (302, None));
        assert_eq!(untraced.header("x-request-id"), Some("mine"));
    }
    let answer = visit("01").await;
    assert_eq!((answer.status, answer.header("x-request-id")), (302, Some("mine")));
    let span = collector.span("of the visit", |span| span.name == "GET /{slug}").await;
    assert_eq!((&*span.trace, &*span.parent, span.kind), (TRACE, PARENT, SERVER));
    assert_eq!(answer.header("traceparent"), Some(&*format!("00-{TRACE}-{}-01", span.id)));
    assert_eq!(span.attributes["request_id"], "mine");
    assert_eq!(span.state, "", "anybody could make every span a long one");
    // Whatever methods there are, they have one name.
    let odd = format!("BREW /near HTTP/1.1\r\nHost: x\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(visitor.exchange(odd.as_bytes()).await.unwrap().status, 405);
    let odd = collector.span("of an odd method", |span| span.name == "_OTHER /{slug}").await;
    assert_eq!(odd.attributes["http.request.method"], "_OTHER");
    let linked = collector.span("of storing it", |span| !span.links.is_empty()).await;
    assert_eq!(linked.links, [(TRACE.to_owned(), span.id)]);
    assert_eq!(collector.spans().await.iter().filter(|span| span.kind == SERVER).count(), 2, "nothing else is traced");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_collector_that_does_not_answer() {
    // One that is away, and one that takes what it is sent and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in ["127.0.0.1:9".to_owned(), silent.local_addr().unwrap().to_string()] {
        let endpoint = format!("http://{address}");
        let traced = server().env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("BOLTLINK_TRACE_SHARE", "1");
        let mut server = traced.start().await.unwrap();
        let id = server.client().make(&example("alone")).await.unwrap();
        for _ in 0..20 {
            assert_eq!(server.client().get("/alone").await.unwrap().status, 302);
        }
        server.stop().await.unwrap();
        server.restart().await.unwrap();
        assert_eq!(server.client().clicks(&id).await.unwrap(), 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_say_in_which_trace_they_are_where_that_is_off() {
    let collector = Collector::start().await;
    let mut server = traced(&collector, "1").env("BOLTLINK_TRACE_ASKED", "off").start().await.unwrap();
    server.client().make(&example("own")).await.unwrap();
    let mut visitor = Connection::open(server.address()).await.unwrap();
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let answer = visitor.get("/own", &[("traceparent", &traceparent)]).await.unwrap();
    assert!(!answer.header("traceparent").unwrap().contains(TRACE), "its trace is one of ours");
    server.stop().await.unwrap();
    let spans = collector.spans().await;
    assert!(!spans.is_empty() && spans.iter().all(|span| span.trace != TRACE && span.parent != PARENT), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_say_which_request_they_are_of() {
    let mut server = server().env("BOLTLINK_LOG", "info,boltlink_server=debug").start().await.unwrap();
    let client = server.client();
    let named = client.request(Method::GET, "/api/v1/links").header("X-Request-Id", "from-a-proxy/7");
    assert_eq!(client.send(named).await.unwrap().header("x-request-id"), Some("from-a-proxy/7"));
    // What would not be one line of a log is nobody's name.
    let odd = client.request(Method::GET, "/api/v1/links").header("X-Request-Id", "two words");
    let odd = client.send(odd).await.unwrap();
    let generated = odd.header("x-request-id").unwrap();
    assert!(generated.len() == 32 && generated.bytes().all(|byte| byte.is_ascii_hexdigit()), "{generated}");
    server.stop().await.unwrap();
    let output = server.output();
    let lines: Vec<Value> = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for id in ["from-a-proxy/7", generated] {
        let line =
            lines.iter().find(|line| line["span"]["request_id"] == id).unwrap_or_else(|| panic!("{id}: {output}"));
        assert_eq!(
            (&line["message"], &line["route"], &line["status"]),
            (&"answered".into(), &"/api/v1/links".into(), &200.into())
        );
    }
}
