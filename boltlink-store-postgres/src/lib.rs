//! BoltLink on Postgres.
