//! The contracts as code: suites that every store runs with one line.
