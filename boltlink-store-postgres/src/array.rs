//! Columns of many rows as the arrays that `unnest` takes apart.

use boltlink_core::{LinkId, hex};
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

/// A statement with its values.
pub(crate) fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

/// The ids of links.
pub(crate) fn ids(links: impl IntoIterator<Item = LinkId>) -> Value {
    uuids(links.into_iter().map(|link| *link.as_uuid()))
}

pub(crate) fn uuids(column: impl IntoIterator<Item = Uuid>) -> Value {
    column.into_iter().collect::<Vec<_>>().into()
}

pub(crate) fn bigints(column: impl IntoIterator<Item = i64>) -> Value {
    column.into_iter().collect::<Vec<_>>().into()
}

pub(crate) fn texts<'a>(column: impl IntoIterator<Item = &'a str>) -> Value {
    column.into_iter().map(str::to_owned).collect::<Vec<String>>().into()
}

/// A column that has nulls, as the text of an array, to be cast (`$1::text::text[]`): the driver's arrays have none.
pub(crate) fn optional<T: AsRef<str>>(column: impl IntoIterator<Item = Option<T>>) -> Value {
    let mut text = String::from("{");
    for value in column {
        if text.len() > 1 {
            text.push(',');
        }
        match value {
            None => text.push_str("NULL"),
            Some(value) => {
                text.push('"');
                for c in value.as_ref().chars() {
                    match c {
                        '"' | '\\' => text.extend(['\\', c]),
                        // Postgres keeps no such character.
                        '\0' => text.push('\u{fffd}'),
                        _ => text.push(c),
                    }
                }
                text.push('"');
            }
        }
    }
    text.push('}');
    text.into()
}

/// The same for columns of numbers.
pub(crate) fn optional_bigints(column: impl IntoIterator<Item = Option<i64>>) -> Value {
    optional(column.into_iter().map(|number| number.map(|number| number.to_string())))
}

/// The same for columns of bytes.
pub(crate) fn optional_bytes<T: AsRef<[u8]>>(column: impl IntoIterator<Item = Option<T>>) -> Value {
    let hex = |bytes: T| {
        let mut text = String::from("\\x");
        hex::write(&mut text, bytes.as_ref());
        text
    };
    optional(column.into_iter().map(|bytes| bytes.map(hex)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_with_nulls_are_quoted() {
        let column = [None, Some("a"), Some(""), Some("NULL"), Some("q\"b\\c,{}\0")];
        assert_eq!(optional(column), Value::from("{NULL,\"a\",\"\",\"NULL\",\"q\\\"b\\\\c,{}\u{fffd}\"}"));
        assert_eq!(optional_bytes([Some([1, 255]), None]), Value::from("{\"\\\\x01ff\",NULL}"));
        assert_eq!(optional_bigints([]), Value::from("{}"));
    }
}
