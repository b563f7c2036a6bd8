//! How long statements take, by what they do and to which table.

use std::sync::Arc;

use boltlink_core::store::{Call, Observer};
use sea_orm::DatabaseConnection;

use crate::copy::{COPIED, REBUILT};

/// A connection whose statements `observer` is told of, if there is one.
#[must_use]
pub fn observed(mut db: DatabaseConnection, observer: Option<&Arc<dyn Observer>>) -> DatabaseConnection {
    if let Some(observer) = observer.cloned() {
        db.set_metric_callback(move |info| {
            let (operation, table) = kind(&info.statement.sql);
            observer.observe(Call::Query { operation, table }, info.elapsed);
        });
    }
    db
}

/// What a statement does, and to which of our tables; of several the first one that it names.
fn kind(sql: &str) -> (&'static str, &'static str) {
    // What explains it stands before it.
    let lines = sql.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
    let mut words = lines.flat_map(str::split_ascii_whitespace);
    let one_of =
        |known: &[&'static str], word: &str| known.iter().find(|known| known.eq_ignore_ascii_case(word)).copied();
    let mut before = words.next().unwrap_or_default();
    // `WITH` may begin any of them: that it writes is said before the first table.
    let is_with = before.eq_ignore_ascii_case("with");
    let mut operation = if is_with { "select" } else { one_of(&OPERATIONS, before).unwrap_or(OTHER) };
    for word in words {
        if is_with && let Some(found) = one_of(&OPERATIONS, word) {
            operation = found;
        }
        if one_of(&["from", "into", "update", "join", "only"], before).is_some() {
            let name = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = name.split(['.', '(']).next().unwrap_or_default();
            if let Some(table) = one_of(&COPIED, name).or_else(|| one_of(&REBUILT, name)) {
                return (operation, table);
            }
        }
        before = word;
    }
    (operation, OTHER)
}

const OPERATIONS: [&str; 4] = ["select", "insert", "update", "delete"];
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        for (sql, expected) in [
            ("SELECT id FROM link WHERE id = $1", ("select", "link")),
            ("-- Why.\n  select count(*) from (select 1 FROM link_total) AS t", ("select", "link_total")),
            ("INSERT INTO click (link, at) VALUES (?, ?)", ("insert", "click")),
            ("UPDATE api_key SET name = $1", ("update", "api_key")),
            ("DELETE FROM click WHERE place IN (SELECT place FROM click)", ("delete", "click")),
            ("WITH v (link) AS (VALUES (?)) UPDATE link_total AS t SET clicks = 1 FROM v", ("update", "link_total")),
            (
                "WITH v (link) AS (VALUES (?)) SELECT * FROM v JOIN rollup_hour r ON r.link = v.link",
                ("select", "rollup_hour"),
            ),
            ("SELECT pg_advisory_xact_lock(1)", ("select", "other")),
            ("PRAGMA quick_check", ("other", "other")),
            ("", ("other", "other")),
        ] {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }
}
