//! `/api/v1/session` and `/api/v1/sessions`: logging in and out.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink_core::{
    AccountId, Clock, FakeClock, PasswordTicket, Role, SystemEntropy, memory::MemoryLimiter, store::Quota,
};
use boltlink_server::{Rates, ServerOptions};
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, pointers, problem, send};

const SESSION: &str = "/api/v1/session";
const ADA: &str = "ada@example.com";

async fn server() -> Server {
    let server = Server::start().await;
    server.account(ADA, Role::Editor).await;
    server
}

async fn log_in(server: &Server, email: &str, password: &str) -> Reply {
    send(&server.stranger(), Method::POST, SESSION, &json!({ "email": email, "password": password })).await
}

/// Logs in as a page of the host does, and returns the cookie that the browser keeps.
async fn log_in_browser(server: &Server, planted: Option<&str>) -> (Value, String) {
    let client = server.stranger();
    let body = json!({ "email": ADA, "password": PASSWORD, "cookie": true });
    let mut request = client.request(Method::POST, SESSION).header("Sec-Fetch-Site", "same-origin").json(&body);
    if let Some(planted) = planted {
        request = request.header("Cookie", planted);
    }
    let reply = client.send(request).await.unwrap();
    let set = reply.header("set-cookie").unwrap().to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
    (reply.expect(201).unwrap(), set.split_once(';').unwrap().0.to_owned())
}

/// What a browser sends with the cookie, from a page of this site.
async fn browse(server: &Server, cookie: &str, method: Method, path: &str, site: &str) -> Reply {
    let client = server.stranger();
    let request = client.request(method, path).header("Cookie", cookie).header("Sec-Fetch-Site", site);
    let link = json!({ "target": "https://example.com/" });
    client.send(if path.ends_with("/links") { request.json(&link) } else { request }).await.unwrap()
}

#[tokio::test]
async fn a_program_logs_in_and_out() {
    let server = server().await;
    let login = log_in(&server, ADA, PASSWORD).await;
    assert_eq!(login.header("set-cookie"), None);
    let login = login.expect(201).unwrap();
    let token = login["token"].as_str().unwrap();
    assert!(token.starts_with(&format!("bls_{}_", login["session"]["id"].as_str().unwrap().replace('-', ""))));
    assert_eq!(login["session"]["expires_at"], "2026-01-15T00:00:00Z");
    let program = Client::new(server.address, token);
    assert_eq!(program.create(&json!({ "target": "https://example.com/" })).await.unwrap().status, 201);
    let sessions = program.get("/api/v1/sessions").await.unwrap().expect(200).unwrap();
    assert_eq!(sessions["items"], json!([login["session"]]));
    assert_eq!(program.send(program.request(Method::DELETE, SESSION)).await.unwrap().status, 204);
    assert_eq!(problem(&program.get("/api/v1/links").await.unwrap(), 401)["code"], "unauthorized");
    assert_eq!(program.send(program.request(Method::DELETE, SESSION)).await.unwrap().status, 401);
}

#[tokio::test]
async fn whatever_is_wrong_looks_the_same() {
    let server = server().await;
    let wrong = log_in(&server, ADA, "wrong horse battery staple").await;
    let unknown = log_in(&server, "eve@example.com", PASSWORD).await;
    assert_eq!(problem(&wrong, 401)["code"], "wrong-credentials");
    assert_eq!(wrong.text, unknown.text);
    let refused = send(&server.stranger(), Method::POST, SESSION, &json!({ "email": "x", "cookie": 1 })).await;
    assert_eq!(pointers(&problem(&refused, 422)), ["/email", "/password", "/cookie"]);
}

#[tokio::test]
async fn a_browser_has_a_cookie_that_no_script_reads() {
    let server = server().await;
    let (login, cookie) = log_in_browser(&server, None).await;
    assert_eq!(login["token"], json!(null));
    let me = browse(&server, &cookie, Method::GET, "/api/v1/me", "same-origin").await.expect(200).unwrap();
    assert_eq!(me["session"], login["session"]["id"]);
    assert_eq!(browse(&server, &cookie, Method::POST, "/api/v1/links", "same-origin").await.status, 201);
    let out = browse(&server, &cookie, Method::DELETE, SESSION, "same-origin").await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").unwrap().contains("=; Path=/; Max-Age=0"));
    assert_eq!(browse(&server, &cookie, Method::GET, "/api/v1/me", "same-origin").await.status, 401);
}

