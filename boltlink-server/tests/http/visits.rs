//! Short links.

use std::time::Duration;

use boltlink_server::ServerOptions;
use boltlink_testkit::{Client, Connection};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Server, problem, send};

#[tokio::test]
async fn visitors_are_sent_on_as_the_link_says() {
    let server = Server::start().await;
    let visitor = server.stranger();
    for (redirect, control) in
        [(301, "private, max-age=90"), (302, "no-store"), (307, "no-store"), (308, "private, max-age=90")]
    {
        let target = "https://example.com/ä?q=1#f";
        server.link(json!({ "slug": format!("r{redirect}"), "redirect": redirect, "target": target })).await;
        // Once from the store, once from the cache.
        for _ in 0..2 {
            let reply = visitor.get(&format!("/r{redirect}?ignored")).await.unwrap();
            assert_eq!(reply.status, redirect);
            assert_eq!(reply.header("location"), Some("https://example.com/%C3%A4?q=1#f"));
            assert_eq!(reply.header("cache-control"), Some(control));
            assert_eq!(reply.header("content-length"), Some("0"));
        }
    }
    // A permanent redirect that will end is not to be kept.
    server.link(json!({ "slug": "ends", "redirect": 301, "expires_at": "2027-01-01T00:00:00Z" })).await;
    assert_eq!(visitor.get("/ends").await.unwrap().header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn looking_is_not_counted() {
    let server = Server::start().await;
    let (link, capped) =
        (server.link(json!({ "slug": "s" })).await, server.link(json!({ "slug": "c", "max_visits": 1 })).await);
    let visitor = server.stranger();
    for slug in ["/s", "/c"] {
        for _ in 0..3 {
            let head = visitor.send(visitor.request(Method::HEAD, slug)).await.unwrap();
            assert_eq!((head.status, head.header("location")), (302, Some("https://example.com/")));
        }
        assert_eq!(visitor.get(slug).await.unwrap().status, 302);
    }
    assert_eq!(visitor.get("/c").await.unwrap().status, 410);
    assert_eq!(server.clicks(&link).await, 1);
    assert_eq!(server.clicks(&capped).await, 1);
}

async fn refused(visitor: &Client, path: &str, status: u16, code: &str) {
    let request = visitor.request(Method::GET, path).header("Accept", "text/html,*/*;q=0.8");
    let page = visitor.send(request).await.unwrap();
    assert_eq!(page.status, status, "{path}");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("x-robots-tag"), Some("noindex"));
    assert_eq!(page.header("vary"), Some("Accept"));
    assert!(page.text.starts_with("<!doctype html>") && !page.text.contains("http"));
    let reply = visitor.get(path).await.unwrap();
    assert_eq!(problem(&reply, status)["code"], code, "{path}");
    for reply in [page, reply] {
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("location"), None);
    }
}

#[tokio::test]
async fn who_cannot_be_sent_on_is_told_why() {
    let server = Server::start().await;
    let visitor = server.stranger();
    server.link(json!({ "slug": "later", "starts_at": "2026-01-01T00:01:00Z" })).await;
    server.link(json!({ "slug": "ends", "expires_at": "2026-01-01T00:01:00Z" })).await;
    server.link(json!({ "slug": "off", "enabled": false })).await;
    server.link(json!({ "slug": "once", "max_visits": 1 })).await;
    refused(&visitor, "/nothing", 404, "link-not-found").await;
    refused(&visitor, "/no.slug", 404, "link-not-found").await;
    refused(&visitor, "/%3Cscript%3E", 404, "link-not-found").await;
    refused(&visitor, "/later", 404, "link-not-yet-active").await;
    refused(&visitor, "/off", 410, "link-disabled").await;
    for slug in ["/ends", "/once"] {
        assert_eq!(visitor.get(slug).await.unwrap().status, 302);
    }
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(visitor.get("/later").await.unwrap().status, 302);
    refused(&visitor, "/ends", 410, "link-expired").await;
    refused(&visitor, "/once", 410, "link-exhausted").await;
}

