//! Every store in this process's memory: for tests, for embedders that need nothing to outlive the
//! process, and, in [`MemoryLog`] and [`MemoryLimiter`], for servers that are one process.
//!
//! They keep the whole contract of their traits, as far as memory can.

mod account;
mod analytics;
mod audit;
mod change;
mod click;
mod counter;
mod key;
mod limit;
mod link;

use std::{fmt, sync::Arc};

use parking_lot::RwLock;

pub use account::MemoryAccounts;
pub use analytics::MemoryAnalytics;
pub use audit::MemoryAudit;
pub use change::MemoryChanges;
pub use click::MemoryTotals;
pub use counter::MemoryLog;
pub use key::MemoryKeys;
pub use limit::MemoryLimiter;
pub use link::MemoryLinks;

use crate::{stores::Stores, time::Clock};

/// The stores of [`Stores::in_memory`] by their own types, for what only these can tell.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Links.
    pub links: Arc<MemoryLinks>,
    /// The clicks per link.
    pub totals: Arc<MemoryTotals>,
    /// The rollups, both sink and reader.
    pub analytics: Arc<MemoryAnalytics>,
    /// Clicks on their way.
    pub log: Arc<MemoryLog>,
    /// API keys.
    pub keys: Arc<MemoryKeys>,
    /// Accounts and sessions.
    pub accounts: Arc<MemoryAccounts>,
    /// The changes to links, keys, accounts and sessions.
    pub changes: Arc<MemoryChanges>,
    /// Who did what.
    pub audit: Arc<MemoryAudit>,
}

impl Memory {
    /// Empty stores that take the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let database = Arc::new(Database { clock: clock.clone(), tables: RwLock::default() });
        Self {
            links: Arc::new(MemoryLinks(database.clone())),
            totals: Arc::new(MemoryTotals::new(database.clone())),
            analytics: Arc::new(MemoryAnalytics::new(clock.clone())),
            log: Arc::new(MemoryLog::new(clock, MemoryLog::DEFAULT_CAPACITY)),
            keys: Arc::new(MemoryKeys(database.clone())),
            accounts: Arc::new(MemoryAccounts(database.clone())),
            changes: Arc::new(MemoryChanges(database)),
            audit: Arc::default(),
        }
    }
}

impl From<Memory> for Stores {
    fn from(memory: Memory) -> Self {
        Self {
            links: memory.links,
            totals: memory.totals,
            analytics: memory.analytics.clone(),
            reader: memory.analytics,
            log: memory.log,
            keys: memory.keys,
            accounts: memory.accounts,
            changes: memory.changes,
            audit: memory.audit,
        }
    }
}

impl Stores {
    /// Empty stores in this process's memory.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        Memory::new(clock).into()
    }
}

/// What must change together: a write holds the lock, and is so a transaction.
struct Database {
    clock: Arc<dyn Clock>,
    tables: RwLock<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    links: link::LinkTable,
    keys: key::KeyTable,
    accounts: account::AccountTable,
    changes: change::ChangeTable,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database { … }")
    }
}
