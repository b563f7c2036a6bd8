//! What is tried against servers on the internet. Nothing of it may be answered by a failure of the server, or do what
//! it is meant to. Others of this kind are in `connections`, `strict`, `forwarding` and `access`.

use std::time::Duration;

use boltlink_server::{Limits, ServerOptions};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Server, exchange, path_of, pointers, problem, raw, send};

/// A request behind another one, which a proxy in front takes for its body.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn no_request_is_smuggled_in_the_body_of_another() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "smuggled" })).await;
    let length = SMUGGLED.len();
    for framing in [
        // Both: whichever a proxy goes by, nothing behind the first is looked at.
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", length + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n0\r\n\r\n", length + 5),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n"),
        format!("Content-Length: {length}\r\nContent-Length: 0\r\n\r\n"),
        "Content-Length: 0, 5\r\n\r\n".to_owned(),
        "Content-Length: +0\r\n\r\n".to_owned(),
        "Content-Length: -0\r\n\r\n".to_owned(),
        "Content-Length: 0x0\r\n\r\n".to_owned(),
        "Content-Length: 99999999999999999999\r\n\r\n".to_owned(),
        "Content-Length : 0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n".to_owned(),
    ] {
        let request = format!("POST /api/v1/links HTTP/1.1\r\nHost: x\r\n{framing}{SMUGGLED}");
        let answer = exchange(&server, request.as_bytes()).await;
        assert!(!answer.contains("HTTP/1.1 302") && !answer.contains("HTTP/1.1 5"), "{framing:?}: {answer}");
    }
    let old = format!("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    assert!(!exchange(&server, old.as_bytes()).await.contains("302"));
    assert_eq!(server.clicks(&link).await, 0);
}

