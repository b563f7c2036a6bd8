//! Wakes the connections of a thread whose clicks became durable together, by one call from outside.
//!
//! To wake a task from another thread costs a call of the kernel; from its own, next to nothing. A group of clicks is
//! waited for by many connections, and told of by the thread that has written it.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
};

#[derive(Default)]
struct Relay {
    /// Of the task that wakes the others; `None` where there is none.
    own: Option<Waker>,
    waiting: Vec<Waker>,
}

thread_local! {
    static RELAY: RefCell<Relay> = RefCell::default();
}

/// From here on nobody is relied on.
struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        // At the end of a thread it may be gone.
        let _ = RELAY.try_with(|relay| {
            let mut relay = relay.borrow_mut();
            relay.own = None;
            relay.waiting.drain(..).for_each(Waker::wake);
        });
    }
}

/// Runs the relay of this thread, until it is dropped.
pub(super) async fn run() {
    let _ended = Ended;
    poll_fn(|cx| {
        let waiting = RELAY.with_borrow_mut(|relay| {
            relay.own = Some(cx.waker().clone());
            std::mem::take(&mut relay.waiting)
        });
        for waker in waiting {
            waker.wake();
        }
        Poll::Pending
    })
    .await
}

/// Polls what another thread will tell; then this thread's relay wakes the task, perhaps for nothing.
pub(super) fn poll<T>(told: &mut (impl Future<Output = T> + Unpin), cx: &mut Context<'_>) -> Poll<T> {
    let Some(own) = RELAY.with_borrow(|relay| relay.own.clone()) else { return Pin::new(told).poll(cx) };
    let polled = Pin::new(told).poll(&mut Context::from_waker(&own));
    if polled.is_pending() {
        RELAY.with_borrow_mut(|relay| relay.waiting.push(cx.waker().clone()));
    }
    polled
}
