//! Makes batches of recorded clicks and puts them where they cannot get lost.

use std::{sync::Arc, time::Duration};

use super::{
    counters::Counts,
    delivery::Outbox,
    recorder::Group,
    spool::{Spool, SpoolLog},
};
use crate::{
    click::{BatchId, ClickBatch, VisitorKey},
    id::ProducerId,
    random::{Entropy, EntropyExt},
    time::Clock,
};

/// A producer begins anew after this, so that its ledger rows can be forgotten some day.
const PRODUCER_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What a [`Committer`] works with.
pub(super) struct Parts {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) secret: [u8; 32],
    pub(super) spool: Arc<Spool>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) counts: Arc<Counts>,
    /// Whether a group is synced to disk before its clicks are acknowledged.
    pub(super) durable: bool,
}

/// Gives clicks their batch and their number, journals them and hands them on. Blocks on the disk.
pub(super) struct Committer {
    parts: Parts,
    producer: ProducerId,
    sequence: u64,
    log: Option<SpoolLog>,
    visitors: (i64, VisitorKey),
}

impl Committer {
    pub(super) fn new(parts: Parts) -> Self {
        let now = parts.clock.now();
        let producer = parts.entropy.producer_id(now);
        let visitors = (now.day(), VisitorKey::of_day(&parts.secret, now.day()));
        Self { parts, producer, sequence: 0, log: None, visitors }
    }

    pub(super) const fn is_durable(&self) -> bool {
        self.parts.durable
    }

    /// Commits the groups as one batch and empties them.
    pub(super) fn commit(&mut self, groups: &mut [Group]) {
        let Some(begin) = groups.iter().find_map(|group| group.drafts.begin()) else { return };
        let day = begin.day();
        if self.visitors.0 != day {
            self.visitors = (day, VisitorKey::of_day(&self.parts.secret, day));
        }
        self.begin();
        self.sequence += 1;
        let id = BatchId { producer: self.producer, sequence: self.sequence };
        let key = &self.visitors.1;
        let clicks = groups.iter().flat_map(|group| group.drafts.clicks(key));
        let traces = groups.iter().flat_map(|group| &group.traces).copied();
        let batch = ClickBatch::traced(id, clicks, traces);

        let kept = self.journal(&batch);
        if !kept {
            self.parts.counts.not_kept();
        }
        self.parts.counts.recorded(batch.len());
        self.parts.outbox.push(batch, kept);
        for group in groups {
            group.drafts.clear();
            group.traces.clear();
            for ack in group.acks.drain(..) {
                ack.tell(kept);
            }
        }
    }

    /// Begins a producer if there is none yet, or if it has lived long enough.
    fn begin(&mut self) {
        let now = self.parts.clock.now();
        if self.sequence > 0 && now.since(self.producer.began_at()) < PRODUCER_LIFE {
            return;
        }
        self.producer = self.parts.entropy.producer_id(now);
        self.sequence = 0;
        if let Some(old) = self.log.take() {
            old.retire();
        }
    }

    /// Appends the batch to the journal; says whether it is as safe there as the mode asks for.
    fn journal(&mut self, batch: &ClickBatch) -> bool {
        if self.log.is_none() {
            self.log = self.parts.spool.begin(self.producer);
        }
        let Some(log) = &self.log else { return false };
        self.parts.spool.append(log, batch, self.parts.durable)
    }
}
