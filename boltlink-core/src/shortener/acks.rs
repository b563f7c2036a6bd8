//! Tells visitors who wait whether the group that their click is in is durable.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

/// What a group of clicks comes to; one for all who came at about the same time.
#[derive(Debug)]
pub(super) struct Ack {
    begun: Instant,
    /// Whoever comes now began to wait too late for this one.
    closed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open(Vec<Waker>),
    Told(bool),
}

impl Ack {
    fn new() -> Self {
        Self { begun: Instant::now(), closed: AtomicBool::new(false), state: Mutex::new(State::Open(Vec::new())) }
    }

    /// Whether somebody who comes now may wait by it.
    pub(super) fn is_open(&self) -> bool {
        !self.closed.load(Relaxed)
    }

    /// Whether the group is durable (true) or cannot be said to be so (false), once that is known.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<bool> {
        match &mut *self.state.lock() {
            State::Told(kept) => Poll::Ready(*kept),
            State::Open(waiting) => {
                // Who waits for many clicks of a group by one waker is woken once.
                if waiting.last().is_none_or(|last| !last.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Tells all who wait. What was told first stays.
    pub(super) fn tell(&self, kept: bool) {
        let waiting = {
            let mut state = self.state.lock();
            match &mut *state {
                State::Told(_) => return,
                State::Open(waiting) => {
                    let waiting = std::mem::take(waiting);
                    *state = State::Told(kept);
                    waiting
                }
            }
        };
        for waker in waiting {
            waker.wake();
        }
    }
}

/// The groups of which nothing is told yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Acks(Mutex<VecDeque<Arc<Ack>>>);

impl Acks {
    /// One for a group that begins.
    pub(super) fn begin(&self) -> Arc<Ack> {
        let ack = Arc::new(Ack::new());
        let mut open = self.0.lock();
        while open.front().is_some_and(|front| matches!(*front.state.lock(), State::Told(_))) {
            open.pop_front();
        }
        open.push_back(ack.clone());
        ack
    }

    /// Tells those who have waited for `timeout`, or half as long again at most, that it cannot be said; until it is time
    /// to stop. So no visit needs a timer.
    pub(super) async fn expire(self: Arc<Self>, timeout: Duration, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval((timeout / 4).max(Duration::from_millis(1)));
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let overdue: Vec<_> = {
                let open = self.0.lock();
                // Nobody joins after a tick, so its last one came a quarter later than its first.
                open.iter().for_each(|ack| ack.closed.store(true, Relaxed));
                open.iter().take_while(|ack| ack.begun.elapsed() >= timeout + timeout / 4).cloned().collect()
            };
            for ack in overdue {
                ack.tell(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    impl Ack {
        async fn told(&self) -> bool {
            poll_fn(|cx| self.poll(cx)).await
        }
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn all_who_wait_are_told_what_was_told_first() {
        let acks = Acks::default();
        let ack = acks.begin();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let ack = ack.clone();
                tokio::spawn(async move { ack.told().await })
            })
            .collect();
        tokio::task::yield_now().await;
        ack.tell(true);
        ack.tell(false);
        for told in waiting {
            assert!(told.await.unwrap());
        }
        assert!(ack.told().await, "also who asks late");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so_and_nobody_else() {
        let acks = Arc::new(Acks::default());
        let (stop, stopped) = watch::channel(false);
        let expiring = tokio::spawn(acks.clone().expire(Duration::from_secs(1), stopped));
        let stuck = acks.begin();
        tokio::time::sleep(Duration::from_millis(900)).await;
        let young = acks.begin();
        assert!(!stuck.is_open() && young.is_open(), "who comes late is not told of the others' time");
        let told = tokio::time::timeout(LONG, stuck.told()).await;
        assert_eq!(told, Ok(false));
        assert!(tokio::time::timeout(Duration::from_millis(1), young.told()).await.is_err(), "its time is not over");
        young.tell(true);
        assert!(young.told().await);
        stop.send(true).unwrap();
        expiring.await.unwrap();
    }
}
