//! BoltLink's HTTP server as a library: [`run`] serves a [`Shortener`](boltlink_core::Shortener) on a
//! listener until it is told to stop, or, with [`run_until`], to hand over. The program `boltlink` adds configuration and a
//! command line.
//!
//! A request passes `front` (connections, TLS, limits, and short links, answered before any routing) and,
//! if it is for none, `api` (poem: the API, its documentation and the health checks). `pages` is what a
//! visitor sees who cannot be sent on.

mod api;
mod forwarded;
mod front;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod hosts;
mod inside;
mod metrics;
mod pages;
mod passwords;
mod rates;
mod server;
mod throttle;
mod tls;
mod traces;

// The program's own part, for the fuzz targets: a program cannot be linked to.
#[cfg(fuzzing)]
#[allow(dead_code)]
mod cli;
#[cfg(fuzzing)]
#[allow(dead_code)]
mod config;
#[cfg(fuzzing)]
#[allow(dead_code)]
mod duration;
#[cfg(fuzzing)]
#[allow(dead_code)]
mod logging;
#[cfg(fuzzing)]
extern crate self as boltlink_server;

pub use api::{dead_letter_details, dead_letter_summary, openapi, password_link};
pub use forwarded::{InvalidProxyHeader, Proxies, ProxyHeader};
pub use hosts::{BaseUrl, Hosts, InvalidBaseUrl};
pub use metrics::Metrics;
pub use passwords::{WeakPassword, judge as judge_password};
pub use rates::Rates;
pub use server::{
    InvalidRegistration, Limits, Listeners, Registration, ServerOptions, Stop, Stops, run, run_admin, run_until,
};
pub use tls::{InvalidPair, Tls, TlsFile, TlsFiles, UnusableTlsFile, WrongTlsFile};
pub use traces::{Collector, Traces};
