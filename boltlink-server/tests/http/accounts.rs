//! `/api/v1/accounts`, `/api/v1/me`, `/api/v1/registrations` and `/api/v1/passwords`, and the page for passwords.

use std::time::Duration;

use boltlink_core::{Actor, NewKey, Role, Scopes};
use boltlink_server::{Registration, ServerOptions};
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, pointers, problem, send};

const ACCOUNTS: &str = "/api/v1/accounts";
const ADA: &str = "ada@example.com";

async fn with(registration: Registration) -> Server {
    Server::with(ServerOptions { registration, ..ServerOptions::default() }).await
}

async fn invite(server: &Server, email: &str, role: &str) -> Value {
    let invited = send(&server.client(), Method::POST, ACCOUNTS, &json!({ "email": email, "role": role })).await;
    invited.expect(201).unwrap()
}

async fn set_password(server: &Server, ticket: &Value, password: &str) -> Reply {
    let body = json!({ "ticket": ticket, "password": password });
    send(&server.stranger(), Method::POST, "/api/v1/passwords", &body).await
}

async fn log_in(server: &Server, email: &str, password: &str) -> Reply {
    let body = json!({ "email": email, "password": password });
    send(&server.stranger(), Method::POST, "/api/v1/session", &body).await
}

/// The path of an account in the API.
fn path_of(account: &Value) -> String {
    format!("{ACCOUNTS}/{}", account["id"].as_str().unwrap())
}

#[tokio::test]
async fn whoever_is_invited_sets_a_password_and_logs_in() {
    let server = with(Registration::Invitation).await;
    let invited = invite(&server, " Ada@Example.COM ", "editor").await;
    let expected = json!({
        "id": invited["account"]["id"],
        "email": ADA,
        "role": "editor",
        "has_password": false,
        "created_at": "2026-01-01T00:00:00Z",
        "disabled_at": null,
        "last_login_at": null,
    });
    assert_eq!(invited["account"], expected);
    assert_eq!(invited["expires_at"], "2026-01-04T00:00:00Z");
    let ticket = invited["ticket"].as_str().unwrap();
    assert_eq!(invited["link"], format!("http://{}/login/password?ticket={ticket}", server.address));
    let path = path_of(&invited["account"]);
    assert_eq!(server.client().get(&path).await.unwrap().expect(200).unwrap(), expected);
    assert_eq!(problem(&log_in(&server, ADA, PASSWORD).await, 401)["code"], "wrong-credentials");

    assert_eq!(set_password(&server, &invited["ticket"], PASSWORD).await.status, 204);
    let again = set_password(&server, &invited["ticket"], "another horse battery staple").await;
    assert_eq!(problem(&again, 410)["code"], "ticket-not-valid");
    let login = log_in(&server, "ADA@example.com", PASSWORD).await.expect(201).unwrap();
    assert_eq!(login["account"]["last_login_at"], "2026-01-01T00:00:00Z");
    let ada = Client::new(server.address, login["token"].as_str().unwrap());
    let me = ada.get("/api/v1/me").await.unwrap().expect(200).unwrap();
    let expected = json!({
        "account": invited["account"]["id"],
        "email": ADA,
        "role": "editor",
        "scopes": ["links:read", "links:write", "analytics:read", "keys:read", "keys:write"],
        "api_key": null,
        "session": login["session"]["id"],
    });
    assert_eq!(me, expected);
    // What the operator's key is has no address.
    let me = server.client().get("/api/v1/me").await.unwrap().expect(200).unwrap();
    assert_eq!((&me["email"], &me["session"], &me["scopes"]), (&json!(null), &json!(null), &json!(["admin"])));
    assert!(me["api_key"].is_string());

    let taken = send(&server.client(), Method::POST, ACCOUNTS, &json!({ "email": ADA, "role": "viewer" })).await;
    assert_eq!(problem(&taken, 409)["code"], "email-taken");
}

