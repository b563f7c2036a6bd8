//! Links and their counts.

mod index;
mod once;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use async_trait::async_trait;

use self::{index::Index, once::OnceTable};
use super::{Database, change::ChangeTable};
use crate::{
    domain::Domain,
    error::StoreError,
    id::{AccountId, LinkId},
    link::{Link, StoredLink},
    slug::{Slug, SlugCase, SlugRules},
    store::{Change, Idempotency, Insert, Inserted, LinkCursor, LinkFilter, LinkOrder, LinkStore, SlugCaseChange},
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
        let new = Insert { link: link.clone(), opening: 0, once: key.cloned() };
        Ok(tables.links.insert(&new, &mut tables.changes, self.0.clock.now()))
    }

    async fn insert_many(&self, links: &[Insert]) -> Result<Vec<Inserted>, StoreError> {
        let mut tables = self.0.tables.write();
        let tables = &mut *tables;
        let now = self.0.clock.now();
        Ok(links.iter().map(|new| tables.links.insert(new, &mut tables.changes, now)).collect())
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

    async fn usable_by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        let tables = self.0.tables.read();
        let ids = tables.links.index.by_target(owner, domain, target);
        let usable = |link: &Link| link.enabled && link.lifetime.expires_at().is_none_or(|end| now < end);
        let rows = ids.filter_map(|id| tables.links.rows.get(&id));
        let rows = rows.filter(|row| row.link.target == *target && usable(&row.link));
        Ok(rows.take(limit as usize).cloned().collect())
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
        order: LinkOrder,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        let tables = self.0.tables.read();
        let rows = tables.links.index.list(filter, order, after).filter_map(|id| tables.links.rows.get(&id));
        Ok(rows.filter(|row| filter.passes(&row.link)).take(limit as usize).cloned().collect())
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

    async fn slug_case(&self, wanted: SlugCase) -> Result<SlugCase, StoreError> {
        let mut tables = self.0.tables.write();
        let links = &mut tables.links;
        let initial = if links.rows.is_empty() { wanted } else { SlugCase::Sensitive };
        Ok(*links.slug_case.get_or_insert(initial))
    }

    async fn change_slug_case(&self, case: SlugCase) -> Result<SlugCaseChange, StoreError> {
        let mut tables = self.0.tables.write();
        let tables = &mut *tables;
        Ok(tables.links.change_slug_case(case, &mut tables.changes, self.0.clock.now()))
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
    slug_case: Option<SlugCase>,
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

    fn insert(&mut self, new: &Insert, changes: &mut ChangeTable, now: Timestamp) -> Inserted {
        let Insert { link, opening, once } = new;
        if let Some(answer) = once.as_ref().and_then(|key| self.once.answer(key)) {
            return answer;
        }
        if self.rows.contains_key(&link.id) {
            return Inserted::IdTaken;
        }
        if self.index.by_slug(&link.domain, &link.slug).is_some() {
            return Inserted::SlugTaken;
        }
        self.index.insert(link);
        self.rows.insert(link.id, StoredLink { link: link.clone(), clicks: *opening, taken: new.taken() });
        changes.push(now, change(link));
        if let Some(key) = once {
            self.once.remember(key, link.id);
        }
        Inserted::Created
    }

    fn change_slug_case(&mut self, case: SlugCase, changes: &mut ChangeTable, now: Timestamp) -> SlugCaseChange {
        let rules = SlugRules { case, unicode: true };
        let spelled = |link: &Link| (link.domain.clone(), rules.respell(&link.slug));
        let mut seen = BTreeSet::new();
        let clashes: BTreeSet<_> =
            self.rows.values().map(|row| spelled(&row.link)).filter(|spelled| !seen.insert(spelled.clone())).collect();
        if !clashes.is_empty() {
            return SlugCaseChange::Clashes(clashes.into_iter().take(SlugCaseChange::TOLD).collect());
        }
        self.slug_case = Some(case);
        let mut respelled = 0;
        for row in self.rows.values_mut().filter(|row| spelled(&row.link).1 != row.link.slug) {
            let old = row.link.clone();
            (row.link.slug, row.link.version) = (rules.respell(&old.slug), old.version + 1);
            self.index.remove(&old);
            self.index.insert(&row.link);
            changes.push(now, change(&old));
            changes.push(now, change(&row.link));
            respelled += 1;
        }
        SlugCaseChange::Done { respelled }
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
