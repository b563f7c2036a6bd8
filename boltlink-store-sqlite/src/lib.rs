//! BoltLink's embedded default: links, keys, counts and rollups in one SQLite file.
//!
//! ```
//! use std::sync::Arc;
//!
//! use boltlink_core::{SystemClock, memory::MemoryLog};
//! use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("boltlink.db");
//! let clock = Arc::new(SystemClock);
//! let store = SqliteStore::open(&SqliteConfig::new(path), clock.clone()).await?;
//! let stores = store.stores(Arc::new(MemoryLog::new(clock, 1_000_000)));
//! stores.links.ping().await?;
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The file is in WAL mode and every commit is synced: what a call answered survives a power cut.
//! One connection writes, clicks before requests before imports; several read, and see all that was
//! answered before. Several processes may have the file open, on one machine (not over a network
//! file system); they take turns to write.

mod account;
mod analytics;
mod audit;
mod backup;
mod batch;
mod change;
mod click;
mod config;
mod copy;
mod effect;
mod error;
mod key;
mod link;
mod open;
mod queue;
mod rollups;
mod search;
mod store;
mod writer;

pub use backup::BackupError;
pub use config::{SqliteConfig, Sync};
pub use error::OpenError;
pub use open::{Health, Migrated};
pub use store::SqliteStore;
