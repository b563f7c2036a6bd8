//! The link store is away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use boltlink_core::{
    AccountId, Domain, Link, LinkId, Slug, SlugCase, StoreError, StoredLink, TargetUrl, Timestamp,
    store::{Idempotency, Insert, Inserted, LinkCursor, LinkFilter, LinkOrder, LinkStore, SlugCaseChange},
};
use boltlink_server::ServerOptions;
use reqwest::Method;
use serde_json::json;

use crate::support::{Server, problem, send};

/// A link store that can be switched off.
struct Switched(Arc<dyn LinkStore>, Arc<Switch>);

#[derive(Default)]
struct Switch {
    away: AtomicBool,
    /// How often the store was asked while it was away.
    asked: AtomicUsize,
}

impl Switch {
    fn store(&self, away: bool) {
        self.away.store(away, SeqCst);
    }
}

impl Switched {
    fn store(&self) -> Result<&dyn LinkStore, StoreError> {
        if !self.1.away.load(SeqCst) {
            return Ok(&*self.0);
        }
        self.1.asked.fetch_add(1, SeqCst);
        Err(StoreError::unavailable("secret-host:5432 refused"))
    }
}

#[async_trait]
impl LinkStore for Switched {
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError> {
        self.store()?.insert(link, key).await
    }

    async fn insert_many(&self, links: &[Insert]) -> Result<Vec<Inserted>, StoreError> {
        self.store()?.insert_many(links).await
    }

    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError> {
        self.store()?.by_id(id).await
    }

    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError> {
        self.store()?.by_slug(domain, slug).await
    }

    async fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.store()?.by_target(owner, domain, target, limit).await
    }

    async fn usable_by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.store()?.usable_by_target(owner, domain, target, now, limit).await
    }

    async fn update(&self, link: &Link, expected: u64) -> Result<StoredLink, StoreError> {
        self.store()?.update(link, expected).await
    }

    async fn delete(&self, id: LinkId, expected: Option<u64>) -> Result<(), StoreError> {
        self.store()?.delete(id, expected).await
    }

    async fn list(
        &self,
        filter: &LinkFilter,
        order: LinkOrder,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.store()?.list(filter, order, after, limit).await
    }

    async fn reserve(&self, id: LinkId, wanted: u32) -> Result<u32, StoreError> {
        self.store()?.reserve(id, wanted).await
    }

    async fn slug_case(&self, wanted: SlugCase) -> Result<SlugCase, StoreError> {
        self.store()?.slug_case(wanted).await
    }

    async fn change_slug_case(&self, case: SlugCase) -> Result<SlugCaseChange, StoreError> {
        self.store()?.change_slug_case(case).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store()?.ping().await
    }
}

async fn server(options: ServerOptions) -> (Server, Arc<Switch>) {
    let away = Arc::new(Switch::default());
    let switch = away.clone();
    let server = Server::on(options, |mut stores| {
        stores.links = Arc::new(Switched(stores.links, switch));
        stores
    });
    (server.await, away)
}

#[tokio::test]
async fn cached_links_go_on_and_the_rest_says_when_to_come_back() {
    let (server, away) = server(ServerOptions::default()).await;
    let (client, visitor) = (server.client(), server.stranger());
    let link = server.link(json!({ "slug": "cached" })).await;
    server.link(json!({ "slug": "capped", "max_visits": 9 })).await;
    assert_eq!(visitor.get("/cached").await.unwrap().status, 302);
    assert_eq!(visitor.get("/capped").await.unwrap().status, 302);
    client.get("/api/v1/links").await.unwrap().expect(200).unwrap();

    away.store(true);
    assert_eq!(visitor.get("/cached").await.unwrap().status, 302);
    let path = format!("/api/v1/links/{}", link["id"].as_str().unwrap());
    let body = json!({ "target": "https://example.com/" });
    for reply in [
        visitor.get("/unknown").await.unwrap(),
        client.create(&body).await.unwrap(),
        client.get("/api/v1/links").await.unwrap(),
        client.get(&path).await.unwrap(),
        client.get(&format!("{path}/stats")).await.unwrap(),
        send(&client, Method::PATCH, &path, &body).await,
        client.send(client.request(Method::DELETE, &path)).await.unwrap(),
    ] {
        assert_eq!(problem(&reply, 503)["code"], "unavailable");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert!(!reply.text.contains("secret-host"));
    }
    let request = visitor.request(Method::GET, "/unknown").header("Accept", "text/html");
    let page = visitor.send(request).await.unwrap();
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")));
    assert!(page.text.starts_with("<!doctype html>"));

    away.store(false);
    assert_eq!(visitor.get("/unknown").await.unwrap().status, 404);
}

#[tokio::test]
async fn a_bulk_request_waits_for_a_store_once() {
    let (server, away) = server(ServerOptions::default()).await;
    let (client, link) = (server.client(), server.link(json!({ "slug": "s" })).await);
    let ids = vec![link["id"].clone(); 50];
    let path = "/api/v1/links/bulk";
    client.get("/api/v1/links").await.unwrap().expect(200).unwrap();
    away.store(true);
    for (method, path, body) in [
        (Method::PATCH, path.to_owned(), json!({ "ids": ids, "patch": { "title": "x" } })),
        (Method::POST, format!("{path}/delete"), json!({ "ids": ids })),
    ] {
        let before = away.asked.load(SeqCst);
        let reply = send(&client, method, &path, &body).await;
        let results = reply.expect(200).unwrap()["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), 50, "{path}");
        assert!(results.iter().all(|result| result["problem"]["code"] == "unavailable"), "{path}");
        assert_eq!(away.asked.load(SeqCst) - before, 1, "{path}");
    }
    let link_to = json!({ "target": "https://example.com/" });
    for fields in [json!({}), json!({ "find_existing": true })] {
        let mut new = link_to.clone();
        new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = send(&client, Method::POST, path, &json!({ "links": vec![new; 50] })).await;
        assert_eq!(problem(&reply, 503)["code"], "unavailable", "{fields}");
    }
    away.store(false);
    assert_eq!(client.link(link["id"].as_str().unwrap()).await.unwrap().expect(200).unwrap(), link);
}

#[tokio::test]
async fn health_tells_and_leaks_nothing() {
    let (server, away) = server(ServerOptions::default()).await;
    away.store(true);
    let client = server.stranger();
    let reply = client.get("/health").await.unwrap();
    let health = reply.expect(503).unwrap();
    assert_eq!((&health["status"], &health["dependencies"][0]["status"]), (&json!("down"), &json!("down")));
    assert!(!reply.text.contains("secret-host"));
    assert_eq!(client.get("/health/live").await.unwrap().status, 200);
    let ready = client.get("/ready").await.unwrap().expect(200).unwrap();
    assert_eq!(ready["status"], "degraded");
    let reason = ready["reason"].as_str().unwrap();
    assert!(reason.contains("the database is away") && !reason.contains("secret-host"), "{reason}");
}

#[tokio::test]
async fn readiness_can_require_the_database() {
    let (server, away) = server(ServerOptions { ready_requires_database: true, ..ServerOptions::default() }).await;
    away.store(true);
    let client = server.stranger();
    assert_eq!(client.get("/ready").await.unwrap().expect(503).unwrap()["status"], "unready");
    away.store(false);
    assert_eq!(client.get("/ready").await.unwrap().expect(200).unwrap(), json!({ "status": "ready" }));
}
