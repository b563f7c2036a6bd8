//! The totals sink, and what both sinks have in common: ledgers and quarantine.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::Database;
use crate::{
    click::{BatchId, ClickBatch},
    error::StoreError,
    id::ProducerId,
    ledger::{self, Ledger},
    store::{Applied, ClickSink, DeadClicks, DeadLetter, LedgerState},
    tally::Tally,
    time::Timestamp,
};

/// Adds clicks to the totals that [`MemoryLinks`](super::MemoryLinks) returns.
#[derive(Debug)]
pub struct MemoryTotals {
    database: Arc<Database>,
    ledgers: Mutex<Ledgers>,
}

impl MemoryTotals {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database, ledgers: Mutex::default() }
    }

    fn count(&self, fresh: &[&ClickBatch]) -> u64 {
        let mut tally = Tally::of_totals();
        tally.add(fresh.iter().copied(), self.database.clock.now());
        self.add(&tally)
    }

    fn add(&self, tally: &Tally) -> u64 {
        // Before links are locked, so that nobody waits for the sums.
        let totals = tally.totals();
        self.database.tables.write().links.count(totals.iter().copied())
    }
}

#[async_trait]
impl ClickSink for MemoryTotals {
    async fn apply(&self, batches: &[ClickBatch]) -> Result<Applied, StoreError> {
        let now = self.database.clock.now();
        Ok(self.ledgers.lock().apply(batches, now, |fresh| self.count(fresh)))
    }

    fn tally(&self) -> Option<Tally> {
        Some(Tally::of_totals())
    }

    async fn apply_tally(&self, tally: &Arc<Tally>) -> Result<Option<Applied>, StoreError> {
        let now = self.database.clock.now();
        Ok(self.ledgers.lock().apply_whole(tally, now, |tally| self.add(tally)))
    }

    async fn salvage(&self, batch: &ClickBatch) -> Result<Applied, StoreError> {
        // There is nothing that it would refuse.
        self.apply(std::slice::from_ref(batch)).await
    }

    async fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.ledgers.lock().dead_letters(after, limit))
    }

    async fn dead_letter(&self, id: BatchId) -> Result<Option<DeadLetter>, StoreError> {
        Ok(self.ledgers.lock().dead_letter(id))
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        Ok(self.ledgers.lock().waiting().count() as u64)
    }

    async fn count_missing(&self) -> Result<u64, StoreError> {
        Ok(self.ledgers.lock().missing())
    }

    async fn replay(&self, id: BatchId) -> Result<Applied, StoreError> {
        self.ledgers.lock().replay(id, |fresh| self.count(fresh))
    }

    async fn purge(&self, id: BatchId) -> Result<(), StoreError> {
        self.ledgers.lock().take_out(id)
    }

    async fn set_aside(&self, batch: &ClickBatch, reason: &str) -> Result<(), StoreError> {
        self.ledgers.lock().set_aside(batch, reason, self.database.clock.now());
        Ok(())
    }

    async fn applied(&self, producers: &[ProducerId]) -> Result<Vec<LedgerState>, StoreError> {
        Ok(self.ledgers.lock().applied(producers))
    }
}

/// What a sink has dealt with. Its lock is held while the effect is made, and is so a transaction.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    rows: HashMap<ProducerId, Row>,
    /// `None` for those that an operator has dealt with while nothing was known of their producers.
    quarantine: BTreeMap<BatchId, Option<DeadLetter>>,
    pruned_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Row {
    ledger: Ledger,
    last_batch: Timestamp,
}

const MISSING: StoreError = StoreError::NotFound { what: "dead letter" };

/// Old rows are looked for this often.
const PRUNING: Duration = Duration::from_secs(3600);

impl Ledgers {
    /// How many batches have not come of which later ones have.
    pub(super) fn missing(&self) -> u64 {
        self.rows.values().map(|row| row.ledger.missing()).sum()
    }

