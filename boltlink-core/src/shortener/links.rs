//! Making, reading and changing links.

use super::{Error, Shortener, error::require, gate::LinkKey};
use crate::{
    access::{Actor, Scope},
    domain::Domain,
    error::StoreError,
    id::LinkId,
    link::{Link, LinkEdit, StoredLink},
    new_link::{Likeness, NewLink},
    random::EntropyExt,
    store::{Fingerprint, Idempotency, IdempotencyKey, Insert, Inserted, LinkCursor, LinkFilter, LinkOrder},
    target::TargetUrl,
};

/// How often a random slug is drawn anew before giving up. Slugs grow meanwhile, so that this is
/// only reached where the slug source is broken.
const SLUG_TRIES: u32 = 64;
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

/// The answer to a creation with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The link.
    pub link: StoredLink,
    /// Whether an earlier request with the key had made it.
    pub replayed: bool,
}

impl Shortener {
    /// Makes a link that belongs to the actor's account.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::OtherDomain`], [`Error::Target`]; [`Error::SlugTaken`] if a slug was asked for and
    /// is taken; [`Error::Unavailable`]: it may have been made.
    pub async fn create(&self, actor: &Actor, new: NewLink) -> Result<StoredLink, Error> {
        if new.past.clicks > 0 {
            // Only many at once bring an opening balance.
            return self.create_many(actor, vec![new]).await?.pop().unwrap_or_else(|| Err(no_free_slug()));
        }
        self.insert(actor, new, None).await.map(|created| created.link)
    }

    /// The same, but a repetition of the request (equal `key`, `fingerprint` and account, within 24
    /// hours, in parallel too) gets the link that the first one made.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Error::KeyReused`] if the fingerprint is another,
    /// [`Error::ReplayedDeleted`] if that link is deleted by now.
    pub async fn create_once(
        &self,
        actor: &Actor,
        new: NewLink,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
    ) -> Result<Created, Error> {
        let once = Idempotency { owner: actor.account(), key, fingerprint, at: self.now() };
        self.insert(actor, new, Some(once)).await
    }

    async fn insert(&self, actor: &Actor, new: NewLink, once: Option<Idempotency>) -> Result<Created, Error> {
        require(actor, Scope::LinksWrite)?;
        self.judge(actor, &new)?;
        let drawn = new.slug.is_none();
        for attempt in 0..SLUG_TRIES {
            let link = self.describe(actor, &new, attempt);
            match self.0.within(self.0.stores.links.insert(&link, once.as_ref())).await? {
                Inserted::Created => {
                    self.forget(&link);
                    self.announce();
                    return Ok(Created { link: StoredLink { link, clicks: 0, taken: 0 }, replayed: false });
                }
                // An id of ours that is taken is drawn anew, as a slug is.
                Inserted::IdTaken if new.past.id.is_none() => {}
                Inserted::IdTaken => return Err(Error::IdTaken),
                Inserted::SlugTaken if drawn => {}
                Inserted::SlugTaken => return Err(Error::SlugTaken),
                Inserted::KeyReused => return Err(Error::KeyReused),
                Inserted::Replayed(id) => {
                    let link = self.0.within(self.0.stores.links.by_id(id)).await?.ok_or(Error::ReplayedDeleted)?;
                    return Ok(Created { link: self.live(link).await?, replayed: true });
                }
            }
        }
        Err(no_free_slug())
    }

    /// Makes many links in one transaction; each succeeds or fails by itself, in order.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; if the store is away: then some of them may have been made.
    pub async fn create_many(&self, actor: &Actor, new: Vec<NewLink>) -> Result<Vec<Result<StoredLink, Error>>, Error> {
        self.insert_many(actor, new, |_| None).await
    }

    /// The same, but a repetition of the request gives the links that the first one made, each by its key as
    /// [`create_once`](Self::create_once) does.
    ///
    /// # Errors
    /// As [`create_many`](Self::create_many).
    pub async fn create_many_once(
        &self,
        actor: &Actor,
        new: Vec<(NewLink, IdempotencyKey, Fingerprint)>,
    ) -> Result<Vec<Result<StoredLink, Error>>, Error> {
        let (owner, at) = (actor.account(), self.now());
        let (new, keys): (Vec<_>, Vec<_>) = new.into_iter().map(|(new, key, print)| (new, (key, print))).unzip();
        let once = |index: usize| {
            let (key, fingerprint) = keys.get(index)?.clone();
            Some(Idempotency { owner, key, fingerprint, at })
        };
        self.insert_many(actor, new, once).await
    }

