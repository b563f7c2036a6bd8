//! Lists of links: filters, orders, pages.

use std::{collections::BTreeSet, time::Duration};

use boltlink_server::ServerOptions;
use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, parameters, path_of, problem, send, slugs};

async fn page(client: &Client, query: &str) -> Value {
    client.get(&format!("/api/v1/links?{query}")).await.unwrap().expect(200).unwrap()
}

/// The slugs of all that a list has, three at a time.
async fn all(client: &Client, query: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(client, &format!("limit=3&{query}{cursor}")).await;
        seen.extend(slugs(&page["items"]).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

async fn expect(client: &Client, cases: &[(&str, &[&str])]) {
    for (query, expected) in cases {
        assert_eq!(all(client, query).await, *expected, "{query}");
    }
}

#[tokio::test]
async fn words_are_found_in_slug_target_title_and_note() {
    let server = Server::start().await;
    server.link(json!({ "slug": "Spring-Sale", "target": "https://shop.example/offers" })).await;
    server.clock.advance(Duration::from_secs(1));
    server.link(json!({ "slug": "b", "title": "Grüße aus KÖLN", "note": "two\nlines, 100% spring_time" })).await;
    let cases: &[(&str, &[&str])] = &[
        ("text=SPRING", &["b", "Spring-Sale"]),
        ("text=pring-sa", &["Spring-Sale"]),
        ("text=shop.example", &["Spring-Sale"]),
        ("text=gr%C3%BC%C3%9Fe", &["b"]),
        ("text=k%C3%B6ln", &["b"]),
        ("text=lines+spring", &["b"]),
        ("text=sale+offers", &["Spring-Sale"]),
        ("text=sale+lines", &[]),
        ("text=two+a", &["b"]),
        // Nothing of this means more than itself.
        ("text=00%25", &["b"]),
        ("text=spring_", &["b"]),
        ("text=spr%25", &[]),
        ("text=%22spring%22", &[]),
        ("text=spring*", &[]),
        ("text=NOT+spring", &[]),
    ];
    expect(&server.client(), cases).await;
}

#[tokio::test]
async fn tags_are_any_or_all() {
    let server = Server::start().await;
    for (slug, tags) in
        [("a", json!(["red"])), ("b", json!(["red", "a,b"])), ("c", json!(["a,b", "Red"])), ("d", json!([]))]
    {
        server.link(json!({ "slug": slug, "tags": tags })).await;
        server.clock.advance(Duration::from_secs(1));
    }
    let cases: &[(&str, &[&str])] = &[
        ("tags=red", &["b", "a"]),
        ("tags=Red", &["c"]),
        ("tags=re", &[]),
        ("tags=a,b", &["c", "b"]),
        ("tags=red&tags=a,b", &["c", "b", "a"]),
        ("tags=red&tags=a,b&tags_match=any", &["c", "b", "a"]),
        ("tags=red&tags=a,b&tags_match=all", &["b"]),
        ("tags=red&tags=red&tags_match=all", &["b", "a"]),
        ("tags=red&tags=Red&tags_match=all", &[]),
        ("tags_match=all", &["d", "c", "b", "a"]),
    ];
    expect(&server.client(), cases).await;
}

#[tokio::test]
async fn links_are_told_apart_by_date_and_switches() {
    let server = Server::start().await;
    for (slug, enabled, crawlable) in [("a", true, false), ("b", false, false), ("c", true, true), ("d", false, true)] {
        server.link(json!({ "slug": slug, "enabled": enabled, "crawlable": crawlable })).await;
        server.clock.advance(Duration::from_secs(60));
    }
    let cases: &[(&str, &[&str])] = &[
        ("enabled=true", &["c", "a"]),
        ("enabled=false", &["d", "b"]),
        ("crawlable=true", &["d", "c"]),
        ("crawlable=false&enabled=false", &["b"]),
        // From here on, up to but not including there.
        ("created_from=2026-01-01T00:01:00Z", &["d", "c", "b"]),
        ("created_to=2026-01-01T00:01:00Z", &["a"]),
        ("created_from=2026-01-01T00:01:00Z&created_to=2026-01-01T00:03:00Z", &["c", "b"]),
        ("created_from=2026-01-01T01:01:00%2B01:00&enabled=true", &["c"]),
        ("created_from=2026-01-01T00:00:00.000001Z&created_to=2026-01-01T00:01:00.000001Z", &["b"]),
        ("created_from=2026-01-01T00:02:00Z&created_to=2026-01-01T00:01:00Z", &[]),
    ];
    expect(&server.client(), cases).await;
}

#[tokio::test]
async fn a_list_can_be_of_one_domain() {
    let domains = vec!["go.example.org".parse().unwrap()];
    let base_url = Some("http://go.example.com".parse().unwrap());
    let server = Server::with(ServerOptions { base_url, domains, ..ServerOptions::default() }).await;
    let client = server.client();
    let ask = async |method: Method, path: &str, body: Value| {
        let request = client.request(method, path).header("Host", "go.example.com").json(&body);
        client.send(request).await.unwrap()
    };
    for (slug, domain) in [("a", json!(null)), ("b", json!("go.example.org"))] {
        let body = json!({ "slug": slug, "domain": domain, "target": "https://example.com/" });
        ask(Method::POST, "/api/v1/links", body).await.expect(201).unwrap();
    }
    for (query, expected) in
        [("domain=go.example.com", "a"), ("domain=GO.example.org.", "b"), ("domain=go.example.org&enabled=true", "b")]
    {
        let page = ask(Method::GET, &format!("/api/v1/links?{query}"), json!(null)).await.expect(200).unwrap();
        assert_eq!(slugs(&page["items"]), [expected], "{query}");
    }
    for bad in ["", "elsewhere.example", "go.example.com:8080", "a%20b"] {
        let refused = ask(Method::GET, &format!("/api/v1/links?domain={bad}"), json!(null)).await;
        assert_eq!(parameters(&problem(&refused, 400)), ["domain"], "{bad}");
    }
}

#[tokio::test]
async fn lists_go_by_the_time_of_making_or_of_change_in_either_direction() {
    let server = Server::start().await;
    let mut links = Vec::new();
    for slug in ["a", "b", "c", "d", "e"] {
        links.push(server.link(json!({ "slug": slug })).await);
        server.clock.advance(Duration::from_secs(1));
    }
    for at in [3, 0] {
        send(&server.client(), Method::PATCH, &path_of(&links[at]), &json!({ "title": "x" }))
            .await
            .expect(200)
            .unwrap();
        server.clock.advance(Duration::from_secs(1));
    }
    let cases: &[(&str, &[&str])] = &[
        ("", &["e", "d", "c", "b", "a"]),
        ("sort=-created_at", &["e", "d", "c", "b", "a"]),
        ("sort=created_at", &["a", "b", "c", "d", "e"]),
        ("sort=-updated_at", &["a", "d", "e", "c", "b"]),
        ("sort=updated_at", &["b", "c", "e", "d", "a"]),
    ];
    expect(&server.client(), cases).await;
}

#[tokio::test]
async fn links_of_one_moment_are_each_listed_once_in_every_order() {
    let server = Server::start().await;
    for _ in 0..10 {
        server.link(json!({})).await;
    }
    for sort in ["created_at", "-created_at", "updated_at", "-updated_at"] {
        let seen = all(&server.client(), &format!("sort={sort}")).await;
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (10, 10), "{sort}");
    }
}

#[tokio::test]
async fn a_cursor_goes_with_its_list() {
    let server = Server::start().await;
    let client = server.client();
    for _ in 0..3 {
        server.link(json!({ "tags": ["t"], "title": "some title" })).await;
    }
    let list = "tags=t&text=some&limit=1";
    let first = page(&client, list).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(page(&client, &format!("{list}&cursor={cursor}")).await["items"].as_array().unwrap().len(), 1);
    // Another number at a time is the same list.
    let rest = page(&client, &format!("tags=t&text=some&limit=9&cursor={cursor}")).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (2, &json!(null)));
    let mut tampered = cursor.to_owned();
    tampered.replace_range(0..1, if cursor.starts_with('0') { "1" } else { "0" });
    let short = &cursor[1..];
    for other in [
        format!("tags=t&limit=1&cursor={cursor}"),
        format!("tags=t&text=title&cursor={cursor}"),
        format!("{list}&tags=u&cursor={cursor}"),
        format!("{list}&tags_match=all&cursor={cursor}"),
        format!("{list}&sort=created_at&cursor={cursor}"),
        format!("{list}&enabled=true&cursor={cursor}"),
        format!("{list}&crawlable=false&cursor={cursor}"),
        format!("{list}&created_from=2020-01-01T00:00:00Z&cursor={cursor}"),
        format!("{list}&created_to=2030-01-01T00:00:00Z&cursor={cursor}"),
        format!("{list}&domain={}&cursor={cursor}", server.address),
        format!("{list}&cursor={tampered}"),
        format!("{list}&cursor={short}"),
        format!("{list}&cursor={}", cursor.to_uppercase()),
        format!("{list}&cursor="),
    ] {
        let refused = client.get(&format!("/api/v1/links?{other}")).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), ["cursor"], "{other}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_named() {
    let server = Server::start().await;
    let many = vec!["tags=x"; 51].join("&");
    let long = format!("text={}", "x".repeat(101));
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("text=ab", "text"),
        ("text=a+b+cd", "text"),
        ("text=", "text"),
        ("text=abc%00", "text"),
        (&*long, "text"),
        ("tags=", "tags"),
        ("tags=+", "tags"),
        (&*many, "tags"),
        ("tags_match=some", "tags_match"),
        ("sort=slug", "sort"),
        ("sort=+created_at", "sort"),
        ("enabled=maybe", "enabled"),
        ("crawlable=2", "crawlable"),
        ("created_from=yesterday", "created_from"),
        ("created_to=2026-01-01", "created_to"),
        ("offset=3", "offset"),
        ("Limit=3", "Limit"),
    ] {
        let refused = server.client().get(&format!("/api/v1/links?{query}")).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), [parameter], "{query}");
    }
    assert_eq!(page(&server.client(), "limit=1").await["items"], json!([]));
    assert_eq!(page(&server.client(), "limit=500").await["items"], json!([]));
}

