//! What waits for an operator: seen, replayed and purged by the API.

use std::collections::BTreeSet;

use boltlink_core::{BatchId, Click, ClickBatch, LinkId, ProducerId, Stores, store::DeadClicks};
use boltlink_server::ServerOptions;
use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, parameters, problem};

const QUEUE: &str = "/api/v1/admin/queue";

/// A server, and its stores from behind.
async fn start() -> (Server, Stores) {
    let mut behind = None;
    let server = Server::on(ServerOptions::default(), |stores| {
        behind = Some(stores.clone());
        stores
    })
    .await;
    (server, behind.unwrap())
}

/// A batch of `clicks` clicks of `link` that a recorder of the last hour made.
fn batch(server: &Server, producer: u128, sequence: u64, link: &str, clicks: usize) -> ClickBatch {
    let now = server.shortener.now();
    // As UUIDv7 have it: the time comes first.
    let time = u128::try_from(now.as_micros() / 1_000).unwrap() << 80;
    let producer = ProducerId::from_uuid(uuid::Uuid::from_u128(time | 0x7000_8000_0000_0000_0000 | producer));
    let click =
        Click { referrer: Some("https://news.example.com/"), ..Click::bare(link.parse::<LinkId>().unwrap(), now) };
    ClickBatch::new(BatchId { producer, sequence }, std::iter::repeat_n(click, clicks))
}

async fn read(client: &Client, path: &str) -> Value {
    client.get(&format!("{QUEUE}{path}")).await.unwrap().expect(200).unwrap()
}

