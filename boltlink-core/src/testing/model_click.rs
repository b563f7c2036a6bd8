//! A property test of the way of a click: recorder, [log](crate::store::CounterStore) and both
//! [sinks](crate::store::ClickSink), with all that can go wrong between them.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    Fixture, LONGEST_LEASE, explore,
    sample::{batch, counted, find, producer, stored},
};
use crate::{
    BatchId, Click, ClickBatch, Clock, LinkId, ProducerId,
    store::{Consumer, CounterStore, Delivery},
};

const LINKS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// The recorder makes a batch and hands it over; its fate on the way to the log.
    Record { clicks: Vec<usize>, handover: Handover },
    /// The recorder repeats the batches whose handover failed.
    Retry,
    /// Somebody sends an old batch again, for no good reason.
    Repeat(Index),
    /// The recorder starts anew, under another name.
    Restart,
    /// A consumer takes batches.
    Seal { consumer: Consumer, limit: usize },
    /// A consumer applies what it took, in some order, perhaps a part of it; it may not learn of its success.
    Apply { who: Index, part: Index, reverse: bool, learns: bool },
    /// A consumer settles what it has applied.
    Settle(Index),
    /// A consumer dies; its leases run out.
    Crash(Index),
    /// The log forgets everything, and gets back what the journal holds or an older snapshot of itself.
    Forget { restore: Restore },
}

#[derive(Debug, Clone, Copy)]
enum Handover {
    Arrives,
    /// It arrives, but the recorder hears of an error.
    ReplyLost,
    /// It does not arrive.
    RequestLost,
    /// A later batch overtakes it: it is handed over with the next retry, for the first time.
    Overtaken,
}

#[derive(Debug, Clone, Copy)]
enum Restore {
    /// Nothing yet.
    Nothing,
    /// The batches that the sinks have not dealt with.
    Unsettled,
    /// Every batch there ever was: an old snapshot that holds what was settled since.
    Snapshot,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let handover = prop_oneof![
        6 => Just(Handover::Arrives),
        2 => Just(Handover::ReplyLost),
        1 => Just(Handover::RequestLost),
        1 => Just(Handover::Overtaken),
    ];
    let restore = prop_oneof![Just(Restore::Nothing), Just(Restore::Unsettled), Just(Restore::Snapshot)];
    let consumer = || prop_oneof![Just(Consumer::Totals), Just(Consumer::Analytics)];
    let step = prop_oneof![
        12 => (vec(0..LINKS, 0..5), handover).prop_map(|(clicks, handover)| Step::Record { clicks, handover }),
        3 => Just(Step::Retry),
        2 => any::<Index>().prop_map(Step::Repeat),
        1 => Just(Step::Restart),
        8 => (consumer(), 1..5_usize).prop_map(|(consumer, limit)| Step::Seal { consumer, limit }),
        9 => (any::<Index>(), any::<Index>(), any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(who, part, reverse, learns)| Step::Apply { who, part, reverse, learns }),
        6 => any::<Index>().prop_map(Step::Settle),
        2 => any::<Index>().prop_map(Step::Crash),
        1 => restore.prop_map(|restore| Step::Forget { restore }),
    ];
    vec(step, 1..40)
}

/// Whatever happens between recorder, log and sinks: no live total ever exceeds what was recorded,
/// and at rest totals, rollups and what was recorded are one.
///
/// # Panics
/// If not.
pub fn every_click_counts_once_whatever_goes_wrong(fixture: impl AsyncFn() -> Fixture) {
    let fresh = &fixture;
    explore(&steps(), &fixture, async |fixture: &Fixture, steps| {
        let mut links = Vec::new();
        for number in 0..LINKS {
            links.push(stored(fixture, &format!("n{number}")).await);
        }
        let mut world = World {
            fixture,
            other: None,
            links,
            producer: producer(fixture),
            recorded: vec![0; LINKS],
            batches: Vec::new(),
            retry: Vec::new(),
            consumers: Vec::new(),
        };
        for step in steps {
            if let Step::Forget { .. } = step {
                world.other = Some(fresh().await);
            }
            world.take(step).await;
            world.assert_no_total_exceeds_what_was_recorded().await;
        }
        world.come_to_rest().await;
        world.assert_all_is_counted_once().await;
    });
}

struct World<'a> {
    fixture: &'a Fixture,
    /// Whose log is used since the first was lost. The clock of its own is kept in step.
    other: Option<Fixture>,
    links: Vec<LinkId>,
    producer: ProducerId,
    recorded: Vec<u64>,
    /// What the journal holds: everything, so that everything can be repeated.
    batches: Vec<ClickBatch>,
    /// Batches to be handed over, and as what.
    retry: Vec<(ClickBatch, Delivery)>,
    consumers: Vec<Holding>,
}

/// A consumer that has taken batches.
struct Holding {
    consumer: Consumer,
    sealed: Vec<ClickBatch>,
    applied: Vec<BatchId>,
}

