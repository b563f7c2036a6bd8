//! What holds for all of the API: authentication, unknown paths and methods, the document.

use std::collections::BTreeSet;

use boltlink_server::ServerOptions;
use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, problem};

#[tokio::test]
async fn a_key_is_needed() {
    let server = Server::start().await;
    let forged = format!("blt_{}_{}", "0".repeat(32), "0".repeat(64));
    for client in [server.stranger(), Client::new(server.address, "nonsense"), Client::new(server.address, forged)] {
        let refused = client.get("/api/v1/links").await.unwrap();
        assert_eq!(problem(&refused, 401)["code"], "unauthorized");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"BoltLink\""));
        // Strangers do not learn what else is wrong.
        let request = client.request(Method::POST, "/api/v1/links").body("{");
        assert_eq!(client.send(request).await.unwrap().status, 401);
        assert_eq!(client.get("/api/v1/links?limit=0").await.unwrap().status, 401);
    }
}

#[tokio::test]
async fn a_key_may_come_in_either_header() {
    let server = Server::start().await;
    let key = boltlink_core::NewKey::new("k".parse().unwrap(), boltlink_core::Scopes::MEMBER);
    let (key, token) = server.shortener.create_key(&boltlink_core::Actor::OPERATOR, key).await.unwrap();
    let stranger = server.stranger();
    let ask = |name, value: String| stranger.send(stranger.request(Method::GET, "/api/v1/links").header(name, value));
    let token = token.reveal();
    assert_eq!(ask("X-API-Key", token.clone()).await.unwrap().status, 200);
    assert_eq!(ask("Authorization", format!("bearer {token}")).await.unwrap().status, 200);
    assert_eq!(ask("Authorization", format!("Basic {token}")).await.unwrap().status, 401);
    server.shortener.revoke_key(&boltlink_core::Actor::OPERATOR, key.id).await.unwrap();
    assert_eq!(ask("X-API-Key", token).await.unwrap().status, 401);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let server = Server::start().await;
    let client = server.client();
    for path in ["/api", "/api/v1/nothing", "/api/v1/links/", "/docs/", "/health/x", "/dashboard"] {
        assert_eq!(problem(&client.get(path).await.unwrap(), 404)["code"], "not-found", "{path}");
    }
    for (method, path, allow) in [
        (Method::PUT, "/api/v1/links", "GET, HEAD, POST"),
        (Method::POST, "/api/v1/links/x", "DELETE, GET, HEAD, PATCH"),
        (Method::DELETE, "/api/v1/links/x/stats", "GET, HEAD"),
        (Method::POST, "/", "GET, HEAD"),
        (Method::POST, "/docs", "GET, HEAD"),
        (Method::OPTIONS, "/health", "GET, HEAD"),
        (Method::POST, "/some-slug", "GET, HEAD"),
    ] {
        let refused = client.send(client.request(method, path)).await.unwrap();
        assert_eq!(problem(&refused, 405)["code"], "method-not-allowed", "{path}");
        assert_eq!(refused.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn answers_are_hardened_and_not_kept() {
    let server = Server::start().await;
    let client = server.client();
    for path in ["/api/v1/links", "/health", "/", "/docs", "/nothing-here", "/api/nothing"] {
        let reply = client.get(path).await.unwrap();
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{path}");
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
        assert_eq!(reply.header("strict-transport-security"), None, "{path}");
    }
    assert_eq!(client.get("/api/v1/links").await.unwrap().header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn pages_of_named_sites_may_use_the_api_and_no_others() {
    let named = "https://app.example.com";
    let options = ServerOptions { cors_origins: vec![named.parse().unwrap()], ..ServerOptions::default() };
    let server = Server::with(options).await;
    let (client, stranger) = (server.client(), server.stranger());
    let ask = async |path: &str, origin: &str| {
        let request = stranger.request(Method::OPTIONS, path).header("Origin", origin);
        stranger.send(request.header("Access-Control-Request-Method", "PATCH")).await.unwrap()
    };
    let may = ask("/api/v1/links/x", named).await;
    assert_eq!((may.status, may.header("access-control-allow-origin")), (204, Some(named)));
    assert_eq!(may.header("access-control-allow-methods"), Some("DELETE, GET, HEAD, PATCH"));
    assert!(may.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(may.header("access-control-allow-credentials"), None);
    for (path, origin, status) in [
        ("/api/v1/links/x", "https://app.example.com.evil.example", 405),
        ("/api/v1/links/x", "http://app.example.com", 405),
        ("/api/v1/links/x", "null", 405),
        ("/api/v1/nothing", named, 404),
    ] {
        let may_not = ask(path, origin).await;
        assert_eq!(may_not.status, status, "{origin}");
        assert_eq!(may_not.header("access-control-allow-methods"), None, "{origin}");
    }
    for (origin, allowed) in [(named, Some(named)), ("https://evil.example", None)] {
        let request = client.request(Method::GET, "/api/v1/links").header("Origin", origin);
        let reply = client.send(request).await.unwrap();
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, allowed));
        assert_eq!(reply.header("vary"), Some("origin"), "caches must keep them apart");
    }
}

#[tokio::test]
async fn the_document_is_served_and_is_the_one_in_the_repository() {
    let server = Server::start().await;
    let reply = server.stranger().get("/openapi.json").await.unwrap();
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.text, boltlink_server::openapi());
    let kept = include_str!("../../openapi.json").replace("\r\n", "\n");
    assert!(
        kept.trim_end() == boltlink_server::openapi().trim_end(),
        "the API has changed: run `cargo run -- openapi > boltlink-server/openapi.json` and look at the difference"
    );
}

/// What strangers may call below `/api`.
const PUBLIC: [&str; 3] = ["post /api/v1/passwords", "post /api/v1/registrations", "post /api/v1/session"];

#[test]
fn the_document_describes_every_operation_and_error() {
    let document: Value = serde_json::from_str(&boltlink_server::openapi()).unwrap();
    let mut operations = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.insert(format!("{method} {path}"));
            let responses = operation["responses"].as_object().unwrap();
            let ours = path.starts_with("/api") || path == "/metrics";
            let public = PUBLIC.contains(&&*format!("{method} {path}"));
            let mut needed = vec![json!({ "bearer": [] }), json!({ "api_key": [] })];
            if path == "/metrics" {
                // From the same machine, or on the listener for operators.
                needed.insert(0, json!({}));
            }
            let secured = operation["security"] == Value::from(needed);
            assert_eq!(secured, ours && !public, "{path}");
            let refuses = secured || path == "/api/v1/session";
            assert_eq!(responses.contains_key("401"), refuses, "{method} {path}");
            for (status, response) in responses {
                assert_ne!(response["description"], "", "{method} {path} {status}");
                let problem = response["content"].get("application/problem+json").is_some();
                assert_eq!(problem, ours && status.as_str() >= "400", "{method} {path} {status}");
            }
        }
    }
    let expected = [
        "delete /api/v1/accounts/{id}",
        "delete /api/v1/admin/queue/dead/{id}",
        "delete /api/v1/keys/{id}",
        "delete /api/v1/links/{id}",
        "delete /api/v1/me",
        "delete /api/v1/session",
        "delete /api/v1/sessions/{id}",
        "get /api/v1/accounts",
        "get /api/v1/accounts/{id}",
        "get /api/v1/admin/queue",
        "get /api/v1/admin/queue/dead",
        "get /api/v1/admin/queue/dead/{id}",
        "get /api/v1/analytics/global",
        "get /api/v1/analytics/top",
        "get /api/v1/audit",
        "get /api/v1/keys",
        "get /api/v1/keys/{id}",
        "get /api/v1/links",
        "get /api/v1/links/{id}",
        "get /api/v1/links/{id}/breakdown",
        "get /api/v1/links/{id}/clicks",
        "get /api/v1/links/{id}/qr",
        "get /api/v1/links/{id}/series",
        "get /api/v1/links/{id}/stats",
        "get /api/v1/me",
        "get /api/v1/sessions",
        "get /health",
        "get /health/live",
        "get /metrics",
        "get /ready",
        "patch /api/v1/accounts/{id}",
        "patch /api/v1/links/bulk",
        "patch /api/v1/links/{id}",
        "post /api/v1/accounts",
        "post /api/v1/accounts/{id}/reset",
        "post /api/v1/admin/queue/dead/{id}/replay",
        "post /api/v1/keys",
        "post /api/v1/keys/{id}/rotate",
        "post /api/v1/links",
        "post /api/v1/links/bulk",
        "post /api/v1/links/bulk/delete",
        "post /api/v1/passwords",
        "post /api/v1/registrations",
        "post /api/v1/session",
        "put /api/v1/me/password",
    ];
    assert_eq!(operations.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn links_are_shown_as_the_document_says() {
    let document: Value = serde_json::from_str(&boltlink_server::openapi()).unwrap();
    let schema = &document["components"]["schemas"]["Link"];
    let server = Server::start().await;
    let link = server.link(json!({})).await;
    let shown: BTreeSet<_> = link.as_object().unwrap().keys().map(String::as_str).collect();
    let required: BTreeSet<_> =
        schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(shown, required);
    for (name, property) in schema["properties"].as_object().unwrap() {
        // A plain link has nothing in all that can be empty.
        assert_eq!(property["nullable"] == json!(true), link[name].is_null(), "{name}");
    }
}
