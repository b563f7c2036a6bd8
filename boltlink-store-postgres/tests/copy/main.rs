//! Copies between databases of both kinds.

#![allow(clippy::unwrap_used)] // In helpers too: a failure is a panic.

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod fence;
mod progress;
mod tables;
