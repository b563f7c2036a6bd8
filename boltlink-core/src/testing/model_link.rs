//! A property test that compares a [`LinkStore`](crate::store::LinkStore) with a plain map.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::{
    Fixture, explore,
    link::walk,
    sample::{inserts, link, target, unvisited},
};
use crate::{
    AccountId, Clock, Domain, Link, LinkId, Slug, StoreError, StoredLink,
    store::{Fingerprint, Idempotency, Inserted, LinkFilter},
};

/// What a link is made of. Few different ones, so that they get into each other's way.
#[derive(Debug, Clone, Copy)]
struct Parts {
    owner: u128,
    domain: bool,
    slug: u8,
    target: u8,
    cap: Option<u64>,
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Parts),
    InsertOnce { parts: Parts, key: u8, fingerprint: u8 },
    InsertMany(Vec<Parts>),
    Update { which: usize, slug: u8, target: u8, cap: Option<u64>, stale: bool },
    Delete { which: usize, expected: Option<bool> },
    Reserve { which: usize, wanted: u32 },
    Pass(Duration),
}

fn parts() -> impl Strategy<Value = Parts> {
    let cap = prop::option::of(1..6_u64);
    (1..3_u128, any::<bool>(), 0..6_u8, 0..3_u8, cap).prop_map(|(owner, domain, slug, target, cap)| Parts {
        owner,
        domain,
        slug,
        target,
        cap,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = 0..8_usize;
    let step = prop_oneof![
        4 => parts().prop_map(Step::Insert),
        3 => (parts(), 0..3_u8, 0..2_u8)
            .prop_map(|(parts, key, fingerprint)| Step::InsertOnce { parts, key, fingerprint }),
        1 => vec(parts(), 0..5).prop_map(Step::InsertMany),
        4 => (which.clone(), 0..6_u8, 0..3_u8, prop::option::of(1..9_u64), prop::bool::weighted(0.2))
            .prop_map(|(which, slug, target, cap, stale)| Step::Update { which, slug, target, cap, stale }),
        2 => (which.clone(), any::<Option<bool>>()).prop_map(|(which, expected)| Step::Delete { which, expected }),
        3 => (which, 0..4_u32).prop_map(|(which, wanted)| Step::Reserve { which, wanted }),
        1 => prop_oneof![Just(1), Just(43_200_000_000)].prop_map(|micros| Step::Pass(Duration::from_micros(micros))),
    ];
    vec(step, 1..40)
}

/// Whatever is done to a store, it answers as a plain map would, and shows the same links.
///
/// # Panics
/// If not.
pub fn links_behave_like_a_plain_map(fixture: impl AsyncFn() -> Fixture) {
    explore(&steps(), fixture, async |fixture: &Fixture, steps| {
        let mut model = Model { fixture, links: BTreeMap::new(), made: Vec::new(), keys: BTreeMap::new() };
        for step in steps {
            model.take(step).await;
        }
        model.compare().await;
    });
}

struct Model<'a> {
    fixture: &'a Fixture,
    links: BTreeMap<LinkId, StoredLink>,
    /// Every link ever tried, so that steps hit missing ones too.
    made: Vec<Link>,
    keys: BTreeMap<(AccountId, u8), (LinkId, Idempotency)>,
}

impl Model<'_> {
    async fn take(&mut self, step: Step) {
        let links = &self.fixture.stores.links;
        match step {
            Step::Insert(parts) => {
                let link = self.link(parts);
                let inserted = links.insert(&link, None).await.unwrap();
                assert_eq!(inserted, self.insert(&link));
            }
            Step::InsertOnce { parts, key, fingerprint } => {
                let link = self.link(parts);
                let request = Idempotency {
                    owner: link.owner,
                    key: format!("key-{key}").parse().unwrap(),
                    fingerprint: Fingerprint([fingerprint; 32]),
                    at: self.fixture.clock.now(),
                };
                let inserted = links.insert(&link, Some(&request)).await.unwrap();
                assert_eq!(inserted, self.insert_once(&link, key, request));
            }
            Step::InsertMany(many) => {
                let many: Vec<_> = many.into_iter().map(|parts| self.link(parts)).collect();
                let inserted = links.insert_many(&inserts(&many)).await.unwrap();
                assert_eq!(inserted, many.iter().map(|link| self.insert(link)).collect::<Vec<_>>());
            }
            Step::Update { which, slug, target: to, cap, stale } => {
                let Some(link) = self.pick(which) else { return };
                let edited = Link {
                    slug: slug_of(slug),
                    target: target_of(to),
                    max_visits: cap.map(|cap| cap.try_into().unwrap()),
                    updated_at: self.fixture.clock.now(),
                    version: link.version + 1,
                    ..link.clone()
                };
                let expected = if stale { link.version + 7 } else { link.version };
                let outcome = links.update(&edited, expected).await;
                self.update(&edited, expected, &outcome);
            }
            Step::Delete { which, expected } => {
                let Some(link) = self.pick(which) else { return };
                let expected = expected.map(|right| if right { link.version } else { link.version + 7 });
                let outcome = links.delete(link.id, expected).await;
                self.delete(&link, expected, &outcome);
            }
            Step::Reserve { which, wanted } => {
                let Some(link) = self.pick(which) else { return };
                let outcome = links.reserve(link.id, wanted).await;
                match self.links.get_mut(&link.id) {
                    Some(stored) => assert_eq!(outcome.unwrap(), reserve(stored, wanted)),
                    None => assert!(matches!(outcome, Err(StoreError::NotFound { .. })), "{outcome:?}"),
                }
            }
            Step::Pass(time) => self.fixture.clock.advance(time),
        }
    }

    fn link(&mut self, parts: Parts) -> Link {
        let link = Link {
            owner: AccountId::from_uuid(uuid::Uuid::from_u128(parts.owner)),
            domain: if parts.domain { "other.example".parse().unwrap() } else { Domain::default_domain() },
            slug: slug_of(parts.slug),
            target: target_of(parts.target),
            max_visits: parts.cap.map(|cap| cap.try_into().unwrap()),
            ..link(self.fixture, "unused")
        };
        self.made.push(link.clone());
        link
    }

    /// One of the latest links, as the store should have it; as it was made, if it has it no more.
    fn pick(&self, which: usize) -> Option<Link> {
        let made = self.made.iter().rev().nth(which)?;
        Some(self.links.get(&made.id).map_or_else(|| made.clone(), |stored| stored.link.clone()))
    }

    fn holder(&self, domain: &Domain, slug: &Slug) -> Option<LinkId> {
        let mut all = self.links.values().map(|stored| &stored.link);
        all.find(|link| link.domain == *domain && link.slug == *slug).map(|link| link.id)
    }

    fn insert(&mut self, link: &Link) -> Inserted {
        if self.holder(&link.domain, &link.slug).is_some() {
            return Inserted::SlugTaken;
        }
        self.links.insert(link.id, unvisited(link.clone()));
        Inserted::Created
    }

    fn insert_once(&mut self, link: &Link, key: u8, request: Idempotency) -> Inserted {
        let place = (request.owner, key);
        if let Some((made, before)) = self.keys.get(&place)
            && request.at.since(before.at) < Idempotency::RETENTION
        {
            let same = before.fingerprint == request.fingerprint;
            return if same { Inserted::Replayed(*made) } else { Inserted::KeyReused };
        }
        let inserted = self.insert(link);
        if inserted == Inserted::Created {
            self.keys.insert(place, (link.id, request));
        }
        inserted
    }

    fn update(&mut self, edited: &Link, expected: u64, outcome: &Result<StoredLink, StoreError>) {
        let holder = self.holder(&edited.domain, &edited.slug);
        match self.links.get_mut(&edited.id) {
            None => assert!(matches!(outcome, Err(StoreError::NotFound { .. })), "{outcome:?}"),
            Some(stored) if stored.link.version != expected => {
                let now = stored.link.version;
                let told = matches!(outcome, Err(StoreError::VersionMismatch { current }) if *current == now);
                assert!(told, "{outcome:?}");
            }
            Some(_) if holder.is_some_and(|holder| holder != edited.id) => {
                assert!(matches!(outcome, Err(StoreError::Conflict { what: "slug" })), "{outcome:?}");
            }
            Some(stored) => {
                stored.link = edited.clone();
                assert_eq!(outcome.as_ref().unwrap(), stored);
            }
        }
    }

    fn delete(&mut self, link: &Link, expected: Option<u64>, outcome: &Result<(), StoreError>) {
        match self.links.get(&link.id) {
            None => assert!(matches!(outcome, Err(StoreError::NotFound { .. })), "{outcome:?}"),
            Some(stored) if expected.is_some_and(|expected| expected != stored.link.version) => {
                let now = stored.link.version;
                let told = matches!(outcome, Err(StoreError::VersionMismatch { current }) if *current == now);
                assert!(told, "{outcome:?}");
            }
            Some(_) => {
                assert!(outcome.is_ok(), "{outcome:?}");
                self.links.remove(&link.id);
            }
        }
    }

    /// Every way of reading shows what the model has.
    async fn compare(&self) {
        let links = &self.fixture.stores.links;
        for link in &self.made {
            assert_eq!(links.by_id(link.id).await.unwrap().as_ref(), self.links.get(&link.id));
        }
        for domain in ["", "other.example"].map(|domain| domain.parse().unwrap()) {
            for slug in (0..6).map(slug_of) {
                let found = links.by_slug(&domain, &slug).await.unwrap().map(|stored| stored.link.id);
                assert_eq!(found, self.holder(&domain, &slug));
            }
            for (owner, to) in [(1, 0), (1, 1), (2, 2)] {
                let (owner, to) = (AccountId::from_uuid(uuid::Uuid::from_u128(owner)), target_of(to));
                let found = links.by_target(owner, &domain, &to, 100).await.unwrap();
                let mut found: Vec<_> = found.into_iter().map(|stored| stored.link).collect();
                assert!(found.is_sorted_by_key(|link| link.created_at), "{found:?}");
                let leads = |link: &&Link| link.owner == owner && link.domain == domain && link.target == to;
                found.sort_by_key(|link| link.id);
                assert_eq!(found, self.all().filter(leads).cloned().collect::<Vec<_>>());
            }
            let mut expected: Vec<_> = self.all().filter(|link| link.domain == domain).cloned().collect();
            expected.sort_by_key(|link| Reverse((link.created_at, link.id)));
            let filter = LinkFilter { domain: Some(domain), ..LinkFilter::default() };
            assert_eq!(walk(&**links, &filter, 3).await, expected);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Link> {
        self.links.values().map(|stored| &stored.link)
    }
}

fn reserve(stored: &mut StoredLink, wanted: u32) -> u32 {
    let Some(cap) = stored.link.max_visits else { return wanted };
    let granted = cap.get().saturating_sub(stored.taken).min(u64::from(wanted));
    stored.taken += granted;
    u32::try_from(granted).unwrap()
}

fn slug_of(number: u8) -> Slug {
    // Two of them differ in case only.
    ["s", "S", "t", "u-1", "u_1", "v"][usize::from(number)].parse().unwrap()
}

fn target_of(number: u8) -> crate::TargetUrl {
    target(&format!("https://example.com/{number}"))
}
