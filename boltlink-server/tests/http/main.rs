//! The server over real sockets, with everything in memory.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod access;
mod accounts;
mod acknowledged;
mod api;
mod attacks;
mod audit;
mod bulk;
#[path = "../common/certificates.rs"]
mod certificates;
mod clicks;
mod connections;
mod counts;
mod creating;
mod domains;
mod express;
mod finding;
mod forwarding;
mod health;
mod keys;
mod links;
mod lists;
mod metrics;
mod outage;
mod pages;
mod passwords;
mod qr;
mod queue;
mod rates;
mod sessions;
mod slugs;
mod strict;
mod support;
mod targets;
mod tls;
mod tls_pairs;
mod vectors;
mod visits;
