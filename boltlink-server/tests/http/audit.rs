//! `/api/v1/audit`: who did what.

use std::time::Duration;

use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, parameters, path_of, problem, send};

const AUDIT: &str = "/api/v1/audit";

async fn items(client: &Client, query: &str) -> Vec<Value> {
    let page = client.get(&format!("{AUDIT}{query}")).await.unwrap().expect(200).unwrap();
    page["items"].as_array().unwrap().clone()
}

fn actions(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_admin_sees_who_did_what() {
    let server = Server::start().await;
    let operator = server.client();
    let step = || server.clock.advance(Duration::from_secs(1));
    let link = json!({ "target": "https://example.com/", "slug": "kept", "password": "sesame" });
    let link = send(&operator, Method::POST, "/api/v1/links", &link).await.expect(201).unwrap();
    step();
    let path = path_of(&link);
    let edit = json!({ "target": "https://example.org/", "password": "open sesame" });
    send(&operator, Method::PATCH, &path, &edit).await.expect(200).unwrap();
    step();
    let log_in = json!({ "email": "ada@example.com", "password": PASSWORD });
    let ada = server.account("ada@example.com", boltlink_core::Role::Editor).await;
    step();
    let login = send(&server.stranger(), Method::POST, "/api/v1/session", &log_in).await.expect(201).unwrap();
    step();
    let program = Client::new(server.address, login["token"].as_str().unwrap());
    let ended = program.send(program.request(Method::DELETE, "/api/v1/session")).await.unwrap();
    assert_eq!(ended.status, 204);

    let about = items(&operator, &format!("?object_id={}", link["id"].as_str().unwrap())).await;
    assert_eq!(actions(&about), ["link.edited", "link.created"]);
    let expected = json!({
        "id": about[0]["id"],
        "at": "2026-01-01T00:00:01Z",
        "account_id": "00000000-0000-0000-0000-000000000000",
        "key_id": about[1]["key_id"],
        "session_id": null,
        "action": "link.edited",
        "object_id": link["id"],
        "certain": true,
        "detail": "target password",
    });
    assert_eq!(about[0], expected);
    assert_eq!(about[1]["detail"], "/kept", "under the default domain, which has no name of its own there");

    let hers = items(&operator, &format!("?account_id={ada}")).await;
    assert_eq!(actions(&hers), ["session.ended", "session.opened", "account.password"]);
    assert_eq!(hers[0]["session_id"], login["session"]["id"]);
    let both = format!("?account_id={ada}&object_id={}", link["id"].as_str().unwrap());
    assert_eq!(items(&operator, &both).await, [Value::Null; 0]);
    let log = format!("{:?}", items(&operator, "").await);
    assert!(!log.contains("sesame") && !log.contains(PASSWORD), "{log}");
}

#[tokio::test]
async fn the_log_is_read_page_by_page() {
    let server = Server::start().await;
    let operator = server.client();
    for number in 0..7 {
        server.clock.advance(Duration::from_millis(1));
        let link = json!({ "target": "https://example.com/", "slug": format!("link-{number}") });
        send(&operator, Method::POST, "/api/v1/links", &link).await.expect(201).unwrap();
    }
    let whole = items(&operator, "").await;
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = operator.get(&format!("{AUDIT}?limit=3{next}")).await.unwrap().expect(200).unwrap();
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, whole);
    // A cursor is good for its own list only.
    let operators = format!("{AUDIT}?account_id=00000000-0000-0000-0000-000000000000");
    let page = operator.get(&format!("{operators}&limit=3")).await.unwrap().expect(200).unwrap();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(operator.get(&format!("{operators}&cursor={cursor}")).await.unwrap().status, 200);
    for other in [format!("{AUDIT}?cursor={cursor}"), format!("{operators}&object_id=x&cursor={cursor}")] {
        let refused = operator.get(&other).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), ["cursor"], "{other}");
    }
}

#[tokio::test]
async fn what_is_no_id_is_said_to_be_none() {
    let server = Server::start().await;
    for (parameter, value) in [("account_id", "ada"), ("object_id", "a%20b"), ("object_id", ""), ("limit", "501")] {
        let refused = server.client().get(&format!("{AUDIT}?{parameter}={value}")).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), [parameter], "{value}");
    }
}
