//! Puts links into the database, past those that are there.

use std::collections::{HashMap, HashSet};

use boltlink_core::{
    Actor, Domain, Error, NewLink, Shortener, Slug, StoredLink, TargetUrl,
    store::{LinkFilter, LinkOrder},
};

use super::sieve::Sieve;
use crate::cli::{failure::Failure, record::Wrong};

/// `--on-conflict`: what becomes of a link whose slug leads to another target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OnConflict {
    /// It is rejected
    Skip,
    /// The import stops
    Fail,
    /// It gets a random slug, which the report tells
    Rename,
}

/// What became of a link.
#[derive(Debug)]
pub(super) enum Done {
    Made,
    /// Made under this slug instead of its own; no slug yet in a dry run.
    Renamed(Option<Slug>),
    /// It was there.
    There,
    Rejected(Vec<Wrong>),
    /// Its slug leads elsewhere, and [`OnConflict::Fail`] was asked for: it and what comes after it
    /// are not stored.
    Conflict,
}

/// What is said of a conflict.
pub(super) const TAKEN: &str = "is taken by a link to another target";

pub(super) struct Store<'a> {
    shortener: &'a Shortener,
    on_conflict: OnConflict,
    dry_run: bool,
    /// Tells what cannot be there, in a database that was empty.
    sieve: Option<Sieve>,
}

impl<'a> Store<'a> {
    pub(super) async fn new(shortener: &'a Shortener, on_conflict: OnConflict, dry_run: bool) -> Result<Self, Failure> {
        let empty =
            shortener.list(&Actor::OPERATOR, LinkFilter::default(), LinkOrder::Newest, None, 1).await?.links.is_empty();
        Ok(Self { shortener, on_conflict, dry_run, sieve: empty.then(Sieve::new) })
    }

    /// Stores `links` and says what became of each, in order, up to a [conflict](Done::Conflict).
    ///
    /// Links without a slug are recognised by their target before, those with one by the database's
    /// answer, so that two imports at once do no harm.
    ///
    /// # Errors
    /// If the database is away: some may be stored.
    pub(super) async fn put(&mut self, links: Vec<NewLink>) -> Result<Vec<Done>, Failure> {
        let mut done: Vec<Option<Done>> = Vec::with_capacity(links.len());
        let mut seen = HashSet::new();
        for link in &links {
            let known = self.is_known(link, &mut seen).await?;
            done.push(known.then_some(Done::There));
        }
        let mut open: Vec<usize> = (0..links.len()).filter(|&at| done[at].is_none()).collect();
        if self.dry_run {
            for at in open {
                done[at] = Some(self.judge(&links[at], true).await?);
            }
            return Ok(up_to_conflict(done));
        }
        if self.on_conflict == OnConflict::Fail
            && let Some(place) = self.first_conflict(&links, &open).await?
        {
            done[open[place]] = Some(Done::Conflict);
            open.truncate(place);
        }
        let new = open.iter().map(|&at| links[at].clone()).collect();
        let answers = self.shortener.create_many(&Actor::OPERATOR, new).await?;
        for (at, answer) in open.into_iter().zip(answers) {
            done[at] = Some(match answer {
                Ok(_) => Done::Made,
                Err(Error::IdTaken) => self.judge(&links[at], false).await?,
                Err(Error::SlugTaken) => self.judge(&links[at], false).await?,
                Err(error @ (Error::Unavailable { .. } | Error::Internal(_))) => return Err(error.into()),
                Err(error) => Done::Rejected(vec![Wrong::new("", error)]),
            });
        }
        Ok(up_to_conflict(done))
    }