#[tokio::test]
async fn over_https_the_cookie_is_the_hosts_own() {
    let base_url = Some("https://go.example.com".parse().unwrap());
    let server = Server::with(ServerOptions { base_url, ..ServerOptions::default() }).await;
    server.account(ADA, Role::Editor).await;
    let client = server.stranger();
    let body = json!({ "email": ADA, "password": PASSWORD, "cookie": true });
    let log_in = async |origin: &str| {
        let request = client.request(Method::POST, SESSION).header("Host", "go.example.com").header("Origin", origin);
        client.send(request.json(&body)).await.unwrap()
    };
    let reply = log_in("https://go.example.com").await;
    let set = reply.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-boltlink=bls_") && set.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{set}");
    assert_eq!(problem(&log_in("https://evil.example").await, 403)["code"], "cross-site");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let server = server().await;
    let (_, cookie) = log_in_browser(&server, None).await;
    for site in ["cross-site", "same-site", "none"] {
        for (method, path) in [(Method::POST, "/api/v1/links"), (Method::DELETE, SESSION)] {
            let reply = browse(&server, &cookie, method, path, site).await;
            assert_eq!(problem(&reply, 403)["code"], "cross-site", "{site}");
        }
        // Reading changes nothing, and no other site sees the answer.
        let read = browse(&server, &cookie, Method::GET, "/api/v1/links", site).await;
        assert_eq!((read.status, read.header("access-control-allow-origin")), (200, None));
    }
    // Browsers before Fetch Metadata send the origin of what is no GET.
    let client = server.stranger();
    let own = format!("http://{}", server.address);
    for (origin, status) in [(&*own, 201), ("http://evil.example", 403), ("null", 403)] {
        let request = client.request(Method::POST, "/api/v1/links").header("Cookie", &cookie).header("Origin", origin);
        let reply = client.send(request.json(&json!({ "target": "https://example.com/" }))).await.unwrap();
        assert_eq!(reply.status, status, "{origin}");
    }
    let request = client.request(Method::POST, "/api/v1/links").header("Cookie", &cookie);
    let reply = client.send(request.json(&json!({ "target": "https://example.com/" }))).await.unwrap();
    assert_eq!(reply.status, 403, "who says nothing is no browser of ours");
    // Nor does a page of another site log somebody in.
    let body = json!({ "email": ADA, "password": PASSWORD, "cookie": true });
    let request = client.request(Method::POST, SESSION).header("Sec-Fetch-Site", "cross-site").json(&body);
    let reply = client.send(request).await.unwrap();
    assert_eq!(problem(&reply, 403)["code"], "cross-site");
    assert_eq!(reply.header("set-cookie"), None);
}

#[tokio::test]
async fn a_session_that_was_planted_is_not_taken_up() {
    let server = server().await;
    let (first, cookie) = log_in_browser(&server, None).await;
    // Somebody has planted a session of their own, or one that is none: each login makes a new one.
    for planted in [&*cookie, "boltlink_session=bls_00000000000000000000000000000000_0"] {
        let (second, other) = log_in_browser(&server, Some(planted)).await;
        assert_ne!(second["session"]["id"], first["session"]["id"]);
        assert_ne!(other, planted);
    }
    // Of two cookies one was planted, and which is not known.
    let (_, other) = log_in_browser(&server, None).await;
    let both = browse(&server, &format!("{cookie}; {other}"), Method::GET, "/api/v1/me", "same-origin").await;
    assert_eq!(both.status, 401);
}

