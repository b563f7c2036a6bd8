//! The contracts as code: suites that every store runs with one line.
//!
//! A store author writes one function that makes a fresh set of stores, and names it in
//! [`store_suites!`](crate::store_suites). Each sentence of the contracts in
//! [`store`](crate::store) then shows as a test of its own, with property tests that compare the
//! store with a plain model.
//!
//! ```
//! use std::sync::Arc;
//! use boltlink_core::{Clock, FakeClock, Stores, testing::Fixture};
//!
//! /// Called once per test: nothing is shared, so tests run side by side.
//! async fn fixture() -> Fixture {
//!     let clock = Arc::new(FakeClock::default());
//!     Fixture::new(Stores::in_memory(clock.clone()), clock)
//! }
//!
//! boltlink_core::store_suites!(fixture);
//! # fn main() {
//! # // The line above makes tests, which do not run here; this is what one of them does.
//! # boltlink_core::testing::run(fixture, boltlink_core::testing::link::a_slug_is_given_once);
//! # }
//! ```
//!
//! Whoever implements single traits runs single suites:
//!
//! | implemented | macro | its argument makes |
//! |---|---|---|
//! | everything of one database | [`store_suites!`](crate::store_suites) | [`Fixture`] |
//! | [`LinkStore`] | [`link_suite!`](crate::link_suite) | [`Fixture::of_links`] |
//! | [`ClickSink`]s and [`AnalyticsReader`](crate::store::AnalyticsReader) | [`click_suite!`](crate::click_suite) | [`Fixture`] |
//! | [`CounterStore`] | [`counter_suite!`](crate::counter_suite) | [`Fixture::of_log`] |
//! | [`KeyStore`](crate::store::KeyStore) | [`key_suite!`](crate::key_suite) | [`Fixture`] |
//! | [`AccountStore`](crate::store::AccountStore) | [`account_suite!`](crate::account_suite) | [`Fixture`] |
//! | [`AuditStore`](crate::store::AuditStore) | [`audit_suite!`](crate::audit_suite) | [`Fixture`] |
//! | [`ChangeLog`](crate::store::ChangeLog) | [`change_suite!`](crate::change_suite) | [`Fixture`] |
//! | [`RateLimiter`] | [`limiter_suite!`](crate::limiter_suite) | [`LimiterFixture`] |
//!
//! What the suites take for granted: the stores tell the time by the fixture's clock, which stands
//! still until a case moves it, and leases of the click log run out within [`LONGEST_LEASE`].
//!
//! The property tests run 64 cases each; the variable `PROPTEST_CASES` says otherwise.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Test support: a failure is a panic.

pub mod account;
pub mod audit;
pub mod balance;
pub mod change;
pub mod click;
pub mod counter;
mod everything;
pub mod key;
pub mod limit;
pub mod link;
pub mod model_click;
pub mod model_limit;
pub mod model_link;
pub mod model_list;
pub mod poison;
mod sample;
pub mod session;
pub mod sharing;
pub mod unreadable;

use std::{any::Any, fmt, future::Future, sync::Arc, time::Duration};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestError, TestRunner},
};

pub use everything::{DOMAIN, TAG, everything};
pub use sample::link_at;

#[doc(inline)]
pub use crate::{
    account_suite, audit_suite, change_suite, click_suite, counter_suite, key_suite, limiter_suite, link_suite,
    store_suites,
};

use crate::{
    FakeClock, Stores,
    store::{ClickSink, Consumer, CounterStore, LinkStore, RateLimiter},
};

/// Every lease of a click log has run out after this long.
pub const LONGEST_LEASE: Duration = Duration::from_secs(3_600);

/// Stores of one test's own, empty.
pub struct Fixture {
    /// The stores.
    pub stores: Stores,
    /// The clock they tell the time by.
    pub clock: Arc<FakeClock>,
    /// What must live as long as they do: a temporary directory, a server.
    pub keep: Box<dyn Any + Send>,
}

impl Fixture {
    /// A fixture that keeps nothing else alive.
    #[must_use]
    pub fn new(stores: Stores, clock: Arc<FakeClock>) -> Self {
        Self { stores, clock, keep: Box::new(()) }
    }

