//! The hot path: somebody asks for a slug.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tracing::instrument;

use super::{
    Durability, Engine, Error, Shortener, Unacknowledged,
    acks::Ack,
    gate::{Gate, LinkKey, LinkKeyRef},
};
use crate::{
    error::StoreError,
    time::Timestamp,
    visit::{Outcome, Purpose, Visit},
};

impl Shortener {
    /// What becomes of a visit, if that can be said at once: for links in the cache that no cap and
    /// no acknowledgement holds up, and for slugs known to be free. Otherwise `None`, and nothing has
    /// happened: ask [`visit`](Self::visit).
    ///
    /// Waits for nothing, and the click it counts is recorded when it returns. Allocates nothing, unless
    /// something of the request is [forwarded](crate::Forward). A slug in another spelling than it is
    /// kept in (percent-encoded, or in capitals where case does not matter) is one for `visit`.
    #[must_use]
    pub fn try_visit(&self, visit: &Visit<'_>) -> Option<Outcome> {
        match self.begin(visit, self.0.durability == Durability::Buffered)? {
            Begun::Done(outcome) => Some(outcome),
            Begun::Recorded(_) => None,
        }
    }

    /// The same where clicks are [acknowledged](Durability::Acknowledged), too: their visits are begun at once, and what
    /// becomes of them is known when the click is durable.
    ///
    /// Waits for nothing, and allocates as little as [`try_visit`](Self::try_visit).
    #[must_use]
    pub fn begin_visit(&self, visit: &Visit<'_>) -> Option<Begun> {
        self.begin(visit, true)
    }

    /// Begins a visit; one that is counted only if `counts`.
    fn begin(&self, visit: &Visit<'_>, counts: bool) -> Option<Begun> {
        let Some(gate) = self.0.caches.links.peek(&LinkKeyRef { domain: visit.domain, slug: visit.slug })? else {
            return Some(Begun::Done(Outcome::NotFound));
        };
        let now = self.0.clock.now();
        let outcome = gate.judge(visit, now, &self.0.pass_key);
        if visit.purpose == Purpose::Peek || !matches!(outcome, Outcome::Redirect(_)) {
            return Some(Begun::Done(outcome));
        }
        if !counts || gate.cap.is_some() {
            return None;
        }
        self.record(&gate, visit, now, outcome).ok()
    }

    /// What becomes of a visit. Counts it if it is a redirect to be followed.
    ///
    /// If the caller goes away before the answer, the click may be counted or not, but never twice.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store is away and the link is not cached, if a capped link's
    /// visits cannot be told, or if the click cannot be made durable as
    /// [`Durability::Acknowledged`] asks for.
    #[instrument(level = "debug", skip_all)]
    pub async fn visit(&self, visit: &Visit<'_>) -> Result<Outcome, Error> {
        let Some(gate) = self.gate(visit).await? else { return Ok(Outcome::NotFound) };
        let outcome = gate.judge(visit, self.now(), &self.0.pass_key);
        if visit.purpose == Purpose::Peek || !matches!(outcome, Outcome::Redirect(_)) {
            return Ok(outcome);
        }
        if let Some(cap) = &gate.cap
            && !cap.take(&self.0.stores.links, self.0.store_timeout).await?
        {
            return Ok(Outcome::Exhausted);
        }
        match self.record(&gate, visit, self.now(), outcome)? {
            Begun::Done(outcome) => Ok(outcome),
            Begun::Recorded(recorded) => recorded.await,
        }
    }

    /// The gate of the link that a visit asks for.
    pub(super) async fn gate(&self, visit: &Visit<'_>) -> Result<Option<Arc<Gate>>, StoreError> {
        // No link can have such a slug: nothing to look up, and nothing to remember.
        let Ok(slug) = self.0.slug_rules.parse_segment(visit.slug) else { return Ok(None) };
        let key = LinkKey { domain: visit.domain.clone(), slug };
        let links = &self.0.stores.links;
        let load = || {
            let (links, key) = (links.clone(), key.clone());
            async move {
                let found = links.by_slug(&key.domain, &key.slug).await?;
                Ok(found.map(|stored| Arc::new(Gate::new(&stored))))
            }
        };
        self.0.caches.links.get_or_load(&key, load).await
    }

    /// Records the click of a visit that comes to `outcome`.
    fn record(&self, gate: &Gate, visit: &Visit<'_>, now: Timestamp, outcome: Outcome) -> Result<Begun, Error> {
        let Some(recorder) = &self.0.recorder else {
            return Err(Error::Unavailable { reason: "this process takes no clicks".into(), retry: None });
        };
        if self.0.durability == Durability::Buffered {
            recorder.record(gate.link, now, visit);
            return Ok(Begun::Done(outcome));
        }
        let ack = recorder.record_durably(gate.link, now, visit);
        Ok(Begun::Recorded(Recorded { ack, outcome: Some(outcome), engine: self.0.clone() }))
    }
}

/// A visit that was [begun](Shortener::begin_visit).
#[derive(Debug)]
pub enum Begun {
    /// That is all.
    Done(Outcome),
    /// A redirect, once its click is durable.
    Recorded(Recorded),
}

/// A visit whose click is on its way to the disk. If this is dropped the click counts nevertheless, unless it cannot be
/// written.
///
/// Comes to the redirect; or to [`Error::Unavailable`] if the click is not durable in time, as
/// [`Unacknowledged`] asks for.
#[must_use = "nobody has the answer yet"]
pub struct Recorded {
    ack: Arc<Ack>,
    outcome: Option<Outcome>,
    engine: Arc<Engine>,
}

impl Future for Recorded {
    type Output = Result<Outcome, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let kept = ready!(self.ack.poll(cx));
        let unavailable = || Error::Unavailable { reason: "the click could not be made durable".into(), retry: None };
        if !kept {
            match self.engine.unacknowledged {
                Unacknowledged::Refuse => return Poll::Ready(Err(unavailable())),
                Unacknowledged::Redirect => self.engine.counts.unacknowledged(),
            }
        }
        Poll::Ready(self.outcome.take().ok_or_else(unavailable))
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}
