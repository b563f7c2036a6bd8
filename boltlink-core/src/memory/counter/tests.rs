use super::*;
use crate::{
    click::Click,
    random::{EntropyExt, SeededEntropy},
    time::FakeClock,
};

struct World {
    clock: Arc<FakeClock>,
    log: MemoryLog,
    producer: ProducerId,
}

fn world(capacity: usize) -> World {
    let clock = Arc::new(FakeClock::default());
    let producer = SeededEntropy::new(1).producer_id(clock.now());
    World { log: MemoryLog::new(clock.clone(), capacity), clock, producer }
}

fn link(n: u128) -> LinkId {
    LinkId::from_uuid(uuid::Uuid::from_u128(n))
}

impl World {
    /// A batch with one click of each of these links.
    fn batch(&self, sequence: u64, links: &[u128]) -> ClickBatch {
        let clicks = links.iter().map(|n| Click::bare(link(*n), Timestamp::EPOCH));
        ClickBatch::new(BatchId { producer: self.producer, sequence }, clicks)
    }

    async fn add(&self, sequence: u64, delivery: Delivery) {
        self.log.add(&self.batch(sequence, &[1, 2]), delivery).await.unwrap();
    }

    async fn seal(&self, consumer: Consumer) -> Vec<u64> {
        self.log.seal(consumer, 10).await.unwrap().iter().map(|batch| batch.id().sequence).collect()
    }

    async fn settle(&self, consumer: Consumer, sequence: u64) {
        self.log.settle(consumer, &[BatchId { producer: self.producer, sequence }]).await.unwrap();
    }

    async fn pending(&self) -> u64 {
        self.log.pending(&[link(9), link(1)]).await.unwrap()[1]
    }
}

#[tokio::test]
async fn the_view_shows_what_is_new_until_the_totals_take_it() {
    let w = world(100);
    w.add(2, Delivery::First).await;
    w.add(2, Delivery::First).await;
    assert_eq!(w.pending().await, 1);
    w.add(1, Delivery::First).await; // Below the highest seen.
    w.add(3, Delivery::Again).await;
    w.add(4, Delivery::First).await;
    assert_eq!(w.pending().await, 2);
    assert_eq!(w.seal(Consumer::Analytics).await, [2, 1, 3, 4]);
    assert_eq!(w.pending().await, 2);
    assert_eq!(w.log.seal(Consumer::Totals, 1).await.unwrap().len(), 1);
    assert_eq!(w.pending().await, 1);
    w.settle(Consumer::Totals, 4).await; // Known from elsewhere, never sealed.
    assert_eq!(w.pending().await, 0);
}

#[tokio::test]
async fn a_first_delivery_that_comes_late_never_shows() {
    let w = world(100);
    w.add(1, Delivery::Again).await;
    for consumer in Consumer::ALL {
        assert_eq!(w.seal(consumer).await, [1]);
        w.settle(consumer, 1).await;
    }
    w.add(1, Delivery::First).await;
    assert_eq!(w.pending().await, 0);
    assert_eq!(w.seal(Consumer::Totals).await, [1]);
}

#[tokio::test]
async fn leases_run_out_by_the_clock_wherever_it_goes() {
    let w = world(100);
    w.add(1, Delivery::First).await;
    w.add(2, Delivery::First).await;
    assert_eq!(w.seal(Consumer::Totals).await, [1, 2]);
    assert_eq!(w.seal(Consumer::Totals).await, []);
    assert_eq!(w.seal(Consumer::Analytics).await, [1, 2]);
    w.settle(Consumer::Totals, 1).await;
    w.clock.advance(LEASE);
    assert_eq!(w.seal(Consumer::Totals).await, [2]);
    w.clock.set(Timestamp::EPOCH);
    assert_eq!(w.seal(Consumer::Totals).await, [2]);
    assert_eq!(w.seal(Consumer::Analytics).await, [1, 2]);
}

#[tokio::test]
async fn is_full_until_both_have_settled() {
    let w = world(3);
    w.add(1, Delivery::First).await;
    let more = w.batch(2, &[1, 2]);
    assert!(w.log.add(&more, Delivery::First).await.unwrap_err().is_retryable());
    w.add(1, Delivery::Again).await;
    for consumer in Consumer::ALL {
        assert!(w.log.add(&more, Delivery::Again).await.is_err());
        w.settle(consumer, 1).await;
    }
    w.log.add(&more, Delivery::Again).await.unwrap();

    let small = world(1);
    small.log.add(&small.batch(1, &[1, 2, 3]), Delivery::First).await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_what_is_settled() {
    let w = world(1_000);
    for sequence in 1..=200 {
        w.add(sequence, Delivery::First).await;
    }
    assert_eq!(w.pending().await, 200);
    for consumer in Consumer::ALL {
        w.log.seal(consumer, 100).await.unwrap();
        for sequence in 1..=200 {
            w.settle(consumer, sequence).await;
        }
    }
    let state = w.log.state.lock();
    assert_eq!((state.batches.len(), state.places.len(), state.clicks), (0, 0, 0));
    assert!(!state.totals.holds(0) && state.view.of(link(1)) == 0);
}

#[test]
fn producers_are_forgotten_oldest_first_and_then_not_trusted() {
    let mut seen = Seen::default();
    let id = |n: usize| BatchId { producer: ProducerId::from_uuid(uuid::Uuid::from_u128(n as u128)), sequence: 1 };
    assert!((1..=PRODUCERS + 1).all(|n| seen.is_above(id(n))));
    assert_eq!(seen.highest.len(), PRODUCERS);
    assert!(!seen.is_above(id(1)));
    assert!(!seen.is_above(id(2)));
    assert!(seen.is_above(BatchId { sequence: 2, ..id(2) }));
}
