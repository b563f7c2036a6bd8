//! Who comes too often.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use boltlink_core::{
    Clock, FakeClock, NewKey, Scopes, StoreError,
    memory::MemoryLimiter,
    store::{Decision, Quota, RateLimiter},
};
use boltlink_server::{Proxies, Rates, ServerOptions};
use boltlink_testkit::Client;
use reqwest::Method;
use serde_json::json;

use crate::support::{Raw, Server, problem, raw};

fn per_minute(rate: u32) -> Option<Quota> {
    Quota::new(NonZeroU32::new(rate).unwrap(), Duration::from_secs(60))
}

/// By a clock of their own, which stands still.
fn rates(change: impl FnOnce(&mut Rates)) -> (ServerOptions, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let shared: Arc<dyn Clock> = clock.clone();
    let mut rates = Rates { limiter: Arc::new(MemoryLimiter::new(shared)), ..Rates::default() };
    change(&mut rates);
    (ServerOptions { rates, ..ServerOptions::default() }, clock)
}

#[tokio::test]
async fn a_key_may_ask_so_often_and_is_told_how_often_it_still_may() {
    let (options, clock) = rates(|rates| rates.api = per_minute(3));
    let server = Server::with(options).await;
    let client = server.client();
    for left in ["2", "1", "0"] {
        let reply = client.get("/api/v1/links").await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!((reply.header("ratelimit-limit"), reply.header("ratelimit-remaining")), (Some("3"), Some(left)));
        assert_eq!(reply.header("retry-after"), None);
    }
    let refused = client.get("/api/v1/links").await.unwrap();
    assert_eq!(problem(&refused, 429)["code"], "rate-limited");
    assert_eq!(refused.header("retry-after"), Some("20"));
    assert_eq!((refused.header("ratelimit-remaining"), refused.header("ratelimit-reset")), (Some("0"), Some("60")));
    // Whoever has no key, or another one, is somebody else; and health is told to all.
    assert_eq!(server.stranger().get("/api/v1/links").await.unwrap().status, 401);
    let other = server.holder(NewKey::new("other".parse().unwrap(), Scopes::MEMBER)).await;
    assert_eq!(other.get("/api/v1/links").await.unwrap().status, 200);
    assert_eq!(client.get("/health").await.unwrap().status, 200);
    clock.advance(Duration::from_secs(20));
    assert_eq!(client.get("/api/v1/links").await.unwrap().status, 200);
    // Refusals of another kind count, too.
    assert_eq!(client.get("/api/v1/links?nonsense=1").await.unwrap().status, 429);
}

#[tokio::test]
async fn nobody_is_limited_in_following_links_unless_it_is_asked_for() {
    let server = Server::start().await;
    server.link(json!({ "slug": "free" })).await;
    for _ in 0..200 {
        assert_eq!(raw(&server, "GET", "/free").await.status, 302);
    }
}

#[tokio::test]
async fn a_link_may_be_followed_so_often() {
    let (options, clock) = rates(|rates| rates.link = per_minute(2));
    let server = Server::with(options).await;
    let link = server.link(json!({ "slug": "busy" })).await;
    server.link(json!({ "slug": "quiet" })).await;
    // However it is spelled, it is the same link.
    for path in ["/busy", "/b%75sy"] {
        assert_eq!(raw(&server, "GET", path).await.status, 302);
    }
    assert_eq!(raw(&server, "GET", "/%62usy").await.status, 429);
    let refused = raw(&server, "GET", "/busy").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("30")));
    assert!(refused.body.contains("rate-limited"), "{}", refused.body);
    assert_eq!(raw(&server, "GET", "/quiet").await.status, 302);
    clock.advance(Duration::from_secs(30));
    assert_eq!(raw(&server, "GET", "/busy").await.status, 302);
    assert_eq!(server.clicks(&link).await, 3, "what was refused is no click");
}

#[tokio::test]
async fn an_address_may_follow_so_many_links() {
    let (mut options, _) = rates(|rates| rates.address = per_minute(2));
    options.proxies = Proxies { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Proxies::default() };
    let server = Server::with(options).await;
    for slug in ["a", "b"] {
        server.link(json!({ "slug": slug })).await;
    }
    let visit = async |address: &str, slug: &str| {
        let client: Client = server.stranger();
        let request = client.request(Method::GET, slug).header("X-Forwarded-For", address);
        client.send(request).await.unwrap().status
    };
    assert_eq!((visit("203.0.113.1", "/a").await, visit("203.0.113.1", "/b").await), (302, 302));
    assert_eq!(visit("203.0.113.1", "/a").await, 429);
    assert_eq!(visit("203.0.113.1", "/none").await, 429, "guessing is coming, too");
    assert_eq!(visit("203.0.113.2", "/a").await, 302);
    // A household has as many addresses of IPv6 as it wants.
    assert_eq!((visit("2001:db8::1", "/a").await, visit("2001:db8::2", "/a").await), (302, 302));
    assert_eq!(visit("2001:db8::3", "/a").await, 429);
    assert_eq!(visit("2001:db8:0:1::1", "/a").await, 302);
}

/// One that never knows at once, as one far away does not; or does not know at all.
struct Far(Option<MemoryLimiter>);

#[async_trait]
impl RateLimiter for Far {
    async fn check(&self, key: &str, quota: &Quota, cost: u32) -> Result<Decision, StoreError> {
        tokio::task::yield_now().await;
        let near = self.0.as_ref().ok_or_else(|| StoreError::unavailable("it is away"))?;
        near.check(key, quota, cost).await
    }
}

#[tokio::test]
async fn a_limiter_that_is_far_away_takes_each_visit_once() {
    let limiter = Arc::new(Far(Some(MemoryLimiter::new(Arc::new(FakeClock::default())))));
    let quotas =
        Rates { limiter, api: per_minute(100), link: per_minute(3), address: per_minute(5), ..Rates::default() };
    let server = Server::with(ServerOptions { rates: quotas, ..ServerOptions::default() }).await;
    server.link(json!({ "slug": "a" })).await;
    let mut statuses = Vec::new();
    for path in ["/a", "/a", "/a", "/a", "/b", "/b"] {
        statuses.push(raw(&server, "GET", path).await.status);
    }
    assert_eq!(statuses, [302, 302, 302, 429, 404, 429]);
}

#[tokio::test]
async fn without_a_limiter_nobody_comes_in_by_accident() {
    let quotas =
        Rates { limiter: Arc::new(Far(None)), api: None, link: per_minute(3), address: None, ..Rates::default() };
    let server = Server::with(ServerOptions { rates: quotas.clone(), ..ServerOptions::default() }).await;
    server.link(json!({ "slug": "a" })).await;
    let refused: Raw = raw(&server, "GET", "/a").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let quotas = Rates { api: per_minute(3), ..quotas };
    let server = Server::with(ServerOptions { rates: quotas, ..ServerOptions::default() }).await;
    assert_eq!(problem(&server.client().get("/api/v1/links").await.unwrap(), 503)["code"], "unavailable");
}
