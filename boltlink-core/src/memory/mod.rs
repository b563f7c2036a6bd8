//! In-memory stores that keep the whole contract: for tests, trials and embedders without a database.
