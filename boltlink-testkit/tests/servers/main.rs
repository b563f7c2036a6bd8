//! The throw-away servers: what they keep, and that they leave nothing behind.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

#[cfg(target_os = "linux")]
mod docker;
mod postgres;
mod redis;
