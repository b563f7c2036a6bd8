//! Links and their counts.

mod index;
mod once;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;

use self::{index::Index, once::OnceTable};
use super::{Database, change::ChangeTable};
use crate::{
    domain::Domain,
    error::StoreError,
    id::{AccountId, LinkId},
    link::{Link, StoredLink},
    slug::Slug,
    store::{Change, Idempotency, Inserted, LinkCursor, LinkFilter, LinkStore},
    target::TargetUrl,
    time::Timestamp,
};

/// Links in this process's memory.
#[derive(Debug, Clone)]
pub struct MemoryLinks(pub(super) Arc<Database>);

#[async_trait]
impl LinkStore for MemoryLinks {
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError> {
        let mut tables = self.0.tables.write();
        let tables = &mut *tables;
        if let Some(answer) = key.and_then(|key| tables.links.once.answer(key)) {
            return Ok(answer);
        }
        tables.links.refuse_known_ids(std::slice::from_ref(link))?;
        let inserted = tables.links.insert(link, &mut tables.changes, self.0.clock.now());
        if let (Inserted::Created, Some(key)) = (inserted, key) {
            tables.links.once.remember(key, link.id);
        }
        Ok(inserted)
    }

    async fn insert_many(&self, links: &[Link]) -> Result<Vec<Inserted>, StoreError> {
        let mut tables = self.0.tables.write();
        let tables = &mut *tables;
        tables.links.refuse_known_ids(links)?;
        let now = self.0.clock.now();
        Ok(links.iter().map(|link| tables.links.insert(link, &mut tables.changes, now)).collect())
    }

    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError> {
        Ok(self.0.tables.read().links.rows.get(&id).cloned())
    }

    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError> {
        let tables = self.0.tables.read();
        let id = tables.links.index.by_slug(domain, slug);
        Ok(id.and_then(|id| tables.links.rows.get(&id)).cloned())
    }

    async fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        let tables = self.0.tables.read();
        let ids = tables.links.index.by_target(owner, domain, target);
        let rows = ids.filter_map(|id| tables.links.rows.get(&id));
        Ok(rows.filter(|row| row.link.target == *target).take(limit as usize).cloned().collect())
    }

    async fn update(&self, link: &Link, expected: u64) -> Result<StoredLink, StoreError> {
        let mut tables = self.0.tables.write();
        let tables = &mut *tables;
        tables.links.update(link, expected, &mut tables.changes, self.0.clock.now())
    }

    async fn delete(&self, id: LinkId, expected: Option<u64>) -> Result<(), StoreError> {
        let mut tables = self.0.tables.write();
        let tables = &mut *tables;
        tables.links.delete(id, expected, &mut tables.changes, self.0.clock.now())
    }

    async fn list(
        &self,
        filter: &LinkFilter,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        let tables = self.0.tables.read();
        let ids = tables.links.index.list(filter, after).take(limit as usize);
        Ok(ids.filter_map(|id| tables.links.rows.get(&id)).cloned().collect())
    }

    async fn reserve(&self, id: LinkId, wanted: u32) -> Result<u32, StoreError> {
        let mut tables = self.0.tables.write();
        let row = tables.links.rows.get_mut(&id).ok_or(NO_LINK)?;
        let Some(max) = row.link.max_visits else { return Ok(wanted) };
        let left = max.get().saturating_sub(row.taken);
        let granted = wanted.min(u32::try_from(left).unwrap_or(u32::MAX));
        row.taken += u64::from(granted);
        Ok(granted)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

const NO_LINK: StoreError = StoreError::NotFound { what: "link" };

#[derive(Debug, Default)]
pub(super) struct LinkTable {
    rows: HashMap<LinkId, StoredLink>,
    index: Index,
    once: OnceTable,
}

impl LinkTable {
    /// Adds clicks to their links, and says how many had none to go to.
    pub(super) fn count(&mut self, clicks: impl IntoIterator<Item = (LinkId, u64)>) -> u64 {
        let mut orphaned = 0;
        for (id, clicks) in clicks {
            match self.rows.get_mut(&id) {
                Some(row) => row.clicks += clicks,
                None => orphaned += clicks,
            }
        }
        orphaned
    }

    /// Ids are minted, not chosen: one that comes twice is a caller's mistake.
    fn refuse_known_ids(&self, links: &[Link]) -> Result<(), StoreError> {
        let mut new = std::collections::HashSet::new();
        let known = links.iter().any(|link| self.rows.contains_key(&link.id) || !new.insert(link.id));
        if known { Err(StoreError::Conflict { what: "link id" }) } else { Ok(()) }
    }

    fn insert(&mut self, link: &Link, changes: &mut ChangeTable, now: Timestamp) -> Inserted {
        if self.index.by_slug(&link.domain, &link.slug).is_some() {
            return Inserted::SlugTaken;
        }
        self.index.insert(link);
        self.rows.insert(link.id, StoredLink { link: link.clone(), clicks: 0, taken: 0 });
        changes.push(now, change(link));
        Inserted::Created
    }

    fn update(
        &mut self,
        link: &Link,
        expected: u64,
        changes: &mut ChangeTable,
        now: Timestamp,
    ) -> Result<StoredLink, StoreError> {
        let row = self.rows.get_mut(&link.id).ok_or(NO_LINK)?;
        check_version(row, Some(expected))?;
        if self.index.by_slug(&link.domain, &link.slug).is_some_and(|holder| holder != link.id) {
            return Err(StoreError::Conflict { what: "slug" });
        }
        if row.link.max_visits.is_none() && link.max_visits.is_some() {
            // Never less than was granted under an earlier cap: its clicks may still be on their way.
            row.taken = row.taken.max(row.clicks);
        }
        // What no update changes, whatever the caller says.
        let link = Link { owner: row.link.owner, created_at: row.link.created_at, ..link.clone() };
        let old = std::mem::replace(&mut row.link, link);
        self.index.remove(&old);
        self.index.insert(&row.link);
        changes.push(now, change(&old));
        if (&old.domain, &old.slug) != (&row.link.domain, &row.link.slug) {
            changes.push(now, change(&row.link));
        }
        Ok(row.clone())
    }

    fn delete(
        &mut self,
        id: LinkId,
        expected: Option<u64>,
        changes: &mut ChangeTable,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        check_version(self.rows.get(&id).ok_or(NO_LINK)?, expected)?;
        if let Some(row) = self.rows.remove(&id) {
            self.index.remove(&row.link);
            changes.push(now, change(&row.link));
        }
        Ok(())
    }
}

fn check_version(row: &StoredLink, expected: Option<u64>) -> Result<(), StoreError> {
    let current = row.link.version;
    if expected.is_none_or(|expected| expected == current) {
        Ok(())
    } else {
        Err(StoreError::VersionMismatch { current })
    }
}

fn change(link: &Link) -> Change {
    Change::Link(link.domain.clone(), link.slug.clone())
}

#[cfg(test)]
mod tests;
