//! What each domain says at its root and of unknown links, to crawlers, and which targets lead back.

use std::collections::BTreeMap;

use boltlink_core::{Domain, TargetRules, TargetUrl};
use boltlink_server::ServerOptions;
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, pointers, problem};

fn url(text: &str) -> TargetUrl {
    TargetUrl::parse(text, &TargetRules::default()).unwrap()
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

/// Three domains: the default one and `b` lead elsewhere, `c` does not.
fn options() -> ServerOptions {
    ServerOptions {
        base_url: Some("https://a.example".parse().unwrap()),
        domains: vec![domain("b.example"), domain("c.example")],
        root_urls: BTreeMap::from([
            (domain(""), url("https://www.example.com/")),
            (domain("b.example"), url("https://www.example.org/ä?x=1")),
        ]),
        not_found_urls: BTreeMap::from([
            (domain(""), url("https://www.example.com/lost")),
            (domain("b.example"), url("https://www.example.org/lost#x")),
        ]),
        ..ServerOptions::default()
    }
}

async fn ask(client: &Client, method: Method, host: &str, path: &str) -> Reply {
    client.send(client.request(method, path).header("Host", host)).await.unwrap()
}

async fn create(client: &Client, fields: Value) -> Reply {
    let request = client.request(Method::POST, "/api/v1/links").header("Host", "a.example").json(&fields);
    client.send(request).await.unwrap()
}

#[tokio::test]
async fn each_domains_root_leads_where_it_says() {
    let server = Server::with(options()).await;
    let client = server.stranger();
    for (host, location) in [
        ("a.example", Some("https://www.example.com/")),
        ("A.example.:443", Some("https://www.example.com/")),
        ("b.example", Some("https://www.example.org/%C3%A4?x=1")),
        ("c.example", None),
    ] {
        for (method, path) in [(Method::GET, "/"), (Method::HEAD, "/"), (Method::GET, "/?utm_source=x")] {
            let reply = ask(&client, method, host, path).await;
            assert_eq!(reply.status, if location.is_some() { 302 } else { 200 }, "{host}");
            assert_eq!(reply.header("location"), location, "{host}");
            if location.is_some() {
                assert_eq!(reply.header("cache-control"), Some("no-store"));
            }
        }
    }
    assert_eq!(ask(&client, Method::GET, "d.example", "/").await.status, 404);
    // The root is no link.
    assert_eq!(ask(&client, Method::POST, "a.example", "/").await.status, 405);
}

#[tokio::test]
async fn each_domain_sends_visitors_of_unknown_links_where_it_says() {
    let server = Server::with(options()).await;
    let client = server.client();
    for (slug, fields) in
        [("plain", json!({})), ("off", json!({ "enabled": false })), ("path", json!({ "forward_path": true }))]
    {
        let mut body = json!({ "slug": slug, "target": "https://example.com/" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        create(&client, body).await.expect(201).unwrap();
    }
    for (host, location) in [
        ("a.example", Some("https://www.example.com/lost")),
        ("b.example", Some("https://www.example.org/lost#x")),
        ("c.example", None),
    ] {
        // What never was, what no link can be called, and what no link has behind it.
        for path in ["/nothing", "/no.slug", "/%ff", "/nothing/at/all", "/plain/rest", "/path/%2e%2e/x"] {
            for method in [Method::GET, Method::HEAD] {
                let reply = ask(&client, method, host, path).await;
                assert_eq!(reply.status, if location.is_some() { 302 } else { 404 }, "{host} {path}");
                assert_eq!(reply.header("location"), location, "{host} {path}");
                assert_eq!(reply.header("cache-control"), Some("no-store"), "{host} {path}");
            }
        }
    }
    // A link that is there says why it does not work.
    assert_eq!(ask(&client, Method::GET, "a.example", "/off").await.status, 410);
    assert_eq!(ask(&client, Method::GET, "b.example", "/off").await.status, 302);
    // The service's own names and unknown hosts are not unknown links.
    for (host, path) in [("a.example", "/api/nothing"), ("a.example", "/dashboard"), ("d.example", "/nothing")] {
        assert_eq!(ask(&client, Method::GET, host, path).await.status, 404, "{host} {path}");
    }
    create(&client, json!({ "slug": "nothing", "target": "https://example.com/" })).await.expect(201).unwrap();
    assert_eq!(
        ask(&client, Method::GET, "a.example", "/nothing").await.header("location"),
        Some("https://example.com/"),
        "a link that was made meanwhile"
    );
}

#[tokio::test]
async fn crawlers_are_let_in_by_links_that_say_so_on_their_own_domain() {
    let server = Server::with(options()).await;
    let client = server.client();
    let target = "https://example.com/";
    for body in [
        json!({ "slug": "open", "target": target, "crawlable": true }),
        json!({ "slug": "closed", "target": target }),
        json!({ "slug": "both", "target": target, "crawlable": true, "forward_path": true, "forward_query": true }),
        json!({ "slug": "other", "target": target, "crawlable": true, "domain": "b.example" }),
    ] {
        create(&client, body).await.expect(201).unwrap();
    }
    for (host, allowed) in
        [("a.example", &["/both$", "/both/", "/both?", "/open$"][..]), ("b.example", &["/other$"]), ("c.example", &[])]
    {
        let reply = ask(&server.stranger(), Method::GET, host, "/robots.txt").await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; charset=utf-8")));
        let lines: Vec<_> = reply.text.lines().collect();
        assert_eq!((lines.first(), lines.last()), (Some(&"User-agent: *"), Some(&"Disallow: /")), "{host}");
        let mut rules: Vec<_> =
            lines[1..lines.len() - 1].iter().map(|line| line.strip_prefix("Allow: ").unwrap()).collect();
        rules.sort_unstable();
        assert_eq!(rules, allowed, "{host}");
    }
    assert_eq!(ask(&client, Method::GET, "d.example", "/robots.txt").await.status, 404);
    let head = ask(&client, Method::HEAD, "a.example", "/robots.txt").await;
    assert_eq!((head.status, &*head.text), (200, ""));
}

#[tokio::test]
async fn robots_txt_names_the_newest_three_thousand_links() {
    let server = Server::start().await;
    let client = server.client();
    for part in 0..4 {
        let slug = |number: usize| format!("s{}", part * 1_000 + number);
        let link = |number| json!({ "target": "https://example.com/", "slug": slug(number), "crawlable": true });
        let body = json!({ "links": (0..1_000).map(link).collect::<Value>() });
        crate::support::send(&client, Method::POST, "/api/v1/links/bulk", &body).await.expect(200).unwrap();
        server.clock.advance(std::time::Duration::from_secs(1));
    }
    let robots = client.get("/robots.txt").await.unwrap().text;
    assert_eq!(robots.matches("Allow: /s").count(), 3_000);
    assert!(robots.contains("Allow: /s3999$\n") && !robots.contains("Allow: /s999$\n"));
}

#[tokio::test]
async fn the_icon_that_browsers_ask_for_is_no_link() {
    let server = Server::with(options()).await;
    for host in ["a.example", "b.example", "c.example"] {
        let reply = ask(&server.stranger(), Method::GET, host, "/favicon.ico").await;
        assert_eq!((reply.status, reply.header("location")), (204, None), "{host}");
    }
}

#[tokio::test]
async fn a_target_on_a_domain_of_ours_is_refused() {
    let mut options = options();
    options.domains.push(domain("192.0.2.7"));
    options.domains.push(domain("[2001:db8::7]:8080"));
    let server = Server::with(options).await;
    for target in [
        "https://a.example/x",
        "http://a.example/x",
        "https://A.EXAMPLE",
        "https://a.example./x",
        "https://a.example:443/x",
        "http://a.example:80/x",
        "http://a.example:443/x",
        "https://a.example:80/x",
        "https:a.example/x",
        "https:\\\\a.example\\x",
        "https://%61.example/x",
        "https://\u{ff41}.example/x",
        "https://b.example?x",
        "https://c.example#x",
        "http://192.0.2.7/",
        "http://192.0.2.7./",
        "http://3221225991/",
        "http://0xc0000207/",
        "http://0300.0.2.7/",
        "http://192.0.519/",
        "http://[::ffff:192.0.2.7]/",
        "http://[::ffff:c000:207]/",
        "http://[2001:db8:0:0::7]:8080/",
        "http://[2001:DB8::0007]:8080/",
    ] {
        let body = json!({ "target": target });
        let refused = problem(&create(&server.client(), body).await, 422);
        assert_eq!(pointers(&refused), ["/target"], "{target}");
        assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("loop"), "{target}");
    }
    for target in [
        "https://www.a.example/",
        "https://a.example.com/",
        "https://a.example:8443/",
        "https://example/",
        "https://other.example/?u=https://a.example/",
        "http://192.0.2.8/",
        "http://[2001:db8::7]/",
    ] {
        create(&server.client(), json!({ "target": target })).await.expect(201).unwrap();
    }
}

#[tokio::test]
async fn where_any_host_is_served_the_machines_own_names_are_refused() {
    let server = Server::start().await;
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0::1]",
        "[::]",
    ] {
        for scheme in ["http", "https"] {
            let target = format!("{scheme}://{host}:{port}/x");
            let refused = problem(&server.client().create(&json!({ "target": target })).await.unwrap(), 422);
            assert_eq!(pointers(&refused), ["/target"], "{target}");
        }
    }
    for target in [format!("http://127.0.0.1:{}/", port ^ 1), "http://localhost/".to_owned()] {
        server.client().create(&json!({ "target": target })).await.unwrap().expect(201).unwrap();
    }
}
