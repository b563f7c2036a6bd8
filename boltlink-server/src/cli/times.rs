//! Moments as tables show them.

use boltlink_core::Timestamp;

pub(super) fn to_the_second(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn or_never(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), to_the_second)
}
