//! The local-first limiter: alone, among nodes, and while the central limiter is away.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.
#![cfg(feature = "testing")]

mod behaviour;
mod central;
mod nodes;
mod wire;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use boltlink_core::{FakeClock, limit::LocalFirst, memory::MemoryLimiter, store::Quota, testing::LimiterFixture};
use central::Remote;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn per_second(rate: u32, burst: u32) -> Quota {
    Quota::new(number(rate), Duration::from_secs(1)).unwrap().with_burst(number(burst)).unwrap()
}

/// One of `nodes` nodes, the others of which are silent.
fn fixture(nodes: NonZeroU32) -> LimiterFixture {
    let clock = Arc::new(FakeClock::default());
    let central = Arc::new(Remote::new(MemoryLimiter::new(clock.clone())));
    LimiterFixture::new(Arc::new(LocalFirst::new(central, nodes, clock.clone())), clock)
}

/// Among so many nodes no quota is worth a lease: all goes to the central limiter.
mod without_leases {
    async fn limiter() -> boltlink_core::testing::LimiterFixture {
        super::fixture(std::num::NonZeroU32::MAX)
    }

    boltlink_core::limiter_suite!(limiter);
}

/// A node that is alone loses nothing to others: the whole contract holds, leases or not.
mod alone {
    async fn limiter() -> boltlink_core::testing::LimiterFixture {
        super::fixture(std::num::NonZeroU32::MIN)
    }

    boltlink_core::limiter_suite!(limiter);
}
