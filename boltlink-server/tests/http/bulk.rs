//! Many links in one request, each judged by itself.

use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, path_of, pointers, problem, send};

const BULK: &str = "/api/v1/links/bulk";

async fn create(client: &Client, links: Value) -> Reply {
    send(client, Method::POST, BULK, &json!({ "links": links })).await
}

async fn edit(client: &Client, ids: &Value, patch: Value) -> Reply {
    send(client, Method::PATCH, BULK, &json!({ "ids": ids, "patch": patch })).await
}

async fn delete(client: &Client, ids: &Value) -> Reply {
    send(client, Method::POST, "/api/v1/links/bulk/delete", &json!({ "ids": ids })).await
}

fn results(reply: &Reply) -> Vec<Value> {
    reply.expect(200).unwrap()["results"].as_array().unwrap().clone()
}

fn statuses(reply: &Reply) -> Vec<u64> {
    results(reply).iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn each_link_is_made_or_refused_in_order() {
    let server = Server::start().await;
    let client = server.client();
    server.link(json!({ "slug": "taken" })).await;
    let target = "https://example.com/";
    let reply = create(
        &client,
        json!([
            { "target": target, "slug": "one", "title": "first" },
            { "target": "javascript:alert(1)", "tags": ["ok", ""], "colour": "red" },
            { "target": target, "slug": "taken" },
            { "slug": "no-target" },
            { "target": target, "slug": "one" },
            { "target": target },
        ]),
    )
    .await;
    assert_eq!(statuses(&reply), [201, 422, 409, 422, 409, 201]);
    let results = results(&reply);
    for made in [0, 5] {
        let link = &results[made]["link"];
        assert!(results[made].get("problem").is_none());
        assert_eq!(client.link(link["id"].as_str().unwrap()).await.unwrap().expect(200).unwrap(), *link);
    }
    assert_eq!((&results[0]["link"]["slug"], &results[0]["link"]["title"]), (&json!("one"), &json!("first")));
    for (refused, expected) in [
        (1, &["/links/1/colour", "/links/1/tags/1", "/links/1/target"][..]),
        (2, &["/links/2/slug"]),
        (3, &["/links/3/target"]),
        (4, &["/links/4/slug"]),
    ] {
        assert!(results[refused].get("link").is_none());
        let problem = &results[refused]["problem"];
        assert_eq!(problem["status"], results[refused]["status"]);
        let mut named = pointers(problem);
        named.sort_unstable();
        assert_eq!(named, expected);
    }
}

#[tokio::test]
async fn a_thousand_links_are_made_at_once_and_no_more() {
    let server = Server::start().await;
    let client = server.client();
    let link = |number: usize| json!({ "target": format!("https://example.com/{number}") });
    let reply = create(&client, (0..1_000).map(link).collect()).await;
    let results = results(&reply);
    assert_eq!(results.len(), 1_000);
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result["link"]["target"], format!("https://example.com/{number}"));
    }
    let refused = problem(&create(&client, (0..1_001).map(link).collect()).await, 422);
    assert_eq!(pointers(&refused), ["/links"]);
    let ids: Value = results.iter().map(|result| result["link"]["id"].clone()).collect();
    assert!(statuses(&edit(&client, &ids, json!({ "title": "x" })).await).iter().all(|status| *status == 200));
    assert!(statuses(&delete(&client, &ids).await).iter().all(|status| *status == 204));
    assert_eq!(client.get("/api/v1/links").await.unwrap().expect(200).unwrap()["items"], json!([]));
}

