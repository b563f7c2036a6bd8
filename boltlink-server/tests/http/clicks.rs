//! Single clicks, page by page and as files.

use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use boltlink_core::{
    LinkId, StoreError, Stores, Timestamp,
    store::{AnalyticsReader, ClickCursor, Dimension, Interval, LinkClicks, Point, RawClick, Scope, Share, Span},
};
use boltlink_server::ServerOptions;
use boltlink_testkit::{Client, Connection, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, parameters, path_of, problem};

/// Follows `/s` a second apart, with these numbers as referrers.
async fn visit(server: &Server, numbers: Range<usize>) {
    let mut visitor = Connection::open(server.address).await.unwrap();
    for number in numbers {
        server.clock.advance(Duration::from_secs(1));
        let referrer = format!("https://a.example/{number}");
        assert_eq!(visitor.get("/s", &[("Referer", &referrer)]).await.unwrap().status, 302);
    }
}

async fn ask(client: &Client, link: &Value, accept: &str, query: &str) -> Reply {
    let request = client.request(Method::GET, &format!("{}/clicks{query}", path_of(link)));
    client.send(request.header("Accept", accept)).await.unwrap()
}

async fn page(client: &Client, link: &Value, query: &str) -> Value {
    ask(client, link, "*/*", query).await.expect(200).unwrap()
}

/// The numbers that the clicks' referrers have.
fn numbers(items: &Value) -> Vec<usize> {
    let number = |click: &Value| click["referrer"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
    items.as_array().unwrap().iter().map(number).collect()
}

#[tokio::test]
async fn a_click_tells_what_the_visitor_sent() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    let mut visitor = Connection::open(server.address).await.unwrap();
    let headers =
        [("Referer", "https://a.example/x?y"), ("User-Agent", "Browser/1.0"), ("Accept-Language", "de-DE,de")];
    visitor.get("/s", &headers).await.unwrap();
    server.clock.advance(Duration::from_micros(1_500));
    visitor.get("/s", &[]).await.unwrap();
    server.clicks(&link).await;
    let page = page(&server.client(), &link, "").await;
    assert_eq!(page["next_cursor"], json!(null));
    let (bare, full) = (&page["items"][0], &page["items"][1]);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    for (field, of_full, of_bare) in [
        ("at", json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:00.001500Z")),
        ("weight", json!(1), json!(1)),
        ("referrer", json!("https://a.example/x?y"), json!(null)),
        ("user_agent", json!("Browser/1.0"), json!(null)),
        ("language", json!("de-DE,de"), json!(null)),
        ("network", json!("127.0.0.0/24"), json!("127.0.0.0/24")),
    ] {
        assert_eq!((&full[field], &bare[field]), (&of_full, &of_bare), "{field}");
    }
    // One visitor on one day, and no address anywhere.
    assert_eq!(full["visitor"], bare["visitor"]);
    assert_eq!(full["visitor"].as_str().unwrap().len(), 32);
    assert_ne!(full["id"], bare["id"]);
    assert!(!page.to_string().contains("127.0.0.1"));
}

#[tokio::test]
async fn clicks_are_newest_first_and_each_on_one_page() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    visit(&server, 0..10).await;
    server.clicks(&link).await;
    let client = server.client();
    for limit in [1, 3, 10, 500] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = page(&client, &link, &format!("?limit={limit}{cursor}")).await;
            seen.extend(numbers(&page["items"]));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, (0..10).rev().collect::<Vec<_>>(), "{limit}");
    }
    // From here on, up to but not including there.
    for (query, expected) in [
        ("?from=2026-01-01T00:00:04Z", 3..10),
        ("?to=2026-01-01T00:00:04Z", 0..3),
        ("?from=2026-01-01T00:00:02Z&to=2026-01-01T00:00:04Z", 1..3),
        ("?from=2026-01-01T00:00:02Z&to=2026-01-01T00:00:02Z", 0..0),
    ] {
        assert_eq!(numbers(&page(&client, &link, query).await["items"]), expected.rev().collect::<Vec<_>>(), "{query}");
    }
}

