//! Reading, changing, listing and deleting links.

use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, path_of as path, pointers, problem, send};

async fn with_version(client: &Client, method: Method, path: &str, version: &str, body: Option<Value>) -> Reply {
    let request = client.request(method, path).header("If-Match", version);
    client.send(if let Some(body) = body { request.json(&body) } else { request }).await.unwrap()
}

#[tokio::test]
async fn null_clears_and_absent_keeps() {
    let server = Server::start().await;
    let link = server.link(json!({ "title": "x", "note": "y", "tags": ["t"], "max_visits": 5 })).await;
    server.clock.advance(std::time::Duration::from_secs(60));
    let change = json!({ "title": null, "slug": "other", "redirect": 301, "expires_at": "2027-01-01T00:00:00Z" });
    let reply = send(&server.client(), Method::PATCH, &path(&link), &change).await;
    let mut expected = link.clone();
    for (field, value) in [
        ("title", json!(null)),
        ("slug", json!("other")),
        ("short_url", json!(format!("http://{}/other", server.address))),
        ("redirect", json!(301)),
        ("expires_at", json!("2027-01-01T00:00:00Z")),
        ("updated_at", json!("2026-01-01T00:01:00Z")),
        ("version", json!(2)),
    ] {
        expected[field] = value;
    }
    assert_eq!(reply.expect(200).unwrap(), expected);
    assert_eq!(reply.header("etag"), Some("\"2\""));
}

#[tokio::test]
async fn changes_are_checked_as_creations_are() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({ "starts_at": "2026-06-01T00:00:00Z" })).await);
    server.link(json!({ "slug": "taken" })).await;
    let change = json!({ "target": null, "enabled": null, "slug": "", "domain": "x" });
    let refused = problem(&send(&client, Method::PATCH, &path(&link), &change).await, 422);
    let mut named = pointers(&refused);
    named.sort_unstable();
    assert_eq!(named, ["/domain", "/enabled", "/slug", "/target"]);
    // Only the engine knows what the link has already.
    let change = json!({ "expires_at": "2026-05-01T00:00:00Z" });
    assert_eq!(pointers(&problem(&send(&client, Method::PATCH, &path(&link), &change).await, 422)), ["/expires_at"]);
    let change = json!({ "slug": "taken" });
    assert_eq!(problem(&send(&client, Method::PATCH, &path(&link), &change).await, 409)["code"], "slug-taken");
    let request = client.request(Method::PATCH, &path(&link)).body("{}");
    assert_eq!(client.send(request).await.unwrap().status, 415);
    let request = client.request(Method::PATCH, &path(&link)).header("Content-Type", "application/json").body("{");
    assert_eq!(client.send(request).await.unwrap().status, 400);
    let large = json!({ "note": "x".repeat(1 << 20) });
    assert_eq!(send(&client, Method::PATCH, &path(&link), &large).await.status, 413);
    assert_eq!(client.link(link["id"].as_str().unwrap()).await.unwrap().expect(200).unwrap(), link);
}

#[tokio::test]
async fn versions_guard_changes_and_deletions() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    let path = path(&link);
    let change = || Some(json!({ "title": "x" }));
    with_version(&client, Method::PATCH, &path, "\"1\"", change()).await.expect(200).unwrap();
    for stale in ["\"1\"", "W/\"2\"", "\"abc\""] {
        let refused = with_version(&client, Method::PATCH, &path, stale, change()).await;
        assert_eq!(problem(&refused, 412)["code"], "stale", "{stale}");
        assert_eq!(with_version(&client, Method::DELETE, &path, stale, None).await.status, 412);
    }
    for bad in ["2", "\"1\", \"2\""] {
        let refused = problem(&with_version(&client, Method::PATCH, &path, bad, change()).await, 400);
        assert_eq!(refused["errors"][0]["parameter"], "If-Match");
        assert_eq!(with_version(&client, Method::DELETE, &path, bad, None).await.status, 400);
    }
    with_version(&client, Method::PATCH, &path, "*", change()).await.expect(200).unwrap();
    with_version(&client, Method::DELETE, &path, "\"3\"", None).await.expect(204).unwrap();
    for method in [Method::GET, Method::DELETE] {
        let gone = client.send(client.request(method, &path)).await.unwrap();
        assert_eq!(problem(&gone, 404)["code"], "link-not-found");
    }
    assert_eq!(send(&client, Method::PATCH, &path, &json!({})).await.status, 404);
    assert_eq!(client.get(&format!("{path}/stats")).await.unwrap().status, 404);
    assert_eq!(client.link("nonsense").await.unwrap().status, 404);
}