#[tokio::test]
async fn no_filter_shows_a_member_the_links_of_others() {
    let server = Server::start().await;
    let (alice, bob) = (server.member().await, server.member().await);
    let link = json!({ "target": "https://example.com/", "title": "secret", "tags": ["t"] });
    alice.create(&link).await.unwrap().expect(201).unwrap();
    for query in ["", "text=secret", "tags=t", "enabled=true", "sort=updated_at", "crawlable=false"] {
        assert_eq!(page(&bob, query).await["items"], json!([]), "{query}");
        assert_eq!(page(&alice, query).await["items"].as_array().unwrap().len(), 1, "{query}");
        assert_eq!(page(&server.client(), query).await["items"].as_array().unwrap().len(), 1, "{query}");
    }
}

#[tokio::test]
async fn a_changed_link_is_found_by_what_it_is_now() {
    let server = Server::start().await;
    let client = server.client();
    let link = server.link(json!({ "slug": "s", "title": "before", "tags": ["old"] })).await;
    let change = json!({ "title": "after", "tags": ["new"], "enabled": false });
    send(&client, Method::PATCH, &path_of(&link), &change).await.expect(200).unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("text=before", &[]),
        ("tags=old", &[]),
        ("enabled=true", &[]),
        ("text=after", &["s"]),
        ("tags=new", &["s"]),
        ("enabled=false", &["s"]),
    ];
    expect(&client, cases).await;
    send(&client, Method::PATCH, &path_of(&link), &json!({ "title": null, "tags": [] })).await.expect(200).unwrap();
    expect(&client, &[("text=after", &[]), ("tags=new", &[]), ("", &["s"])]).await;
}
