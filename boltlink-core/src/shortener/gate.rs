//! A link as the redirect path wants it: everything worked out when it was loaded.

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use quick_cache::Equivalent;
use tokio::sync::oneshot;

use super::cache::Weigh;
use crate::{
    domain::Domain,
    error::StoreError,
    forward::{Forwarded, Forwarding},
    id::LinkId,
    link::StoredLink,
    mac::MacKey,
    pass::Pass,
    password::PasswordHash,
    slug::Slug,
    store::LinkStore,
    time::Timestamp,
    visit::{Outcome, Redirect, Visit},
};

/// Under what a link is cached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkKey {
    pub(super) domain: Domain,
    pub(super) slug: Slug,
}

/// The same, borrowed from a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkKeyRef<'a> {
    pub(super) domain: &'a Domain,
    pub(super) slug: &'a str,
}

impl Hash for LinkKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.domain.as_str().hash(state);
        self.slug.hash(state);
    }
}

impl Hash for LinkKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        LinkKeyRef { domain: &self.domain, slug: self.slug.as_str() }.hash(state);
    }
}

impl Equivalent<LinkKey> for LinkKeyRef<'_> {
    fn equivalent(&self, key: &LinkKey) -> bool {
        self.slug == key.slug.as_str() && *self.domain == key.domain
    }
}

/// Decides what becomes of a visit to one link.
pub(super) struct Gate {
    pub(super) link: LinkId,
    pub(super) redirect: Redirect,
    enabled: bool,
    starts_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// The hash of the link's password.
    pub(super) password: Option<PasswordHash>,
    pub(super) cap: Option<Arc<Cap>>,
    /// What comes between the target and a visit; nothing for most links.
    forwarding: Option<Box<Forwarding>>,
}

impl Gate {
    pub(super) fn new(stored: &StoredLink) -> Self {
        let link = &stored.link;
        let (starts_at, expires_at) = (link.lifetime.starts_at(), link.lifetime.expires_at());
        let cap = link.max_visits.map(|_| Arc::new(Cap::new(link.id, stored.is_exhausted())));
        let password = link.password.clone();
        let bounded = expires_at.is_some() || cap.is_some() || password.is_some();
        let cacheable = link.redirect.is_permanent() && !bounded;
        let redirect = Redirect { kind: link.redirect, location: link.target.location(), cacheable };
        let forwarding = Forwarding::new(&link.target, link.forward).map(Box::new);
        Self { link: link.id, redirect, enabled: link.enabled, starts_at, expires_at, password, cap, forwarding }
    }

    /// What a visit at `now` comes to, unless a cap has a say. Allocates nothing but the address of a visit
    /// of which something is forwarded. `pass_key` is what [passes](Pass) are made with.
    pub(super) fn judge(&self, visit: &Visit<'_>, now: Timestamp, pass_key: &MacKey) -> Outcome {
        let forwarded = match &self.forwarding {
            None if visit.rest.is_empty() => Forwarded::Unchanged,
            None => Forwarded::Nowhere,
            Some(forwarding) => forwarding.apply(visit.rest, visit.query),
        };
        if forwarded == Forwarded::Nowhere {
            Outcome::NotFound
        } else if !self.enabled {
            Outcome::Disabled
        } else if self.expires_at.is_some_and(|end| now >= end) {
            Outcome::Expired
        } else if self.cap.as_ref().is_some_and(|cap| cap.is_exhausted()) {
            Outcome::Exhausted
        } else if self.starts_at.is_some_and(|start| now < start) {
            Outcome::NotYetActive
        } else if self.is_shut_for(visit.pass, now, pass_key) {
            Outcome::PasswordRequired
        } else {
            Outcome::Redirect(match forwarded {
                Forwarded::To(location) => Redirect { location, ..self.redirect },
                Forwarded::Unchanged | Forwarded::Nowhere => self.redirect.clone(),
            })
        }
    }

    /// Whether the link has a password, and nothing shows that the visitor knows it.
    fn is_shut_for(&self, pass: Option<&str>, now: Timestamp, pass_key: &MacKey) -> bool {
        self.password
            .as_ref()
            .is_some_and(|hash| pass.is_none_or(|pass| !Pass::opens(pass, pass_key, self.link, hash, now)))
    }
}

impl Weigh for Arc<Gate> {
    fn weight(&self) -> u64 {
        let forwarding = self.forwarding.as_ref().map_or(0, |_| size_of::<Forwarding>() + self.redirect.location.len());
        let password = self.password.as_ref().map_or(0, |hash| hash.as_str().len());
        (size_of::<Gate>() + size_of::<Cap>() + self.redirect.location.len() + forwarding + password) as u64
    }
}

/// Hands out the visits of a capped link as the store grants them.
///
/// One reservation is on its way at a time; it asks for as many visits as there are visitors
/// waiting, so nothing is granted that nobody takes, and a crowd costs a few round trips.
pub(super) struct Cap {
    link: LinkId,
    exhausted: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    asking: bool,
    waiting: Vec<oneshot::Sender<Grant>>,
}

type Grant = Result<bool, StoreError>;

impl Cap {
    fn new(link: LinkId, exhausted: bool) -> Self {
        Self { link, exhausted: AtomicBool::new(exhausted), queue: Mutex::default() }
    }

    /// True once the store has refused: it stays so until the link is changed and loaded anew.
    fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// Takes one visit, or learns that none is left.
    ///
    /// An error leaves open whether the visit was taken: it counts as spent.
    pub(super) async fn take(self: &Arc<Self>, links: &Arc<dyn LinkStore>, deadline: Duration) -> Grant {
        let (sender, grant) = oneshot::channel();
        {
            let mut queue = self.queue.lock();
            queue.waiting.push(sender);
            if !queue.asking {
                queue.asking = true;
                // On its own: a visitor who goes away must not take the others' grants along.
                tokio::spawn(self.clone().ask(links.clone(), deadline));
            }
        }
        grant.await.unwrap_or_else(|_| Err(StoreError::unavailable("the process is stopping")))
    }

    async fn ask(self: Arc<Self>, links: Arc<dyn LinkStore>, deadline: Duration) {
        // Should this task die, the queue must not believe for ever that somebody asks.
        let asking = Asking(&self);
        loop {
            let waiting = {
                let mut queue = self.queue.lock();
                if queue.waiting.is_empty() {
                    queue.asking = false;
                    std::mem::forget(asking);
                    return;
                }
                std::mem::take(&mut queue.waiting)
            };
            let wanted = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
            match tokio::time::timeout(deadline, links.reserve(self.link, wanted)).await {
                Ok(Ok(granted)) => self.hand_out(waiting, granted),
                Ok(Err(error)) => answer_all(waiting, &error),
                Err(_) => answer_all(waiting, &StoreError::unavailable("the store took too long to answer")),
            }
        }
    }

    fn hand_out(&self, waiting: Vec<oneshot::Sender<Grant>>, mut granted: u32) {
        if u64::from(granted) < waiting.len() as u64 {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        for visitor in waiting {
            let allowed = granted > 0;
            // Who has gone away leaves the visit to the next.
            if visitor.send(Ok(allowed)).is_ok() && allowed {
                granted -= 1;
            }
        }
    }
}

/// While it lives, a task asks for those who wait.
struct Asking<'a>(&'a Cap);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.asking = false;
        // Dropping their senders tells them.
        queue.waiting.clear();
    }
}

fn answer_all(waiting: Vec<oneshot::Sender<Grant>>, error: &StoreError) {
    for visitor in waiting {
        // Who has gone away needs no answer.
        let _ = visitor.send(Err(error.clone()));
    }
}
