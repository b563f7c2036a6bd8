//! Reading and changing links.

use tracing::instrument;

use super::{
    Caches, Error, Shortener,
    audit::{deed, detail},
    error::require,
    gather::Storing,
};
use crate::{
    access::{Actor, Scope},
    audit::Action,
    domain::Domain,
    id::LinkId,
    link::{Link, LinkEdit, StoredLink},
    new_link::Likeness,
    store::{Change, Consumer, LinkCursor, LinkFilter, LinkOrder},
    target::TargetUrl,
    text::AuditDetail,
};

/// How many links to one target are looked at for one that is like another.
const LIKE: u32 = 1_000;
/// How often an edit without a stated version is tried against others' edits.
const EDIT_TRIES: u32 = 16;

/// A page of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The links, in the order asked for.
    pub links: Vec<StoredLink>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<LinkCursor>,
}

impl Shortener {
    /// The link, with its clicks as of now: those stored, and those on their way.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn find(&self, actor: &Actor, id: LinkId) -> Result<StoredLink, Error> {
        require(actor, Scope::LinksRead)?;
        let link = self.own(actor, id).await?;
        self.live(link).await
    }

    /// The link of a slug, likewise.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn find_slug(&self, actor: &Actor, domain: &Domain, slug: &crate::Slug) -> Result<StoredLink, Error> {
        require(actor, Scope::LinksRead)?;
        let link = self.0.within(self.0.stores.links.by_slug(domain, slug)).await?;
        self.live(link.filter(|link| sees(actor, &link.link)).ok_or(Error::NotFound { what: "link" })?).await
    }

    /// The oldest link of the actor's account under `domain` to exactly this target.
    ///
    /// # Errors
    /// If the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn find_target(
        &self,
        actor: &Actor,
        domain: &Domain,
        target: &TargetUrl,
    ) -> Result<Option<StoredLink>, Error> {
        require(actor, Scope::LinksRead)?;
        within(actor, domain)?;
        let found = self.0.stores.links.by_target(actor.account(), domain, target, 1);
        match self.0.within(found).await?.pop() {
            Some(link) => self.live(link).await.map(Some),
            None => Ok(None),
        }
    }

    /// The oldest link of the actor's account that is like this, and [usable](StoredLink::is_usable_at) (or, if
    /// a beginning was asked for, will be). Of links to one target the 1,000 oldest that are enabled and have
    /// not expired are looked at, so that the answer takes the same time however many there are.
    ///
    /// Two parallel callers may both find none: to make a link once, use
    /// [`create_once`](Self::create_once).
    ///
    /// # Errors
    /// If the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn find_like(&self, actor: &Actor, like: &Likeness) -> Result<Option<StoredLink>, Error> {
        require(actor, Scope::LinksRead)?;
        within(actor, &like.domain)?;
        let (now, links) = (self.now(), &self.0.stores.links);
        let fits = |link: &StoredLink| {
            let begins = link.link.lifetime.starts_at().filter(|_| like.starts_at.is_some()).unwrap_or(now);
            like.fits(&link.link) && link.is_usable_at(begins.max(now))
        };
        // Mostly the first one is it.
        for limit in [4, LIKE] {
            let found = links.usable_by_target(actor.account(), &like.domain, &like.target, now, limit);
            let found = self.0.within(found).await?;
            let all = found.len() < limit as usize;
            if let Some(link) = found.into_iter().find(fits) {
                return self.live(link).await.map(Some);
            }
            if all {
                break;
            }
        }
        Ok(None)
    }

    /// Changes a link; with `if_version` only at that version. Shows here at once, and on other
    /// processes within a second.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Stale`]; [`Error::SlugTaken`]; [`Error::Lifetime`] if it would
    /// end before it begins.
    #[instrument(level = "debug", skip_all)]
    pub async fn edit(
        &self,
        actor: &Actor,
        id: LinkId,
        edit: LinkEdit,
        if_version: Option<u64>,
    ) -> Result<StoredLink, Error> {
        require(actor, Scope::LinksWrite)?;
        if let Some(target) = &edit.target {
            self.0.policy.judge(actor, target)?;
        }
        let fields = edit.fields();
        let mut tries = 0;
        loop {
            let before = self.to_change(actor, id, if_version).await?;
            let current = before.version;
            let (old, was_capped) = (slug_of(&before), before.max_visits.is_some());
            let after = edit.clone().apply(before, self.now())?;
            if after.max_visits.is_some() && !was_capped {
                // The cap counts from what is stored.
                let stored = async {
                    self.0.gathered[Consumer::Totals as usize].stored().await;
                    Ok(())
                };
                self.0.within(stored).await?;
            }
            let (links, new) = (self.0.stores.links.clone(), slug_of(&after));
            let deed = deed(Action::LinkEdited, id, detail(fields.join(" ")));
            let forget = |caches: &Caches| [old, new].into_iter().for_each(|slug| caches.evict(slug));
            match self.audited(actor, deed, forget, async move { links.update(&after, current).await }).await {
                Ok(link) => return self.live(link).await,
                // Somebody else was quicker: the edit says what is to change, not from what.
                Err(Error::Stale { .. }) if if_version.is_none() && tries < EDIT_TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether [`edit`](Self::edit) would find the link, at that version: to be asked before work that would be for nothing.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Stale`].
    #[instrument(level = "debug", skip_all)]
    pub async fn check_edit(&self, actor: &Actor, id: LinkId, if_version: Option<u64>) -> Result<(), Error> {
        require(actor, Scope::LinksWrite)?;
        self.to_change(actor, id, if_version).await.map(|_| ())
    }

    /// Deletes a link; with `if_version` only at that version. Its slug is free again, its rollups stay.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Stale`].
    #[instrument(level = "debug", skip_all)]
    pub async fn delete(&self, actor: &Actor, id: LinkId, if_version: Option<u64>) -> Result<(), Error> {
        require(actor, Scope::LinksWrite)?;
        let link = self.own(actor, id).await?.link;
        let (links, deed) = (self.0.stores.links.clone(), deed(Action::LinkDeleted, id, place(&link)));
        let forget = move |caches: &Caches| caches.evict(slug_of(&link));
        self.audited(actor, deed, forget, async move { links.delete(id, if_version).await }).await
    }

    /// Up to `limit` links that pass `filter` and that the actor may see, in `order`, after `after`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::OtherDomain`], or [`Error::WhichDomain`] if the actor is bound to
    /// several and `filter` names none; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn list(
        &self,
        actor: &Actor,
        mut filter: LinkFilter,
        order: LinkOrder,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Listing, Error> {
        require(actor, Scope::LinksRead)?;
        if !actor.sees_all() {
            filter.owner = Some(actor.account());
        }
        match (&filter.domain, actor.bounds().domains.as_slice()) {
            (_, []) => {}
            (Some(domain), _) => within(actor, domain)?,
            (None, [only]) => filter.domain = Some(only.clone()),
            (None, _) => return Err(Error::WhichDomain),
        }
        // One more than asked for tells whether there is a next page.
        let more = limit.saturating_add(1);
        let mut links = self.0.within(self.0.stores.links.list(&filter, order, after, more)).await?;
        let mut next = None;
        if links.len() > limit as usize {
            links.truncate(limit as usize);
            next = links.last().map(|last| LinkCursor::of(&last.link, order));
        }
        let ids: Vec<LinkId> = links.iter().map(|link| link.link.id).collect();
        for (link, pending) in links.iter_mut().zip(self.pending(&ids).await) {
            link.clicks += pending;
        }
        Ok(Listing { links, next })
    }

    /// The link as it is before a change, if it is at that version.
    async fn to_change(&self, actor: &Actor, id: LinkId, if_version: Option<u64>) -> Result<Link, Error> {
        let link = self.own(actor, id).await?.link;
        let current = link.version;
        match if_version {
            Some(version) if version != current => Err(Error::Stale { current }),
            _ => Ok(link),
        }
    }

    /// The link as stored, if the actor may see it.
    pub(super) async fn own(&self, actor: &Actor, id: LinkId) -> Result<StoredLink, Error> {
        let link = self.0.within(self.0.stores.links.by_id(id)).await?;
        link.filter(|link| sees(actor, &link.link)).ok_or(Error::NotFound { what: "link" })
    }

    /// Adds what is on its way to what is stored. Read in this order the sum never says too much.
    pub(super) async fn live(&self, mut link: StoredLink) -> Result<StoredLink, Error> {
        link.clicks += self.pending(&[link.link.id]).await.first().copied().unwrap_or(0);
        Ok(link)
    }

    /// Clicks on their way, read in the direction opposite to theirs so that none shows twice: what is being stored, what
    /// is added up, what is in the log. What does not answer hides some clicks for a while; no reason to refuse.
    async fn pending(&self, ids: &[LinkId]) -> Vec<u64> {
        let (mut pending, storing) = self.0.gathered[Consumer::Totals as usize].clicks_of(ids);
        let mut add = |clicks: Vec<u64>| pending.iter_mut().zip(clicks).for_each(|(sum, clicks)| *sum += clicks);
        if let Some(Storing { batch, clicks }) = storing {
            // If the ledger does not have it by now, neither had the totals when they were read.
            match self.0.within(self.0.stores.totals.applied(&[batch.producer])).await.as_deref() {
                Ok([state]) if !state.has_dealt_with(batch.sequence) => add(clicks),
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "clicks that are being stored do not show"),
            }
        }
        match self.0.within(self.0.stores.log.pending(ids)).await {
            Ok(logged) => add(logged),
            Err(error) => tracing::debug!(%error, "clicks in the log do not show"),
        }
        pending
    }
}

/// What changes with a link: what a slug leads to.
pub(super) fn slug_of(link: &Link) -> Change {
    Change::Link(link.domain.clone(), link.slug.clone())
}

/// Where a link is, for the audit log.
pub(super) fn place(link: &Link) -> Option<AuditDetail> {
    detail(format_args!("{}/{}", link.domain, link.slug))
}

/// Refuses an actor who is bound to other domains.
pub(super) fn within(actor: &Actor, domain: &Domain) -> Result<(), Error> {
    if actor.bounds().allow_domain(domain) { Ok(()) } else { Err(Error::OtherDomain) }
}

fn sees(actor: &Actor, link: &Link) -> bool {
    actor.may_see(link.owner) && actor.bounds().allow_domain(&link.domain)
}