#[tokio::test]
async fn pages_cover_all_links_once() {
    let server = Server::start().await;
    let mut slugs: Vec<String> = (0..7).map(|number| format!("s{number}")).collect();
    for slug in &slugs {
        server.link(json!({ "slug": slug })).await;
        server.clock.advance(std::time::Duration::from_secs(1));
    }
    let client = server.client();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/links?limit=3{cursor}")).await.unwrap().expect(200).unwrap();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|link| link["slug"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(items.len(), 3);
        cursor = format!("&cursor={next}");
    }
    slugs.reverse();
    assert_eq!(seen, slugs);
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("domain=elsewhere", "domain"),
    ] {
        let refused = problem(&client.get(&format!("/api/v1/links?{query}")).await.unwrap(), 400);
        assert_eq!(refused["errors"][0]["parameter"], parameter, "{query}");
    }
    let page = client.get("/api/v1/links?limit=500").await.unwrap().expect(200).unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn members_see_their_own_links_only() {
    let server = Server::start().await;
    let (alice, bob, admin) = (server.member().await, server.member().await, server.client());
    let link = alice.create(&json!({ "target": "https://example.com/" })).await.unwrap().expect(201).unwrap();
    let path = path(&link);
    for (client, status) in [(&alice, 200), (&bob, 404), (&admin, 200)] {
        assert_eq!(client.get(&path).await.unwrap().status, status);
        assert_eq!(client.get(&format!("{path}/stats")).await.unwrap().status, status);
        assert_eq!(send(client, Method::PATCH, &path, &json!({ "title": "x" })).await.status, status);
        let page = client.get("/api/v1/links").await.unwrap().expect(200).unwrap();
        assert_eq!(page["items"].as_array().unwrap().len(), usize::from(status == 200));
    }
    assert_eq!(bob.send(bob.request(Method::DELETE, &path)).await.unwrap().status, 404);
    assert_eq!(problem(&bob.get("/api/v1/analytics/global").await.unwrap(), 403)["code"], "forbidden");
}

#[tokio::test]
async fn clicks_are_counted_by_time_and_kind() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    let visitor = server.stranger();
    for (referrer, language) in [("https://a.example/x", "de-DE,de"), ("https://a.example/", "en"), ("", "de")] {
        let request =
            visitor.request(Method::GET, "/s").header("Referer", referrer).header("Accept-Language", language);
        assert_eq!(visitor.send(request).await.unwrap().status, 302);
    }
    assert_eq!(server.clicks(&link).await, 3);
    let client = server.client();
    let stats = client.stats(link["id"].as_str().unwrap()).await.unwrap().expect(200).unwrap();
    let expected = json!({
        "clicks": 3,
        "hours": [{ "hour": "2026-01-01T00:00:00Z", "clicks": 3 }],
        "days": [{ "day": "2026-01-01", "clicks": 3 }],
        "referrers": [{ "value": "a.example", "clicks": 2 }, { "value": "", "clicks": 1 }],
        "languages": [{ "value": "de", "clicks": 2 }, { "value": "en", "clicks": 1 }],
    });
    assert_eq!(stats, expected);
    let days = json!([{ "day": "2026-01-01", "clicks": 3 }]);
    for (query, from, to, clicks) in [
        ("", "2025-12-03", "2026-01-01", 3),
        ("?from=2026-01-01&to=2026-01-01", "2026-01-01", "2026-01-01", 3),
        ("?from=2025-01-01&to=2026-01-01", "2025-01-01", "2026-01-01", 3),
        ("?to=2025-12-31", "2025-12-02", "2025-12-31", 0),
    ] {
        let global = client.get(&format!("/api/v1/analytics/global{query}")).await.unwrap().expect(200).unwrap();
        let days = if clicks == 0 { json!([]) } else { days.clone() };
        assert_eq!(global, json!({ "from": from, "to": to, "clicks": clicks, "days": days }), "{query}");
    }
    for query in ["from=2026-01-02&to=2026-01-01", "from=2024-12-31&to=2026-01-01", "from=x"] {
        let refused = problem(&client.get(&format!("/api/v1/analytics/global?{query}")).await.unwrap(), 400);
        assert_eq!(refused["errors"][0]["parameter"], "from", "{query}");
    }
}
