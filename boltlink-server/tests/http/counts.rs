//! Counts of clicks over time and by property, of one link and of all.

use std::time::Duration;

use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, parameters, path_of, problem};

/// Follows a link once for each of these referrers and languages.
async fn visit(server: &Server, slug: &str, visits: &[(&str, &str)]) {
    let visitor = server.stranger();
    for (referrer, language) in visits {
        let request =
            visitor.request(Method::GET, slug).header("Referer", *referrer).header("Accept-Language", *language);
        assert_eq!(visitor.send(request).await.unwrap().status, 302);
    }
}

async fn read(client: &Client, link: &Value, what: &str) -> Value {
    client.get(&format!("{}/{what}", path_of(link))).await.unwrap().expect(200).unwrap()
}

/// What a series has, as pairs.
fn points(series: &Value) -> Vec<(&str, u64)> {
    let points = series["points"].as_array().unwrap().iter();
    points.map(|point| (point["at"].as_str().unwrap(), point["clicks"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn a_series_has_every_hour_or_day_from_the_first_to_before_the_last() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    // At 00:00:00, 00:59:59.999999, 01:00:00 and 02:00:00 of the next day.
    for wait in [0, 3_599_999_999, 1, 25 * 3_600_000_000_u64] {
        server.clock.advance(Duration::from_micros(wait));
        visit(&server, "/s", &[("", "")]).await;
    }
    assert_eq!(server.clicks(&link).await, 4);
    let client = server.client();
    let (zero, one, two) = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z");
    for (from, to, expected) in [
        (zero, "2026-01-01T03:00:00Z", &[(zero, 2), (one, 1), (two, 0)][..]),
        (zero, "2026-01-01T02:00:00.000001Z", &[(zero, 2), (one, 1), (two, 0)]),
        (zero, two, &[(zero, 2), (one, 1)]),
        ("2026-01-01T00:00:00.000001Z", two, &[(one, 1)]),
        ("2026-01-01T01:00:00%2B01:00", one, &[(zero, 2)]),
        (one, one, &[]),
        ("2026-01-01T01:10:00Z", "2026-01-01T01:50:00Z", &[]),
        ("2026-01-02T02:00:00Z", "2026-01-02T03:00:00Z", &[("2026-01-02T02:00:00Z", 1)]),
    ] {
        let series = read(&client, &link, &format!("series?interval=hour&from={from}&to={to}")).await;
        assert_eq!(points(&series), expected, "{from} {to}");
    }
    let days = "series?interval=day&from=2025-12-31T00:00:00Z&to=2026-01-04T00:00:00Z";
    assert_eq!(
        points(&read(&client, &link, days).await),
        [("2025-12-31T00:00:00Z", 0), (zero, 3), ("2026-01-02T00:00:00Z", 1), ("2026-01-03T00:00:00Z", 0)]
    );
}

#[tokio::test]
async fn a_series_ends_now_if_nothing_is_said() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    server.clock.advance(Duration::from_secs(30 * 60));
    visit(&server, "/s", &[("", "")]).await;
    server.clicks(&link).await;
    let client = server.client();
    for (query, many, first, last) in [
        ("interval=hour", 24, "2025-12-31T01:00:00Z", "2026-01-01T00:00:00Z"),
        ("interval=day", 30, "2025-12-03T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("interval=hour&to=2026-01-01T00:00:00Z", 24, "2025-12-31T00:00:00Z", "2025-12-31T23:00:00Z"),
        ("interval=day&from=2025-12-31T00:00:00Z", 2, "2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"),
    ] {
        let series = read(&client, &link, &format!("series?{query}")).await;
        let points = points(&series);
        assert_eq!((points.len(), points[0].0, points[many - 1].0), (many, first, last), "{query}");
        let clicks = u64::from(last == "2026-01-01T00:00:00Z");
        assert_eq!(points.iter().map(|point| point.1).sum::<u64>(), clicks, "{query}");
    }
}

#[tokio::test]
async fn a_series_has_at_most_a_thousand_points() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    // 1,000 hours are 41 days and 16 hours.
    let most = "series?interval=hour&from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:00Z";
    let series = read(&client, &link, most).await;
    assert_eq!(points(&series).len(), 1_000);
    assert_eq!(points(&series)[999], ("2026-02-11T15:00:00Z", 0));
    for (query, parameter) in [
        ("interval=hour&from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:00.000001Z", "from"),
        ("interval=day&from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("interval=hour&from=0000-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", "from"),
        ("interval=hour&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("interval=hour&from=2026-01-01T01:00:00Z&to=2026-01-01T00:30:00Z", "from"),
        ("interval=hour&from=2027-01-01T00:00:00Z", "from"),
        ("interval=week", "interval"),
        ("interval=Hour", "interval"),
        ("", "interval"),
        ("interval=hour&from=x", "from"),
        ("interval=hour&to=2026-01-01", "to"),
    ] {
        let refused = client.get(&format!("{}/series?{query}", path_of(&link))).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), [parameter], "{query}");
    }
}

#[tokio::test]
async fn a_series_at_the_beginning_of_time_has_its_own_dates() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    for to in ["0000-01-01T00:00:00Z", "0000-01-01T05:00:00Z"] {
        let series = read(&client, &link, &format!("series?interval=hour&to={to}")).await;
        assert!(points(&series).iter().all(|point| point.0.starts_with("0000-01-01T0")), "{series}");
    }
    let series = read(&client, &link, "series?interval=hour&from=9999-12-31T23:00:00Z&to=9999-12-31T23:59:59Z").await;
    assert_eq!(points(&series), [("9999-12-31T23:00:00Z", 0)]);
}

#[tokio::test]
async fn a_breakdown_adds_up_days_by_referrer_or_language() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "s" })).await;
    visit(&server, "/s", &[("https://a.example/x", "de-DE,de;q=0.9"), ("https://b.example/", "en")]).await;
    server.clock.advance(Duration::from_secs(24 * 3_600));
    visit(&server, "/s", &[("https://a.example/y", "DE"), ("nonsense", ""), ("", "de")]).await;
    server.clicks(&link).await;
    let client = server.client();
    let value = |value: &str, clicks: u64| json!({ "value": value, "clicks": clicks });
    for (query, expected) in [
        ("by=referrer", json!([value("", 2), value("a.example", 2), value("b.example", 1)])),
        ("by=language", json!([value("de", 3), value("", 1), value("en", 1)])),
        ("by=language&limit=1", json!([value("de", 3)])),
        ("by=referrer&to=2026-01-01", json!([value("a.example", 1), value("b.example", 1)])),
        ("by=referrer&from=2026-01-02", json!([value("", 2), value("a.example", 1)])),
        ("by=referrer&from=2026-01-01&to=2026-01-02&limit=2", json!([value("", 2), value("a.example", 2)])),
        ("by=referrer&from=2025-01-01&to=2025-12-31", json!([])),
    ] {
        assert_eq!(read(&client, &link, &format!("breakdown?{query}")).await, json!({ "items": expected }), "{query}");
    }
    for (query, parameter) in [
        ("", "by"),
        ("by=browser", "by"),
        ("by=language&limit=0", "limit"),
        ("by=language&limit=501", "limit"),
        ("by=language&from=2025-01-01&to=2026-01-02", "from"),
        ("by=language&from=2026-01-02&to=2026-01-01", "from"),
        ("by=language&from=2026-1-2", "from"),
        ("by=language&to=%2B12026-01-02", "to"),
        ("by=language&to=2026-02-30", "to"),
    ] {
        let refused = client.get(&format!("{}/breakdown?{query}", path_of(&link))).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), [parameter], "{query}");
    }
}

