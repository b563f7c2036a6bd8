//! Slugs: random ones of a length, other scripts, and case.

use std::{collections::BTreeSet, sync::Arc};

use boltlink_core::{BuildError, Clock, FakeClock, Shortener, SlugCase, SlugRules, Stores};
use boltlink_server::ServerOptions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, path_of, pointers, problem, raw, send};

async fn with(rules: SlugRules) -> Server {
    Server::built(ServerOptions::default(), |stores| stores, |builder| builder.slug_rules(rules)).await
}

const LOOSE: SlugRules = SlugRules { case: SlugCase::Insensitive, unicode: false };
const UNICODE: SlugRules = SlugRules { case: SlugCase::Sensitive, unicode: true };

#[tokio::test]
async fn a_random_slug_has_the_length_asked_for() {
    let server = Server::start().await;
    for (length, expected) in [(json!(4), 4), (json!(5), 5), (json!(31), 31), (json!(32), 32), (json!(null), 7)] {
        let link = server.link(json!({ "slug_length": length })).await;
        let slug = link["slug"].as_str().unwrap();
        assert_eq!(slug.len(), expected);
        assert!(slug.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{slug}");
        assert_eq!(server.stranger().get(&format!("/{slug}")).await.unwrap().status, 302);
    }
    assert_eq!(server.link(json!({ "slug": null, "slug_length": 4 })).await["slug"].as_str().unwrap().len(), 4);
}

#[tokio::test]
async fn many_short_slugs_are_all_different() {
    let server = Server::start().await;
    let links: Value = (0..1_000).map(|_| json!({ "target": "https://example.com/", "slug_length": 4 })).collect();
    let body = json!({ "links": links });
    let reply = send(&server.client(), Method::POST, "/api/v1/links/bulk", &body).await.expect(200).unwrap();
    let slugs: BTreeSet<_> =
        reply["results"].as_array().unwrap().iter().map(|result| result["link"]["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs.len(), 1_000);
}

#[tokio::test]
async fn by_default_case_matters() {
    let server = Server::start().await;
    server.link(json!({ "slug": "Abc", "target": "https://example.com/1" })).await;
    assert_eq!(raw(&server, "GET", "/abc").await.status, 404);
    server.link(json!({ "slug": "abc", "target": "https://example.com/2" })).await;
    for (path, location) in [("/Abc", "https://example.com/1"), ("/abc", "https://example.com/2")] {
        assert_eq!(raw(&server, "GET", path).await.header("location"), Some(location));
    }
}

#[tokio::test]
async fn where_case_does_not_matter_there_is_one_link_for_every_spelling() {
    let server = with(LOOSE).await;
    let client = server.client();
    let link = server.link(json!({ "slug": "AbC-1" })).await;
    assert_eq!(link["slug"], "abc-1");
    assert!(link["short_url"].as_str().unwrap().ends_with("/abc-1"));
    for _ in 0..2 {
        for path in ["/abc-1", "/ABC-1", "/aBc-1", "/%41bc-1", "/%61BC-1"] {
            assert_eq!(raw(&server, "GET", path).await.status, 302, "{path}");
            assert_eq!(raw(&server, "HEAD", path).await.status, 302, "{path}");
        }
    }
    assert_eq!(server.clicks(&link).await, 10);
    let again = json!({ "target": "https://example.com/", "slug": "aBC-1" });
    assert_eq!(problem(&client.create(&again).await.unwrap(), 409)["code"], "slug-taken");
    let found = json!({ "target": "https://example.com/", "slug": "ABC-1", "find_existing": true });
    assert_eq!(client.create(&found).await.unwrap().expect(200).unwrap()["id"], link["id"]);
    let renamed = send(&client, Method::PATCH, &path_of(&link), &json!({ "slug": "XYZ" })).await.expect(200).unwrap();
    assert_eq!(renamed["slug"], "xyz");
    assert_eq!(raw(&server, "GET", "/ABC-1").await.status, 404);
    assert_eq!(raw(&server, "GET", "/Xyz").await.status, 302);
    // Random ones too.
    for _ in 0..20 {
        let slug = server.link(json!({})).await["slug"].as_str().unwrap().to_owned();
        assert_eq!(slug, slug.to_lowercase());
        assert_eq!(raw(&server, "GET", format!("/{}", slug.to_uppercase())).await.status, 302);
    }
    for reserved in ["Api", "HEALTH"] {
        let body = json!({ "target": "https://example.com/", "slug": reserved });
        assert_eq!(pointers(&problem(&client.create(&body).await.unwrap(), 422)), ["/slug"]);
    }
}

#[tokio::test]
async fn letters_of_other_scripts_are_refused_unless_they_are_switched_on() {
    let server = Server::start().await;
    for slug in ["ä", "日本", "привет", "a\u{308}", "½"] {
        let body = json!({ "target": "https://example.com/", "slug": slug });
        assert_eq!(pointers(&problem(&server.client().create(&body).await.unwrap(), 422)), ["/slug"], "{slug}");
        assert_eq!(raw(&server, "GET", format!("/{slug}")).await.status, 404);
    }
}

#[tokio::test]
async fn a_slug_of_another_script_is_one_in_every_encoding() {
    let server = with(UNICODE).await;
    let client = server.client();
    // Decomposed on the way in, composed from then on.
    let link = server.link(json!({ "slug": "cafe\u{301}" })).await;
    assert_eq!(link["slug"], "café");
    let url = format!("http://{}/caf%C3%A9", server.address);
    assert_eq!(link["short_url"], url);
    for _ in 0..2 {
        for path in ["/café", "/caf%C3%A9", "/caf%c3%a9", "/cafe%CC%81", "/cafe\u{301}", "/%63af%C3%A9"] {
            assert_eq!(raw(&server, "GET", path).await.status, 302, "{path}");
        }
    }
    assert_eq!(server.clicks(&link).await, 12);
    for path in ["/cafe", "/caf%E9", "/caf%C3", "/CAFÉ"] {
        assert_eq!(raw(&server, "GET", path).await.status, 404, "{path}");
    }
    let again = json!({ "target": "https://example.com/", "slug": "café" });
    assert_eq!(client.create(&again).await.unwrap().status, 409);
    for slug in ["日本語", "हिन्दी", "Ελλάδα", &"語".repeat(128)] {
        let link = server.link(json!({ "slug": slug })).await;
        let path = link["short_url"].as_str().unwrap().strip_prefix(&server_url(&server)).unwrap().to_owned();
        assert!(path.is_ascii());
        assert_eq!(raw(&server, "GET", path).await.status, 302, "{slug}");
        assert_eq!(raw(&server, "GET", format!("/{slug}")).await.status, 302, "{slug}");
    }
    for bad in ["a b", "a\u{200b}b", "a\u{fe0f}", "\u{3164}", "\u{202e}a", "😀", "a.b", "a%b", "/", &"語".repeat(129)]
    {
        let body = json!({ "target": "https://example.com/", "slug": bad });
        assert_eq!(pointers(&problem(&client.create(&body).await.unwrap(), 422)), ["/slug"], "{bad}");
    }
}

#[tokio::test]
async fn robots_txt_names_a_slug_of_another_script_as_crawlers_ask_for_it() {
    let server = with(UNICODE).await;
    server.link(json!({ "slug": "café", "crawlable": true })).await;
    let robots = server.stranger().get("/robots.txt").await.unwrap();
    assert_eq!(robots.text, "User-agent: *\nAllow: /caf%C3%A9$\nDisallow: /\n");
}

fn server_url(server: &Server) -> String {
    format!("http://{}", server.address)
}

#[tokio::test]
async fn reserved_words_are_nobodys_in_any_encoding() {
    for rules in [SlugRules::default(), UNICODE, LOOSE] {
        let server = with(rules).await;
        for path in ["/%61pi", "/%41PI", "/dashboard", "/d%61shboard", "/health%2f", "/.well-known/x", "/%2e%2e"] {
            let status = raw(&server, "GET", path).await.status;
            assert_eq!(status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn the_document_says_which_slugs_are_taken() {
    for (rules, pattern) in [(SlugRules::default(), "^[A-Za-z0-9_-]+$"), (UNICODE, r"^[\p{L}\p{M}\p{N}_-]+$")] {
        let server = with(rules).await;
        let document = server.client().get("/openapi.json").await.unwrap().expect(200).unwrap();
        assert_eq!(document["components"]["schemas"]["NewLink"]["properties"]["slug"]["pattern"], pattern);
    }
}

#[tokio::test]
async fn case_is_fixed_by_the_first_start() {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let stores = Stores::in_memory(clock.clone());
    let start = async |case| {
        let builder = Shortener::builder().stores(stores.clone()).clock(clock.clone());
        builder.slug_rules(SlugRules { case, unicode: false }).build().await
    };
    start(SlugCase::Insensitive).await.unwrap().shutdown().await;
    let refused = start(SlugCase::Sensitive).await.err();
    let kept =
        matches!(refused, Some(BuildError::SlugCase { kept: SlugCase::Insensitive, wanted: SlugCase::Sensitive }));
    assert!(kept, "{refused:?}");
    start(SlugCase::Insensitive).await.unwrap().shutdown().await;
    stores.links.change_slug_case(SlugCase::Sensitive).await.unwrap();
    start(SlugCase::Sensitive).await.unwrap().shutdown().await;
}
