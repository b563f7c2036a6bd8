//! `find_existing`: a link that is as good is given instead of a new one.

use std::time::Duration;

use boltlink_server::ServerOptions;
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, path_of, send};

async fn find(client: &Client, mut fields: Value) -> Reply {
    fields["find_existing"] = json!(true);
    if fields["target"].is_null() {
        fields["target"] = json!("https://example.com/");
    }
    client.create(&fields).await.unwrap()
}

/// The id of the link that is given, and whether it was there.
async fn found(client: &Client, fields: Value) -> (String, bool) {
    let reply = find(client, fields).await;
    let link: Value = serde_json::from_str(&reply.text).unwrap();
    assert!([200, 201].contains(&reply.status), "{}", reply.text);
    (link["id"].as_str().unwrap().to_owned(), reply.status == 200)
}

fn id(link: &Value) -> String {
    link["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_is_made_once_and_given_from_then_on() {
    let server = Server::start().await;
    let made = find(&server.client(), json!({ "title": "x" })).await;
    let link = made.expect(201).unwrap();
    // However the target is spelled.
    for target in ["https://example.com/", "HTTPS://EXAMPLE.com", " https://example.com/a/.. "] {
        let given = find(&server.client(), json!({ "target": target, "title": "x" })).await;
        assert_eq!(given.expect(200).unwrap(), link, "{target}");
        assert_eq!(given.header("location"), Some(&*path_of(&link)));
        assert_eq!(given.header("etag"), Some("\"1\""));
    }
    for fields in [json!({ "title": "x" }), json!({ "title": "x", "find_existing": false })] {
        assert_ne!(id(&server.link(fields).await), id(&link));
    }
    let null = json!({ "target": "https://example.com/", "find_existing": null });
    assert_ne!(id(&server.client().create(&null).await.unwrap().expect(201).unwrap()), id(&link));
}

#[tokio::test]
async fn the_oldest_link_is_given() {
    let server = Server::start().await;
    let oldest = server.link(json!({ "slug": "z" })).await;
    for slug in ["a", "b"] {
        server.clock.advance(Duration::from_secs(1));
        server.link(json!({ "slug": slug })).await;
    }
    assert_eq!(found(&server.client(), json!({})).await, (id(&oldest), true));
    // An old link is old, whatever is changed of it.
    send(&server.client(), Method::PATCH, &path_of(&oldest), &json!({ "title": "x" })).await.expect(200).unwrap();
    assert_eq!(found(&server.client(), json!({})).await, (id(&oldest), true));
}

#[tokio::test]
async fn only_a_usable_link_is_as_good() {
    let server = Server::start().await;
    let visitor = server.stranger();
    server.link(json!({ "slug": "off", "enabled": false })).await;
    server.link(json!({ "slug": "over", "expires_at": "2026-01-01T00:00:01Z" })).await;
    server.link(json!({ "slug": "later", "starts_at": "2026-02-01T00:00:00Z" })).await;
    server.link(json!({ "slug": "once", "max_visits": 1 })).await;
    assert_eq!(visitor.get("/once").await.unwrap().status, 302);
    server.clock.advance(Duration::from_secs(1));
    let (made, existed) = found(&server.client(), json!({})).await;
    assert!(!existed);
    assert_eq!(found(&server.client(), json!({})).await, (made, true));
    // Nor is it if it is asked for by what makes it useless.
    assert!(!found(&server.client(), json!({ "enabled": false })).await.1);
    // But one that has yet to begin is, to whoever asks for that beginning.
    assert!(found(&server.client(), json!({ "starts_at": "2026-02-01T00:00:00Z" })).await.1);
}

#[tokio::test]
async fn what_the_request_says_must_be_equal() {
    let server = Server::start().await;
    let full = json!({
        "slug": "full", "title": "T", "note": "N", "tags": ["b", "a"], "redirect": 301,
        "starts_at": "2025-12-01T00:00:00Z", "expires_at": "2027-01-01T00:00:00Z", "max_visits": 9,
        "forward_query": true, "forward_path": true, "crawlable": true,
    });
    let link = server.link(full.clone()).await;
    let client = server.client();
    assert_eq!(found(&client, full.clone()).await, (id(&link), true));
    for (field, value) in full.as_object().unwrap() {
        assert_eq!(found(&client, json!({ field: value })).await, (id(&link), true), "{field}");
    }
    // The same in other words.
    for same in [json!({ "tags": ["a", "b", "a"] }), json!({ "title": " T " }), json!({ "enabled": true })] {
        assert_eq!(found(&client, same.clone()).await, (id(&link), true), "{same}");
    }
    for other in [
        json!({ "slug": "other" }),
        json!({ "title": "t" }),
        json!({ "note": "n" }),
        json!({ "tags": ["a"] }),
        json!({ "tags": [] }),
        json!({ "redirect": 302 }),
        json!({ "starts_at": "2025-12-01T00:00:00.000001Z" }),
        json!({ "expires_at": "2027-01-01T00:00:01Z" }),
        json!({ "max_visits": 10 }),
        json!({ "forward_query": false }),
        json!({ "forward_path": false }),
        json!({ "crawlable": false }),
        json!({ "target": "https://example.com/other" }),
    ] {
        let (made, existed) = found(&client, other.clone()).await;
        assert!(!existed, "{other}");
        let gone = client.request(Method::DELETE, &format!("/api/v1/links/{made}"));
        client.send(gone).await.unwrap().expect(204).unwrap();
    }
}

#[tokio::test]
async fn a_link_of_somebody_else_or_of_another_domain_is_not_as_good() {
    let domains = vec!["go.example.org".parse().unwrap()];
    let base_url = Some("http://127.0.0.1:1".parse().unwrap());
    let server = Server::with(ServerOptions { base_url, domains, ..ServerOptions::default() }).await;
    let (admin, member) = (server.client(), server.member().await);
    let find = async |client: &Client, domain: Option<&str>| {
        let body = json!({ "target": "https://example.com/", "domain": domain, "find_existing": true });
        let request = client.request(Method::POST, "/api/v1/links").header("Host", "127.0.0.1:1").json(&body);
        client.send(request).await.unwrap()
    };
    // An admin sees a member's links, but they are not the admin's own.
    for (client, domain) in [(&member, None), (&admin, None), (&admin, Some("go.example.org"))] {
        let made = find(client, domain).await.expect(201).unwrap();
        assert_eq!(find(client, domain).await.expect(200).unwrap(), made);
    }
}

#[tokio::test]
async fn a_slug_that_leads_elsewhere_is_taken() {
    let server = Server::start().await;
    server.link(json!({ "slug": "s", "target": "https://example.org/" })).await;
    assert_eq!(find(&server.client(), json!({ "slug": "s" })).await.status, 409);
}

#[tokio::test]
async fn of_links_to_one_target_the_thousand_oldest_are_looked_at() {
    let server = Server::start().await;
    let client = server.client();
    let link = |title: &str| json!({ "target": "https://example.com/", "title": title });
    let mut links = vec![link("old"); 999];
    links.push(link("last"));
    send(&client, Method::POST, "/api/v1/links/bulk", &json!({ "links": links })).await.expect(200).unwrap();
    server.clock.advance(Duration::from_secs(1));
    server.link(json!({ "title": "beyond" })).await;
    assert!(found(&client, json!({ "title": "last" })).await.1);
    assert!(!found(&client, json!({ "title": "beyond" })).await.1);
}

#[tokio::test]
async fn a_bulk_request_finds_too() {
    let server = Server::start().await;
    let link = server.link(json!({})).await;
    let wanted = |target: &str| json!({ "target": target, "find_existing": true });
    let body = json!({ "links": [wanted("https://example.com"), wanted("https://example.org/")] });
    let reply = send(&server.client(), Method::POST, "/api/v1/links/bulk", &body).await.expect(200).unwrap();
    assert_eq!((&reply["results"][0]["status"], &reply["results"][0]["link"]), (&json!(200), &link));
    assert_eq!(reply["results"][1]["status"], 201);
}