#[tokio::test]
async fn the_most_clicked_links_come_first() {
    let server = Server::start().await;
    for slug in ["a", "b", "c", "unseen"] {
        server.link(json!({ "slug": slug })).await;
    }
    let gone = server.link(json!({ "slug": "gone" })).await;
    for (slug, times) in [("/a", 1), ("/b", 3), ("/gone", 9)] {
        visit(&server, slug, &vec![("", ""); times]).await;
    }
    server.clock.advance(Duration::from_secs(24 * 3_600));
    visit(&server, "/a", &[("", ""); 4]).await;
    visit(&server, "/c", &[("", "")]).await;
    server.clicks(&gone).await;
    let client = server.client();
    client.send(client.request(Method::DELETE, &path_of(&gone))).await.unwrap().expect(204).unwrap();
    let top =
        async |query: &str| client.get(&format!("/api/v1/analytics/top{query}")).await.unwrap().expect(200).unwrap();
    for (query, expected) in [
        ("", &[("a", 5), ("b", 3), ("c", 1)][..]),
        ("?from=2026-01-01&to=2026-01-01", &[("b", 3), ("a", 1)]),
        ("?from=2026-01-02&to=2026-01-02&limit=1", &[("a", 4)]),
        ("?to=2025-12-31", &[]),
    ] {
        let top = top(query).await;
        let items = top["items"].as_array().unwrap().iter();
        let found: Vec<_> =
            items.map(|item| (item["link"]["slug"].as_str().unwrap(), item["clicks"].as_u64().unwrap())).collect();
        assert_eq!(found, expected, "{query}");
    }
    let default = top("").await;
    assert_eq!((&default["from"], &default["to"]), (&json!("2025-12-04"), &json!("2026-01-02")));
    // The link is shown with all its clicks.
    assert_eq!(top("?from=2026-01-01&to=2026-01-01").await["items"][1]["link"]["clicks"], 5);
    top("?from=2025-10-03&to=2026-01-02").await;
    for (query, parameter) in [
        ("from=2025-10-02&to=2026-01-02", "from"),
        ("from=2026-01-03", "from"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
    ] {
        let refused = client.get(&format!("/api/v1/analytics/top?{query}")).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), [parameter], "{query}");
    }
    // Deleted links stay in the global counts.
    let global = client.get("/api/v1/analytics/global").await.unwrap().expect(200).unwrap();
    assert_eq!(global["clicks"], 18);
}

#[tokio::test]
async fn counts_are_for_who_may_see_them() {
    let server = Server::start().await;
    let link = server.link(json!({})).await;
    let (member, stranger) = (server.member().await, server.stranger());
    for what in ["stats", "series?interval=hour", "breakdown?by=language", "clicks"] {
        let path = format!("{}/{what}", path_of(&link));
        assert_eq!(problem(&member.get(&path).await.unwrap(), 404)["code"], "link-not-found", "{what}");
        assert_eq!(stranger.get(&path).await.unwrap().status, 401, "{what}");
        assert_eq!(server.client().get(&path).await.unwrap().status, 200, "{what}");
    }
    for path in ["/api/v1/analytics/global", "/api/v1/analytics/top"] {
        assert_eq!(problem(&member.get(path).await.unwrap(), 403)["code"], "forbidden", "{path}");
        assert_eq!(stranger.get(path).await.unwrap().status, 401, "{path}");
    }
}
