//! The stores in memory keep every contract.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.
#![cfg(feature = "testing")]

use std::sync::Arc;

use boltlink_core::{
    FakeClock, Stores,
    memory::MemoryLimiter,
    testing::{Fixture, LimiterFixture},
};

async fn stores() -> Fixture {
    let clock = Arc::new(FakeClock::default());
    Fixture::new(Stores::in_memory(clock.clone()), clock)
}

async fn limiter() -> LimiterFixture {
    let clock = Arc::new(FakeClock::default());
    LimiterFixture::new(Arc::new(MemoryLimiter::new(clock.clone())), clock)
}

boltlink_core::store_suites!(stores);
boltlink_core::limiter_suite!(limiter);
