//! The bound, over simulated nodes: every step that something could take by itself (a call reaches the
//! central limiter, a reply gets through or is lost, a caller goes away, a clock jumps, a node dies)
//! comes in any order.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use boltlink_core::{
    Clock, FakeClock, StoreError,
    limit::LocalFirst,
    store::{Decision, Quota, RateLimiter},
};
use proptest::{collection::vec, prelude::*};

use super::{
    number, per_second,
    wire::{Event, Wire},
};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody asks for so much, and waits for it.
    Check { node: usize, cost: u32 },
    /// So many ask for one each, one after the other, and every reply comes at once.
    Crowd { node: usize, count: u32 },
    /// So many ask for one each, and nobody waits.
    Try { node: usize, count: u32 },
    /// So many ask for one each at once, and wait for it.
    Together { node: usize, count: u32 },
    /// All that is under way arrives; then nobody asks until the burst is back or leases are about to end, and then all
    /// nodes are asked for all they give. What nodes hold by then comes on top of the burst.
    Rush,
    /// A call reaches the central limiter, which decides.
    Decide(usize),
    /// A decision reaches who asked.
    Reply(usize),
    /// A caller goes away.
    Leave(usize),
    /// Time passes everywhere.
    Pass(u64),
    /// A node's clock jumps by so many microseconds.
    Jump { node: usize, by: i64 },
    /// A node is restarted.
    Crash { node: usize },
    /// A call fails, decided or not.
    Fail(usize),
}

fn steps(nodes: usize, outages: bool) -> impl Strategy<Value = Vec<Step>> {
    let node = 0..nodes;
    vec(
        prop_oneof![
            6 => (node.clone(), prop_oneof![4 => Just(1), 1 => 0..30_u32])
                .prop_map(|(node, cost)| Step::Check { node, cost }),
            4 => (node.clone(), 1..80_u32).prop_map(|(node, count)| Step::Crowd { node, count }),
            4 => (node.clone(), 1..40_u32).prop_map(|(node, count)| Step::Try { node, count }),
            2 => (node.clone(), 2..6_u32).prop_map(|(node, count)| Step::Together { node, count }),
            1 => Just(Step::Rush),
            5 => any::<usize>().prop_map(Step::Decide),
            5 => any::<usize>().prop_map(Step::Reply),
            1 => any::<usize>().prop_map(Step::Leave),
            3 => prop_oneof![0..100_000_u64, 0..20_000_000_u64].prop_map(Step::Pass),
            1 => (node.clone(), -15_000_000..15_000_000_i64).prop_map(|(node, by)| Step::Jump { node, by }),
            1 => node.prop_map(|node| Step::Crash { node }),
            2 => any::<usize>().prop_map(if outages { Step::Fail } else { Step::Reply }),
        ],
        1..80,
    )
}