impl World<'_> {
    fn log(&self) -> &Arc<dyn CounterStore> {
        &self.other.as_ref().unwrap_or(self.fixture).stores.log
    }

    async fn add(&self, batch: &ClickBatch, delivery: Delivery) {
        self.log().add(batch, delivery).await.unwrap();
    }

    /// Sends a batch out of the journal. Whatever is sent after that is not its first delivery.
    async fn add_again(&mut self, batch: &ClickBatch) {
        for (waiting, delivery) in &mut self.retry {
            if waiting.id() == batch.id() {
                *delivery = Delivery::Again;
            }
        }
        self.add(batch, Delivery::Again).await;
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Record { clicks, handover } => self.record(&clicks, handover).await,
            Step::Retry => {
                for (batch, delivery) in std::mem::take(&mut self.retry) {
                    self.add(&batch, delivery).await;
                }
            }
            Step::Repeat(which) => {
                if !self.batches.is_empty() {
                    self.add_again(&which.get(&self.batches).clone()).await;
                }
            }
            Step::Restart => self.producer = producer(self.fixture),
            Step::Seal { consumer, limit } => {
                let sealed = self.log().seal(consumer, limit).await.unwrap();
                self.consumers.push(Holding { consumer, sealed, applied: Vec::new() });
            }
            Step::Apply { who, part, reverse, learns } => {
                if !self.consumers.is_empty() {
                    let who = who.index(self.consumers.len());
                    self.apply(who, part, reverse, learns).await;
                }
            }
            Step::Settle(who) => {
                if !self.consumers.is_empty() {
                    let who = who.index(self.consumers.len());
                    let holding = &mut self.consumers[who];
                    let (consumer, applied) = (holding.consumer, std::mem::take(&mut holding.applied));
                    self.log().settle(consumer, &applied).await.unwrap();
                }
            }
            Step::Crash(who) => {
                if !self.consumers.is_empty() {
                    self.consumers.remove(who.index(self.consumers.len()));
                }
                self.pass_leases();
            }
            Step::Forget { restore } => {
                let other = self.other.as_ref().unwrap();
                other.clock.set(self.fixture.clock.now());
                let back = match restore {
                    Restore::Nothing => Vec::new(),
                    Restore::Unsettled => self.unsettled().await,
                    Restore::Snapshot => self.batches.clone(),
                };
                for batch in back {
                    self.add_again(&batch).await;
                }
            }
        }
    }

    async fn record(&mut self, clicks: &[usize], handover: Handover) {
        let now = self.fixture.clock.now();
        let sequence = self.batches.iter().filter(|batch| batch.id().producer == self.producer).count() as u64 + 1;
        let batch = batch(self.producer, sequence, clicks.iter().map(|which| Click::bare(self.links[*which], now)));
        for which in clicks {
            self.recorded[*which] += 1;
        }
        self.batches.push(batch.clone());
        match handover {
            Handover::Arrives => self.add(&batch, Delivery::First).await,
            Handover::ReplyLost => {
                self.add(&batch, Delivery::First).await;
                self.retry.push((batch, Delivery::Again));
            }
            Handover::RequestLost => self.retry.push((batch, Delivery::Again)),
            Handover::Overtaken => self.retry.push((batch, Delivery::First)),
        }
    }

    async fn apply(&mut self, who: usize, part: Index, reverse: bool, learns: bool) {
        let Holding { consumer, sealed, applied } = &mut self.consumers[who];
        if sealed.is_empty() {
            return;
        }
        let mut batches = sealed[..=part.index(sealed.len())].to_vec();
        if reverse {
            batches.reverse();
        }
        self.fixture.sink(*consumer).apply(&batches).await.unwrap();
        if learns {
            applied.extend(batches.iter().map(ClickBatch::id));
        }
    }

    /// The batches that a journal still has to hold.
    async fn unsettled(&self) -> Vec<ClickBatch> {
        let producers: Vec<_> = self.batches.iter().map(|batch| batch.id().producer).collect();
        let mut waiting = BTreeMap::new();
        for consumer in Consumer::ALL {
            let states = self.fixture.sink(consumer).applied(&producers).await.unwrap();
            for (batch, state) in self.batches.iter().zip(states) {
                if !state.has_dealt_with(batch.id().sequence) {
                    waiting.insert(batch.id(), batch.clone());
                }
            }
        }
        waiting.into_values().collect()
    }

    fn pass_leases(&self) {
        self.fixture.clock.advance(LONGEST_LEASE);
        if let Some(other) = &self.other {
            other.clock.set(self.fixture.clock.now());
        }
    }

    async fn assert_no_total_exceeds_what_was_recorded(&self) {
        let mut stored = Vec::new();
        for link in &self.links {
            stored.push(find(&*self.fixture.stores.links, *link).await.clicks);
        }
        let pending = self.log().pending(&self.links).await.unwrap();
        for ((stored, pending), recorded) in stored.into_iter().zip(pending).zip(&self.recorded) {
            assert!(stored + pending <= *recorded, "{stored} stored and {pending} pending of {recorded}");
        }
    }

    /// Everybody who was alive is gone; the journal sends what is missing, and new consumers finish.
    async fn come_to_rest(&mut self) {
        self.consumers.clear();
        for batch in self.unsettled().await {
            self.add_again(&batch).await;
        }
        self.pass_leases();
        for consumer in Consumer::ALL {
            loop {
                let sealed = self.log().seal(consumer, 7).await.unwrap();
                if sealed.is_empty() {
                    break;
                }
                self.fixture.sink(consumer).apply(&sealed).await.unwrap();
                let ids: Vec<_> = sealed.iter().map(ClickBatch::id).collect();
                self.log().settle(consumer, &ids).await.unwrap();
            }
        }
    }

    async fn assert_all_is_counted_once(&self) {
        assert_eq!(self.unsettled().await, []);
        for (link, recorded) in self.links.iter().zip(&self.recorded) {
            for consumer in Consumer::ALL {
                assert_eq!(counted(self.fixture, consumer, *link).await, *recorded, "{consumer:?}");
            }
        }
        assert_eq!(self.log().pending(&self.links).await.unwrap(), vec![0; LINKS]);
        for batch in &self.batches {
            for consumer in Consumer::ALL {
                let state = self.fixture.sink(consumer).applied(&[batch.id().producer]).await.unwrap().remove(0);
                assert_eq!(state.ledger.holes(), [], "{consumer:?}");
            }
        }
    }
}