#[tokio::test]
async fn a_session_lasts_as_long_as_it_is_used() {
    let server = server().await;
    let ada = server.logged_in(ADA).await;
    let days = |days: u64| server.clock.advance(Duration::from_secs(days * 24 * 60 * 60));
    days(10);
    assert_eq!(ada.get("/api/v1/me").await.unwrap().status, 200);
    // That it was used is written down now and then, and at the end; another process would go by it.
    server.shortener.shutdown().await;
    days(10);
    assert_eq!(ada.get("/api/v1/me").await.unwrap().status, 200);
    days(4);
    assert_eq!(ada.get("/api/v1/me").await.unwrap().status, 401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let server = server().await;
    let here = server.logged_in(ADA).await;
    server.clock.advance(Duration::from_secs(1));
    let there = log_in(&server, ADA, PASSWORD).await.expect(201).unwrap();
    let sessions = here.get("/api/v1/sessions").await.unwrap().expect(200).unwrap();
    let current: Vec<_> = sessions["items"].as_array().unwrap().iter().map(|one| &one["current"]).collect();
    assert_eq!(current, [true, false]);
    let path = format!("/api/v1/sessions/{}", there["session"]["id"].as_str().unwrap());
    server.account("eve@example.com", Role::Admin).await;
    let eve = server.logged_in("eve@example.com").await;
    for path in [&*path, "/api/v1/sessions/nonsense"] {
        assert_eq!(problem(&send(&eve, Method::DELETE, path, &json!(null)).await, 404)["code"], "session-not-found");
    }
    let there = Client::new(server.address, there["token"].as_str().unwrap());
    assert_eq!(there.get("/api/v1/me").await.unwrap().status, 200);
    assert_eq!(send(&here, Method::DELETE, &path, &json!(null)).await.status, 204);
    assert_eq!(there.get("/api/v1/me").await.unwrap().status, 401);
    assert_eq!(here.get("/api/v1/me").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let server = server().await;
    let (here, there) = (server.logged_in(ADA).await, server.logged_in(ADA).await);
    let new = "a seventh dwarf walks blue";
    let change = async |current: &str, new: &str| {
        let body = json!({ "current_password": current, "password": new });
        send(&here, Method::PUT, "/api/v1/me/password", &body).await
    };
    assert_eq!(pointers(&problem(&change("wrong horse battery staple", new).await, 422)), ["/current_password"]);
    assert_eq!(pointers(&problem(&change(PASSWORD, "password1234").await, 422)), ["/password"]);
    assert_eq!(there.get("/api/v1/me").await.unwrap().status, 200, "nothing was changed");
    assert_eq!(change(PASSWORD, new).await.status, 204);
    assert_eq!(there.get("/api/v1/me").await.unwrap().status, 401);
    assert_eq!(here.get("/api/v1/me").await.unwrap().status, 200);
    assert_eq!(log_in(&server, ADA, PASSWORD).await.status, 401);
    assert_eq!(log_in(&server, ADA, new).await.status, 201);
}

fn a_minute(rate: u32) -> Option<Quota> {
    Quota::new(NonZeroU32::new(rate).unwrap(), Duration::from_secs(60))
}

#[tokio::test]
async fn passwords_are_not_guessed_by_trying() {
    let clock = Arc::new(FakeClock::default());
    let shared: Arc<dyn Clock> = clock.clone();
    let limiter = Arc::new(MemoryLimiter::new(shared));
    let rates = Rates { limiter, login_address: a_minute(25), ..Rates::default() };
    let server = Server::with(ServerOptions { rates, ..ServerOptions::default() }).await;
    server.account(ADA, Role::Editor).await;
    server.account("bob@example.com", Role::Editor).await;
    let session = server.logged_in(ADA).await;
    for _ in 0..10 {
        assert_eq!(log_in(&server, ADA, "wrong horse battery staple").await.status, 401);
    }
    let refused = log_in(&server, "ADA@example.com", PASSWORD).await;
    assert_eq!(problem(&refused, 429)["code"], "rate-limited", "the right one comes too late");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-limit")), (Some("6"), Some("10")));
    // Whoever is logged in goes on, and can be kept by no stranger from changing the password.
    assert_eq!(session.get("/api/v1/me").await.unwrap().status, 200);
    let body = json!({ "current_password": "wrong horse battery staple", "password": "a seventh dwarf walks blue" });
    assert_eq!(send(&session, Method::PUT, "/api/v1/me/password", &body).await.status, 422);
    assert_eq!(log_in(&server, "bob@example.com", PASSWORD).await.status, 201, "another account is another");
    clock.advance(Duration::from_secs(6));
    assert_eq!(log_in(&server, ADA, PASSWORD).await.status, 201);

    // From one address no more than so many, whichever accounts they are of: 13 were before, 2 came back.
    let mut tried = 0;
    while log_in(&server, &format!("{tried}@example.com"), PASSWORD).await.status == 401 {
        tried += 1;
    }
    assert_eq!(tried, 14);
    let ticket = PasswordTicket::generate(AccountId::OPERATOR, &SystemEntropy).reveal();
    let wanted = json!({ "ticket": ticket, "password": PASSWORD });
    assert_eq!(send(&server.stranger(), Method::POST, "/api/v1/passwords", &wanted).await.status, 429);
}

#[tokio::test]
async fn whoever_is_logged_in_does_not_guess_the_password_either() {
    let server = Server::start().await;
    server.account(ADA, Role::Editor).await;
    let session = server.logged_in(ADA).await;
    let prove = async || {
        let body =
            json!({ "current_password": "wrong horse battery staple", "password": "a seventh dwarf walks blue" });
        send(&session, Method::PUT, "/api/v1/me/password", &body).await.status
    };
    for _ in 0..10 {
        assert_eq!(prove().await, 422);
    }
    assert_eq!(prove().await, 429);
    let body = json!({ "password": PASSWORD, "links": "keep" });
    assert_eq!(send(&session, Method::DELETE, "/api/v1/me", &body).await.status, 429, "nor in another way");
    assert_eq!(log_in(&server, ADA, PASSWORD).await.status, 201, "which keeps nobody from logging in");
}

/// A statistic with wide bounds: an unknown account must not be told from a known one by how long the answer takes.
#[tokio::test]
async fn an_unknown_account_takes_as_long_as_a_known_one() {
    let rates = Rates { login_account: None, login_address: None, ..Rates::default() };
    let options = ServerOptions { rates, ..ServerOptions::default() };
    let dear = |builder: boltlink_core::ShortenerBuilder| builder.hash_cost("m=8192,t=2,p=1".parse().unwrap());
    let server = Server::built(options, |stores| stores, dear).await;
    server.account(ADA, Role::Editor).await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..31 {
        for (email, times) in [(ADA, &mut known), ("eve@example.com", &mut unknown)] {
            let start = Instant::now();
            assert_eq!(log_in(&server, email, "wrong horse battery staple").await.status, 401);
            times.push(start.elapsed());
        }
    }
    known.sort();
    unknown.sort();
    let ratio = unknown[15].as_secs_f64() / known[15].as_secs_f64();
    assert!((0.6..1.7).contains(&ratio), "{ratio}: {known:?} {unknown:?}");
}