#[tokio::test]
async fn a_request_that_is_wrong_as_a_whole_changes_nothing() {
    let server = Server::start().await;
    let client = server.client();
    let link = server.link(json!({})).await;
    let (good, id) = (json!({ "target": "https://example.com/" }), &link["id"]);
    let many: Vec<_> = vec![id; 1_001];
    for (method, path, body, expected) in [
        (Method::POST, BULK, json!({}), &["/links"][..]),
        (Method::POST, BULK, json!({ "links": null }), &["/links"]),
        (Method::POST, BULK, json!({ "links": [] }), &["/links"]),
        (Method::POST, BULK, json!({ "links": good }), &["/links"]),
        (Method::POST, BULK, json!({ "links": [good, 7] }), &["/links/1"]),
        (Method::POST, BULK, json!({ "links": [good], "dry_run": true }), &["/dry_run"]),
        (Method::POST, BULK, json!([good]), &[""]),
        (Method::PATCH, BULK, json!({ "ids": [id] }), &["/patch"]),
        (Method::PATCH, BULK, json!({ "ids": [id], "patch": [] }), &["/patch"]),
        (Method::PATCH, BULK, json!({ "patch": {} }), &["/ids"]),
        (Method::PATCH, BULK, json!({ "ids": [], "patch": {} }), &["/ids"]),
        (Method::PATCH, BULK, json!({ "ids": many, "patch": {} }), &["/ids"]),
        (Method::PATCH, BULK, json!({ "ids": [id, "x"], "patch": {} }), &["/ids/1"]),
        (
            Method::PATCH,
            BULK,
            json!({ "ids": [id], "patch": { "tags": [1], "colour": 1 } }),
            &["/patch/tags/0", "/patch/colour"],
        ),
        (
            Method::PATCH,
            BULK,
            json!({ "ids": [id], "patch": { "target": null, "domain": "x" } }),
            &["/patch/target", "/patch/domain"],
        ),
        (Method::POST, "/api/v1/links/bulk/delete", json!({ "ids": [] }), &["/ids"]),
        (Method::POST, "/api/v1/links/bulk/delete", json!({ "ids": many }), &["/ids"]),
        (Method::POST, "/api/v1/links/bulk/delete", json!({ "ids": [id, 7] }), &["/ids/1"]),
        (Method::POST, "/api/v1/links/bulk/delete", json!({ "ids": [id], "force": true }), &["/force"]),
    ] {
        let refused = problem(&send(&client, method, path, &body).await, 422);
        assert_eq!(pointers(&refused), expected, "{body:.99}");
    }
    let page = client.get("/api/v1/links").await.unwrap().expect(200).unwrap();
    assert_eq!(page["items"], json!([link]));
}

#[tokio::test]
async fn many_links_are_changed_alike() {
    let server = Server::start().await;
    let client = server.client();
    let plain = server.link(json!({ "slug": "a", "title": "x", "note": "n" })).await;
    let begins = server.link(json!({ "slug": "b", "starts_at": "2026-06-01T00:00:00Z" })).await;
    let missing = "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f";
    let ids = json!([plain["id"], missing, begins["id"]]);
    let patch = json!({ "title": null, "tags": ["t"], "expires_at": "2026-05-01T00:00:00Z" });
    let reply = edit(&client, &ids, patch).await;
    assert_eq!(statuses(&reply), [200, 404, 422]);
    let results = results(&reply);
    let mut expected = plain.clone();
    for (field, value) in [
        ("title", json!(null)),
        ("tags", json!(["t"])),
        ("expires_at", json!("2026-05-01T00:00:00Z")),
        ("version", json!(2)),
    ] {
        expected[field] = value;
    }
    assert_eq!(results[0]["link"], expected);
    assert_eq!(results[1]["problem"]["code"], "link-not-found");
    // What is wrong stands in the change.
    assert_eq!(pointers(&results[2]["problem"]), ["/patch/expires_at"]);
    assert_eq!(client.link(begins["id"].as_str().unwrap()).await.unwrap().expect(200).unwrap(), begins);
    let reply = edit(&client, &json!([plain["id"], begins["id"]]), json!({ "slug": "new" })).await;
    assert_eq!(statuses(&reply), [200, 409]);
    assert_eq!(pointers(&self::results(&reply)[1]["problem"]), ["/patch/slug"]);
}

