//! BoltLink makes short links, follows them, and counts every click exactly once.
//!
//! This crate is the facade: it re-exports the engine (`boltlink-core`) and the stores that its features
//! pick. The reference server, `boltlink-server`, is a thin layer over the same [`Shortener`].
//!
//! # A tour
//!
//! ```
//! use boltlink::{Actor, Domain, NewLink, Outcome, Shortener, TargetRules, TargetUrl, Visit};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Everything in memory; see the `sqlite` feature for a file.
//! let shortener = Shortener::builder().build().await?;
//!
//! // What goes in is parsed once: a `TargetUrl` that exists is valid.
//! let target = TargetUrl::parse("https://example.com/a/long/page", &TargetRules::default())?;
//! let made = shortener.create(&Actor::OPERATOR, NewLink::to(target)).await?;
//! let slug = made.link.slug.as_str();
//!
//! // Somebody follows the link. The first visit loads it, later ones never wait:
//! // `try_visit` answers them at once.
//! let domain = Domain::default_domain();
//! let Outcome::Redirect(redirect) = shortener.visit(&Visit::new(&domain, slug)).await? else {
//!     panic!("the link works");
//! };
//! assert_eq!(redirect.location, "https://example.com/a/long/page");
//! assert!(shortener.try_visit(&Visit::new(&domain, slug)).is_some());
//!
//! // Counts follow within milliseconds; a shutdown waits for them.
//! shortener.shutdown().await;
//! assert_eq!(shortener.find(&Actor::OPERATOR, made.link.id).await?.clicks, 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Choosing what may be lost
//!
//! A click is recorded before the redirect is answered, and stored a moment later. What a `kill -9` in
//! between can take is yours to choose:
//!
//! | | the redirect waits for | `kill -9` loses at most |
//! |---|---|---|
//! | no journal | nothing | what is not stored yet (half a second) |
//! | journal, [`Durability::Buffered`] | nothing | 2 ms or 512 clicks per core |
//! | journal, [`Durability::Acknowledged`] | the disk | nothing that was answered |
//!
//! [`Shortener::shutdown`] loses nothing in any of them.
//!
//! # Features
//!
//! - `sqlite` (default): [`sqlite`], all stores in one file.
//! - `postgres`: [`postgres`], all stores in a Postgres database, for any number of nodes.
//! - `redis`: [`redis`], the log of clicks, rate limits and wake-ups in a Redis between the nodes.
//! - `journal` (default): [`journal`], clicks on disk until they are stored.
//! - `testing`: the conformance suites, for authors of stores.
//!
//! # Writing a store
//!
//! Implement the traits of [`store`]; each states its contract. The feature `testing` has the same
//! contract as code, to be run with one line per store; see `examples/custom_store.rs`.

pub use boltlink_core::*;

#[cfg(feature = "postgres")]
pub use boltlink_store_postgres as postgres;
#[cfg(feature = "redis")]
pub use boltlink_store_redis as redis;
#[cfg(feature = "sqlite")]
pub use boltlink_store_sqlite as sqlite;

// The guide's programs are run with the other examples of the documentation.
#[cfg(all(doctest, feature = "journal", feature = "sqlite"))]
#[doc = include_str!("../docs/embedding.md")]
mod embedding {}