fn worlds(outages: bool) -> impl Strategy<Value = (usize, Quota, Vec<Step>)> {
    (1..=3_usize, 1..200_u32, 40..120_u32).prop_flat_map(move |(nodes, rate, burst)| {
        let burst = burst * u32::try_from(nodes).unwrap();
        (Just(nodes), Just(per_second(rate, burst)), steps(nodes, outages))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_admits_more_than_burst_rate_and_leases((nodes, quota, steps) in worlds(false)) {
        let mut world = World::new(nodes, quota);
        steps.into_iter().for_each(|step| world.take(step));
        world.settle();
        world.judge(false)?;
    }

    #[test]
    fn outages_add_no_more_than_the_shares((nodes, quota, steps) in worlds(true)) {
        let mut world = World::new(nodes, quota);
        steps.into_iter().for_each(|step| world.take(step));
        world.settle();
        world.judge(true)?;
    }
}

struct World {
    quota: Quota,
    time: Arc<FakeClock>,
    central: Arc<Wire>,
    nodes: Vec<(Arc<LocalFirst>, Arc<FakeClock>)>,
    callers: Vec<Caller>,
    /// Callers so far.
    count: usize,
}

type Answer = Pin<Box<dyn Future<Output = Result<Decision, StoreError>>>>;

struct Caller {
    number: usize,
    node: usize,
    cost: u32,
    answer: Answer,
}

impl World {
    fn new(nodes: usize, quota: Quota) -> Self {
        let time = Arc::new(FakeClock::default());
        let central = Arc::new(Wire::new(time.clone()));
        let clocks = (0..nodes).map(|_| Arc::new(FakeClock::default()));
        let nodes = clocks.map(|clock| (node(&central, nodes, &clock), clock)).collect();
        Self { quota, time, central, nodes, callers: Vec::new(), count: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Check { node, cost } => self.ask(node, cost),
            Step::Crowd { node, count } => {
                for _ in 0..count {
                    self.ask(node, 1);
                    let asked = self.count;
                    // Once for a lease, and once more if that was too much.
                    for _ in 0..2 {
                        self.central.decide(|call| call.caller == asked);
                        self.central.reply(|call| call.caller == asked);
                        self.poll();
                    }
                }
            }
            Step::Try { node, count } => {
                for _ in 0..count {
                    self.count += 1;
                    let decision = self.nodes[node].0.try_check("key", &self.quota, 1);
                    if decision.is_some_and(|decision| decision.allowed) {
                        self.admit(self.count, 1);
                    }
                }
            }
            Step::Together { node, count } => (0..count).for_each(|_| self.ask(node, 1)),
            Step::Rush => {
                let lease = self.nodes[0].0.lease(&self.quota);
                // More than most hold.
                (0..self.nodes.len()).for_each(|node| self.ask(node, lease));
                self.arrive();
                let full = self.quota.interval_micros().unsigned_abs() * u64::from(self.quota.burst());
                self.take(Step::Pass(full.min(9_900_000)));
                for node in 0..self.nodes.len() {
                    let count = self.quota.burst();
                    self.take(Step::Try { node, count });
                    self.take(Step::Crowd { node, count });
                }
            }
            Step::Decide(pick) => self.central.decide_one(pick),
            Step::Reply(pick) => self.central.reply_one(pick),
            Step::Fail(pick) => self.central.fail_one(pick),
            Step::Leave(pick) => {
                if let Some(pick) = pick.checked_rem(self.callers.len()) {
                    self.callers.swap_remove(pick);
                }
            }
            Step::Pass(micros) => {
                let by = i64::try_from(micros).unwrap();
                turn(&self.time, by);
                for node in 0..self.nodes.len() {
                    self.turn(node, by);
                }
            }
            Step::Jump { node, by } => self.turn(node, by),
            Step::Crash { node: number } => {
                self.callers.retain(|caller| caller.node != number);
                let (nodes, clock) = (self.nodes.len(), self.nodes[number].1.clone());
                self.nodes[number].0 = node(&self.central, nodes, &clock);
                self.central.note(Event::Crash);
            }
        }
        self.poll();
    }

    fn ask(&mut self, node: usize, cost: u32) {
        self.count += 1;
        let (limiter, quota) = (self.nodes[node].0.clone(), self.quota);
        let answer: Answer = Box::pin(async move { limiter.check("key", &quota, cost).await });
        self.callers.push(Caller { number: self.count, node, cost, answer });
        self.poll();
    }

    fn turn(&self, node: usize, by: i64) {
        turn(&self.nodes[node].1, by);
        self.central.note(Event::Forward { node, by: by.max(0) });
    }

    /// Everybody goes as far as they can.
    fn poll(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let mut at = 0;
        while let Some(caller) = self.callers.get_mut(at) {
            self.central.caller.store(caller.number, Ordering::SeqCst);
            let Poll::Ready(decision) = caller.answer.as_mut().poll(&mut context) else {
                at += 1;
                continue;
            };
            let caller = self.callers.swap_remove(at);
            if decision.unwrap().allowed {
                self.admit(caller.number, caller.cost);
            }
            // Those before it may have waited for it.
            at = 0;
        }
    }

    fn admit(&self, caller: usize, cost: u32) {
        match self.central.granted(caller) {
            Some(event) => {
                if let Event::Decided { admitted, .. } = &mut self.central.log.lock()[event] {
                    *admitted = cost;
                }
            }
            None => self.central.note(Event::Decided { at: self.time.now().as_micros(), admitted: cost }),
        }
    }

    /// Nobody waits any more.
    fn settle(&mut self) {
        while !self.callers.is_empty() {
            self.arrive();
        }
    }

    /// Everything that is under way now arrives.
    fn arrive(&mut self) {
        self.central.decide(|_| true);
        self.central.reply(|_| true);
        self.poll();
    }

    fn judge(&self, outages: bool) -> Result<(), TestCaseError> {
        let log = self.central.log.lock();
        let nodes = u32::try_from(self.nodes.len()).unwrap();
        let (interval, lease) = (self.quota.interval_micros(), self.nodes[0].0.lease(&self.quota));
        prop_assert!(lease >= 4 && lease * nodes * 10 <= self.quota.burst());
        let (share, slower) = ((self.quota.burst() / nodes).max(1), interval * i64::from(nodes));
        for (first, opens) in log.iter().enumerate() {
            let Event::Decided { at: opens, .. } = opens else { continue };
            let (mut admitted, mut restarts, mut forward) = (0, 0, vec![0; self.nodes.len()]);
            for event in &log[first..] {
                match event {
                    Event::Decided { at, admitted: more } => {
                        admitted += i64::from(*more);
                        let mut bound = i64::from(self.quota.burst() + nodes * lease) + (at - opens) / interval;
                        if outages {
                            bound += (i64::from(nodes) + restarts) * i64::from(share);
                            bound += forward.iter().map(|forward| forward / slower).sum::<i64>();
                        }
                        prop_assert!(admitted <= bound, "{admitted} in {} µs, over {bound}", at - opens);
                    }
                    Event::Forward { node, by } => forward[*node] += by,
                    Event::Crash => restarts += 1,
                }
            }
        }
        Ok(())
    }
}

fn node(central: &Arc<Wire>, nodes: usize, clock: &Arc<FakeClock>) -> Arc<LocalFirst> {
    let nodes = number(u32::try_from(nodes).unwrap());
    Arc::new(LocalFirst::new(central.clone(), nodes, clock.clone()))
}

fn turn(clock: &FakeClock, by: i64) {
    let (now, duration) = (clock.now(), Duration::from_micros(by.unsigned_abs()));
    clock.set(if by < 0 { now.minus(duration) } else { now.plus(duration) });
}