async fn dead_letters(client: &Client) -> Vec<u64> {
    let depths = read(client, "").await;
    let items = depths["consumers"].as_array().unwrap();
    assert_eq!(items.iter().map(|item| &item["consumer"]).collect::<Vec<_>>(), ["totals", "analytics"]);
    items.iter().map(|item| item["dead_letters"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_dead_letter_is_listed_read_and_replayed_once() {
    let (server, stores) = start().await;
    let link = server.link(json!({})).await;
    let id = link["id"].as_str().unwrap();
    let client = server.client();
    assert_eq!(dead_letters(&client).await, [0, 0]);
    stores.totals.set_aside(&batch(&server, 1, 1, id, 3), "too odd").await.unwrap();
    assert_eq!(dead_letters(&client).await, [1, 0]);

    let list = read(&client, "/dead").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["next_cursor"]), (1, &Value::Null));
    let letter = &list["items"][0];
    let name = letter["id"].as_str().unwrap();
    let expected = json!({
        "id": name, "consumer": "totals", "since": "2026-01-01T00:00:00Z", "reason": "too odd", "clicks": 3, "whole": true,
        "unreadable": null,
    });
    assert_eq!(letter, &expected);
    let shown = read(&client, &format!("/dead/{name}")).await;
    let clicks = shown["items"].as_array().unwrap();
    assert_eq!((&shown["letter"], clicks.len()), (letter, 3));
    assert!(clicks.iter().all(|click| click["link_id"] == id && click["referrer"] == "https://news.example.com/"));
    assert_eq!(clicks.iter().map(|click| click["id"].as_str().unwrap()).collect::<BTreeSet<_>>().len(), 3);

    let path = format!("{QUEUE}/dead/{name}");
    let replay = || async { client.send(client.request(Method::POST, &format!("{path}/replay"))).await.unwrap() };
    assert_eq!(replay().await.expect(200).unwrap(), json!({ "clicks": 3, "orphaned": 0 }));
    assert_eq!(client.clicks(id).await.unwrap(), 3);
    assert_eq!(problem(&replay().await, 404)["code"], "dead-letter-not-found");
    assert_eq!(problem(&client.get(&path).await.unwrap(), 404)["code"], "dead-letter-not-found");
    assert_eq!(dead_letters(&client).await, [0, 0]);
}

#[tokio::test]
async fn single_clicks_keep_their_ids_apart_from_their_batch() {
    let (server, stores) = start().await;
    let link = server.link(json!({})).await;
    let whole = batch(&server, 1, 1, link["id"].as_str().unwrap(), 4);
    let client = server.client();
    stores.totals.set_aside(&whole, "bad").await.unwrap();
    let list = read(&client, "/dead").await;
    let shown = read(&client, &format!("/dead/{}", list["items"][0]["id"].as_str().unwrap())).await;
    let ids: Vec<_> = whole.clicks().enumerate().map(|(at, click)| whole.click_id(at, click.at).to_string()).collect();
    assert_eq!(
        shown["items"].as_array().unwrap().iter().map(|click| click["id"].as_str().unwrap()).collect::<Vec<_>>(),
        ids
    );
    // What the API shows is made of these.
    let part = DeadClicks::of(&whole, &[1, 3]).parts();
    let apart = part.iter().map(|part| part.click_id(0, part.clicks().next().unwrap().at).to_string());
    assert_eq!(apart.collect::<Vec<_>>(), [&*ids[1], &*ids[3]]);
}

#[tokio::test]
async fn what_is_purged_never_counts() {
    let (server, stores) = start().await;
    let link = server.link(json!({})).await;
    let id = link["id"].as_str().unwrap();
    let (client, batch) = (server.client(), batch(&server, 1, 1, id, 1));
    stores.analytics.set_aside(&batch, "bad").await.unwrap();
    assert_eq!(dead_letters(&client).await, [0, 1]);
    let path = format!("{QUEUE}/dead/analytics.{}.1", batch.id().producer);
    let purge = || async { client.send(client.request(Method::DELETE, &path)).await.unwrap() };
    assert_eq!(purge().await.status, 204);
    assert_eq!(problem(&purge().await, 404)["code"], "dead-letter-not-found");
    assert_eq!(stores.analytics.apply(&[batch]).await.unwrap().clicks, 0);
    assert_eq!(dead_letters(&client).await, [0, 0]);
}

#[tokio::test]
async fn dead_letters_come_in_pages_over_both_consumers() {
    let (server, stores) = start().await;
    let link = server.link(json!({})).await;
    for sequence in [300, 2, 1] {
        let batch = batch(&server, 7, sequence, link["id"].as_str().unwrap(), 1);
        stores.totals.set_aside(&batch, "bad").await.unwrap();
        stores.analytics.set_aside(&batch, "bad").await.unwrap();
    }
    let client = server.client();
    for limit in [1, 2, 3, 4, 5] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = read(&client, &format!("/dead?limit={limit}{cursor}")).await;
            let items = page["items"].as_array().unwrap();
            assert!(!items.is_empty() && items.len() <= limit);
            seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let ends: Vec<_> =
            seen.iter().map(|id| (id.split('.').next().unwrap(), id.rsplit('.').next().unwrap())).collect();
        let expected = ["totals", "analytics"].into_iter().flat_map(|name| ["1", "2", "300"].map(|end| (name, end)));
        assert_eq!(ends, expected.collect::<Vec<_>>(), "{limit}");
    }
    let forged = client.get(&format!("{QUEUE}/dead?cursor=totals.1")).await.unwrap();
    assert_eq!(parameters(&problem(&forged, 400)), ["cursor"]);
}

#[tokio::test]
async fn only_an_admin_may() {
    let (server, stores) = start().await;
    let link = server.link(json!({})).await;
    let batch = batch(&server, 1, 1, link["id"].as_str().unwrap(), 1);
    stores.totals.set_aside(&batch, "bad").await.unwrap();
    let (member, stranger, admin) = (server.member().await, server.stranger(), server.client());
    let name = format!("totals.{}.1", batch.id().producer);
    for (method, path) in [
        (Method::GET, String::new()),
        (Method::GET, "/dead".to_owned()),
        (Method::GET, format!("/dead/{name}")),
        (Method::DELETE, format!("/dead/{name}")),
        (Method::POST, format!("/dead/{name}/replay")),
    ] {
        let path = format!("{QUEUE}{path}");
        let refused = member.send(member.request(method.clone(), &path)).await.unwrap();
        assert_eq!(problem(&refused, 403)["code"], "forbidden", "{method} {path}");
        assert_eq!(stranger.send(stranger.request(method, &path)).await.unwrap().status, 401, "{path}");
    }
    let missing = admin.get(&format!("{QUEUE}/dead/nonsense")).await.unwrap();
    assert_eq!(problem(&missing, 404)["code"], "dead-letter-not-found");
    assert_eq!(dead_letters(&admin).await, [1, 0]);
}