#[tokio::test]
async fn edits_and_deletions_show_at_once() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({ "slug": "s" })).await);
    let path = format!("/api/v1/links/{}", link["id"].as_str().unwrap());
    let visitor = server.stranger();
    assert_eq!(visitor.get("/t").await.unwrap().status, 404);
    assert_eq!(visitor.get("/s").await.unwrap().status, 302);
    send(&client, Method::PATCH, &path, &json!({ "slug": "t", "target": "https://example.org/" })).await;
    assert_eq!(visitor.get("/s").await.unwrap().status, 404);
    assert_eq!(visitor.get("/t").await.unwrap().header("location"), Some("https://example.org/"));
    client.send(client.request(Method::DELETE, &path)).await.unwrap();
    assert_eq!(visitor.get("/t").await.unwrap().status, 404);
}

#[tokio::test]
async fn a_cap_holds_under_parallel_visits() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s", "max_visits": 100 })).await;
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let mut connection = Connection::open(server.address).await.unwrap();
        tasks.spawn(async move {
            let mut redirects = 0;
            for _ in 0..30 {
                redirects += u32::from(connection.get("/s", &[]).await.unwrap().status == 302);
            }
            redirects
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<u32>(), 100);
    assert_eq!(server.clicks(&link).await, 100);
}

fn two_domains() -> ServerOptions {
    ServerOptions {
        base_url: Some("https://go.example.com".parse().unwrap()),
        domains: vec!["go.example.org".parse().unwrap()],
        ..ServerOptions::default()
    }
}

async fn get(client: &Client, host: &str, path: &str) -> boltlink_testkit::Reply {
    client.send(client.request(Method::GET, path).header("Host", host)).await.unwrap()
}

#[tokio::test]
async fn domains_have_links_of_their_own() {
    let server = Server::with(two_domains()).await;
    let client = server.client();
    let mut made = Vec::new();
    for (domain, target) in [(None, "https://example.com/"), (Some("GO.example.org"), "https://example.org/")] {
        let body = json!({ "slug": "s", "target": target, "domain": domain });
        let request = client.request(Method::POST, "/api/v1/links").header("Host", "go.example.com").json(&body);
        made.push(client.send(request).await.unwrap().expect(201).unwrap());
    }
    assert_eq!(made[0]["short_url"], "https://go.example.com/s");
    assert_eq!(
        (&made[1]["domain"], &made[1]["short_url"]),
        (&json!("go.example.org"), &json!("https://go.example.org/s"))
    );
    let page: Value = get(&client, "go.example.com", "/api/v1/links?domain=go.example.org").await.expect(200).unwrap();
    assert_eq!(page["items"], json!([made[1]]));
    for (host, target) in [
        ("go.example.com", "https://example.com/"),
        ("GO.example.com:443", "https://example.com/"),
        ("go.example.org.", "https://example.org/"),
    ] {
        let reply = get(&client, host, "/s").await;
        assert_eq!((reply.status, reply.header("location")), (302, Some(target)), "{host}");
    }
    // The public address is HTTPS.
    assert!(get(&client, "go.example.com", "/").await.header("strict-transport-security").is_some());
}

#[tokio::test]
async fn an_unknown_host_gets_nothing_but_health() {
    let server = Server::with(two_domains()).await;
    let client = server.client();
    let own = server.address.to_string();
    for host in ["elsewhere.example", "go.example.com:8080", &own] {
        for path in ["/s", "/", "/api/v1/links", "/docs"] {
            let reply = get(&client, host, path).await;
            assert_eq!(problem(&reply, 404)["code"], "unknown-host", "{host} {path}");
        }
        for path in ["/health", "/health/live", "/ready"] {
            assert_eq!(get(&client, host, path).await.status, 200, "{host} {path}");
        }
    }
}
