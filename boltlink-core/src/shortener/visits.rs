//! The hot path: somebody asks for a slug.

use std::sync::Arc;

use super::{
    Durability, Error, Shortener, Unacknowledged,
    gate::{Gate, LinkKey, LinkKeyRef},
};
use crate::{
    error::StoreError,
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
        let Some(gate) = self.0.caches.links.peek(&LinkKeyRef { domain: visit.domain, slug: visit.slug })? else {
            return Some(Outcome::NotFound);
        };
        let now = self.0.clock.now();
        let outcome = gate.judge(visit, now, &self.0.pass_key);
        if visit.purpose == Purpose::Follow && matches!(outcome, Outcome::Redirect(_)) {
            let recorder = self.0.recorder.as_ref()?;
            if gate.cap.is_some() || self.0.durability != Durability::Buffered {
                return None;
            }
            recorder.record(gate.link, now, &visit.visitor);
        }
        Some(outcome)
    }

    /// What becomes of a visit. Counts it if it is a redirect to be followed.
    ///
    /// If the caller goes away before the answer, the click may be counted or not, but never twice.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store is away and the link is not cached, if a capped link's
    /// visits cannot be told, or if the click cannot be made durable as
    /// [`Durability::Acknowledged`] asks for.
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
        self.count(&gate, visit).await?;
        Ok(outcome)
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

    /// Records the click; in acknowledged mode also waits until it is durable. It is handed over
    /// before the first wait.
    async fn count(&self, gate: &Gate, visit: &Visit<'_>) -> Result<(), Error> {
        let Some(recorder) = &self.0.recorder else {
            return Err(Error::Unavailable { reason: "this process takes no clicks".into(), retry: None });
        };
        let now = self.now();
        if self.0.durability == Durability::Buffered {
            recorder.record(gate.link, now, &visit.visitor);
            return Ok(());
        }
        let durable = recorder.record_durably(gate.link, now, &visit.visitor);
        if let Ok(Ok(true)) = tokio::time::timeout(self.0.ack_timeout, durable).await {
            return Ok(());
        }
        match self.0.unacknowledged {
            Unacknowledged::Refuse => {
                Err(Error::Unavailable { reason: "the click could not be made durable".into(), retry: None })
            }
            Unacknowledged::Redirect => {
                self.0.counts.unacknowledged();
                Ok(())
            }
        }
    }
}