#[tokio::test]
async fn nobody_is_sent_to_a_host_that_a_request_made_up() {
    let base_url = Some("http://go.example.com".parse().unwrap());
    let server = Server::with(ServerOptions { base_url, ..ServerOptions::default() }).await;
    let client = server.client();
    let create = client.request(Method::POST, "/api/v1/links").header("Host", "go.example.com");
    let link = create.json(&json!({ "target": "https://example.com/", "slug": "s" }));
    client.send(link).await.unwrap().expect(201).unwrap();
    for head in [
        "GET /s HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: go.example.com",
        "GET /s HTTP/1.1\r\nHost: evil.example\r\nForwarded: host=go.example.com",
        "GET http://evil.example/s HTTP/1.1\r\nHost: go.example.com",
        "GET /s HTTP/1.1\r\nHost: go.example.com@evil.example",
        "GET /s HTTP/1.1\r\nHost: go.example.com.evil.example",
        "GET /s HTTP/1.1\r\nHost: go.example.com:80@evil.example",
        "GET /s HTTP/1.1\r\nHost: go.example.com/\r\nX-Forwarded-Host: evil.example",
        "GET /s HTTP/1.1\r\nHost: evil.example\r\nHost: go.example.com",
        "GET /s HTTP/1.1\r\nHost: go.example.com\r\nHost: evil.example",
        "GET /s HTTP/1.1\r\nHost:",
    ] {
        let answer = exchange(&server, format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(["HTTP/1.1 400", "HTTP/1.1 404"].contains(&&answer[..12.min(answer.len())]), "{head}: {answer}");
        assert!(!answer.contains("evil"), "{head}: {answer}");
    }
    let twice = b"GET /s HTTP/1.1\r\nHost: go.example.com\r\nHost: go.example.com\r\nConnection: close\r\n\r\n";
    assert!(exchange(&server, twice).await.starts_with("HTTP/1.1 400"));
    // What is believed of a request is its host alone, and not what else it says of itself.
    let head =
        "GET /s HTTP/1.1\r\nHost: go.example.com\r\nX-Forwarded-Host: evil.example\r\nX-Original-URL: /api/v1/links";
    let answer = exchange(&server, format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 302") && !answer.contains("evil"), "{answer}");
}

#[tokio::test]
async fn no_header_is_made_of_what_somebody_sends() {
    let server = Server::start().await;
    let client = server.client();
    for (field, value) in [
        ("target", "https://example.com/\r\nSet-Cookie: a=b"),
        ("target", "https://example.com/\nSet-Cookie: a=b"),
        ("target", "https://example.com/\u{85}x"),
        ("slug", "a\r\nSet-Cookie: a=b"),
        ("slug", "a\0b"),
        ("title", "a\r\nb"),
        ("domain", "a\r\nb"),
    ] {
        let mut link = json!({ "target": "https://example.com/" });
        link[field] = json!(value);
        let refused = problem(&client.create(&link).await.unwrap(), 422);
        assert_eq!(pointers(&refused), [format!("/{field}")]);
    }
    let forwards = json!({ "slug": "f", "forward_query": true, "forward_path": true });
    server.link(forwards).await;
    for path in [
        "/f/%0d%0aSet-Cookie:%20a=b",
        "/f?x=%0d%0aSet-Cookie:%20a=b",
        "/f/a%0aSet-Cookie:a",
        "/f?%00",
        "/f/\u{2028}Set-Cookie",
        "/none%0d%0aSet-Cookie:%20a=b",
    ] {
        let answer = raw(&server, "GET", path).await;
        assert!([302, 400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert_eq!(answer.header("set-cookie"), None, "{path}");
        let location = answer.header("location").unwrap_or_default();
        assert!(location.is_empty() || location.starts_with("https://example.com/"), "{path}: {location}");
    }
}

#[tokio::test]
async fn paths_that_are_no_text_lead_nowhere() {
    let server = Server::start().await;
    server.link(json!({ "slug": "s" })).await;
    for path in [
        &b"/%00"[..],
        b"/s%00",
        b"/\x00",
        b"/%ff%fe",
        b"/\xff\xfe",
        b"/%ed%a0%80",
        b"/%c0%ae%c0%ae/etc/passwd",
        b"/%",
        b"/%2",
        b"/%zz",
        b"/../../etc/passwd",
        b"/..%2f..%2fetc%2fpasswd",
        b"/s/../api/v1/links",
        b"/api/v1/links/%00",
        b"/api/v1/links/%ff",
        b"/api/v1/keys/..%2flinks",
        b"//evil.example/",
        b"/\\evil.example",
    ] {
        let answer = raw(&server, "GET", path).await;
        let shown = String::from_utf8_lossy(path);
        assert!([0, 400, 401, 404].contains(&answer.status), "{shown}: {}", answer.status);
        assert_eq!(answer.header("location"), None, "{shown}");
    }
}

#[tokio::test]
async fn ids_cannot_be_found_out() {
    let server = Server::start().await;
    let (link, member) = (server.link(json!({})).await, server.member().await);
    let known = path_of(&link);
    let unknown = "/api/v1/links/019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f";
    let key = server.client().get("/api/v1/keys").await.unwrap().expect(200).unwrap()["items"][0]["id"].clone();
    for (known, unknown) in [
        (known.clone(), unknown.to_owned()),
        (format!("{known}/stats"), format!("{unknown}/stats")),
        (format!("{known}/qr"), format!("{unknown}/qr")),
    ] {
        let (known, unknown) = (member.get(&known).await.unwrap(), member.get(&unknown).await.unwrap());
        assert_eq!((known.status, known.text), (404, unknown.text), "what is another's is as if it were not");
    }
    let reader = boltlink_core::Scopes::new([boltlink_core::Scope::KeysRead]).unwrap();
    let owner = Some(server.shortener.new_account());
    let new = boltlink_core::NewKey { owner, ..boltlink_core::NewKey::new("k".parse().unwrap(), reader) };
    let reader = server.holder(new).await;
    let known = reader.get(&format!("/api/v1/keys/{}", key.as_str().unwrap())).await.unwrap();
    let unknown = reader.get("/api/v1/keys/019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f").await.unwrap();
    assert_eq!((known.status, known.text), (404, unknown.text));
    // Whether a secret or an id is wrong is not told, either.
    let token = |id: &str| format!("blt_{}_{}", id.replace('-', ""), "0".repeat(64));
    let ask =
        async |token: String| boltlink_testkit::Client::new(server.address, token).get("/api/v1/links").await.unwrap();
    let (known, unknown) = (ask(token(key.as_str().unwrap())).await, ask(token(&"0".repeat(32))).await);
    assert_eq!((known.status, known.text), (401, unknown.text));
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_opens_nothing() {
    let server = Server::start().await;
    for _ in 0..3 {
        server.link(json!({})).await;
    }
    let client = server.client();
    let page = client.get("/api/v1/links?limit=1").await.unwrap().expect(200).unwrap();
    let cursor = page["next_cursor"].as_str().unwrap();
    for place in 0..cursor.len() {
        let mut tampered = cursor.to_owned().into_bytes();
        tampered[place] = if tampered[place] == b'0' { b'1' } else { b'0' };
        let tampered = String::from_utf8(tampered).unwrap();
        let refused = client.get(&format!("/api/v1/links?limit=1&cursor={tampered}")).await.unwrap();
        assert_eq!(problem(&refused, 400)["errors"][0]["parameter"], "cursor", "{tampered}");
    }
    // Nor does that of one list open another.
    for list in ["/api/v1/keys", "/api/v1/links?sort=created_at"] {
        let joint = if list.contains('?') { '&' } else { '?' };
        assert_eq!(client.get(&format!("{list}{joint}cursor={cursor}")).await.unwrap().status, 400, "{list}");
    }
}

#[tokio::test]
async fn what_the_server_decides_cannot_be_said() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    for field in ["id", "owner", "clicks", "taken", "version", "created_at", "updated_at", "short_url", "past", "admin"]
    {
        let mut new = json!({ "target": "https://example.com/" });
        new[field] = json!(1);
        assert_eq!(pointers(&problem(&client.create(&new).await.unwrap(), 422)), [format!("/{field}")]);
        let patch = json!({ field: 1 });
        let refused = problem(&send(&client, Method::PATCH, &path_of(&link), &patch).await, 422);
        assert_eq!(pointers(&refused), [format!("/{field}")]);
    }
    for field in ["id", "owner", "digest", "token", "admin", "revoked_at", "last_used_at"] {
        let mut key = json!({ "name": "x", "scopes": ["links:read"] });
        key[field] = json!(true);
        let refused = problem(&send(&client, Method::POST, "/api/v1/keys", &key).await, 422);
        assert_eq!(pointers(&refused), [format!("/{field}")]);
    }
    assert_eq!(client.get(&path_of(&link)).await.unwrap().expect(200).unwrap(), link);
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_harms_nobody() {
    let server = Server::start().await;
    let client = server.client();
    let post = async |body: String| {
        let request = client.request(Method::POST, "/api/v1/links").header("Content-Type", "application/json");
        client.send(request.body(body)).await.map_or(0, |reply| reply.status)
    };
    let long = "x".repeat(1 << 20);
    for body in [
        format!("{{\"target\": \"https://example.com/{long}\"}}"),
        "[".repeat(500_000),
        format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        format!("{{\"target\": \"https://example.com/\", \"tags\": [{}\"x\"]}}", "\"x\",".repeat(100_000)),
        format!("{{\"target\": \"https://example.com/\", \"max_visits\": {}}}", "9".repeat(100_000)),
        format!("{{\"target\": \"https://example.com/\", \"max_visits\": 1e{}}}", "9".repeat(1_000)),
        format!("{{{}\"z\": 1}}", (0..50_000).map(|at| format!("\"f{at}\": 1,")).collect::<String>()),
    ] {
        let status = post(body).await;
        assert!([0, 400, 413, 422].contains(&status), "{status}");
    }
    for (path, most) in [("/s?".to_owned() + &"a=b&".repeat(7_000), 404), ("/".to_owned() + &"a".repeat(20_000), 404)] {
        let status = raw(&server, "GET", path).await.status;
        assert!(status == most || [0, 414, 431].contains(&status), "{status}");
    }
    assert_eq!(post("{\"target\": \"https://example.com/\"}".to_owned()).await, 201);
}

#[tokio::test]
async fn slow_clients_hold_up_nobody() {
    let limits = Limits { header_timeout: Duration::from_secs(3), ..Limits::default() };
    let server = Server::with(ServerOptions { limits, ..ServerOptions::default() }).await;
    server.link(json!({ "slug": "s" })).await;
    let mut slow = Vec::new();
    for number in 0..100 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let beginning: &[u8] = if number % 2 == 0 { b"GET /s HTTP/1.1\r\nHost: x\r\nX-" } else { b"" };
        stream.write_all(beginning).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..200 {
        assert_eq!(raw(&server, "GET", "/s").await.status, 302);
    }
    // And all of them are given up.
    for mut stream in slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!String::from_utf8_lossy(&rest).contains("302"));
    }
    let health: Value = server.stranger().get("/health").await.unwrap().expect(200).unwrap();
    assert_eq!(health["status"], "up", "{health}");
}
