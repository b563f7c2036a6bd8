//! What of a visitor's request goes along to the target, and what never does.

use boltlink_testkit::Connection;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::{Raw, Server, path_of, raw, send};

async fn get(server: &Server, path: impl AsRef<[u8]>) -> Raw {
    raw(server, "GET", path).await
}

async fn leads(server: &Server, cases: &[(&str, &str)]) {
    // Once from the store, once from the cache.
    for _ in 0..2 {
        for (path, location) in cases {
            let answer = get(server, path).await;
            assert_eq!((answer.status, answer.header("location")), (302, Some(*location)), "{path}");
        }
    }
}

#[tokio::test]
async fn a_query_goes_along_and_replaces_parameters_of_the_same_name() {
    let server = Server::start().await;
    let link = |slug: &'static str, target: &'static str| {
        server.link(json!({ "slug": slug, "target": target, "forward_query": true }))
    };
    let shown = link("bare", "https://example.com").await;
    assert_eq!((&shown["forward_query"], &shown["forward_path"]), (&json!(true), &json!(false)));
    link("full", "https://example.com/x?a=1&b=2&a=3#top").await;
    let cases = [
        ("/bare", "https://example.com/"),
        ("/bare?", "https://example.com/"),
        ("/bare?&&", "https://example.com/"),
        ("/bare?q=1&q=2", "https://example.com/?q=1&q=2"),
        ("/bare?q=%C3%A4+b", "https://example.com/?q=%C3%A4+b"),
        ("/bare?q=a?b/c", "https://example.com/?q=a?b/c"),
        ("/full", "https://example.com/x?a=1&b=2&a=3#top"),
        ("/full?c=4", "https://example.com/x?a=1&b=2&a=3&c=4#top"),
        ("/full?a=9", "https://example.com/x?b=2&a=9#top"),
        ("/full?%61=9&b", "https://example.com/x?%61=9&b#top"),
        ("/full?A=9", "https://example.com/x?a=1&b=2&a=3&A=9#top"),
    ];
    leads(&server, &cases).await;
}

#[tokio::test]
async fn a_path_goes_along_behind_the_targets() {
    let server = Server::start().await;
    for (slug, target) in [
        ("bare", "https://example.com"),
        ("base", "https://example.com/base"),
        ("full", "https://example.com/base/?q=1#top"),
    ] {
        server.link(json!({ "slug": slug, "target": target, "forward_path": true })).await;
    }
    let cases = [
        ("/bare/", "https://example.com/"),
        ("/bare/a/b/", "https://example.com/a/b/"),
        ("/bare/a%20b/%C3%A4", "https://example.com/a%20b/%C3%A4"),
        ("/bare/ä", "https://example.com/%C3%A4"),
        ("/base", "https://example.com/base"),
        ("/base/", "https://example.com/base"),
        ("/base/a", "https://example.com/base/a"),
        ("/full/a", "https://example.com/base/a?q=1#top"),
        ("/full/a?q=2&r=3", "https://example.com/base/a?q=1#top"),
        ("/full?q=2", "https://example.com/base/?q=1#top"),
    ];
    leads(&server, &cases).await;
}

#[tokio::test]
async fn what_a_link_does_not_forward_is_ignored_in_queries_and_not_found_in_paths() {
    let server = Server::start().await;
    let target = "https://example.com/x?a=1#f";
    server.link(json!({ "slug": "none", "target": target })).await;
    server.link(json!({ "slug": "query", "target": target, "forward_query": true })).await;
    leads(&server, &[("/none?a=2&b=3", target), ("/none?", target)]).await;
    for path in ["/none/", "/none/rest", "/none//", "/none/rest?a=2", "/query/", "/query/rest", "/query/rest?a=2"] {
        let answer = get(&server, path).await;
        assert_eq!((answer.status, answer.header("location")), (404, None), "{path}");
        assert!(answer.body.contains("link-not-found"), "{path}");
    }
}