#[tokio::test]
async fn a_cursor_goes_with_its_link_and_span() {
    let server = Server::start().await;
    let (link, other) = (server.link(json!({ "slug": "s" })).await, server.link(json!({})).await);
    visit(&server, 0..3).await;
    server.clicks(&link).await;
    let client = server.client();
    let first = page(&client, &link, "?limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(numbers(&page(&client, &link, &format!("?cursor={cursor}")).await["items"]), [1, 0]);
    let links = client.get("/api/v1/links?limit=1").await.unwrap().expect(200).unwrap();
    let of_links = links["next_cursor"].as_str().unwrap();
    for (link, query, parameter) in [
        (&other, format!("?cursor={cursor}"), "cursor"),
        (&link, format!("?from=2026-01-01T00:00:00Z&cursor={cursor}"), "cursor"),
        (&link, format!("?to=2026-01-02T00:00:00Z&cursor={cursor}"), "cursor"),
        (&link, format!("?cursor={of_links}"), "cursor"),
        (&link, format!("?cursor={}", cursor.replace('0', "1")), "cursor"),
        (&link, "?limit=0".to_owned(), "limit"),
        (&link, "?limit=501".to_owned(), "limit"),
        (&link, "?from=x".to_owned(), "from"),
        (&link, "?to=2026-01-01".to_owned(), "to"),
        (&link, "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z".to_owned(), "from"),
    ] {
        for accept in ["application/json", "text/csv"] {
            // A file has no pages, and so no cursor that could be wrong.
            if accept == "application/json" || parameter != "cursor" {
                let refused = ask(&client, link, accept, &query).await;
                assert_eq!(parameters(&problem(&refused, 400)), [parameter], "{query} {accept}");
            }
        }
    }
}

#[tokio::test]
async fn a_file_has_all_clicks_of_the_span() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    // Two pages of 500, exactly, and then some.
    visit(&server, 0..1_003).await;
    server.clicks(&link).await;
    let client = server.client();
    let id = link["id"].as_str().unwrap();

    let csv = ask(&client, &link, "text/csv", "").await;
    assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    assert_eq!(csv.header("content-disposition"), Some(&*format!("attachment; filename=\"clicks-{id}.csv\"")));
    let lines: Vec<_> = csv.text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (1_004, "id,at,weight,referrer,user_agent,language,visitor,network"));
    for (number, line) in (0..1_003).rev().zip(&lines[1..]) {
        assert!(line.contains(&format!(",1,https://a.example/{number},,,")), "{line}");
    }

    let ndjson = ask(&client, &link, "application/x-ndjson", "").await;
    assert_eq!((ndjson.status, ndjson.header("content-type")), (200, Some("application/x-ndjson")));
    assert_eq!(ndjson.header("content-disposition"), Some(&*format!("attachment; filename=\"clicks-{id}.ndjson\"")));
    let clicks: Value = ndjson.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!(numbers(&clicks), (0..1_003).rev().collect::<Vec<_>>());
    let ids: BTreeSet<_> = clicks.as_array().unwrap().iter().map(|click| click["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1_003);
    // The same fields as a page has.
    assert_eq!(page(&client, &link, "?limit=1").await["items"][0], clicks[0]);

    for (number, query) in [
        (1_000, "?to=2026-01-01T00:16:41Z"),
        (500, "?to=2026-01-01T00:08:21Z&limit=1"),
        (0, "?from=2027-01-01T00:00:00Z"),
    ] {
        let csv = ask(&client, &link, "text/csv", query).await;
        assert_eq!(csv.text.lines().count(), number + 1, "{query}");
        assert_eq!(ask(&client, &link, "application/x-ndjson", query).await.text.lines().count(), number, "{query}");
    }
}

#[tokio::test]
async fn what_visitors_sent_does_not_break_out_of_its_cell() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    let mut visitor = Connection::open(server.address).await.unwrap();
    let headers = [("Referer", "a,\"b\""), ("User-Agent", "x\ty, z"), ("Accept-Language", "\"")];
    visitor.get("/s", &headers).await.unwrap();
    server.clicks(&link).await;
    let csv = ask(&server.client(), &link, "text/csv", "").await;
    let mut reader = csv::Reader::from_reader(csv.text.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!([&rows[0][3], &rows[0][4], &rows[0][5]], ["a,\"b\"", "x\ty, z", "\""]);
    let ndjson = ask(&server.client(), &link, "application/x-ndjson", "").await.expect(200).unwrap();
    assert_eq!((&ndjson["referrer"], &ndjson["language"]), (&json!("a,\"b\""), &json!("\"")));
}

#[tokio::test]
async fn the_client_says_what_it_wants() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    for (accept, kind) in [
        ("*/*", "application/json; charset=utf-8"),
        ("text/html,*/*;q=0.8", "application/json; charset=utf-8"),
        ("application/json;q=0.2, text/csv;q=0.1", "application/json; charset=utf-8"),
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("Text/CSV; header=present", "text/csv; charset=utf-8"),
    ] {
        assert_eq!(ask(&client, &link, accept, "").await.header("content-type"), Some(kind), "{accept}");
        let head = client.request(Method::HEAD, &format!("{}/clicks", path_of(&link))).header("Accept", accept);
        let head = client.send(head).await.unwrap();
        assert_eq!((head.status, head.header("content-type"), &*head.text), (200, Some(kind), ""), "{accept}");
    }
    for accept in ["text/csv", "application/x-ndjson", "application/json"] {
        let refused = ask(&server.member().await, &link, accept, "").await;
        assert_eq!(problem(&refused, 404)["code"], "link-not-found", "{accept}");
        assert_eq!(problem(&ask(&server.stranger(), &link, accept, "").await, 401)["code"], "unauthorized");
    }
}

