//! Making links.

use std::sync::Arc;

use tracing::instrument;

use super::{
    Caches, Error, Shortener,
    audit::{Deed, deed},
    error::require,
    links::{place, slug_of, within},
};
use crate::{
    access::{Actor, Scope},
    audit::Action,
    error::StoreError,
    link::{Link, StoredLink},
    new_link::NewLink,
    random::EntropyExt,
    store::{Fingerprint, Idempotency, IdempotencyKey, Insert, Inserted},
};

/// How often a random slug is drawn anew before giving up. Slugs grow meanwhile, so that this is
/// only reached where the slug source is broken.
const SLUG_TRIES: u32 = 64;

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
    #[instrument(level = "debug", skip_all)]
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
    #[instrument(level = "debug", skip_all)]
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
            match self.store(actor, &link, once.clone()).await? {
                Inserted::Created => {
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
    #[instrument(level = "debug", skip_all)]
    pub async fn create_many(&self, actor: &Actor, new: Vec<NewLink>) -> Result<Vec<Result<StoredLink, Error>>, Error> {
        self.insert_many(actor, new, |_| None).await
    }

    /// The same, but a repetition of the request gives the links that the first one made, each by its key as
    /// [`create_once`](Self::create_once) does.
    ///
    /// # Errors
    /// As [`create_many`](Self::create_many).
    #[instrument(level = "debug", skip_all)]
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
            let inserts: Arc<[Insert]> = inserts.into();
            let inserted = self.store_many(actor, inserts.clone()).await?;
            for ((at, insert), inserted) in open.into_iter().zip(&*inserts).zip(inserted) {
                answers[at] = match inserted {
                    Inserted::Created => {
                        let (clicks, taken) = (insert.opening, insert.taken());
                        Some(Ok(StoredLink { link: insert.link.clone(), clicks, taken }))
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

    async fn store(&self, actor: &Actor, link: &Link, once: Option<Idempotency>) -> Result<Inserted, Error> {
        let (links, link) = (self.0.stores.links.clone(), link.clone());
        let deed = deed(Action::LinkCreated, link.id, place(&link));
        let deeds = |inserted: Option<&Inserted>| created([deed], inserted.map(std::slice::from_ref));
        let slug = slug_of(&link);
        let forget = |caches: &Caches| caches.evict(slug);
        self.audited_as(actor, (1, deeds), forget, async move { links.insert(&link, once.as_ref()).await }).await
    }

    async fn store_many(&self, actor: &Actor, new: Arc<[Insert]>) -> Result<Vec<Inserted>, Error> {
        let links = self.0.stores.links.clone();
        let deeds: Vec<_> = new.iter().map(|new| deed(Action::LinkCreated, new.link.id, place(&new.link))).collect();
        let deeds = |inserted: Option<&Vec<Inserted>>| created(deeds, inserted.map(Vec::as_slice));
        let (most, made) = (new.len(), new.clone());
        let forget = move |caches: &Caches| made.iter().for_each(|new| caches.evict(slug_of(&new.link)));
        self.audited_as(actor, (most, deeds), forget, async move { links.insert_many(&new).await }).await
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
            password: new.password.clone(),
            forward: new.forward,
            crawlable: new.crawlable,
            enabled: new.enabled,
            created_at,
            updated_at: past.updated_at.unwrap_or(created_at),
            version: past.version.unwrap_or(1),
        }
    }
}

/// Those of the deeds that were done, as far as is known.
fn created(deeds: impl IntoIterator<Item = Deed>, inserted: Option<&[Inserted]>) -> Vec<Deed> {
    let done = |index: &usize| inserted.is_none_or(|inserted| inserted.get(*index) == Some(&Inserted::Created));
    deeds.into_iter().enumerate().filter(|(index, _)| done(index)).map(|(_, deed)| deed).collect()
}

fn no_free_slug() -> Error {
    Error::Internal(StoreError::backend("no free slug was drawn; use longer slugs"))
}