    /// Applies by `effect` what is new among the batches. `effect` cannot fail, and says how many
    /// clicks are orphaned.
    pub(super) fn apply(
        &mut self,
        batches: &[ClickBatch],
        now: Timestamp,
        effect: impl FnOnce(&[&ClickBatch]) -> u64,
    ) -> Applied {
        // What was set aside stays there until an operator decides.
        let open: Vec<ClickBatch> =
            batches.iter().filter(|batch| !self.quarantine.contains_key(&batch.id())).cloned().collect();
        let producers: BTreeSet<_> = open.iter().map(|batch| batch.id().producer).collect();
        let known = |id| self.rows.get(&id).map(|row| (id, row.ledger.clone()));
        let mut ledgers = producers.into_iter().filter_map(known).collect();
        let sifted = ledger::sift(&open, &mut ledgers, now);

        let orphaned = effect(&sifted.fresh);
        for batch in &sifted.quarantined {
            self.set_aside(batch, "its producer began too long ago to tell whether it was applied before", now);
        }
        self.note(ledgers, now);
        Applied {
            batches: sifted.fresh.len() as u64,
            duplicates: sifted.duplicates,
            quarantined: (batches.len() - open.len() + sifted.quarantined.len()) as u64,
            clicks: sifted.fresh.iter().map(|batch| batch.len() as u64).sum(),
            orphaned,
            dead: 0,
        }
    }

    /// Applies a tally by `effect`, if all of its batches are new.
    pub(super) fn apply_whole(
        &mut self,
        tally: &Tally,
        now: Timestamp,
        effect: impl FnOnce(&Tally) -> u64,
    ) -> Option<Applied> {
        let producers = tally.batches().keys();
        let known = |id: &ProducerId| self.rows.get(id).map(|row| (*id, row.ledger.clone()));
        let mut ledgers = producers.filter_map(known).collect();
        let set_aside = self.quarantine.keys().any(|id| tally.contains(*id));
        if set_aside || !ledger::sift_whole(tally.batches(), &mut ledgers, now) {
            return None;
        }
        let orphaned = effect(tally);
        self.note(ledgers, now);
        Some(Applied { batches: tally.batch_count(), clicks: tally.clicks(), orphaned, ..Applied::default() })
    }

    fn note(&mut self, ledgers: BTreeMap<ProducerId, Ledger>, now: Timestamp) {
        for (id, ledger) in ledgers {
            self.rows.insert(id, Row { ledger, last_batch: now });
        }
        self.prune(now);
    }

