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

/// Lets one writer in at a time, the most urgent first, and among equals the first come.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// As of the last change of the state.
    requests_wait: AtomicBool,
    /// Of whoever writes, be it on SQLite's thread or on the one that prepares what is written: they take turns.
    pace: Mutex<Pace>,
}

#[derive(Debug, Default)]
struct State {
    busy: bool,
    waiting: [VecDeque<oneshot::Sender<Turn>>; 3],
}

/// The right to write, given on when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Queue>);

impl Default for Queue {
    fn default() -> Self {
        Self { state: Mutex::default(), requests_wait: AtomicBool::default(), pace: Mutex::new(Pace::begin()) }
    }
}

impl Queue {
    /// Waits for a turn. Who stops waiting has lost nothing but the place.
    pub(crate) async fn turn(self: &Arc<Self>, priority: Priority) -> Turn {
        let waiting = {
            let mut state = self.state();
            if !state.busy {
                state.busy = true;
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
        self.requests_wait.store(!state.waiting[Priority::Api as usize].is_empty(), Ordering::Relaxed);
    }

    /// Whether a request waits for whoever writes just now.
    fn requests_wait(&self) -> bool {
        self.requests_wait.load(Ordering::Relaxed)
    }

    /// Offers the core, if whoever writes has done a piece of work; but a request that waits for the transaction is not to
    /// wait for others on the core, too: some are visits.
    pub(crate) fn step(&self) {
        if !self.requests_wait() {
            self.pace.lock().unwrap_or_else(PoisonError::into_inner).step();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.state();
            // Who has gone away is passed over here, so that no turn is given to the dead.
            let next = state
                .waiting
                .iter_mut()
                .find_map(|waiting| std::iter::from_fn(|| waiting.pop_front()).find(|sender| !sender.is_closed()));
            state.busy = next.is_some();
            self.0.note(&state);
            next
        };
        if let Some(sender) = next {
            // Who goes away just now drops the turn, and so gives it on.
            drop(sender.send(Turn(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
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
                order.lock().unwrap().push(name);
            }));
            tokio::task::yield_now().await;
        }
        assert!(queue.requests_wait());
        tasks.remove(1).abort();
        tokio::task::yield_now().await;
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["clicks", "api", "bulk"]);
        assert!(!queue.requests_wait());
    }
}
