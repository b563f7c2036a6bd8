//! The ways to links.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    ops::Bound::{Excluded, Unbounded},
};

use crate::{
    domain::Domain,
    id::{AccountId, LinkId},
    link::Link,
    slug::Slug,
    store::{LinkCursor, LinkFilter, LinkOrder},
    target::TargetUrl,
    time::Timestamp,
};

/// Links by age.
type Ages = BTreeSet<(Timestamp, LinkId)>;
type ListKey = (Option<AccountId>, Option<Domain>);

#[derive(Debug, Default)]
pub(super) struct Index {
    slugs: HashMap<Domain, HashMap<Slug, LinkId>>,
    /// By the hash of the target: links that have only that in common are few.
    targets: HashMap<(AccountId, Domain, i64), Ages>,
    /// One set for each owner and domain that lists can be of, by the time of making and by that of the last
    /// change: every page is one range of one of them.
    made: HashMap<ListKey, Ages>,
    changed: HashMap<ListKey, Ages>,
}

impl Index {
    pub(super) fn insert(&mut self, link: &Link) {
        let age = (link.created_at, link.id);
        self.slugs.entry(link.domain.clone()).or_default().insert(link.slug.clone(), link.id);
        self.targets.entry(target_key(link)).or_default().insert(age);
        for key in list_keys(link) {
            self.made.entry(key.clone()).or_default().insert(age);
            self.changed.entry(key).or_default().insert((link.updated_at, link.id));
        }
    }

    /// Takes `link`, as it was inserted, out again.
    pub(super) fn remove(&mut self, link: &Link) {
        if let Some(slugs) = self.slugs.get_mut(&link.domain) {
            slugs.remove(&link.slug);
            if slugs.is_empty() {
                self.slugs.remove(&link.domain);
            }
        }
        let age = (link.created_at, link.id);
        remove_age(&mut self.targets, &target_key(link), age);
        for key in list_keys(link) {
            remove_age(&mut self.made, &key, age);
            remove_age(&mut self.changed, &key, (link.updated_at, link.id));
        }
    }

    pub(super) fn by_slug(&self, domain: &Domain, slug: &Slug) -> Option<LinkId> {
        self.slugs.get(domain)?.get(slug).copied()
    }

    /// Oldest first, and perhaps some whose target has the same hash.
    pub(super) fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
    ) -> impl Iterator<Item = LinkId> {
        let ages = self.targets.get(&(owner, domain.clone(), target.hash()));
        ages.into_iter().flatten().map(|(_, id)| *id)
    }

    /// The links of the filter's owner and domain, in order; the rest of the filter is left to the caller.
    pub(super) fn list(
        &self,
        filter: &LinkFilter,
        order: LinkOrder,
        after: Option<LinkCursor>,
    ) -> impl Iterator<Item = LinkId> {
        let lists = match order {
            LinkOrder::Newest | LinkOrder::Oldest => &self.made,
            LinkOrder::LatestChange | LinkOrder::EarliestChange => &self.changed,
        };
        let ages = lists.get(&(filter.owner, filter.domain.clone()));
        let range = match after.map(|cursor| (cursor.at, cursor.id)) {
            None => (Unbounded, Unbounded),
            Some(place) if order.is_descending() => (Unbounded, Excluded(place)),
            Some(place) => (Excluded(place), Unbounded),
        };
        let (up, down) = match ages.map(|ages| ages.range(range)) {
            Some(ages) if order.is_descending() => (None, Some(ages.rev())),
            Some(ages) => (Some(ages), None),
            None => (None, None),
        };
        up.into_iter().flatten().chain(down.into_iter().flatten()).map(|(_, id)| *id)
    }
}

fn target_key(link: &Link) -> (AccountId, Domain, i64) {
    (link.owner, link.domain.clone(), link.target.hash())
}

fn list_keys(link: &Link) -> [ListKey; 4] {
    [
        (None, None),
        (Some(link.owner), None),
        (None, Some(link.domain.clone())),
        (Some(link.owner), Some(link.domain.clone())),
    ]
}

fn remove_age<K: Hash + Eq>(sets: &mut HashMap<K, Ages>, key: &K, age: (Timestamp, LinkId)) {
    if let Some(ages) = sets.get_mut(key) {
        ages.remove(&age);
        if ages.is_empty() {
            sets.remove(key);
        }
    }
}