/// What comes behind the slug when somebody wants to lead a visitor elsewhere.
const ATTACKS: &[&str] = &[
    "//evil.example",
    "///evil.example/x",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "/@evil.example",
    "@evil.example",
    ".evil.example",
    ":pw@evil.example",
    "/:80@evil.example",
    "/..%2f..",
    "/..%2f..%2f%2fevil.example",
    "/%2e%2e/%2e%2e/",
    "/../../evil.example",
    "/%5c%5cevil",
    "/%2f%2fevil.example",
    "/%2F%5Cevil.example",
    "/%09//evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/%00//evil.example",
    "/https://evil.example",
    "/https:evil.example",
    "/javascript:alert(1)",
    "/%E2%81%A4%EF%BC%8Fevil.example",
    "/;//evil.example",
    "?x=%0d%0aSet-Cookie:a",
    "?//evil.example",
    "?@evil.example",
    "?\\evil.example",
    "?#@evil.example",
    "?%23@evil.example",
    "?x=1&target=https://evil.example",
    "/a?b#//evil.example",
];

#[tokio::test]
async fn no_request_leads_to_another_origin() {
    let server = Server::start().await;
    let targets = [
        "https://example.com",
        "https://example.com:8443/base",
        "http://example.com/base/?q=1#f",
        "https://[2001:db8::1]:99/",
        "https://example.com?q=//a@b",
        "https://example.com#/@x",
    ];
    let mut led = 0;
    for (number, target) in targets.into_iter().enumerate() {
        let slug = format!("s{number}");
        server.link(json!({ "slug": slug, "target": target, "forward_query": true, "forward_path": true })).await;
        let target = Url::parse(target).unwrap();
        for attack in ATTACKS {
            let path = format!("/{slug}{attack}");
            let answer = get(&server, &path).await;
            assert!([302, 400, 404].contains(&answer.status), "{path}: {}", answer.status);
            assert_eq!(answer.header("set-cookie"), None, "{path}");
            let locations: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "location").collect();
            assert_eq!(locations.len(), usize::from(answer.status == 302), "{path}");
            for (_, location) in locations {
                let led_to = Url::parse(location).unwrap();
                assert_eq!(led_to.origin(), target.origin(), "{path} led to {location}");
                assert_eq!((led_to.username(), led_to.password()), ("", None), "{path} led to {location}");
                assert!(led_to.path().starts_with(target.path().trim_end_matches('/')), "{path} led to {location}");
                assert_eq!(led_to.fragment(), target.fragment(), "{path} led to {location}");
                led += 1;
            }
        }
    }
    assert!(led > 60, "only {led} redirects were looked at");
}

