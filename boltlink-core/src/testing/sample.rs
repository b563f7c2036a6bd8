//! Links, batches and the like to try stores with.

use super::Fixture;
use crate::{
    AccountId, ApiKey, BatchId, Bounds, Click, ClickBatch, Clock, Domain, EntropyExt, Forward, KeyToken, Lifetime,
    Link, LinkId, ProducerId, RedirectKind, Scopes, StoredLink, SystemEntropy, Tags, TargetRules, TargetUrl, Timestamp,
    store::{Applied, Consumer, Insert, Inserted, LinkStore, Scope},
};

pub(super) fn target(text: &str) -> TargetUrl {
    TargetUrl::parse(text, &TargetRules::default()).unwrap()
}

/// An ordinary link, not stored yet.
pub(super) fn link(fixture: &Fixture, slug: &str) -> Link {
    link_at(slug, fixture.clock.now())
}

/// An ordinary link, made `now`: for tests of a store's own.
#[must_use]
pub fn link_at(slug: &str, now: Timestamp) -> Link {
    Link {
        id: SystemEntropy.link_id(now),
        owner: AccountId::OPERATOR,
        domain: Domain::default_domain(),
        slug: slug.parse().unwrap(),
        target: target("https://example.com/"),
        title: None,
        note: None,
        tags: Tags::default(),
        redirect: RedirectKind::default(),
        lifetime: Lifetime::default(),
        max_visits: None,
        password: None,
        forward: Forward::default(),
        crawlable: false,
        enabled: true,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

/// A link that gives `max_visits` redirects, not stored yet.
pub(super) fn capped(fixture: &Fixture, slug: &str, max_visits: u64) -> Link {
    Link { max_visits: Some(max_visits.try_into().unwrap()), ..link(fixture, slug) }
}

/// A link without visits.
pub(super) fn unvisited(link: Link) -> StoredLink {
    StoredLink { link, clicks: 0, taken: 0 }
}

/// Stores `link`.
pub(super) async fn store(fixture: &Fixture, link: Link) -> Link {
    assert_eq!(fixture.stores.links.insert(&link, None).await.unwrap(), Inserted::Created);
    link
}

/// Stores an ordinary link.
pub(super) async fn stored(fixture: &Fixture, slug: &str) -> LinkId {
    store(fixture, link(fixture, slug)).await.id
}

/// Links on their way into the store, new there.
pub(super) fn inserts(links: &[Link]) -> Vec<Insert> {
    links.iter().cloned().map(Into::into).collect()
}

/// The link of this id, which is there.
pub(super) async fn find(links: &dyn LinkStore, id: LinkId) -> StoredLink {
    links.by_id(id).await.unwrap().expect("the link is stored")
}

pub(super) fn account(fixture: &Fixture) -> AccountId {
    SystemEntropy.account_id(fixture.clock.now())
}

/// A recorder that begins now.
pub(super) fn producer(fixture: &Fixture) -> ProducerId {
    SystemEntropy.producer_id(fixture.clock.now())
}

/// The batch `sequence` of `producer`.
pub(super) fn batch<'a>(
    producer: ProducerId,
    sequence: u64,
    clicks: impl IntoIterator<Item = Click<'a>>,
) -> ClickBatch {
    ClickBatch::new(BatchId { producer, sequence }, clicks)
}

/// The batch `sequence` of `producer`, with `count` clicks of `link` made now.
pub(super) fn clicks(fixture: &Fixture, producer: ProducerId, sequence: u64, link: LinkId, count: usize) -> ClickBatch {
    batch(producer, sequence, std::iter::repeat_n(Click::bare(link, fixture.clock.now()), count))
}

/// Applies batches in one call.
pub(super) async fn apply(fixture: &Fixture, consumer: Consumer, batches: &[ClickBatch]) -> Applied {
    fixture.sink(consumer).apply(batches).await.unwrap()
}

/// The clicks of an existing link that `consumer`'s sink has stored.
pub(super) async fn counted(fixture: &Fixture, consumer: Consumer, link: LinkId) -> u64 {
    match consumer {
        Consumer::Totals => find(&*fixture.stores.links, link).await.clicks,
        Consumer::Analytics => fixture.stores.reader.total(Scope::Link(link)).await.unwrap(),
    }
}

/// An API key made now, not stored yet.
pub(super) fn key(fixture: &Fixture, owner: AccountId) -> ApiKey {
    let now = fixture.clock.now();
    let id = SystemEntropy.api_key_id(now);
    ApiKey {
        id,
        owner,
        name: "a key".parse().unwrap(),
        scopes: Scopes::MEMBER,
        bounds: Bounds::NONE,
        digest: KeyToken::generate(id, &SystemEntropy).digest(),
        previous: None,
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}
