//! `POST /api/v1/links`.

use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Server, pointers, problem};

async fn create_once(client: &Client, key: &str, body: &Value) -> Reply {
    let request = client.request(Method::POST, "/api/v1/links").header("Idempotency-Key", key).json(body);
    client.send(request).await.unwrap()
}

#[tokio::test]
async fn a_target_is_enough() {
    let server = Server::start().await;
    let reply = server.client().create(&json!({ "target": "HTTPS://Example.com" })).await.unwrap();
    let link = reply.expect(201).unwrap();
    let (id, slug) = (link["id"].as_str().unwrap(), link["slug"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(&*format!("/api/v1/links/{id}")));
    assert_eq!(reply.header("etag"), Some("\"1\""));
    let expected = json!({
        "id": id, "domain": server.address.to_string(), "slug": slug,
        "short_url": format!("http://{}/{slug}", server.address), "target": "https://example.com/",
        "title": null, "note": null, "tags": [], "redirect": 302, "starts_at": null, "expires_at": null,
        "max_visits": null, "has_password": false, "forward_query": false, "forward_path": false, "crawlable": false,
        "enabled": true, "clicks": 0, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "version": 1,
    });
    assert_eq!(link, expected);
    assert_eq!(server.client().link(id).await.unwrap().expect(200).unwrap(), expected);
}

#[tokio::test]
async fn every_field_can_be_given() {
    let server = Server::start().await;
    let given = json!({
        "slug": "news", "title": "News", "note": "a\nb", "tags": ["b", "a", "b"], "redirect": 308,
        "starts_at": "2026-01-01T01:00:00+01:00", "expires_at": "2027-01-01T00:00:00.5Z", "max_visits": 7,
        "enabled": false, "domain": null,
    });
    let link = server.link(given).await;
    for (field, value) in [
        ("slug", json!("news")),
        ("title", json!("News")),
        ("note", json!("a\nb")),
        ("tags", json!(["a", "b"])),
        ("redirect", json!(308)),
        ("starts_at", json!("2026-01-01T00:00:00Z")),
        ("expires_at", json!("2027-01-01T00:00:00.500Z")),
        ("max_visits", json!(7)),
        ("enabled", json!(false)),
    ] {
        assert_eq!(link[field], value, "{field}");
    }
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    let server = Server::start().await;
    let body = json!({
        "target": "javascript:alert(1)", "slug": "a b", "title": 7, "tags": ["ok", ""], "redirect": 303,
        "starts_at": "2027-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z", "max_visits": 0,
        "enabled": "yes", "domain": "elsewhere.example", "colour": "red",
    });
    let refused = problem(&server.client().create(&body).await.unwrap(), 422);
    assert_eq!(refused["code"], "invalid");
    let mut named = pointers(&refused);
    named.sort_unstable();
    let mut expected = [
        "/target",
        "/slug",
        "/title",
        "/tags/1",
        "/redirect",
        "/expires_at",
        "/max_visits",
        "/enabled",
        "/domain",
        "/colour",
    ];
    expected.sort_unstable();
    assert_eq!(named, expected);
    let refused = problem(&server.client().create(&json!({})).await.unwrap(), 422);
    assert_eq!(refused["errors"], json!([{ "pointer": "/target", "detail": "is required" }]));
    let refused = problem(&server.client().create(&json!([])).await.unwrap(), 422);
    assert_eq!(pointers(&refused), [""]);
    let own = format!("http://{}/x", server.address);
    let refused = problem(&server.client().create(&json!({ "target": own })).await.unwrap(), 422);
    assert_eq!(pointers(&refused), ["/target"]);
    let reserved = json!({ "target": "https://example.com/", "slug": "API" });
    assert_eq!(pointers(&problem(&server.client().create(&reserved).await.unwrap(), 422)), ["/slug"]);
}

#[tokio::test]
async fn bodies_that_are_no_json() {
    let server = Server::start().await;
    let client = server.client();
    let post = || client.request(Method::POST, "/api/v1/links");
    let json = |body: &'static str| post().header("Content-Type", "application/json").body(body);
    assert_eq!(problem(&client.send(json("{\"target\"")).await.unwrap(), 400)["code"], "malformed-body");
    assert_eq!(problem(&client.send(json("")).await.unwrap(), 400)["code"], "malformed-body");
    let form = post().header("Content-Type", "application/x-www-form-urlencoded").body("target=x");
    assert_eq!(problem(&client.send(form).await.unwrap(), 415)["code"], "unsupported-media-type");
    assert_eq!(problem(&client.send(post().body("{}")).await.unwrap(), 415)["code"], "unsupported-media-type");
    let large = json!({ "target": "x".repeat(1 << 20) });
    assert_eq!(problem(&client.create(&large).await.unwrap(), 413)["code"], "body-too-large");
}

#[tokio::test]
async fn of_32_parallel_creations_of_one_slug_one_succeeds() {
    let server = Server::start().await;
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let client = server.client();
        tasks.spawn(async move {
            client.create(&json!({ "target": format!("https://example.com/{number}"), "slug": "one" })).await.unwrap()
        });
    }
    let replies = tasks.join_all().await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        let refused = problem(refused, 409);
        assert_eq!(refused["code"], "slug-taken");
        assert_eq!(pointers(&refused), ["/slug"]);
    }
}

#[tokio::test]
async fn an_idempotency_key_makes_one_link_in_parallel_too() {
    let server = Server::start().await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let client = server.client();
        tasks.spawn(async move { create_once(&client, "k", &json!({ "target": "https://example.com/" })).await });
    }
    let links: Vec<_> = tasks.join_all().await.iter().map(|reply| reply.expect(201).unwrap()).collect();
    assert!(links.iter().all(|link| *link == links[0]));
    let page = server.client().get("/api/v1/links").await.unwrap().expect(200).unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_one_request_of_one_account() {
    let server = Server::start().await;
    let (client, member) = (server.client(), server.member().await);
    let body = json!({ "target": "https://example.com/", "title": "x" });
    let link = create_once(&client, "k", &body).await.expect(201).unwrap();
    // The same request in other words.
    let same = json!({ "title": " x ", "enabled": true, "target": "HTTPS://example.com", "note": null });
    assert_eq!(create_once(&client, "k", &same).await.expect(201).unwrap(), link);
    let other = json!({ "target": "https://example.com/" });
    assert_eq!(problem(&create_once(&client, "k", &other).await, 422)["code"], "idempotency-key-reused");
    assert_ne!(create_once(&member, "k", &body).await.expect(201).unwrap()["id"], link["id"]);
    let path = format!("/api/v1/links/{}", link["id"].as_str().unwrap());
    client.send(client.request(Method::DELETE, &path)).await.unwrap().expect(204).unwrap();
    assert_eq!(problem(&create_once(&client, "k", &body).await, 410)["code"], "replayed-link-deleted");
    for bad in ["", "a b", &"x".repeat(256)] {
        let refused = problem(&create_once(&client, bad, &body).await, 400);
        assert_eq!(refused["errors"][0]["parameter"], "Idempotency-Key", "{bad}");
    }
}