#[tokio::test]
async fn bulk_changes_show_at_once() {
    let server = Server::start().await;
    let (client, visitor) = (server.client(), server.stranger());
    let links = [server.link(json!({ "slug": "a" })).await, server.link(json!({ "slug": "b" })).await];
    let ids = json!([links[0]["id"], links[1]["id"]]);
    for slug in ["/a", "/b"] {
        assert_eq!(visitor.get(slug).await.unwrap().status, 302);
    }
    edit(&client, &ids, json!({ "target": "https://example.org/" })).await.expect(200).unwrap();
    for slug in ["/a", "/b"] {
        assert_eq!(visitor.get(slug).await.unwrap().header("location"), Some("https://example.org/"));
    }
    delete(&client, &ids).await.expect(200).unwrap();
    for slug in ["/a", "/b"] {
        assert_eq!(visitor.get(slug).await.unwrap().status, 404);
    }
    create(&client, json!([{ "slug": "a", "target": "https://example.net/" }])).await.expect(200).unwrap();
    assert_eq!(visitor.get("/a").await.unwrap().header("location"), Some("https://example.net/"));
}

#[tokio::test]
async fn links_of_others_are_neither_changed_nor_deleted() {
    let server = Server::start().await;
    let (alice, bob) = (server.member().await, server.member().await);
    let reply = create(&alice, json!([{ "target": "https://example.com/" }])).await;
    let link = results(&reply)[0]["link"].clone();
    let ids = json!([link["id"]]);
    assert_eq!(statuses(&edit(&bob, &ids, json!({ "title": "x" })).await), [404]);
    assert_eq!(statuses(&delete(&bob, &ids).await), [404]);
    assert_eq!(alice.get(&path_of(&link)).await.unwrap().expect(200).unwrap(), link);
    // The same id twice is gone the second time.
    assert_eq!(statuses(&delete(&alice, &json!([link["id"], link["id"]])).await), [204, 404]);
    for path in [BULK, "/api/v1/links/bulk/delete"] {
        assert_eq!(send(&server.stranger(), Method::POST, path, &json!({})).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_repeated_bulk_request_makes_nothing_twice() {
    let server = Server::start().await;
    let client = server.client();
    let links = |last: &str| {
        json!({ "links": [
            { "target": "https://example.com/1" },
            { "target": "nonsense" },
            { "target": "https://example.com/2", "slug": "two" },
            { "target": last },
        ] })
    };
    let once = async |body: &Value| {
        let request = client.request(Method::POST, BULK).header("Idempotency-Key", "k").json(body);
        client.send(request).await.unwrap()
    };
    let first = once(&links("https://example.com/3")).await;
    assert_eq!(statuses(&first), [201, 422, 201, 201]);
    assert_eq!(results(&once(&links("https://example.com/3")).await), results(&first));
    // The same key with another link in one place.
    let other = once(&links("https://example.com/4")).await;
    assert_eq!(statuses(&other), [201, 422, 201, 422]);
    assert_eq!(results(&other)[3]["problem"]["code"], "idempotency-key-reused");
    let page = client.get("/api/v1/links").await.unwrap().expect(200).unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn bulk_bodies_may_be_eight_times_as_long() {
    let server = Server::start().await;
    let client = server.client();
    let note = "x".repeat(4_096);
    let links: Value = (0..1_000).map(|_| json!({ "target": "https://example.com/", "note": note })).collect();
    assert!(links.to_string().len() > 4_000_000);
    assert!(statuses(&create(&client, links).await).iter().all(|status| *status == 201));
    let long = json!({ "links": [{ "target": "https://example.com/", "note": "x".repeat(8 << 20) }] });
    assert_eq!(problem(&send(&client, Method::POST, BULK, &long).await, 413)["code"], "body-too-large");
    let short = json!({ "target": "https://example.com/", "note": "x".repeat(1 << 20) });
    assert_eq!(problem(&client.create(&short).await.unwrap(), 413)["code"], "body-too-large");
}

#[tokio::test]
async fn bulk_is_no_link() {
    let server = Server::start().await;
    for (method, path) in [
        (Method::GET, BULK),
        (Method::DELETE, BULK),
        (Method::GET, "/api/v1/links/bulk/delete"),
        (Method::GET, "/api/v1/links/bulk/stats"),
    ] {
        let refused = server.client().send(server.client().request(method.clone(), path)).await.unwrap();
        assert!([404, 405].contains(&refused.status), "{method} {path}: {}", refused.status);
        if refused.status == 405 {
            assert!(!refused.header("allow").unwrap().split(", ").any(|allowed| allowed == method.as_str()), "{path}");
        }
    }
}