#[tokio::test]
async fn accounts_are_listed_page_by_page() {
    let server = with(Registration::Invitation).await;
    for name in ["a", "b", "c"] {
        invite(&server, &format!("{name}@example.com"), "viewer").await;
        server.clock.advance(Duration::from_secs(1));
    }
    let (mut emails, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.client().get(&format!("{ACCOUNTS}?limit=2{cursor}")).await.unwrap().expect(200).unwrap();
        let items = page["items"].as_array().unwrap();
        emails.extend(items.iter().map(|item| item["email"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(emails, ["a@example.com", "b@example.com", "c@example.com"]);
    // A cursor of another list is none here.
    let keys = server.client().get("/api/v1/keys?limit=1").await.unwrap().expect(200).unwrap();
    assert_eq!(keys["next_cursor"], json!(null));
    let forged = server.client().get(&format!("{ACCOUNTS}?cursor={:080}", 0)).await.unwrap();
    assert_eq!(problem(&forged, 400)["code"], "invalid-parameter");
}

#[tokio::test]
async fn who_may_have_an_account_is_for_the_operator_to_say() {
    for (registration, invited, registered) in
        [(Registration::Closed, 403, 403), (Registration::Invitation, 201, 403), (Registration::Open, 201, 201)]
    {
        let server = with(registration).await;
        let invitation = json!({ "email": "bob@example.com", "role": "admin" });
        assert_eq!(send(&server.client(), Method::POST, ACCOUNTS, &invitation).await.status, invited);
        let wanted = json!({ "email": ADA, "password": PASSWORD });
        let reply = send(&server.stranger(), Method::POST, "/api/v1/registrations", &wanted).await;
        assert_eq!(reply.status, registered, "{}", reply.text);
        if registered == 201 {
            assert_eq!(reply.expect(201).unwrap()["role"], "editor");
            assert_eq!(log_in(&server, ADA, PASSWORD).await.status, 201);
            let again = send(&server.stranger(), Method::POST, "/api/v1/registrations", &wanted).await;
            assert_eq!(problem(&again, 409)["code"], "email-taken");
        } else {
            assert_eq!(problem(&reply, 403)["code"], "registration-closed");
        }
    }
}

#[tokio::test]
async fn nobody_registers_as_more_than_an_editor() {
    let server = with(Registration::Open).await;
    for field in ["role", "id", "disabled", "has_password", "created_at", "account", "ticket"] {
        let mut wanted = json!({ "email": ADA, "password": PASSWORD });
        wanted[field] = json!("admin");
        let reply = send(&server.stranger(), Method::POST, "/api/v1/registrations", &wanted).await;
        assert_eq!(pointers(&problem(&reply, 422)), [format!("/{field}")]);
    }
}

#[tokio::test]
async fn everything_wrong_is_said_and_weak_passwords_are() {
    let server = with(Registration::Open).await;
    let post = async |body: Value| send(&server.stranger(), Method::POST, "/api/v1/registrations", &body).await;
    let refused = problem(&post(json!({ "email": "ada", "password": 7, "x": 1 })).await, 422);
    assert_eq!(pointers(&refused), ["/email", "/password", "/x"]);
    assert_eq!(pointers(&problem(&post(json!({})).await, 422)), ["/email", "/password"]);
    let long = "x".repeat(129);
    for weak in ["short", "password1234", "qwertyuiopas", "ada@example.com", "adaadaadaada", &long] {
        let refused = problem(&post(json!({ "email": ADA, "password": weak })).await, 422);
        assert_eq!(pointers(&refused), ["/password"], "{weak}");
        assert!(!refused["detail"].as_str().unwrap().contains(weak), "no password is told again");
    }
    assert_eq!(log_in(&server, ADA, "password1234").await.status, 401, "nothing was made");
}

#[tokio::test]
async fn a_disabled_account_opens_nothing() {
    let server = Server::start().await;
    let id = server.account(ADA, Role::Editor).await;
    let session = server.logged_in(ADA).await;
    let key = server.holder(NewKey { owner: Some(id), ..NewKey::new("k".parse().unwrap(), Scopes::MEMBER) }).await;
    let path = format!("{ACCOUNTS}/{id}");
    for client in [&session, &key] {
        assert_eq!(client.get("/api/v1/links").await.unwrap().status, 200);
    }
    let disabled = send(&server.client(), Method::PATCH, &path, &json!({ "disabled": true })).await;
    assert_eq!(disabled.expect(200).unwrap()["disabled_at"], "2026-01-01T00:00:00Z");
    for client in [&session, &key] {
        assert_eq!(client.get("/api/v1/links").await.unwrap().status, 401, "at once");
    }
    assert_eq!(problem(&log_in(&server, ADA, PASSWORD).await, 401)["code"], "wrong-credentials");
    // Nor does a one-time link open it.
    let reset = send(&server.client(), Method::POST, &format!("{path}/reset"), &json!(null)).await;
    let reset = reset.expect(200).unwrap();
    assert_eq!(set_password(&server, &reset["ticket"], PASSWORD).await.status, 410);

    send(&server.client(), Method::PATCH, &path, &json!({ "disabled": false })).await.expect(200).unwrap();
    assert_eq!(key.get("/api/v1/links").await.unwrap().status, 200);
    assert_eq!(session.get("/api/v1/links").await.unwrap().status, 401, "it has ended");
    assert_eq!(log_in(&server, ADA, PASSWORD).await.status, 201);
}

#[tokio::test]
async fn a_role_that_was_taken_away_is_gone_from_sessions_and_keys() {
    let server = Server::start().await;
    let id = server.account(ADA, Role::Admin).await;
    let session = server.logged_in(ADA).await;
    let key = server.holder(NewKey { owner: Some(id), ..NewKey::new("k".parse().unwrap(), Scopes::ADMIN) }).await;
    let path = format!("{ACCOUNTS}/{id}");
    for client in [&session, &key] {
        assert_eq!(client.get("/api/v1/accounts").await.unwrap().status, 200);
    }
    let edited = send(&server.client(), Method::PATCH, &path, &json!({ "role": "viewer" })).await;
    assert_eq!(edited.expect(200).unwrap()["role"], "viewer");
    for client in [&session, &key] {
        assert_eq!(client.get("/api/v1/accounts").await.unwrap().status, 403);
        assert_eq!(client.get("/api/v1/links").await.unwrap().status, 200);
        assert_eq!(client.create(&json!({ "target": "https://example.com/" })).await.unwrap().status, 403);
    }
    for (body, wrong) in [
        (json!({ "role": "owner" }), "/role"),
        (json!({ "role": null }), "/role"),
        (json!({ "disabled": "yes" }), "/disabled"),
        (json!({ "email": "eve@example.com" }), "/email"),
    ] {
        assert_eq!(pointers(&problem(&send(&server.client(), Method::PATCH, &path, &body).await, 422)), [wrong]);
    }
    let nobody = format!("{ACCOUNTS}/019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f");
    for path in [&*nobody, "/api/v1/accounts/nonsense"] {
        let reply = send(&server.client(), Method::PATCH, path, &json!({ "role": "viewer" })).await;
        assert_eq!(problem(&reply, 404)["code"], "account-not-found");
    }
}

#[tokio::test]
async fn what_becomes_of_the_links_of_a_deleted_account_is_said() {
    let server = Server::start().await;
    for (mode, kept) in [("keep", true), ("delete", false)] {
        for oneself in [true, false] {
            let id = server.account(ADA, Role::Editor).await;
            let session = server.logged_in(ADA).await;
            let key = NewKey { owner: Some(id), ..NewKey::new("k".parse().unwrap(), Scopes::MEMBER) };
            let key = server.holder(key).await;
            let slug = format!("{mode}-{oneself}");
            let link = json!({ "target": "https://example.com/", "slug": slug });
            let link = session.create(&link).await.unwrap().expect(201).unwrap();
            let reply = if oneself {
                let wrong = json!({ "password": "wrong horse battery staple", "links": mode });
                let refused = problem(&send(&session, Method::DELETE, "/api/v1/me", &wrong).await, 422);
                assert_eq!(pointers(&refused), ["/password"]);
                let unsaid = json!({ "password": PASSWORD });
                let refused = problem(&send(&session, Method::DELETE, "/api/v1/me", &unsaid).await, 422);
                assert_eq!(pointers(&refused), ["/links"]);
                send(&session, Method::DELETE, "/api/v1/me", &json!({ "password": PASSWORD, "links": mode })).await
            } else {
                let path = format!("{ACCOUNTS}/{id}?links={mode}");
                send(&server.client(), Method::DELETE, &path, &json!(null)).await
            };
            assert_eq!(reply.status, 204, "{}", reply.text);
            for client in [&session, &key] {
                assert_eq!(client.get("/api/v1/links").await.unwrap().status, 401);
            }
            assert_eq!(log_in(&server, ADA, PASSWORD).await.status, 401);
            let visit = server.stranger().get(&format!("/{slug}")).await.unwrap().status;
            let shown = server.client().get(&crate::support::path_of(&link)).await.unwrap().status;
            assert_eq!((visit, shown), if kept { (302, 200) } else { (404, 404) }, "{slug}");
            assert_eq!(server.client().get(&format!("{ACCOUNTS}/{id}")).await.unwrap().status, 404);
            // A key made for an account that is gone would open nothing; the address may be used anew.
            let late = NewKey { owner: Some(id), ..NewKey::new("late".parse().unwrap(), Scopes::MEMBER) };
            let late = server.shortener.create_key(&Actor::OPERATOR, late).await.unwrap().1;
            let late = Client::new(server.address, late.reveal());
            assert_eq!(late.get("/api/v1/links").await.unwrap().status, 401);
        }
    }
}

/// Sends what a browser sends for the form of the page.
async fn submit(server: &Server, form: &[(&str, &str)]) -> Reply {
    let client = server.stranger();
    client.send(client.request(Method::POST, "/login/password").form(form)).await.unwrap()
}

#[tokio::test]
async fn the_page_of_a_one_time_link_sets_a_password_without_a_script() {
    let server = with(Registration::Invitation).await;
    let invited = invite(&server, ADA, "editor").await;
    let (ticket, link) = (invited["ticket"].as_str().unwrap(), invited["link"].as_str().unwrap());
    let path = link.split_once(&server.address.to_string()).unwrap().1;
    let page = server.stranger().get(path).await.unwrap();
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    assert!(page.header("content-security-policy").unwrap().contains("form-action 'self'"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "the link is a secret");
    assert!(page.text.contains(&format!("value=\"{ticket}\"")) && !page.text.contains("<script"), "{}", page.text);

    let weak = submit(&server, &[("ticket", ticket), ("password", "password1234")]).await;
    assert_eq!(weak.status, 422);
    assert!(weak.text.contains("easy to guess") && weak.text.contains(ticket), "{}", weak.text);
    assert!(!weak.text.contains("password1234"));
    let done = submit(&server, &[("ticket", ticket), ("password", PASSWORD)]).await;
    assert!(done.status == 200 && done.text.contains("The password is set"), "{}", done.text);
    assert_eq!(log_in(&server, ADA, PASSWORD).await.status, 201);
    let again = submit(&server, &[("ticket", ticket), ("password", PASSWORD)]).await;
    assert!(again.status == 410 && again.text.contains("not valid any more"), "{}", again.text);
}

#[tokio::test]
async fn the_page_takes_rubbish_calmly() {
    let server = Server::start().await;
    let page = server.stranger().get("/login/password?ticket=%22%3E%3Cscript%3E").await.unwrap();
    assert!(page.status == 200 && !page.text.contains("<script"), "{}", page.text);
    for (form, status) in [
        (vec![], 410),
        (vec![("ticket", "x"), ("password", PASSWORD)], 410),
        (vec![("ticket", "\0"), ("password", "\0")], 410),
    ] {
        assert_eq!(submit(&server, &form).await.status, status, "{form:?}");
    }
    let long = "x".repeat(5_000);
    assert_eq!(submit(&server, &[("password", &long)]).await.status, 413);
    let client = server.stranger();
    let json = client.request(Method::POST, "/login/password").json(&json!({ "ticket": "x" }));
    assert_eq!(client.send(json).await.unwrap().status, 415);
    let put = client.send(client.request(Method::PUT, "/login/password")).await.unwrap();
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD, POST")));
}

#[tokio::test]
async fn a_one_time_link_ends_after_three_days_and_with_the_next_one() {
    let server = with(Registration::Invitation).await;
    let invited = invite(&server, ADA, "editor").await;
    let reset = format!("{}/reset", path_of(&invited["account"]));
    let newer = send(&server.client(), Method::POST, &reset, &json!(null)).await.expect(200).unwrap();
    assert_eq!(set_password(&server, &invited["ticket"], PASSWORD).await.status, 410);
    server.clock.advance(Duration::from_secs(3 * 24 * 60 * 60));
    assert_eq!(set_password(&server, &newer["ticket"], PASSWORD).await.status, 410);
    let last = send(&server.client(), Method::POST, &reset, &json!(null)).await.expect(200).unwrap();
    assert_eq!(set_password(&server, &last["ticket"], PASSWORD).await.status, 204);
}
