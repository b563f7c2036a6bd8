//! BoltLink on Redis (6.2 or newer): the log of clicks between nodes and their consumers, rate limits that nodes share,
//! and wake-ups when something changes. Links and counts are in a database beside it.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use boltlink_core::{Stores, SystemClock};
//! use boltlink_store_redis::{RedisConfig, RedisStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(SystemClock);
//! let redis = RedisStore::new(&RedisConfig::new("redis://localhost/")?, clock.clone())?;
//! redis.check().await?;
//! // In memory here; a database in earnest.
//! let mut stores = Stores::in_memory(clock);
//! stores.changes = redis.waking(stores.changes);
//! stores.log = redis.log();
//! # Ok(())
//! # }
//! ```
//!
//! # What the log promises, and by what
//!
//! Each batch is one entry of a stream, with its producer's clicks per link beside it for the view of pending clicks. One
//! script takes a batch, one leases batches, one settles them, and each is one atomic step on one slot of a cluster. Two
//! consumers read the same stream. A consumer group would not do: it cannot settle what it never delivered, and its
//! leases go by idle time alone. So each consumer has a cursor, a set of leases, and a note beside each batch who has
//! still to settle it; a batch is deleted when both have, and never before. Leases go by the clocks of the nodes, which
//! save work only: what counts once is decided by the ledgers of the sinks.
//!
//! A server that was restarted, promoted or flushed may have forgotten batches or brought old ones back. Its
//! [run](boltlink_core::store::LogRun) tells the nodes, whose journals then send again what is not stored, and the view of
//! another run is never shown.
//!
//! Where the log is full, or the server out of memory, batches wait in the journals. Every error is
//! [`Unavailable`](boltlink_core::StoreError::Unavailable): clicks wait for a server that comes back or is mended.

mod config;
mod connect;
mod error;
mod health;
mod keys;
mod lane;
mod limit;
mod log;
mod store;
mod waking;

pub use config::{InvalidPrefix, InvalidUrl, KeyPrefix, RedisConfig, RedisUrl};
pub use error::OpenError;
pub use health::Health;
pub use store::RedisStore;
