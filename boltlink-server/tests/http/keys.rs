//! `/api/v1/keys`.

use std::time::Duration;

use boltlink_core::{Bounds, NewKey, Scopes};
use boltlink_server::{Proxies, ServerOptions};
use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, pointers, problem, send};

const KEYS: &str = "/api/v1/keys";

async fn make(client: &Client, fields: Value) -> Value {
    let mut key = json!({ "name": "website", "scopes": ["links:read"] });
    key.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    send(client, Method::POST, KEYS, &key).await.expect(201).unwrap()
}

fn holder_of(server: &Server, made: &Value) -> Client {
    Client::new(server.address, made["token"].as_str().unwrap())
}

fn path_of(made: &Value) -> String {
    format!("{KEYS}/{}", made["key"]["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_is_made_shown_and_revoked() {
    let server = Server::start().await;
    let admin = server.client();
    let made = make(&admin, json!({ "new_account": true, "expires_at": "2026-02-01T00:00:00Z" })).await;
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with(&format!("blt_{}_", made["key"]["id"].as_str().unwrap().replace('-', ""))), "{made}");
    let shown = admin.get(&path_of(&made)).await.unwrap();
    assert_eq!(shown.expect(200).unwrap(), made["key"]);
    assert!(!shown.text.contains(&token[37..]), "a secret is told once");
    assert!(!admin.get(KEYS).await.unwrap().text.contains(&token[37..]));
    let expected = json!({
        "id": made["key"]["id"],
        "owner": made["key"]["owner"],
        "name": "website",
        "scopes": ["links:read"],
        "domains": [],
        "networks": [],
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-02-01T00:00:00Z",
        "revoked_at": null,
        "last_used_at": null,
        "old_secret_until": null,
    });
    assert_eq!(made["key"], expected);

    let holder = holder_of(&server, &made);
    assert_eq!(holder.get("/api/v1/links").await.unwrap().status, 200);
    assert_eq!(send(&admin, Method::DELETE, &path_of(&made), &json!(null)).await.status, 204);
    assert_eq!(holder.get("/api/v1/links").await.unwrap().status, 401);
    let revoked = admin.get(&path_of(&made)).await.unwrap().expect(200).unwrap();
    assert_eq!(revoked["revoked_at"], "2026-01-01T00:00:00Z");
    assert_eq!(problem(&admin.get(&format!("{KEYS}/nonsense")).await.unwrap(), 404)["code"], "key-not-found");
}

#[tokio::test]
async fn an_expired_key_opens_nothing() {
    let server = Server::start().await;
    let made = make(&server.client(), json!({ "expires_at": "2026-01-01T00:00:10Z" })).await;
    let holder = holder_of(&server, &made);
    assert_eq!(holder.get("/api/v1/links").await.unwrap().status, 200);
    server.clock.advance(Duration::from_secs(10));
    assert_eq!(holder.get("/api/v1/links").await.unwrap().status, 401);
}

#[tokio::test]
async fn a_rotated_key_keeps_its_old_secret_for_as_long_as_asked() {
    let server = Server::start().await;
    let admin = server.client();
    let made = make(&admin, json!({})).await;
    let rotate = async |query: &str| {
        let path = format!("{}/rotate{query}", path_of(&made));
        admin.send(admin.request(Method::POST, &path)).await.unwrap()
    };
    let second = rotate("?grace=60").await.expect(200).unwrap();
    assert_eq!(second["key"]["old_secret_until"], "2026-01-01T00:01:00Z");
    assert_eq!(second["key"]["id"], made["key"]["id"]);
    let (old, new) = (holder_of(&server, &made), holder_of(&server, &second));
    for client in [&old, &new] {
        assert_eq!(client.get("/api/v1/links").await.unwrap().status, 200);
    }
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(old.get("/api/v1/links").await.unwrap().status, 401);
    assert_eq!(new.get("/api/v1/links").await.unwrap().status, 200);
    let third = rotate("").await.expect(200).unwrap();
    assert_eq!(new.get("/api/v1/links").await.unwrap().status, 401, "at once");
    assert_eq!(holder_of(&server, &third).get("/api/v1/links").await.unwrap().status, 200);
    assert_eq!(problem(&rotate("?grace=2592001").await, 400)["code"], "invalid-parameter");
    send(&admin, Method::DELETE, &path_of(&made), &json!(null)).await;
    assert_eq!(problem(&rotate("").await, 404)["code"], "key-not-found");
}

#[tokio::test]
async fn who_has_the_old_secret_cannot_keep_the_key() {
    let server = Server::start().await;
    let made = make(&server.client(), json!({ "scopes": ["admin"] })).await;
    let rotate = format!("{}/rotate", path_of(&made));
    let path = format!("{rotate}?grace=3600");
    let new = server.client().send(server.client().request(Method::POST, &path)).await.unwrap().expect(200).unwrap();
    let (old, new) = (holder_of(&server, &made), holder_of(&server, &new));
    assert_eq!(old.get("/api/v1/links").await.unwrap().status, 200);
    // It may do for a while what it could do, but nothing that lasts.
    for (method, path) in [(Method::POST, &*rotate), (Method::DELETE, &*path_of(&made))] {
        assert_eq!(problem(&old.send(old.request(method, path)).await.unwrap(), 403)["code"], "forbidden");
    }
    let mut lasting = json!({ "name": "x", "scopes": ["admin"] });
    assert_eq!(send(&old, Method::POST, KEYS, &lasting).await.status, 403);
    lasting["expires_at"] = json!("2026-01-01T01:00:00Z");
    assert_eq!(send(&old, Method::POST, KEYS, &lasting).await.status, 201, "no longer than itself");
    assert_eq!(new.send(new.request(Method::POST, &rotate)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_repeated_creation_makes_no_second_key() {
    let server = Server::start().await;
    let admin = server.client();
    let post = async |client: &Client, name: &str| {
        let request = client.request(Method::POST, KEYS).header("Idempotency-Key", "one");
        client.send(request.json(&json!({ "name": name, "scopes": ["admin"] }))).await.unwrap()
    };
    let first = post(&admin, "first").await.expect(201).unwrap();
    let again = problem(&post(&admin, "first").await, 409);
    assert_eq!(again["code"], "key-already-made");
    assert!(again["detail"].as_str().unwrap().contains(first["key"]["id"].as_str().unwrap()), "{again}");
    assert_eq!(problem(&post(&admin, "other").await, 409)["code"], "key-already-made");
    // Another account's keys are others.
    let other = make(&admin, json!({ "scopes": ["admin"], "new_account": true })).await;
    post(&holder_of(&server, &other), "first").await.expect(201).unwrap();
}

#[tokio::test]
async fn a_key_makes_none_that_can_do_more() {
    let server = Server::start().await;
    let bounds = json!({
        "scopes": ["keys:write", "keys:read", "links:read"], "networks": ["127.0.0.0/8"], "new_account": true,
        "expires_at": "2026-02-01T00:00:00Z",
    });
    let made = make(&server.client(), bounds).await;
    let holder = holder_of(&server, &made);
    let end = "2026-02-01T00:00:00Z";
    let within = json!({ "name": "x", "scopes": ["links:read"], "networks": ["127.0.0.1"], "expires_at": end });
    let key = send(&holder, Method::POST, KEYS, &within).await.expect(201).unwrap();
    assert_eq!(key["key"]["owner"], made["key"]["owner"]);
    for (field, value) in [
        ("scopes", json!(["links:read", "links:write"])),
        ("scopes", json!(["admin"])),
        ("networks", json!(["127.0.0.1", "10.0.0.0/8"])),
        ("networks", json!(null)),
        ("new_account", json!(true)),
        ("expires_at", json!(null)),
        ("expires_at", json!("2026-02-01T00:00:01Z")),
    ] {
        let mut wider = within.clone();
        wider[field] = value;
        let refused = problem(&send(&holder, Method::POST, KEYS, &wider).await, 403);
        assert_eq!(refused["code"], "forbidden", "{wider}");
    }
    // Nor does it get the secret of one that can, or take it away.
    let owner = Some(made["key"]["owner"].as_str().unwrap().parse().unwrap());
    let wider = NewKey { owner, ..NewKey::new("wider".parse().unwrap(), Scopes::MEMBER) };
    let (wider, _) = server.shortener.create_key(&boltlink_core::Actor::OPERATOR, wider).await.unwrap();
    for (method, path) in
        [(Method::POST, format!("{KEYS}/{}/rotate", wider.id)), (Method::DELETE, format!("{KEYS}/{}", wider.id))]
    {
        assert_eq!(problem(&holder.send(holder.request(method, &path)).await.unwrap(), 403)["code"], "forbidden");
    }
    assert_eq!(send(&holder, Method::DELETE, &path_of(&key), &json!(null)).await.status, 204);
}

#[tokio::test]
async fn a_key_is_good_only_from_its_networks() {
    let server = Server::start().await;
    let admin = server.client();
    for (networks, status) in [(json!(["127.0.0.0/8", "::1"]), 200), (json!(["10.0.0.0/8", "2001:db8::/32"]), 403)] {
        let made = make(&admin, json!({ "networks": networks })).await;
        let reply = holder_of(&server, &made).get("/api/v1/links").await.unwrap();
        assert_eq!(reply.status, status, "{}", reply.text);
        // Who only says that he is somewhere else is nowhere else.
        let client = holder_of(&server, &made);
        let request = client.request(Method::GET, "/api/v1/links").header("X-Forwarded-For", "10.0.0.1");
        assert_eq!(client.send(request).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_trusted_proxy_says_from_where_and_a_client_does_not() {
    let proxies = Proxies { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Proxies::default() };
    let server = Server::with(ServerOptions { proxies, ..ServerOptions::default() }).await;
    let holder = holder_of(&server, &make(&server.client(), json!({ "networks": ["10.0.0.0/8"] })).await);
    for (forwarded, status) in [
        (("X-Forwarded-For", "10.0.0.1"), 200),
        (("X-Forwarded-For", "203.0.113.9, 10.0.0.1, 127.0.0.1"), 200),
        (("X-Forwarded-For", "10.0.0.1, 203.0.113.9"), 403),
        (("X-Forwarded-For", "nonsense"), 403),
        (("X-Forwarded-For", "\u{ff}, 10.0.0.1"), 200),
        (("X-Forwarded-For", "\u{ff}"), 403),
        (("Forwarded", "for=10.0.0.1"), 403),
        (("X-Real-IP", "10.0.0.1"), 403),
    ] {
        let request = holder.request(Method::GET, "/api/v1/links").header(forwarded.0, forwarded.1);
        assert_eq!(holder.send(request).await.unwrap().status, status, "{forwarded:?}");
    }
}

#[tokio::test]
async fn a_key_is_good_only_for_its_domains() {
    let other = "go.example.com";
    let options = ServerOptions { domains: vec![other.parse().unwrap()], ..ServerOptions::default() };
    let server = Server::with(options).await;
    let admin = server.client();
    let here = server.link(json!({ "slug": "here" })).await;
    let there = server.link(json!({ "slug": "there", "domain": other })).await;
    let made =
        make(&admin, json!({ "scopes": ["links:read", "links:write", "analytics:read"], "domains": [other] })).await;
    assert_eq!(made["key"]["domains"], json!([other]));
    let holder = holder_of(&server, &made);
    let list = holder.get("/api/v1/links").await.unwrap().expect(200).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    for (link, status) in [(&here, 404), (&there, 200)] {
        for path in ["", "/stats"] {
            let path = format!("{}{path}", crate::support::path_of(link));
            assert_eq!(holder.get(&path).await.unwrap().status, status, "{path}");
        }
        let reply = send(&holder, Method::PATCH, &crate::support::path_of(link), &json!({ "title": "x" })).await;
        assert_eq!(reply.status, status);
    }
    let new = |domain: Value| json!({ "target": "https://example.com/", "domain": domain });
    assert_eq!(holder.create(&new(json!(other))).await.unwrap().status, 201);
    assert_eq!(problem(&holder.create(&new(json!(null))).await.unwrap(), 403)["code"], "forbidden");
    let many = json!({ "links": [new(json!(other)), new(json!(null))] });
    let results = send(&holder, Method::POST, "/api/v1/links/bulk", &many).await.expect(200).unwrap();
    assert_eq!((&results["results"][0]["status"], &results["results"][1]["status"]), (&json!(201), &json!(403)));
    assert_eq!(holder.get(&format!("/api/v1/links?domain={}", server.address)).await.unwrap().status, 403);

    // With several of them, lists are of one.
    let domains = json!([other, server.address.to_string()]);
    let two = holder_of(&server, &make(&admin, json!({ "domains": domains })).await);
    assert_eq!(problem(&two.get("/api/v1/links").await.unwrap(), 400)["errors"][0]["parameter"], "domain");
    assert_eq!(two.get(&format!("/api/v1/links?domain={other}")).await.unwrap().status, 200);
    // One that is found is judged by itself, too.
    let existing = |domain: Value| json!({ "target": "https://example.com/", "domain": domain, "find_existing": true });
    let many = json!({ "links": [existing(json!(other)), existing(json!(null))] });
    let results = send(&holder, Method::POST, "/api/v1/links/bulk", &many).await.expect(200).unwrap();
    assert_eq!((&results["results"][0]["status"], &results["results"][1]["status"]), (&json!(200), &json!(403)));
    // An admin of some domains is none of the whole.
    let some = json!({ "scopes": ["admin"], "domains": [other], "new_account": true });
    let some = holder_of(&server, &make(&admin, some).await);
    assert_eq!(some.get(KEYS).await.unwrap().expect(200).unwrap()["items"].as_array().unwrap().len(), 1, "its own");
    assert_eq!(some.get(&path_of(&made)).await.unwrap().status, 404);
    for path in ["/api/v1/analytics/global", "/api/v1/analytics/top", "/api/v1/admin/queue"] {
        assert_eq!(problem(&some.get(path).await.unwrap(), 403)["code"], "forbidden", "{path}");
    }
}

#[tokio::test]
async fn all_that_is_wrong_with_a_key_is_told() {
    let server = Server::start().await;
    let wrong = json!({
        "name": " ", "scopes": ["links:read", "everything"], "domains": ["elsewhere.example"], "networks": ["10.0.0.0/99"],
        "expires_at": "soon", "new_account": 1, "secret": "mine",
    });
    let refused = problem(&send(&server.client(), Method::POST, KEYS, &wrong).await, 422);
    let expected = ["/name", "/scopes/1", "/domains/0", "/networks/0", "/expires_at", "/new_account", "/secret"];
    assert_eq!(pointers(&refused), expected);
    for empty in ["scopes", "domains", "networks"] {
        let mut key = json!({ "name": "x", "scopes": ["links:read"] });
        key[empty] = json!([]);
        let refused = problem(&send(&server.client(), Method::POST, KEYS, &key).await, 422);
        assert_eq!(pointers(&refused), [format!("/{empty}")], "an empty list is not all");
    }
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    let server = Server::start().await;
    for number in 0..5 {
        server.clock.advance(Duration::from_secs(1));
        make(&server.client(), json!({ "name": format!("key {number}") })).await;
    }
    let (mut names, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = server.client().get(&format!("{KEYS}{query}")).await.unwrap().expect(200).unwrap();
        names.extend(page["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(names, ["first", "key 0", "key 1", "key 2", "key 3", "key 4"]);
}

#[tokio::test]
async fn the_last_use_is_written_down() {
    let server = Server::start().await;
    let made = make(&server.client(), json!({})).await;
    let id = made["key"]["id"].as_str().unwrap().parse().unwrap();
    server.clock.advance(Duration::from_secs(5));
    assert_eq!(holder_of(&server, &made).get("/api/v1/links").await.unwrap().status, 200);
    server.shortener.shutdown().await;
    let key = server.shortener.find_key(&boltlink_core::Actor::OPERATOR, id).await.unwrap();
    assert_eq!(key.last_used_at.unwrap().to_string(), "2026-01-01T00:00:05Z");
    assert_eq!(key.bounds, Bounds::NONE);
}
