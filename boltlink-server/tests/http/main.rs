//! The server over real sockets, with everything in memory.

mod api;
mod connections;
mod creating;
mod health;
mod links;
mod outage;
mod pages;
mod support;
mod visits;
