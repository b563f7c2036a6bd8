//! A link store of one's own, in plain maps: `cargo run --example custom_store`, and its proof by the
//! conformance suite: `cargo test --example custom_store`.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use boltlink::{
    AccountId, Actor, Domain, Link, LinkId, NewLink, Outcome, Shortener, Slug, SlugCase, SlugRules, StoreError,
    StoredLink, Stores, SystemClock, TargetRules, TargetUrl, Timestamp, Visit,
    store::{
        Idempotency, IdempotencyKey, Insert, Inserted, LinkCursor, LinkFilter, LinkOrder, LinkStore, SlugCaseChange,
    },
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Of the set that `Stores` wants from one database, links alone are ours:
    // - `totals` in memory does not know our links: `StoredLink::clicks` stays 0, and a cap that is set
    //   later takes no click for taken. A store that counts implements `ClickSink` on the same tables.
    // - `changes` tells other processes what to forget. Our maps have none, so nothing is written there;
    //   a store that is shared implements `ChangeLog` and writes it in the same transactions.
    let stores = Stores { links: Arc::new(MapStore::default()), ..Stores::in_memory(Arc::new(SystemClock)) };
    let shortener = Shortener::builder().stores(stores).build().await?;

    let target = TargetUrl::parse("https://doc.rust-lang.org/std/sync/", &TargetRules::default())?;
    let made = shortener.create(&Actor::OPERATOR, NewLink::to(target)).await?;
    let outcome = shortener.visit(&Visit::new(&Domain::default_domain(), made.link.slug.as_str())).await?;
    shortener.shutdown().await;

    let Outcome::Redirect(redirect) = outcome else { return Err(format!("no redirect: {outcome:?}").into()) };
    println!("/{} leads to {:?}", made.link.slug, redirect.location);
    assert_eq!(redirect.location, made.link.target.as_str());
    Ok(())
}

/// One lock over all tables: whoever holds it is a transaction. No call waits while it does, so a
/// dropped future leaves nothing half-done.
#[derive(Default)]
struct MapStore(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    rows: HashMap<LinkId, StoredLink>,
    slugs: HashMap<(Domain, Slug), LinkId>,
    ways: HashMap<Way, BTreeSet<(Timestamp, LinkId)>>,
    /// The last use of each key. Old ones are judged by age and never dropped, for brevity.
    keys: HashMap<(AccountId, IdempotencyKey), (Idempotency, LinkId)>,
    slug_case: Option<SlugCase>,
}

/// What links are looked for by; each way is a set of its own, so that a page is one range of it.
#[derive(PartialEq, Eq, Hash)]
enum Way {
    List(Option<AccountId>, Option<Domain>),
    Target(AccountId, Domain, TargetUrl),
}

const NO_LINK: StoreError = StoreError::NotFound { what: "link" };

impl MapStore {
    /// A panic under the lock may have left half a transaction: then the store is of no more use.
    fn tables(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        self.0.lock().map_err(|_| StoreError::backend("a call panicked half-way; restart the process"))
    }
}

#[async_trait]
impl LinkStore for MapStore {
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError> {
        let mut tables = self.tables()?;
        Ok(tables.insert(&Insert { link: link.clone(), opening: 0, once: key.cloned() }))
    }

    async fn insert_many(&self, links: &[Insert]) -> Result<Vec<Inserted>, StoreError> {
        let mut tables = self.tables()?;
        Ok(links.iter().map(|new| tables.insert(new)).collect())
    }

    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError> {
        Ok(self.tables()?.rows.get(&id).cloned())
    }

    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError> {
        let tables = self.tables()?;
        let id = tables.slugs.get(&(domain.clone(), slug.clone()));
        Ok(id.and_then(|id| tables.rows.get(id)).cloned())
    }

