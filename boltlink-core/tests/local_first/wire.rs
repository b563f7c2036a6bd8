//! The way to a central limiter, on which every call waits to be moved.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;
use boltlink_core::{
    Clock, FakeClock, StoreError,
    memory::MemoryLimiter,
    store::{Decision, Quota, RateLimiter},
};
use parking_lot::Mutex;

/// The central limiter and the way to it: calls stay where they are until a step moves them.
pub(crate) struct Wire {
    time: Arc<FakeClock>,
    limiter: MemoryLimiter,
    /// Who is running.
    pub(crate) caller: AtomicUsize,
    calls: Mutex<HashMap<usize, Call>>,
    pub(crate) log: Mutex<Vec<Event>>,
}

pub(crate) struct Call {
    pub(crate) caller: usize,
    quota: Quota,
    cost: u32,
    /// And which event that was.
    decision: Option<(Decision, usize)>,
    reply: Option<Result<Decision, StoreError>>,
}

impl Wire {
    pub(crate) fn new(time: Arc<FakeClock>) -> Self {
        Self {
            limiter: MemoryLimiter::new(time.clone()),
            time,
            caller: AtomicUsize::new(0),
            calls: Mutex::default(),
            log: Mutex::default(),
        }
    }

    pub(crate) fn note(&self, event: Event) {
        self.log.lock().push(event);
    }

    /// The decision by which this caller was let in, if it was one of the central limiter.
    pub(crate) fn granted(&self, caller: usize) -> Option<usize> {
        let calls = self.calls.lock();
        let mut granted = calls.values().filter(|call| matches!(&call.reply, Some(Ok(reply)) if reply.allowed));
        granted.find(|call| call.caller == caller).and_then(|call| Some(call.decision?.1))
    }

    pub(crate) fn decide(&self, which: impl Fn(&Call) -> bool) {
        for call in self.calls.lock().values_mut() {
            if call.decision.is_none() && call.reply.is_none() && which(call) {
                let decision = self.limiter.try_check("key", &call.quota, call.cost).unwrap();
                call.decision = Some((decision, self.log.lock().len()));
                self.note(Event::Decided { at: self.time.now().as_micros(), admitted: 0 });
            }
        }
    }

    pub(crate) fn reply(&self, which: impl Fn(&Call) -> bool) {
        for call in self.calls.lock().values_mut() {
            if let (Some((decision, _)), None, true) = (call.decision, &call.reply, which(call)) {
                call.reply = Some(Ok(decision));
            }
        }
    }

    pub(crate) fn decide_one(&self, pick: usize) {
        if let Some(caller) = self.pick(pick, |call| call.decision.is_none() && call.reply.is_none()) {
            self.decide(|call| call.caller == caller);
        }
    }

    pub(crate) fn reply_one(&self, pick: usize) {
        if let Some(caller) = self.pick(pick, |call| call.decision.is_some() && call.reply.is_none()) {
            self.reply(|call| call.caller == caller);
        }
    }

    pub(crate) fn fail_one(&self, pick: usize) {
        let Some(caller) = self.pick(pick, |call| call.reply.is_none()) else { return };
        for call in self.calls.lock().values_mut().filter(|call| call.caller == caller && call.reply.is_none()) {
            call.reply = Some(Err(StoreError::unavailable("no reply")));
        }
    }

    /// The caller of one of the calls that `are` so; the same one each time the test is run.
    fn pick(&self, pick: usize, are: impl Fn(&Call) -> bool) -> Option<usize> {
        let calls = self.calls.lock();
        let mut callers: Vec<_> = calls.values().filter(|call| are(call)).map(|call| call.caller).collect();
        callers.sort_unstable();
        callers.get(pick % callers.len().max(1)).copied()
    }
}

#[async_trait]
impl RateLimiter for Wire {
    async fn check(&self, _: &str, quota: &Quota, cost: u32) -> Result<Decision, StoreError> {
        let caller = self.caller.load(Ordering::SeqCst);
        let call = Call { caller, quota: *quota, cost, decision: None, reply: None };
        let number = {
            let mut calls = self.calls.lock();
            let number = calls.len();
            calls.insert(number, call);
            number
        };
        std::future::poll_fn(|_| match self.calls.lock().get(&number).and_then(|call| call.reply.clone()) {
            Some(reply) => Poll::Ready(reply),
            None => Poll::Pending,
        })
        .await
    }
}

/// What counts for the bound, in the order in which it happened.
pub(crate) enum Event {
    /// The central limiter decided a call, or a node let somebody in by itself. What was admitted by
    /// it shows later, when the reply is there.
    Decided {
        at: i64,
        admitted: u32,
    },
    /// A node's clock went forward by so much.
    Forward {
        node: usize,
        by: i64,
    },
    Crash,
}
