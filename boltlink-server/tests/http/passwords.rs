//! Links with a password: the form, what opens it, and how often it may be tried.

use std::{num::NonZeroU32, time::Duration};

use boltlink_core::{Pass, store::Quota};
use boltlink_server::{Proxies, Rates, ServerOptions};
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, path_of, problem, send};

const HTML: &str = "text/html,application/xhtml+xml";

/// Sends what a browser sends for the form of a link.
async fn submit(client: &Client, path: &str, password: &str) -> Reply {
    let form = client.request(Method::POST, path).header("accept", HTML).form(&[("password", password)]);
    client.send(form).await.unwrap()
}

/// The cookie in an answer, as a browser sends it back.
fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

async fn with_cookie(client: &Client, path: &str, cookie: &str) -> Reply {
    client.send(client.request(Method::GET, path).header("cookie", cookie)).await.unwrap()
}

fn short_path(link: &Value) -> String {
    format!("/{}", link["slug"].as_str().unwrap())
}

#[tokio::test]
async fn a_visitor_who_knows_the_password_is_sent_on() {
    let server = Server::start().await;
    let link = server.link(json!({ "password": "sesame", "redirect": 308 })).await;
    assert_eq!((&link["has_password"], link.get("password")), (&json!(true), None));
    assert!(!link.to_string().contains("sesame") && !link.to_string().contains("argon2"), "{link}");
    let (stranger, path) = (server.stranger(), short_path(&link));

    let shut = stranger.get(&path).await.unwrap();
    assert_eq!(problem(&shut, 403)["code"], "password-required");
    let page = stranger.send(stranger.request(Method::GET, &path).header("accept", HTML)).await.unwrap();
    assert_eq!((page.status, page.header("location"), page.header("cache-control")), (403, None, Some("no-store")));
    assert!(page.text.contains("<form method=\"post\">") && !page.text.contains("<script"), "{}", page.text);
    assert!(page.header("content-security-policy").unwrap().contains("form-action 'self'"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let head = stranger.send(stranger.request(Method::HEAD, &path)).await.unwrap();
    assert_eq!((head.status, head.header("location")), (403, None));

    let wrong = submit(&stranger, &path, "Sesame").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, None));
    assert!(wrong.text.contains("This is not the password.") && !wrong.text.contains("Sesame"), "{}", wrong.text);

    // Not 308: the password would go along to the target.
    let right = submit(&stranger, &path, "sesame").await;
    assert_eq!((right.status, right.header("location")), (303, Some("https://example.com/")));
    let set = right.header("set-cookie").unwrap();
    assert!(set.ends_with(&format!("; Path={path}; Max-Age=900; HttpOnly; SameSite=Lax")), "{set}");
    let again = with_cookie(&stranger, &path, &cookie(&right)).await;
    assert_eq!((again.status, again.header("cache-control")), (308, Some("no-store")));
    assert_eq!(server.clicks(&link).await, 2, "only those who were sent on");
}

#[tokio::test]
async fn a_pass_is_good_for_one_link_and_one_password_for_a_while() {
    let server = Server::start().await;
    let (link, other) = (server.link(json!({ "password": "a" })).await, server.link(json!({ "password": "a" })).await);
    let (stranger, path) = (server.stranger(), short_path(&link));
    let pass = cookie(&submit(&stranger, &path, "a").await);
    assert_eq!(with_cookie(&stranger, &short_path(&other), &pass).await.status, 403);
    // Planted ones do not hide it, unless there are many.
    let planted = format!("boltlink_pass=x; boltlink_pass=; {pass}");
    assert_eq!(with_cookie(&stranger, &path, &planted).await.status, 302);
    let mut forged = pass.clone().into_bytes();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(with_cookie(&stranger, &path, &String::from_utf8(forged).unwrap()).await.status, 403);

    server.clock.advance(Pass::LIFETIME - Duration::from_secs(1));
    assert_eq!(with_cookie(&stranger, &path, &pass).await.status, 302);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(with_cookie(&stranger, &path, &pass).await.status, 403);

    let pass = cookie(&submit(&stranger, &path, "a").await);
    let edit =
        async |body: Value| send(&server.client(), Method::PATCH, &path_of(&link), &body).await.expect(200).unwrap();
    assert_eq!(edit(json!({ "title": "x" })).await["has_password"], true);
    assert_eq!(with_cookie(&stranger, &path, &pass).await.status, 302);
    edit(json!({ "password": "b" })).await;
    assert_eq!(with_cookie(&stranger, &path, &pass).await.status, 403);
    assert_eq!(submit(&stranger, &path, "a").await.status, 403);
    assert_eq!(edit(json!({ "password": null })).await["has_password"], false);
    assert_eq!(stranger.get(&path).await.unwrap().status, 302);
}