    /// Whether a link without a slug is there, or comes before in the batch.
    async fn is_known<'l>(
        &mut self,
        link: &'l NewLink,
        seen: &mut HashSet<(&'l Domain, &'l TargetUrl)>,
    ) -> Result<bool, Failure> {
        let surely_new = self.sieve.as_mut().is_some_and(|sieve| sieve.add(&(&link.domain, &link.target)));
        if link.slug.is_some() || link.past.id.is_some() {
            return Ok(false);
        }
        if !seen.insert((&link.domain, &link.target)) {
            return Ok(true);
        }
        Ok(!surely_new && self.by_target(link).await?.is_some())
    }

    /// Compares a link with the one that has its id or its slug. Without one it is as good as made, if it is
    /// `free` to be.
    async fn judge(&self, link: &NewLink, free: bool) -> Result<Done, Failure> {
        match self.there(link).await? {
            Some(there) if is_same(&there, link) => Ok(Done::There),
            Some(there) if link.past.id == Some(there.link.id) => {
                Ok(Done::Rejected(vec![Wrong::new("id", "is that of another link, with another slug and target")]))
            }
            Some(_) => match self.on_conflict {
                OnConflict::Skip => Ok(Done::Rejected(vec![Wrong::new("slug", TAKEN)])),
                OnConflict::Rename => self.rename(link).await,
                OnConflict::Fail => Ok(Done::Conflict),
            },
            None if free => Ok(Done::Made),
            None => Ok(Done::Rejected(vec![Wrong::new("slug", Error::SlugTaken)])),
        }
    }

    /// Makes a link under a random slug, unless an import before has done so.
    async fn rename(&self, link: &NewLink) -> Result<Done, Failure> {
        if self.by_target(link).await?.is_some() {
            return Ok(Done::There);
        }
        if self.dry_run {
            return Ok(Done::Renamed(None));
        }
        let made = self.shortener.create(&Actor::OPERATOR, NewLink { slug: None, ..link.clone() }).await?;
        Ok(Done::Renamed(Some(made.link.slug)))
    }

    /// The place in `open` of the first link that has another's slug, in the database or in `links`.
    async fn first_conflict(&self, links: &[NewLink], open: &[usize]) -> Result<Option<usize>, Failure> {
        let mut before = HashMap::new();
        for (place, &at) in open.iter().enumerate() {
            let link = &links[at];
            let Some(slug) = &link.slug else { continue };
            let earlier = before.insert((&link.domain, slug), &link.target);
            let there = self.there(link).await?;
            let same = there.as_ref().is_some_and(|there| is_same(there, link));
            if !same && (there.is_some() || earlier.is_some_and(|target| *target != link.target)) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    async fn by_target(&self, link: &NewLink) -> Result<Option<StoredLink>, Failure> {
        Ok(self.shortener.find_target(&Actor::OPERATOR, &link.domain, &link.target).await?)
    }

    /// The link of the same id, else that of the same slug.
    async fn there(&self, link: &NewLink) -> Result<Option<StoredLink>, Failure> {
        if let Some(id) = link.past.id
            && let Some(there) = found(self.shortener.find(&Actor::OPERATOR, id).await)?
        {
            return Ok(Some(there));
        }
        let Some(slug) = &link.slug else { return Ok(None) };
        found(self.shortener.find_slug(&Actor::OPERATOR, &link.domain, slug).await)
    }
}

fn found(answer: Result<StoredLink, Error>) -> Result<Option<StoredLink>, Failure> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a link is the one in the file: it leads there, or has its id and its slug and was given another target since.
fn is_same(there: &StoredLink, link: &NewLink) -> bool {
    let same_slug = (Some(&there.link.slug), &there.link.domain) == (link.slug.as_ref(), &link.domain);
    there.link.target == link.target || (link.past.id == Some(there.link.id) && same_slug)
}

fn up_to_conflict(done: Vec<Option<Done>>) -> Vec<Done> {
    let mut done: Vec<Done> = done.into_iter().map_while(|done| done).collect();
    if let Some(at) = done.iter().position(|done| matches!(done, Done::Conflict)) {
        done.truncate(at + 1);
    }
    done
}
