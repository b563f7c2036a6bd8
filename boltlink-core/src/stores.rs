//! The stores a shortener works on, as one value.

use std::{fmt, sync::Arc};

use crate::store::{
    AccountStore, AnalyticsReader, AuditStore, ChangeLog, ClickSink, CounterStore, KeyStore, LinkStore,
};

/// One of each trait. A database crate makes the whole set; an embedder may swap single ones.
///
/// `links`, `totals`, `keys`, `accounts` and `changes` must be of one database: the changes are written in the
/// transactions of the others.
#[derive(Clone)]
pub struct Stores {
    /// Links.
    pub links: Arc<dyn LinkStore>,
    /// The clicks per link that `links` returns.
    pub totals: Arc<dyn ClickSink>,
    /// The rollups that `reader` reads.
    pub analytics: Arc<dyn ClickSink>,
    /// Reads rollups.
    pub reader: Arc<dyn AnalyticsReader>,
    /// Clicks on their way to the two sinks.
    pub log: Arc<dyn CounterStore>,
    /// API keys.
    pub keys: Arc<dyn KeyStore>,
    /// Accounts and sessions.
    pub accounts: Arc<dyn AccountStore>,
    /// What other processes wrote.
    pub changes: Arc<dyn ChangeLog>,
    /// Who did what.
    pub audit: Arc<dyn AuditStore>,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stores { … }")
    }
}