    async fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        let tables = self.tables()?;
        let ages = tables.ways.get(&Way::Target(owner, domain.clone(), target.clone()));
        let ids = ages.into_iter().flatten().take(limit as usize);
        Ok(ids.filter_map(|(_, id)| tables.rows.get(id)).cloned().collect())
    }

    async fn usable_by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        let mut links = self.by_target(owner, domain, target, u32::MAX).await?;
        links.retain(|StoredLink { link, .. }| link.enabled && link.lifetime.expires_at().is_none_or(|end| now < end));
        links.truncate(limit as usize);
        Ok(links)
    }

    async fn update(&self, link: &Link, expected: u64) -> Result<StoredLink, StoreError> {
        let mut tables = self.tables()?;
        let mut row = tables.at_version(link.id, Some(expected))?.clone();
        let holder = tables.slugs.get(&(link.domain.clone(), link.slug.clone()));
        if holder.is_some_and(|holder| *holder != link.id) {
            return Err(StoreError::Conflict { what: "slug" });
        }
        if row.link.max_visits.is_none() && link.max_visits.is_some() {
            // What an earlier cap granted may not be counted yet.
            row.taken = row.taken.max(row.clicks);
        }
        row.link = Link { owner: row.link.owner, created_at: row.link.created_at, ..link.clone() };
        tables.remove(link.id);
        tables.put(row.clone());
        Ok(row)
    }

    async fn delete(&self, id: LinkId, expected: Option<u64>) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        tables.at_version(id, expected)?;
        tables.remove(id);
        Ok(())
    }

    /// Walks all of the owner's and domain's links, for brevity: a store of any size has an index for each filter.
    async fn list(
        &self,
        filter: &LinkFilter,
        order: LinkOrder,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        let tables = self.tables()?;
        let ages = tables.ways.get(&Way::List(filter.owner, filter.domain.clone()));
        let rows = ages.into_iter().flatten().filter_map(|(_, id)| tables.rows.get(id));
        let mut rows: Vec<_> = rows.filter(|row| filter.passes(&row.link)).collect();
        rows.sort_by_key(|row| LinkCursor::of(&row.link, order));
        if order.is_descending() {
            rows.reverse();
        }
        let comes = |row: &&StoredLink| {
            let place = LinkCursor::of(&row.link, order);
            after.is_none_or(|after| if order.is_descending() { place < after } else { place > after })
        };
        Ok(rows.into_iter().filter(comes).take(limit as usize).cloned().collect())
    }

    async fn reserve(&self, id: LinkId, wanted: u32) -> Result<u32, StoreError> {
        let mut tables = self.tables()?;
        let row = tables.rows.get_mut(&id).ok_or(NO_LINK)?;
        let Some(cap) = row.link.max_visits else { return Ok(wanted) };
        // A lowered cap may be below what is taken.
        let left = cap.get().saturating_sub(row.taken);
        let granted = u32::try_from(left).map_or(wanted, |left| wanted.min(left));
        row.taken += u64::from(granted);
        Ok(granted)
    }

    async fn slug_case(&self, wanted: SlugCase) -> Result<SlugCase, StoreError> {
        let mut tables = self.tables()?;
        let initial = if tables.rows.is_empty() { wanted } else { SlugCase::Sensitive };
        Ok(*tables.slug_case.get_or_insert(initial))
    }

    async fn change_slug_case(&self, case: SlugCase) -> Result<SlugCaseChange, StoreError> {
        let mut tables = self.tables()?;
        let rules = SlugRules { case, unicode: true };
        let mut seen = BTreeSet::new();
        let mut clashes = BTreeSet::new();
        let mut changed = Vec::new();
        for row in tables.rows.values() {
            let slug = rules.respell(&row.link.slug);
            if !seen.insert((row.link.domain.clone(), slug.clone())) {
                clashes.insert((row.link.domain.clone(), slug.clone()));
            }
            if slug != row.link.slug {
                let version = row.link.version + 1;
                changed.push(StoredLink { link: Link { slug, version, ..row.link.clone() }, ..row.clone() });
            }
        }
        if !clashes.is_empty() {
            return Ok(SlugCaseChange::Clashes(clashes.into_iter().take(SlugCaseChange::TOLD).collect()));
        }
        tables.slug_case = Some(case);
        let respelled = changed.len() as u64;
        for row in changed {
            tables.remove(row.link.id);
            tables.put(row);
        }
        Ok(SlugCaseChange::Done { respelled })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.tables().map(drop)
    }
}

impl Tables {
    fn insert(&mut self, new: &Insert) -> Inserted {
        let Insert { link, opening, once } = new;
        if let Some(key) = once
            && let Some((before, made)) = self.keys.get(&(key.owner, key.key.clone()))
            && key.at < before.at.plus(Idempotency::RETENTION)
        {
            let same = key.fingerprint == before.fingerprint;
            return if same { Inserted::Replayed(*made) } else { Inserted::KeyReused };
        }
        if self.rows.contains_key(&link.id) {
            return Inserted::IdTaken;
        }
        if self.slugs.contains_key(&(link.domain.clone(), link.slug.clone())) {
            return Inserted::SlugTaken;
        }
        self.put(StoredLink { link: link.clone(), clicks: *opening, taken: new.taken() });
        if let Some(key) = once {
            self.keys.insert((key.owner, key.key.clone()), (key.clone(), link.id));
        }
        Inserted::Created
    }

    fn at_version(&self, id: LinkId, expected: Option<u64>) -> Result<&StoredLink, StoreError> {
        let row = self.rows.get(&id).ok_or(NO_LINK)?;
        let current = row.link.version;
        let fits = expected.is_none_or(|expected| expected == current);
        if fits { Ok(row) } else { Err(StoreError::VersionMismatch { current }) }
    }

    fn put(&mut self, row: StoredLink) {
        let link = &row.link;
        self.slugs.insert((link.domain.clone(), link.slug.clone()), link.id);
        for way in ways(link) {
            self.ways.entry(way).or_default().insert((link.created_at, link.id));
        }
        self.rows.insert(link.id, row);
    }

    fn remove(&mut self, id: LinkId) {
        let Some(StoredLink { link, .. }) = self.rows.remove(&id) else { return };
        self.slugs.remove(&(link.domain.clone(), link.slug.clone()));
        for way in ways(&link) {
            if let Some(ages) = self.ways.get_mut(&way) {
                ages.remove(&(link.created_at, id));
                if ages.is_empty() {
                    self.ways.remove(&way);
                }
            }
        }
    }
}

fn ways(link: &Link) -> [Way; 5] {
    let (owner, domain) = (link.owner, || link.domain.clone());
    [
        Way::List(None, None),
        Way::List(Some(owner), None),
        Way::List(None, Some(domain())),
        Way::List(Some(owner), Some(domain())),
        Way::Target(owner, domain(), link.target.clone()),
    ]
}

#[cfg(test)]
mod conformance {
    use boltlink::{FakeClock, testing::Fixture};

    use super::*;

    async fn fixture() -> Fixture {
        let clock = Arc::new(FakeClock::default());
        Fixture::of_links(Arc::new(MapStore::default()), clock)
    }

    boltlink::link_suite!(fixture);
}
