//! BoltLink on Redis.