    pub(super) fn set_aside(&mut self, batch: &ClickBatch, reason: &str, now: Timestamp) {
        let id = batch.id();
        if self.rows.get(&id.producer).is_some_and(|row| row.ledger.contains(id.sequence)) {
            return;
        }
        let clicks = || Ok(DeadClicks::whole(batch.clone()));
        let whole = || DeadLetter { id, clicks: clicks(), reason: reason.to_owned(), since: now };
        self.quarantine.entry(id).or_insert_with(|| Some(whole()));
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &DeadLetter> {
        self.quarantine.values().flatten()
    }

    pub(super) fn dead_letters(&self, after: Option<BatchId>, limit: u32) -> Vec<DeadLetter> {
        let later = self.waiting().filter(|letter| after.is_none_or(|after| letter.id > after));
        later.take(limit as usize).cloned().collect()
    }

    pub(super) fn dead_letter(&self, id: BatchId) -> Option<DeadLetter> {
        self.quarantine.get(&id).cloned().flatten()
    }

    /// Takes out what waits of a batch, which counts as applied from now on.
    pub(super) fn take_out(&mut self, id: BatchId) -> Result<(), StoreError> {
        self.quarantine.get_mut(&id).and_then(Option::take).ok_or(MISSING)?;
        // A row that begins now would have holes for all that came before, and they would be applied blind.
        if let Some(row) = self.rows.get_mut(&id.producer) {
            row.ledger.apply(id.sequence);
            self.quarantine.remove(&id);
        }
        Ok(())
    }

    /// Applies what waits of a batch.
    pub(super) fn replay(
        &mut self,
        id: BatchId,
        effect: impl FnOnce(&[&ClickBatch]) -> u64,
    ) -> Result<Applied, StoreError> {
        let parts = self.dead_letter(id).ok_or(MISSING)?.clicks?.parts();
        self.take_out(id)?;
        let clicks = parts.iter().map(|part| part.len() as u64).sum();
        let orphaned = effect(&parts.iter().collect::<Vec<_>>());
        Ok(Applied { batches: 1, clicks, orphaned, ..Applied::default() })
    }

    pub(super) fn applied(&self, producers: &[ProducerId]) -> Vec<LedgerState> {
        let state = |producer| LedgerState {
            ledger: self.rows.get(&producer).map(|row| row.ledger.clone()).unwrap_or_default(),
            quarantined: {
                let all = BatchId { producer, sequence: 0 }..=BatchId { producer, sequence: u64::MAX };
                self.quarantine.range(all).map(|(id, _)| id.sequence).collect()
            },
        };
        producers.iter().copied().map(state).collect()
    }

    fn prune(&mut self, now: Timestamp) {
        // A clock that went back is no reason to wait until it is where it was.
        if self.pruned_at.is_some_and(|at| at <= now && now.since(at) < PRUNING) {
            return;
        }
        self.pruned_at = Some(now);
        self.rows.retain(|_, row| now.since(row.last_batch) <= ledger::RETENTION);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Click, LinkId,
        memory::Memory,
        random::{EntropyExt, SeededEntropy},
        time::{Clock, FakeClock},
    };

    fn world() -> (Memory, Arc<FakeClock>, ProducerId) {
        let clock = Arc::new(FakeClock::default());
        (Memory::new(clock.clone()), clock.clone(), SeededEntropy::new(1).producer_id(clock.now()))
    }

    fn batch(producer: ProducerId, sequence: u64, clicks: usize) -> ClickBatch {
        let click = Click::bare(LinkId::from_uuid(uuid::Uuid::nil()), producer.began_at());
        ClickBatch::new(BatchId { producer, sequence }, std::iter::repeat_n(click, clicks))
    }

    #[tokio::test]
    async fn each_batch_takes_effect_once_and_orphans_are_told() {
        let (memory, _, producer) = world();
        let batches = [batch(producer, 2, 3), batch(producer, 1, 1), batch(producer, 2, 3)];
        let applied = memory.totals.apply(&batches).await.unwrap();
        assert_eq!(applied, Applied { batches: 2, duplicates: 1, clicks: 4, orphaned: 4, ..Applied::default() });
        let again = memory.totals.apply(&batches).await.unwrap();
        assert_eq!(again, Applied { duplicates: 3, ..Applied::default() });
        // Analytics has ledgers of its own, and no orphans.
        let applied = memory.analytics.apply(&batches[..1]).await.unwrap();
        assert_eq!(applied, Applied { batches: 1, clicks: 3, ..Applied::default() });
    }

    #[tokio::test]
    async fn what_is_set_aside_stays_there() {
        let (memory, _, producer) = world();
        let (good, bad) = (batch(producer, 1, 1), batch(producer, 2, 1));
        memory.totals.apply(std::slice::from_ref(&good)).await.unwrap();
        memory.totals.set_aside(&good, "too late").await.unwrap();
        memory.totals.set_aside(&bad, "poison").await.unwrap();
        memory.totals.set_aside(&bad, "again").await.unwrap();
        let applied = memory.totals.apply(&[good, bad.clone()]).await.unwrap();
        assert_eq!(applied, Applied { duplicates: 1, quarantined: 1, ..Applied::default() });
        let [kept] = &memory.totals.dead_letters(None, 9).await.unwrap()[..] else { panic!("one batch") };
        assert_eq!((kept.clicks.as_ref().unwrap().batch(), &*kept.reason), (&bad, "poison"));
        let state = &memory.totals.applied(&[producer]).await.unwrap()[0];
        assert!(state.has_dealt_with(1) && state.has_dealt_with(2) && !state.has_dealt_with(3));
    }

    #[tokio::test]
    async fn rows_go_when_they_are_old_and_then_nothing_is_applied_blind() {
        let (memory, clock, producer) = world();
        memory.totals.apply(&[batch(producer, 1, 1)]).await.unwrap();
        clock.advance(ledger::RETENTION);
        // At the edge the row still judges; the batch keeps it for as long again.
        assert_eq!(memory.totals.apply(&[batch(producer, 2, 1)]).await.unwrap().batches, 1);
        clock.advance(ledger::RETENTION + PRUNING);
        memory.totals.apply(&[]).await.unwrap();
        let late = memory.totals.apply(&[batch(producer, 3, 1)]).await.unwrap();
        assert_eq!(late, Applied { quarantined: 1, ..Applied::default() });
        assert_eq!(memory.totals.count_dead_letters().await.unwrap(), 1);
    }
}
