//! Whose turn it is to write.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use boltlink_core::Pace;
use tokio::sync::oneshot;

/// Who goes first when several wait to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Clicks: they pile up in memory while they wait, and one transaction stores thousands.
    Clicks,
    /// A request that somebody waits for.
    Api,
    /// Imports and chores.
    Bulk,
}

/// In the order of their numbers, the most urgent first.
const PRIORITIES: [Priority; 3] = [Priority::Clicks, Priority::Api, Priority::Bulk];

/// Lets one writer in at a time, the most urgent first, and among equals the first come.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Whether a request writes or waits, as of the last change of the state; one that has gone away counts until the next.
    is_hurried: AtomicBool,
    /// Of whoever writes, be it on SQLite's thread or on the one that prepares what is written: they take turns.
    pace: Mutex<Pace>,
}

#[derive(Debug, Default)]
struct State {
    /// The priority of whoever writes, if anybody does.
    writes: Option<Priority>,
    waiting: [VecDeque<oneshot::Sender<Turn>>; 3],
}

/// The right to write, given on when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Queue>);

impl Default for Queue {
    fn default() -> Self {
        Self { state: Mutex::default(), is_hurried: AtomicBool::default(), pace: Mutex::new(Pace::begin()) }
    }
}

impl Queue {
    /// Waits for a turn. Who stops waiting has lost nothing but the place.
    pub(crate) async fn turn(self: &Arc<Self>, priority: Priority) -> Turn {
        let waiting = {
            let mut state = self.state();
            if state.writes.is_none() {
                state.writes = Some(priority);
                self.note(&state);
                return Turn(self.clone());
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting[priority as usize].push_back(sender);
            self.note(&state);
            receiver
        };
        // A sender is only ever dropped after it has sent: the queue lives as long as we do.
        waiting.await.unwrap_or_else(|_| Turn(self.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two lines that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, state: &State) {
        let waits = !state.waiting[Priority::Api as usize].is_empty();
        self.is_hurried.store(waits || state.writes == Some(Priority::Api), Ordering::Relaxed);
    }

    /// Whether somebody waits for what is written just now, or for its end.
    fn is_hurried(&self) -> bool {
        self.is_hurried.load(Ordering::Relaxed)
    }

    /// Offers the core, if whoever writes has done a piece of work. But a request that waits for the transaction, or whose
    /// it is, is not to wait for others on the core, too: some are visits.
    pub(crate) fn step(&self) {
        if !self.is_hurried() {
            self.pace.lock().unwrap_or_else(PoisonError::into_inner).step();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.state();
            // Who has gone away is passed over here, so that no turn is given to the dead.
            let next = PRIORITIES.into_iter().zip(&mut state.waiting).find_map(|(priority, waiting)| {
                let alive = std::iter::from_fn(|| waiting.pop_front()).find(|sender| !sender.is_closed())?;
                Some((priority, alive))
            });
            state.writes = next.as_ref().map(|(priority, _)| *priority);
            self.0.note(&state);
            next
        };
        if let Some((_, sender)) = next {
            // Who goes away just now drops the turn, and so gives it on.
            drop(sender.send(Turn(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    #[tokio::test]
    async fn the_most_urgent_goes_first_and_the_dead_are_passed_over() {
        let queue = Arc::new(Queue::default());
        let held = queue.turn(Priority::Bulk).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, priority) in
            [("bulk", Priority::Bulk), ("dead", Priority::Clicks), ("api", Priority::Api), ("clicks", Priority::Clicks)]
        {
            let (queue, order) = (queue.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                let _turn = queue.turn(priority).await;
                order.lock().unwrap().push((name, queue.is_hurried()));
            }));
            tokio::task::yield_now().await;
        }
        assert!(queue.is_hurried());
        tasks.remove(1).abort();
        tokio::task::yield_now().await;
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [("clicks", true), ("api", true), ("bulk", false)]);
        assert!(!queue.is_hurried());
    }

    #[tokio::test]
    async fn a_request_gives_no_core_away() {
        let queue = Arc::new(Queue::default());
        for (priority, hurried) in [(Priority::Clicks, false), (Priority::Api, true), (Priority::Bulk, false)] {
            let turn = queue.turn(priority).await;
            assert_eq!(queue.is_hurried(), hurried, "{priority:?}");
            drop(turn);
            assert!(!queue.is_hurried());
        }
        let _request = queue.turn(Priority::Api).await;
        // Whoever looks at the pace waits now.
        let _pace = queue.pace.lock().unwrap();
        let (sender, done) = mpsc::channel();
        thread::spawn({
            let queue = queue.clone();
            move || {
                queue.step();
                sender.send(())
            }
        });
        done.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}
