//! How long calls to databases and other servers take: for whoever keeps metrics.

use std::{fmt, time::Duration};

/// A call that a store has made to where it keeps things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// A statement to a database.
    Query {
        /// `select`, `insert`, `update`, `delete` or `other`.
        operation: &'static str,
        /// The table, the first one if there are several; `other` if there is none.
        table: &'static str,
    },
    /// A call to a server that knows commands.
    Command {
        /// Which one: few different ones.
        operation: &'static str,
    },
}

/// Is told of every call, whether it succeeded or not, once it is over.
///
/// # Contract
/// It is told on the task that made the call, and must be as quick as adding to a number.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A call took so long.
    fn observe(&self, call: Call, took: Duration);
}