#[tokio::test]
async fn only_links_with_a_password_take_a_form() {
    let server = Server::start().await;
    let open = short_path(&server.link(json!({})).await);
    let shut = short_path(&server.link(json!({ "password": "a", "forward_query": true })).await);
    let off = short_path(&server.link(json!({ "password": "a", "enabled": false })).await);
    let stranger = server.stranger();
    for path in [&open, &off, "/nothing"] {
        let refused = submit(&stranger, path, "a").await;
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    for (password, status) in [("", 403), ("\0", 403), (&*"x".repeat(129), 403), (&*"x".repeat(5_000), 413)] {
        assert_eq!(submit(&stranger, &shut, password).await.status, status, "{}", password.len());
    }
    let json = stranger.request(Method::POST, &shut).json(&json!({ "password": "a" }));
    assert_eq!(problem(&stranger.send(json).await.unwrap(), 415)["code"], "unsupported-media-type");
    let put = stranger.send(stranger.request(Method::PUT, &shut)).await.unwrap();
    assert_eq!(put.status, 405);
    // What the visitor asked for first is not lost on the way.
    let right = submit(&stranger, &format!("{shut}?q=1"), "a").await;
    assert_eq!((right.status, right.header("location")), (303, Some("https://example.com/?q=1")));
}

#[tokio::test]
async fn a_password_is_tried_ten_times_a_minute_from_one_address() {
    let server = Server::start().await;
    let (link, other) = (server.link(json!({ "password": "a" })).await, server.link(json!({ "password": "a" })).await);
    let (stranger, path) = (server.stranger(), short_path(&link));
    for _ in 0..10 {
        assert_eq!(submit(&stranger, &path, "b").await.status, 403);
    }
    let refused = submit(&stranger, &path, "a").await;
    assert_eq!((refused.status, refused.header("set-cookie")), (429, None), "the right one, too");
    assert!(refused.header("retry-after").is_some() && refused.text.contains("too often"), "{}", refused.text);
    assert_eq!(stranger.get(&path).await.unwrap().status, 403, "the form is shown all the same");
    assert_eq!(submit(&stranger, &short_path(&other), "a").await.status, 303, "another link's");
    // However the slug is spelled it is the same link.
    let spelled = format!("/%{:02X}{}", path.as_bytes()[1], &path[2..]);
    assert_eq!(submit(&stranger, &spelled, "a").await.status, 429);
    assert_eq!(server.clicks(&link).await, 0);
}

#[tokio::test]
async fn what_is_tried_counts_as_work_of_its_address() {
    let rates = Rates { login_address: a_minute(3), password: None, ..Rates::default() };
    let server = Server::with(ServerOptions { rates, ..ServerOptions::default() }).await;
    for status in [303, 303, 303, 429] {
        let link = server.link(json!({ "password": "a" })).await;
        assert_eq!(submit(&server.stranger(), &short_path(&link), "a").await.status, status);
    }
}

fn a_minute(rate: u32) -> Option<Quota> {
    Quota::new(NonZeroU32::new(rate).unwrap(), Duration::from_secs(60))
}

#[tokio::test]
async fn from_many_addresses_no_more_is_tried_than_a_link_allows() {
    let rates = Rates { password_link: a_minute(3), ..Rates::default() };
    let proxies = Proxies { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Proxies::default() };
    let server = Server::with(ServerOptions { rates, proxies, ..ServerOptions::default() }).await;
    let path = short_path(&server.link(json!({ "password": "a" })).await);
    let other = short_path(&server.link(json!({ "password": "a" })).await);
    let stranger = server.stranger();
    let submit = async |path: &str, from: &str| {
        let request = stranger.request(Method::POST, path).header("x-forwarded-for", from);
        stranger.send(request.form(&[("password", "b")])).await.unwrap().status
    };
    for (from, status) in [("10.0.0.1", 403), ("10.0.0.2", 403), ("10.0.0.3", 403), ("10.0.0.4", 429)] {
        assert_eq!(submit(&path, from).await, status, "from {from}");
    }
    assert_eq!(submit(&other, "10.0.0.4").await, 403, "another link's");
}

#[tokio::test]
async fn an_account_sets_so_many_passwords_and_no_more() {
    let rates = Rates { password_set: a_minute(4), ..Rates::default() };
    let server = Server::with(ServerOptions { rates, ..ServerOptions::default() }).await;
    let client = server.client();
    let path = path_of(&server.link(json!({})).await);
    let protect = json!({ "password": "a" });
    send(&client, Method::PATCH, &path, &protect).await.expect(200).unwrap();
    // What would not be done takes nothing.
    let stale = client.request(Method::PATCH, &path).header("if-match", "\"1\"").json(&protect);
    assert_eq!(client.send(stale).await.unwrap().status, 412);
    let nowhere = "/api/v1/links/00000000-0000-7000-8000-000000000000";
    assert_eq!(send(&client, Method::PATCH, nowhere, &protect).await.status, 404);
    // Of many each counts; all together or none.
    let many = |count| {
        let links = vec![json!({ "target": "https://example.com/", "password": "a" }); count];
        json!({ "links": links })
    };
    let refused = send(&client, Method::POST, "/api/v1/links/bulk", &many(5)).await;
    assert_eq!(problem(&refused, 422)["errors"][0]["pointer"], "/links/4/password", "there is never room for these");
    let refused = send(&client, Method::POST, "/api/v1/links/bulk", &many(4)).await;
    assert_eq!(refused.header("ratelimit-limit"), Some("4"), "of the quota that is used up");
    assert_eq!(problem(&refused, 429)["code"], "rate-limited");
    send(&client, Method::POST, "/api/v1/links/bulk", &many(2)).await.expect(200).unwrap();
    server.link(protect.clone()).await;
    let link = json!({ "target": "https://example.com/", "password": "a" });
    assert_eq!(send(&client, Method::POST, "/api/v1/links", &link).await.status, 429);
    assert_eq!(send(&client, Method::PATCH, &path, &protect).await.status, 429);
    // Without a password nothing is taken, and others have their own.
    server.link(json!({})).await;
    send(&client, Method::PATCH, &path, &json!({ "password": null })).await.expect(200).unwrap();
    send(&server.member().await, Method::POST, "/api/v1/links", &link).await.expect(201).unwrap();
}

#[tokio::test]
async fn a_password_is_one_or_is_refused() {
    let server = Server::start().await;
    let client = server.client();
    for wrong in [json!(""), json!(7), json!("x".repeat(129))] {
        let body = json!({ "target": "https://example.com/", "password": wrong });
        let refused = problem(&send(&client, Method::POST, "/api/v1/links", &body).await, 422);
        assert_eq!(refused["errors"][0]["pointer"], "/password", "{refused}");
    }
    let body = json!({ "target": "https://example.com/", "password": "a", "find_existing": true });
    let refused = problem(&send(&client, Method::POST, "/api/v1/links", &body).await, 422);
    assert_eq!(refused["errors"][0]["pointer"], "/password", "{refused}");
    // Nor is one that has a password what somebody wants who asks for any.
    let protected = server.link(json!({ "password": "a" })).await;
    let body = json!({ "target": "https://example.com/", "find_existing": true });
    let found = send(&client, Method::POST, "/api/v1/links", &body).await.expect(201).unwrap();
    assert_ne!(found["id"], protected["id"]);
}

#[tokio::test]
async fn a_repeated_creation_gives_the_link_if_the_password_is_the_same() {
    let server = Server::start().await;
    let client = server.client();
    let create = async |path: &str, body: Value| {
        let request = client.request(Method::POST, path).header("idempotency-key", "k").json(&body);
        client.send(request).await.unwrap()
    };
    let body = |password: &str| json!({ "target": "https://example.com/", "password": password });
    let first = create("/api/v1/links", body("a")).await.expect(201).unwrap();
    let again = create("/api/v1/links", body("a")).await.expect(201).unwrap();
    assert_eq!(first["id"], again["id"]);
    assert_eq!(problem(&create("/api/v1/links", body("b")).await, 422)["code"], "idempotency-key-reused");

    let many = |password: &str| json!({ "links": [body(password), { "target": "https://example.com/2" }] });
    let first = create("/api/v1/links/bulk", many("a")).await.expect(200).unwrap();
    let again = create("/api/v1/links/bulk", many("a")).await.expect(200).unwrap();
    assert_eq!(first, again);
    let other = create("/api/v1/links/bulk", many("b")).await.expect(200).unwrap();
    assert_eq!((&other["results"][0]["status"], &other["results"][1]["status"]), (&json!(422), &json!(201)));
}

#[tokio::test]
async fn many_links_have_passwords_but_not_a_thousand_at_once() {
    let server = Server::start().await;
    let client = server.client();
    let links =
        |number: usize| json!({ "links": vec![json!({ "target": "https://example.com/", "password": "a" }); number] });
    let made = send(&client, Method::POST, "/api/v1/links/bulk", &links(100)).await.expect(200).unwrap();
    let results = made["results"].as_array().unwrap();
    assert!(results.iter().all(|made| made["link"]["has_password"] == true), "{made}");
    let refused = problem(&send(&client, Method::POST, "/api/v1/links/bulk", &links(101)).await, 422);
    assert_eq!(refused["errors"][0]["pointer"], "/links/100/password", "{refused}");

    let ids: Vec<_> = results.iter().map(|made| made["link"]["id"].clone()).collect();
    let body = json!({ "ids": ids, "patch": { "password": "b" } });
    send(&client, Method::PATCH, "/api/v1/links/bulk", &body).await.expect(200).unwrap();
    let path = short_path(&results[99]["link"]);
    assert_eq!(submit(&server.stranger(), &path, "a").await.status, 403);
    assert_eq!(submit(&server.stranger(), &path, "b").await.status, 303);
}
