//! What Prometheus is told, and who else is told how the server is.

use std::{collections::BTreeMap, time::Duration};

use boltlink_core::{NewKey, Scope, Scopes};
use boltlink_server::{Listeners, ServerOptions, Stop, Stops};
use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::Server;

struct Told(tokio::sync::oneshot::Receiver<()>);

impl Stops for Told {
    async fn next(&mut self) -> Stop {
        (&mut self.0).await.unwrap();
        Stop::Drain
    }
}

/// The samples by their names and labels.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, value)| (name, value.parse().unwrap())).collect()
}

async fn metrics(client: &Client) -> String {
    let reply = client.get("/metrics").await.unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    reply.text
}

#[tokio::test]
async fn requests_and_clicks_are_counted() {
    let server = Server::start().await;
    server.link(json!({ "slug": "found" })).await;
    server.link(json!({ "slug": "moved", "redirect": 301 })).await;
    let client = server.client();
    for _ in 0..3 {
        assert_eq!(client.get("/found").await.unwrap().status, 302);
        // Without a key: the express way.
        assert_eq!(server.stranger().get("/moved").await.unwrap().status, 301);
    }
    assert_eq!(server.stranger().get("/unknown").await.unwrap().status, 404);
    assert_eq!(client.get("/api/v1/links?limit=0").await.unwrap().status, 400);
    let text = metrics(&client).await;
    let samples = samples(&text);
    let request = |method: &str, route: &str, status: u16| {
        let name = "http_request_duration_seconds_count";
        samples.get(&*format!("{name}{{method=\"{method}\",route=\"{route}\",status_code=\"{status}\"}}")).copied()
    };
    assert_eq!(request("GET", "/{slug}", 302), Some(3.0), "{text}");
    assert_eq!(request("GET", "/{slug}", 301), Some(3.0), "{text}");
    assert_eq!(request("GET", "/{slug}", 404), Some(1.0), "{text}");
    assert_eq!(request("POST", "/api/v1/links", 201), Some(2.0), "{text}");
    assert_eq!(request("GET", "/api/v1/links", 400), Some(1.0), "{text}");
    assert_eq!(samples["boltlink_visits_total{outcome=\"redirect\"}"], 6.0);
    assert_eq!(samples["boltlink_visits_total{outcome=\"not_found\"}"], 1.0);
    assert_eq!(samples["boltlink_links_cached"], 2.0);
    // Whatever a client asks for, there are no more series.
    for path in ["/api/v1/links/x", "/api/v1/links/y", "/api/nothing", "/api/at/all"] {
        client.get(path).await.unwrap();
    }
    client.send(client.request(Method::from_bytes(b"BREW").unwrap(), "/api/v1/links")).await.unwrap();
    let text = metrics(&client).await;
    assert!(!text.contains("/links/x") && !text.contains("/api/nothing") && !text.contains("BREW"), "{text}");
    assert!(text.contains("method=\"other\",route=\"/api/v1/links\",status_code=\"405\""), "{text}");

    let recorded = async || metrics(&client).await.contains("boltlink_clicks_stored_total{consumer=\"totals\"} 6");
    for _ in 0..200 {
        if recorded().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{}", metrics(&client).await);
}

#[tokio::test]
async fn strangers_learn_nothing_from_within() {
    let server = Server::start().await;
    let member = server.member().await;
    let analyst = server.holder(NewKey::new("a".parse().unwrap(), Scopes::new([Scope::AnalyticsRead]).unwrap())).await;
    // As a proxy on the same machine asks, if nobody has said that it is one.
    let ask = async |client: &Client, path: &str| {
        client.send(client.request(Method::GET, path).header("X-Forwarded-For", "203.0.113.9")).await.unwrap()
    };
    assert_eq!(ask(&server.stranger(), "/metrics").await.status, 401);
    for client in [&member, &analyst] {
        assert_eq!(ask(client, "/metrics").await.status, 403);
    }
    assert_eq!(ask(&server.client(), "/metrics").await.status, 200);
    for (client, all) in [(&server.stranger(), false), (&member, false), (&server.client(), true)] {
        let health = ask(client, "/health").await.expect(200).unwrap();
        assert_eq!(health["status"], "up");
        assert_eq!((health.get("version").is_some(), health.get("dependencies").is_some()), (all, all), "{health}");
    }
}

#[tokio::test]
async fn operators_have_a_listener_of_their_own() {
    let server = Server::start().await;
    let [public, admin] =
        [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let address = admin.local_addr().unwrap();
    let inside = Client::new(address, "");
    let listeners = Listeners { public, admin: Some(admin) };
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let options = ServerOptions::default();
    let running = tokio::spawn(boltlink_server::run_until(listeners, server.shortener.clone(), options, Told(stopped)));
    for path in ["/metrics", "/health", "/health/live", "/ready"] {
        // Also for who asks through a proxy: who reaches it is inside.
        let asked = inside.request(Method::GET, path).header("X-Forwarded-For", "203.0.113.9");
        assert_eq!(inside.send(asked).await.unwrap().status, 200, "{path}");
    }
    assert!(inside.get("/health").await.unwrap().text.contains("database"));
    for path in ["/", "/docs", "/api/v1/links", "/some-slug"] {
        assert_eq!(inside.get(path).await.unwrap().status, 404, "{path}");
    }
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    // On a new connection.
    assert!(Client::new(address, "").get("/metrics").await.is_err());
}
