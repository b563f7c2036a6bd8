//! The engine that an embedder or a server drives.

mod error;

pub use error::{AuthError, Error};