    /// For [`link_suite!`](crate::link_suite): a link store alone, the rest in memory.
    #[must_use]
    pub fn of_links(links: Arc<dyn LinkStore>, clock: Arc<FakeClock>) -> Self {
        Self::new(Stores { links, ..Stores::in_memory(clock.clone()) }, clock)
    }

    /// For [`counter_suite!`](crate::counter_suite): a click log alone, the rest in memory.
    #[must_use]
    pub fn of_log(log: Arc<dyn CounterStore>, clock: Arc<FakeClock>) -> Self {
        Self::new(Stores { log, ..Stores::in_memory(clock.clone()) }, clock)
    }

    /// Keeps `thing` alive as long as the fixture.
    #[must_use]
    pub fn keeping(self, thing: impl Any + Send) -> Self {
        Self { keep: Box::new((self.keep, thing)), ..self }
    }

    /// The sink of `consumer`.
    fn sink(&self, consumer: Consumer) -> &Arc<dyn ClickSink> {
        match consumer {
            Consumer::Totals => &self.stores.totals,
            Consumer::Analytics => &self.stores.analytics,
        }
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// A rate limiter of one test's own, that has seen no key.
pub struct LimiterFixture {
    /// The limiter.
    pub limiter: Arc<dyn RateLimiter>,
    /// The clock it tells the time by.
    pub clock: Arc<FakeClock>,
    /// What must live as long as it does.
    pub keep: Box<dyn Any + Send>,
}

impl LimiterFixture {
    /// A fixture that keeps nothing else alive.
    #[must_use]
    pub fn new(limiter: Arc<dyn RateLimiter>, clock: Arc<FakeClock>) -> Self {
        Self { limiter, clock, keep: Box::new(()) }
    }
}

impl fmt::Debug for LimiterFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterFixture").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// Runs one case on a fixture of its own, with threads enough for calls to overlap.
pub fn run<F>(fixture: impl AsyncFnOnce() -> F, case: impl AsyncFnOnce(&F)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let fixture = fixture().await;
        case(&fixture).await;
    });
}

/// [`run`]s a case that holds for both sinks on the one of [`Consumer::Totals`].
pub fn run_on_totals(fixture: impl AsyncFnOnce() -> Fixture, case: impl for<'a> AsyncFnOnce(&'a Fixture, Consumer)) {
    run(fixture, async |fixture: &Fixture| case(fixture, Consumer::Totals).await);
}

/// [`run`]s a case that holds for both sinks on the one of [`Consumer::Analytics`].
pub fn run_on_analytics(fixture: impl AsyncFnOnce() -> Fixture, case: impl for<'a> AsyncFnOnce(&'a Fixture, Consumer)) {
    run(fixture, async |fixture: &Fixture| case(fixture, Consumer::Analytics).await);
}

/// Runs `check` on many `inputs`, each with a fixture of its own, and boils a failure down to the
/// smallest input that still fails.
fn explore<I: Strategy, F>(inputs: &I, fixture: impl AsyncFn() -> F, check: impl AsyncFn(&F, I::Value)) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = TestRunner::new(config).run(inputs, |input| {
        runtime.block_on(async {
            let fixture = fixture().await;
            check(&fixture, input).await;
        });
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => panic!("{reason}\nwith the input {input:?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Runs `count` tasks at once and gives their results in order.
async fn parallel<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(task(number))).collect();
    let mut results = Vec::with_capacity(count);
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Runs the suites of a whole database: `store_suites!(fixture)`, where `async fn fixture() ->`
/// [`Fixture`](crate::testing::Fixture) makes an empty one.
#[macro_export]
macro_rules! store_suites {
    ($fixture:path) => {
        $crate::link_suite!($fixture);
        $crate::click_suite!($fixture);
        $crate::counter_suite!($fixture);
        $crate::key_suite!($fixture);
        $crate::account_suite!($fixture);
        $crate::change_suite!($fixture);
        $crate::audit_suite!($fixture);
    };
}

/// One test per case: the module that holds them, the fixture, how they are run, and where they stand.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ($name:ident, $fixture:path, $run:ident, $suite:ident: $($case:ident)*) => {
        mod $name {
            #[allow(unused_imports)] // The fixture may be named by a full path.
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::testing::$run($fixture, $crate::testing::$suite::$case);
                }
            )*
        }
    };
}