#[tokio::test]
async fn exactly_these_attacks_become_harmless_paths() {
    let server = Server::start().await;
    let fields = json!({ "slug": "s", "target": "https://example.com", "forward_query": true, "forward_path": true });
    server.link(fields).await;
    let cases = [
        ("/s//evil.example", "https://example.com/evil.example"),
        ("/s/\\evil.example", "https://example.com/%5Cevil.example"),
        ("/s/@evil.example", "https://example.com/@evil.example"),
        ("/s/%5c%5cevil", "https://example.com/%5c%5cevil"),
        ("/s?x=%0d%0aSet-Cookie:a", "https://example.com/?x=%0d%0aSet-Cookie:a"),
    ];
    leads(&server, &cases).await;
    for path in ["/s/..%2f..", "/s/..", "/s/a/../b", "/s/%2e%2E/x", "/s/..%5cx", "/s/..;a/x", "/s/.", "/s/%2e"] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
    leads(&server, &[("/s/..a/b..", "https://example.com/..a/b..")]).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_break_nothing() {
    let server = Server::start().await;
    server.link(json!({ "slug": "s", "forward_query": true, "forward_path": true })).await;
    // No HTTP: refused, or not answered at all.
    for path in [&b"/s/\xff\xfe"[..], b"/s?\xff", b"/\xff", b"/s/\x01"] {
        let answer = get(&server, path).await;
        assert!([0, 400].contains(&answer.status), "{path:?}: {}", answer.status);
    }
    leads(&server, &[("/s/%ff", "https://example.com/%ff"), ("/s?%ff=%fe", "https://example.com/?%ff=%fe")]).await;
    assert_eq!(get(&server, "/s").await.status, 302, "the server goes on");
}

#[tokio::test]
async fn a_look_is_forwarded_too_but_not_counted() {
    let server = Server::start().await;
    let fields = json!({ "slug": "s", "forward_query": true, "forward_path": true, "max_visits": 1 });
    let link = server.link(fields).await;
    for _ in 0..3 {
        let head = raw(&server, "HEAD", "/s/a?b=c").await;
        assert_eq!((head.status, head.header("location")), (302, Some("https://example.com/a?b=c")));
        assert_eq!(head.body, "");
        let head = raw(&server, "HEAD", "/s/..").await;
        assert_eq!((head.status, &*head.body), (404, ""));
    }
    leads_once(&server, "/s/a?b=c", "https://example.com/a?b=c").await;
    assert_eq!(server.clicks(&link).await, 1);
}

async fn leads_once(server: &Server, path: &str, location: &str) {
    let answer = get(server, path).await;
    assert_eq!((answer.status, answer.header("location")), (302, Some(location)), "{path}");
}

#[tokio::test]
async fn forwarded_visits_are_counted_and_taken_from_caps() {
    let server = Server::start().await;
    let with = |mut fields: Value| {
        fields["forward_query"] = json!(true);
        fields["forward_path"] = json!(true);
        server.link(fields)
    };
    let (free, capped) = (with(json!({ "slug": "f" })).await, with(json!({ "slug": "c", "max_visits": 3 })).await);
    let mut visitor = Connection::open(server.address).await.unwrap();
    for path in ["/f", "/f/a", "/f?b=c", "/f/a?b=c", "/c/a", "/c?b=c", "/c"] {
        assert_eq!(visitor.get(path, &[]).await.unwrap().status, 302, "{path}");
    }
    // What leads nowhere is no visit.
    for path in ["/f/..", "/c/.."] {
        assert_eq!(visitor.get(path, &[]).await.unwrap().status, 404, "{path}");
    }
    for path in ["/c", "/c/a", "/c?b=c"] {
        assert_eq!(visitor.get(path, &[]).await.unwrap().status, 410, "{path}");
    }
    assert_eq!(server.clicks(&free).await, 4);
    assert_eq!(server.clicks(&capped).await, 3);
}

#[tokio::test]
async fn forwarding_is_switched_by_a_change() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    assert_eq!(get(&server, "/s/a").await.status, 404);
    let change = json!({ "forward_path": true, "forward_query": true });
    let shown = send(&server.client(), Method::PATCH, &path_of(&link), &change).await.expect(200).unwrap();
    assert_eq!((&shown["forward_path"], &shown["forward_query"]), (&json!(true), &json!(true)));
    leads_once(&server, "/s/a?b=c", "https://example.com/a?b=c").await;
    let change = json!({ "forward_path": false, "title": "x" });
    send(&server.client(), Method::PATCH, &path_of(&link), &change).await.expect(200).unwrap();
    assert_eq!(get(&server, "/s/a").await.status, 404);
    leads_once(&server, "/s?b=c", "https://example.com/?b=c").await;
}

#[tokio::test]
async fn thousands_of_parameters_are_merged() {
    let server = Server::start().await;
    let own: Vec<String> = (0..1_500).map(|number| format!("{number}")).collect();
    let target = format!("https://example.com/?{}", own.join("&"));
    server.link(json!({ "slug": "s", "target": target, "forward_query": true })).await;
    // Every other one is replaced, and as many are new.
    let asked: Vec<String> = (0..4_000).step_by(2).map(|number| format!("{number}=")).collect();
    let answer = get(&server, format!("/s?{}", asked.join("&"))).await;
    let kept = own.iter().skip(1).step_by(2).map(String::as_str);
    let expected: Vec<_> = kept.chain(asked.iter().map(String::as_str)).collect();
    assert_eq!(answer.header("location"), Some(&*format!("https://example.com/?{}", expected.join("&"))));
}
