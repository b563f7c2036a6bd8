//! The ways to links.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use crate::{
    domain::Domain,
    id::{AccountId, LinkId},
    link::Link,
    slug::Slug,
    store::{LinkCursor, LinkFilter},
    target::TargetUrl,
    time::Timestamp,
};

/// Links by age.
type Ages = BTreeSet<(Timestamp, LinkId)>;

#[derive(Debug, Default)]
pub(super) struct Index {
    slugs: HashMap<Domain, HashMap<Slug, LinkId>>,
    /// By the hash of the target: links that have only that in common are few.
    targets: HashMap<(AccountId, Domain, i64), Ages>,
    /// One set for each filter that lists can have, so that every page is one range of one of them.
    lists: HashMap<(Option<AccountId>, Option<Domain>), Ages>,
}

impl Index {
    pub(super) fn insert(&mut self, link: &Link) {
        let age = (link.created_at, link.id);
        self.slugs.entry(link.domain.clone()).or_default().insert(link.slug.clone(), link.id);
        self.targets.entry(target_key(link)).or_default().insert(age);
        for key in list_keys(link) {
            self.lists.entry(key).or_default().insert(age);
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
        remove_age(&mut self.targets, &target_key(link), link);
        for key in list_keys(link) {
            remove_age(&mut self.lists, &key, link);
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

    /// Newest first.
    pub(super) fn list(&self, filter: &LinkFilter, after: Option<LinkCursor>) -> impl Iterator<Item = LinkId> {
        let ages = self.lists.get(&(filter.owner, filter.domain.clone()));
        let pages = ages.map(|ages| match after {
            Some(cursor) => ages.range(..(cursor.created_at, cursor.id)),
            None => ages.range(..),
        });
        pages.into_iter().flat_map(Iterator::rev).map(|(_, id)| *id)
    }
}

fn target_key(link: &Link) -> (AccountId, Domain, i64) {
    (link.owner, link.domain.clone(), link.target.hash())
}

fn list_keys(link: &Link) -> [(Option<AccountId>, Option<Domain>); 4] {
    [
        (None, None),
        (Some(link.owner), None),
        (None, Some(link.domain.clone())),
        (Some(link.owner), Some(link.domain.clone())),
    ]
}

fn remove_age<K: Hash + Eq>(sets: &mut HashMap<K, Ages>, key: &K, link: &Link) {
    if let Some(ages) = sets.get_mut(key) {
        ages.remove(&(link.created_at, link.id));
        if ages.is_empty() {
            sets.remove(key);
        }
    }
}
