//! What is refused, and that it is said where.

use boltlink_testkit::Reply;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, path_of, pointers, problem, send};

/// What a creation with these fields beside a target is answered.
async fn create(server: &Server, fields: &Value) -> Reply {
    let mut body = json!({ "target": "https://example.com/" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    server.client().create(&body).await.unwrap()
}

#[tokio::test]
async fn values_at_their_bounds_are_taken_and_those_beyond_refused_with_the_pointer() {
    let server = Server::start().await;
    let link = server.link(json!({})).await;
    let tags = |many: usize| (0..many).map(|number| number.to_string()).collect::<Vec<_>>();
    for good in [
        json!({ "title": "ä".repeat(512) }),
        json!({ "note": "x".repeat(4_096) }),
        json!({ "note": "a\r\n\tb" }),
        json!({ "tags": tags(50) }),
        json!({ "tags": ["ä".repeat(64)] }),
        json!({ "max_visits": 1 }),
        json!({ "max_visits": 9_007_199_254_740_991_u64 }),
        json!({ "starts_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00.000001Z" }),
        json!({ "starts_at": "0000-01-01T00:00:00Z", "expires_at": "9999-12-31T23:59:59.999999Z" }),
        json!({ "title": "", "note": "  " }),
    ] {
        assert_eq!(create(&server, &good).await.status, 201, "{good:.99}");
        assert_eq!(send(&server.client(), Method::PATCH, &path_of(&link), &good).await.status, 200, "{good:.99}");
        let reset = json!({ "starts_at": null, "expires_at": null, "slug": "s" });
        send(&server.client(), Method::PATCH, &path_of(&link), &reset).await.expect(200).unwrap();
    }
    for (bad, pointer) in [
        (json!({ "title": "x".repeat(513) }), "/title"),
        (json!({ "title": "a\nb" }), "/title"),
        (json!({ "note": "x".repeat(4_097) }), "/note"),
        (json!({ "note": "a\u{0}b" }), "/note"),
        (json!({ "tags": tags(51) }), "/tags"),
        (json!({ "tags": vec!["same"; 51] }), "/tags"),
        (json!({ "tags": ["a", "x".repeat(65)] }), "/tags/1"),
        (json!({ "tags": ["  "] }), "/tags/0"),
        (json!({ "tags": "a" }), "/tags"),
        (json!({ "max_visits": 0 }), "/max_visits"),
        (json!({ "max_visits": -1 }), "/max_visits"),
        (json!({ "max_visits": 1.0 }), "/max_visits"),
        (json!({ "max_visits": "1" }), "/max_visits"),
        (json!({ "max_visits": 9_007_199_254_740_992_u64 }), "/max_visits"),
        (json!({ "max_visits": u64::MAX }), "/max_visits"),
        (json!({ "max_visits": 1e300 }), "/max_visits"),
        (json!({ "redirect": 303 }), "/redirect"),
        (json!({ "redirect": 65_536 + 301 }), "/redirect"),
        (json!({ "slug": "x".repeat(129) }), "/slug"),
        (json!({ "slug": "a/b" }), "/slug"),
        (json!({ "slug": "ä" }), "/slug"),
        (json!({ "slug": "Favicon.ico" }), "/slug"),
        (json!({ "slug": "DASHBOARD" }), "/slug"),
        (json!({ "starts_at": "2026-01-01" }), "/starts_at"),
        (json!({ "expires_at": "2026-13-01T00:00:00Z" }), "/expires_at"),
        (json!({ "starts_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z" }), "/expires_at"),
        (json!({ "starts_at": "2026-01-01T00:00:01Z", "expires_at": "2026-01-01T00:00:00Z" }), "/expires_at"),
        (json!({ "forward_query": "true" }), "/forward_query"),
        (json!({ "forward_path": 1 }), "/forward_path"),
        (json!({ "crawlable": [] }), "/crawlable"),
        (json!({ "enabled": 0 }), "/enabled"),
        (json!({ "target": "x".repeat(8_193) }), "/target"),
        (json!({ "target": 7 }), "/target"),
        (json!({ "Title": "x" }), "/Title"),
        (json!({ "a/b~c": 1 }), "/a~1b~0c"),
        (json!({ "clicks": 7 }), "/clicks"),
    ] {
        let refused = problem(&create(&server, &bad).await, 422);
        assert_eq!((&refused["code"], pointers(&refused)), (&json!("invalid"), vec![pointer]), "{bad:.99}");
        let refused = problem(&send(&server.client(), Method::PATCH, &path_of(&link), &bad).await, 422);
        assert_eq!(pointers(&refused), [pointer], "{bad:.99}");
    }
    create(&server, &json!({ "slug": "x".repeat(128) })).await.expect(201).unwrap();
    // What only creations have.
    for (bad, pointer) in [
        (json!({ "slug": "a", "slug_length": 7 }), "/slug_length"),
        (json!({ "slug_length": 3 }), "/slug_length"),
        (json!({ "slug_length": 33 }), "/slug_length"),
        (json!({ "slug_length": 260 }), "/slug_length"),
        (json!({ "find_existing": "yes" }), "/find_existing"),
        (json!({ "domain": "elsewhere.example" }), "/domain"),
        (json!({ "domain": "" }), "/domain"),
    ] {
        assert_eq!(pointers(&problem(&create(&server, &bad).await, 422)), [pointer], "{bad}");
        let refused = problem(&send(&server.client(), Method::PATCH, &path_of(&link), &bad).await, 422);
        assert!(pointers(&refused).contains(&pointer), "{bad}");
    }
}

/// What is answered to a creation whose body is this text.
async fn post(server: &Server, body: impl Into<reqwest::Body>) -> Reply {
    let client = server.client();
    let request = client.request(Method::POST, "/api/v1/links").header("Content-Type", "application/json");
    client.send(request.body(body)).await.unwrap()
}

#[tokio::test]
async fn a_field_that_is_there_twice_is_refused() {
    let server = Server::start().await;
    for (body, expected) in [
        (r#"{"target": "https://example.com/", "target": "https://example.com/"}"#, &["/target"][..]),
        (r#"{"target": "https://example.com/", "\u0074arget": "https://evil.example/"}"#, &["/target"]),
        (r#"{"target": "https://example.com/", "title": null, "title": "x", "title": "y"}"#, &["/title", "/title"]),
        (r#"{"target": "https://example.com/", "tags": [{"a": 1, "a": 2}]}"#, &["/tags/0/a"]),
    ] {
        let refused = problem(&post(&server, body).await, 422);
        assert_eq!(pointers(&refused), expected, "{body}");
    }
    let client = server.client();
    let link = server.link(json!({})).await;
    for (method, path, body, pointer) in [
        (Method::PATCH, path_of(&link), r#"{"title": "a", "title": "b"}"#, "/title"),
        (
            Method::POST,
            "/api/v1/links/bulk".to_owned(),
            r#"{"links": [{}, {"slug": "a", "slug": "b"}]}"#,
            "/links/1/slug",
        ),
    ] {
        let request = client.request(method, &path).header("Content-Type", "application/json").body(body);
        assert_eq!(pointers(&problem(&client.send(request).await.unwrap(), 422)), [pointer]);
    }
}

#[tokio::test]
async fn a_refusal_is_never_much_longer_than_its_request() {
    let server = Server::start().await;
    let unknown: String = (0..60_000).map(|number| format!("\"{number}\":0,")).collect();
    let below = format!("{{\"{}\":{{{}\"a\":0}}}}", "x".repeat(300_000), "\"a\":0,".repeat(50_000));
    for body in [format!("{{{unknown}\"x\":0}}"), format!("{{{}\"a\":0}}", "\"a\":0,".repeat(100_000)), below] {
        let length = body.len();
        let refused = post(&server, body).await;
        assert!(refused.text.len() < 2 * length, "{} bytes for {length}", refused.text.len());
        let refused = problem(&refused, 422);
        assert!((1..=100).contains(&pointers(&refused).len()));
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_text_are_malformed() {
    let server = Server::start().await;
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        &b"{"[..],
        b"",
        b"{} {}",
        b"{\"target\": \"\xff\"}",
        b"\xef\xbb\xbf{}",
        br#"{"target": "https://example.com/\ud800"}"#,
        br#"{"target": 'x'}"#,
        br#"{"target": "https://example.com/",}"#,
        br#"{"max_visits": NaN}"#,
        nested.as_bytes(),
    ] {
        let refused = problem(&post(&server, body.to_vec()).await, 400);
        assert_eq!(refused["code"], "malformed-body", "{:?}", body.get(..40).unwrap_or(body));
    }
    for body in ["null", "7", "\"x\"", "[]"] {
        assert_eq!(pointers(&problem(&post(&server, body).await, 422)), [""], "{body}");
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let server = Server::start().await;
    let (client, body) = (server.client(), r#"{"target": "https://example.com/"}"#);
    let link = server.link(json!({})).await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "json",
        "application/jsonp",
    ] {
        for (method, path) in [
            (Method::POST, "/api/v1/links".to_owned()),
            (Method::PATCH, path_of(&link)),
            (Method::POST, "/api/v1/links/bulk".to_owned()),
            (Method::PATCH, "/api/v1/links/bulk".to_owned()),
            (Method::POST, "/api/v1/links/bulk/delete".to_owned()),
        ] {
            let request = client.request(method, &path).header("Content-Type", kind).body(body);
            let refused = problem(&client.send(request).await.unwrap(), 415);
            assert_eq!(refused["code"], "unsupported-media-type", "{kind} {path}");
        }
    }
    for kind in
        ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8"]
    {
        let request = client.request(Method::POST, "/api/v1/links").header("Content-Type", kind).body(body);
        client.send(request).await.unwrap().expect(201).unwrap();
    }
}

#[tokio::test]
async fn parameters_that_an_operation_does_not_have_are_refused() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    let path = path_of(&link);
    for (method, path) in [
        (Method::POST, "/api/v1/links".to_owned()),
        (Method::GET, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/stats")),
        (Method::GET, format!("{path}/series")),
        (Method::GET, format!("{path}/breakdown")),
        (Method::GET, format!("{path}/clicks")),
        (Method::GET, format!("{path}/qr")),
        (Method::HEAD, format!("{path}/qr")),
        (Method::GET, "/api/v1/analytics/global".to_owned()),
        (Method::GET, "/api/v1/analytics/top".to_owned()),
        (Method::POST, "/api/v1/links/bulk".to_owned()),
    ] {
        let reply = client.send(client.request(method.clone(), &format!("{path}?colour=red"))).await.unwrap();
        assert_eq!(reply.status, 400, "{method} {path}");
        if method != Method::HEAD {
            assert_eq!(problem(&reply, 400)["errors"][0]["parameter"], "colour", "{method} {path}");
        }
    }
    assert_eq!(client.get(&path).await.unwrap().expect(200).unwrap(), link);
}