    async fn insert_many(
        &self,
        actor: &Actor,
        new: Vec<NewLink>,
        once: impl Fn(usize) -> Option<Idempotency>,
    ) -> Result<Vec<Result<StoredLink, Error>>, Error> {
        require(actor, Scope::LinksWrite)?;
        let refused = |new: &NewLink| self.judge(actor, new).err().map(Err);
        let mut answers: Vec<Option<Result<StoredLink, Error>>> = new.iter().map(refused).collect();
        for attempt in 0..SLUG_TRIES {
            let open: Vec<usize> = (0..new.len()).filter(|&at| answers[at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let insert = |&at: &usize| {
                let link = self.describe(actor, &new[at], attempt);
                Insert { link, opening: new[at].past.clicks, once: once(at) }
            };
            let inserts: Vec<Insert> = open.iter().map(insert).collect();
            let inserted = self.0.within(self.0.stores.links.insert_many(&inserts)).await?;
            self.announce();
            for ((at, insert), inserted) in open.into_iter().zip(inserts).zip(inserted) {
                answers[at] = match inserted {
                    Inserted::Created => {
                        self.forget(&insert.link);
                        let (clicks, taken) = (insert.opening, insert.taken());
                        Some(Ok(StoredLink { link: insert.link, clicks, taken }))
                    }
                    Inserted::SlugTaken if new[at].slug.is_none() => None,
                    Inserted::IdTaken if new[at].past.id.is_none() => None,
                    Inserted::SlugTaken => Some(Err(Error::SlugTaken)),
                    Inserted::IdTaken => Some(Err(Error::IdTaken)),
                    Inserted::KeyReused => Some(Err(Error::KeyReused)),
                    Inserted::Replayed(id) => Some(match self.0.within(self.0.stores.links.by_id(id)).await? {
                        Some(link) => Ok(self.live(link).await?),
                        None => Err(Error::ReplayedDeleted),
                    }),
                };
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(no_free_slug()))).collect())
    }

    /// Whether the actor may make this link.
    fn judge(&self, actor: &Actor, new: &NewLink) -> Result<(), Error> {
        within(actor, &new.domain)?;
        Ok(self.0.policy.judge(actor, &new.target)?)
    }

    fn describe(&self, actor: &Actor, new: &NewLink, attempt: u32) -> Link {
        let (now, past) = (self.now(), &new.past);
        let created_at = past.created_at.unwrap_or(now);
        let random = || self.0.slugs.propose(&*self.0.entropy, attempt, new.slug_length);
        Link {
            id: past.id.unwrap_or_else(|| self.0.entropy.link_id(now)),
            owner: past.owner.filter(|_| actor.sees_all()).unwrap_or_else(|| actor.account()),
            domain: new.domain.clone(),
            slug: new.slug.clone().unwrap_or_else(|| self.0.slug_rules.respell(&random())),
            target: new.target.clone(),
            title: new.title.clone(),
            note: new.note.clone(),
            tags: new.tags.clone(),
            redirect: new.redirect,
            lifetime: new.lifetime,
            max_visits: new.max_visits,
            forward: new.forward,
            crawlable: new.crawlable,
            enabled: new.enabled,
            created_at,
            updated_at: past.updated_at.unwrap_or(created_at),
            version: past.version.unwrap_or(1),
        }
    }

    /// The link, with its clicks as of now: those stored, and those on their way.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    pub async fn find(&self, actor: &Actor, id: LinkId) -> Result<StoredLink, Error> {
        require(actor, Scope::LinksRead)?;
        let link = self.own(actor, id).await?;
        self.live(link).await
    }

    /// The link of a slug, likewise.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    pub async fn find_slug(&self, actor: &Actor, domain: &Domain, slug: &crate::Slug) -> Result<StoredLink, Error> {
        require(actor, Scope::LinksRead)?;
        let link = self.0.within(self.0.stores.links.by_slug(domain, slug)).await?;
        self.live(link.filter(|link| sees(actor, &link.link)).ok_or(Error::NotFound { what: "link" })?).await
    }

    /// The oldest link of the actor's account under `domain` to exactly this target.
    ///
    /// # Errors
    /// If the store fails.
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
        let mut tries = 0;
        loop {
            let before = self.own(actor, id).await?.link;
            let current = before.version;
            if if_version.is_some_and(|version| version != current) {
                return Err(Error::Stale { current });
            }
            let old = before.clone();
            let after = edit.clone().apply(before, self.now())?;
            match self.0.within(self.0.stores.links.update(&after, current)).await {
                Ok(link) => {
                    self.forget(&old);
                    self.forget(&after);
                    self.announce();
                    return self.live(link).await;
                }
                // Somebody else was quicker: the edit says what is to change, not from what.
                Err(StoreError::VersionMismatch { .. }) if if_version.is_none() && tries < EDIT_TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes a link; with `if_version` only at that version. Its slug is free again, its rollups stay.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Stale`].
    pub async fn delete(&self, actor: &Actor, id: LinkId, if_version: Option<u64>) -> Result<(), Error> {
        require(actor, Scope::LinksWrite)?;
        let link = self.own(actor, id).await?.link;
        self.0.within(self.0.stores.links.delete(id, if_version)).await?;
        self.forget(&link);
        self.announce();
        Ok(())
    }

    /// Up to `limit` links that pass `filter` and that the actor may see, in `order`, after `after`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::OtherDomain`], or [`Error::WhichDomain`] if the actor is bound to
    /// several and `filter` names none; if the store fails.
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

    /// Clicks on their way. A log that is away hides some clicks for a while; no reason to refuse.
    async fn pending(&self, ids: &[LinkId]) -> Vec<u64> {
        match self.0.within(self.0.stores.log.pending(ids)).await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::debug!(%error, "no pending clicks");
                vec![0; ids.len()]
            }
        }
    }

    /// Tells other processes that something has changed. Nobody waits for it: those that miss it poll.
    pub(super) fn announce(&self) {
        let changes = self.0.stores.changes.clone();
        tokio::spawn(async move { changes.announce().await });
    }

    /// Drops what the cache has of the link's slug, without waiting for the change log.
    fn forget(&self, link: &Link) {
        self.0.caches.links.evict(&LinkKey { domain: link.domain.clone(), slug: link.slug.clone() });
    }
}

fn no_free_slug() -> Error {
    Error::Internal(StoreError::backend("no free slug was drawn; use longer slugs"))
}

/// Refuses an actor who is bound to other domains.
fn within(actor: &Actor, domain: &Domain) -> Result<(), Error> {
    if actor.bounds().allow_domain(domain) { Ok(()) } else { Err(Error::OtherDomain) }
}

fn sees(actor: &Actor, link: &Link) -> bool {
    actor.may_see(link.owner) && actor.bounds().allow_domain(&link.domain)
}
