//! BoltLink on Postgres (13 or newer): links, keys, counts, rollups and single clicks, for any number of processes.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use boltlink_core::{SystemClock, memory::MemoryLog};
//! use boltlink_store_postgres::{PostgresConfig, PostgresStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(SystemClock);
//! let config = PostgresConfig::new("postgres://boltlink:secret@localhost/boltlink")?;
//! let store = PostgresStore::open(&config, clock.clone()).await?;
//! let stores = store.stores(Arc::new(MemoryLog::new(clock, 1_000_000)));
//! stores.links.ping().await?;
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Every transaction is READ COMMITTED and on disk before it is answered. Nothing belongs to a session, so PgBouncer in
//! transaction mode will do, from version 1.21 with `max_prepared_statements`. What takes longer than its bound, or
//! finds no connection, is [`Unavailable`](boltlink_core::StoreError::Unavailable).

mod account;
mod analytics;
mod array;
mod audit;
mod change;
mod click;
mod config;
mod copy;
mod error;
mod key;
mod ledgers;
mod link;
mod open;
mod partition;
mod pool;
mod raw;
mod replica;
mod rollups;
mod search;
mod store;

pub use config::{InvalidUrl, PostgresConfig, PostgresUrl};
pub use error::OpenError;
pub use open::{Health, Migrated};
pub use store::PostgresStore;
