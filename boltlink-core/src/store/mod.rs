//! The traits that a store implements. Each states its contract; `boltlink_core::testing` (feature
//! `testing`) is the same contract as code, to be run against every implementation.
//!
//! What holds for all of them:
//!
//! - **Object-safe and shared.** Used as `Arc<dyn …>` from many tasks at once.
//! - **Atomic.** A call takes effect whole or not at all, also when its process is killed.
//! - **Cancellable.** A future that is dropped half-way leaves either nothing or the whole effect.
//! - **The database arbitrates.** No implementation reads first and then writes on the strength of it
//!   outside one transaction.
//! - **[`StoreError::Unavailable`](crate::StoreError::Unavailable)** says that the outcome is unknown
//!   for calls that write, unless a method says more.

mod account;
mod analytics;
mod audit;
mod balance;
mod change;
mod click;
mod counter;
mod filter;
mod key;
mod limit;
mod link;
mod observer;

pub use account::{AccountCursor, AccountStore, Registered, SessionUse};
pub use analytics::{
    AnalyticsReader, CONTENDERS, ClickCursor, Dimension, Interval, LinkClicks, Point, RawClick, Scope, Share, Span,
};
pub use audit::{AuditFilter, AuditStore};
pub use balance::Balance;
pub use change::{Change, ChangeCursor, ChangeLog, Changes};
pub use click::{
    Applied, ClickSink, Consumer, DamagedPlaces, DeadClicks, DeadLetter, LedgerState, Places, UnreadableClicks,
};
pub use counter::{Backlog, CounterStore, Delivery, LogRun};
pub use filter::{InvalidSearchText, LinkCursor, LinkFilter, LinkOrder, SearchText, TagMatch};
pub use key::{KeyCursor, KeyStore};
pub use limit::{Decision, Quota, RateLimiter};
pub use link::{
    Fingerprint, Idempotency, IdempotencyKey, Insert, Inserted, InvalidIdempotencyKey, LinkStore, SlugCaseChange,
};
pub use observer::{Call, Observer};
