//! Test support for BoltLink: the real server as a process that can be killed and started again, a
//! client for it, and a load that knows how much was answered when the server dies under it.
//!
//! ```no_run
//! # #[cfg(unix)]
//! # async fn test(exe: &str) -> Result<(), boltlink_testkit::Error> {
//! use boltlink_testkit::{Load, Server};
//! use serde_json::json;
//!
//! // An integration test of the server names the binary by env!("CARGO_BIN_EXE_boltlink").
//! let mut server = Server::builder(exe).env("BOLTLINK_DURABILITY", "acknowledged").start().await?;
//! let made = server.client().create(&json!({ "target": "https://example.com/", "slug": "news" })).await?;
//! let id = made.expect(201)?["id"].as_str().unwrap_or_default().to_owned();
//!
//! let load = Load::new(server.address(), ["/news"]).connections(4).start();
//! load.answers(1_000).await?;
//! server.kill()?;
//! let tally = load.stop().await;
//!
//! // What the killed process left is stored while the next one runs, and at the latest when it stops.
//! server.restart().await?;
//! server.stop().await?;
//! server.restart().await?;
//! let clicks = server.client().clicks(&id).await?;
//! assert!(tally.answered_with(302) <= clicks && clicks <= tally.sent());
//! # Ok(())
//! # }
//! ```

mod client;
mod connection;
#[cfg(unix)]
mod daemon;
mod database;
#[cfg(unix)]
mod docker;
mod error;
mod key_space;
mod load;
mod output;
#[cfg(unix)]
mod pgbouncer;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
mod programs;
mod proxy;
#[cfg(unix)]
mod redis;
#[cfg(unix)]
mod redis_groups;
mod resp;
mod server;
#[cfg(unix)]
mod shared;
pub mod usage;

pub use client::{Client, Reply};
pub use connection::{Answer, Connection};
pub use database::Database;
pub use error::Error;
pub use key_space::KeySpace;
pub use load::{Load, Running, Tally};
#[cfg(unix)]
pub use pgbouncer::{InstalledPgBouncer, PgBouncer};
#[cfg(unix)]
pub use postgres::PostgresServer;
pub use proxy::Proxy;
#[cfg(unix)]
pub use redis::{Persistence, RedisServer};
#[cfg(unix)]
pub use redis_groups::{RedisCluster, RedisOverTls, RedisSentinel};
pub use server::{Builder, Server};
#[cfg(unix)]
pub use shared::TestServers;
