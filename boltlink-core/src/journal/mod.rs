//! Keeps clicks on disk until every consumer has stored them.