/// A reader of a store that keeps every seventh click only.
struct Sampling(Arc<dyn AnalyticsReader>);

#[async_trait]
impl AnalyticsReader for Sampling {
    async fn total(&self, scope: Scope) -> Result<u64, StoreError> {
        self.0.total(scope).await
    }

    async fn series(&self, scope: Scope, interval: Interval, span: Span) -> Result<Vec<Point>, StoreError> {
        self.0.series(scope, interval, span).await
    }

    async fn breakdown(
        &self,
        link: LinkId,
        by: Dimension,
        from: i64,
        to: i64,
        limit: u32,
    ) -> Result<Vec<Share>, StoreError> {
        self.0.breakdown(link, by, from, to, limit).await
    }

    async fn top(&self, from: i64, to: i64, limit: u32) -> Result<Vec<LinkClicks>, StoreError> {
        self.0.top(from, to, limit).await
    }

    async fn clicks(
        &self,
        link: LinkId,
        from: Timestamp,
        to: Timestamp,
        after: Option<ClickCursor>,
        limit: u32,
    ) -> Result<Vec<RawClick>, StoreError> {
        let clicks = self.0.clicks(link, from, to, after, limit).await?;
        Ok(clicks.into_iter().map(|click| RawClick { weight: 7, ..click }).collect())
    }
}

#[tokio::test]
async fn a_click_that_stands_for_others_says_for_how_many() {
    let sampling = |stores: Stores| Stores { reader: Arc::new(Sampling(stores.reader.clone())), ..stores };
    let server = Server::on(ServerOptions::default(), sampling).await;
    let link = server.link(json!({ "slug": "s" })).await;
    visit(&server, 0..2).await;
    server.clicks(&link).await;
    let client = server.client();
    let page = page(&client, &link, "").await;
    assert_eq!([&page["items"][0]["weight"], &page["items"][1]["weight"]], [&json!(7), &json!(7)]);
    let csv = ask(&client, &link, "text/csv", "").await.text;
    assert_eq!(csv.matches("Z,7,https://a.example/").count(), 2);
    assert_eq!(ask(&client, &link, "application/x-ndjson", "").await.text.matches("\"weight\":7").count(), 2);
}
