//! Values and rows, whatever the engine.

use sea_orm::{QueryResult, Value};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Error;

/// A row, in the order of its table's columns.
pub(super) type Row = Vec<Datum>;

/// A value as both engines can keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Datum {
    Null,
    /// A number, or a truth as 0 or 1.
    Int(i64),
    Text(String),
    /// Bytes, or a UUID.
    Bytes(Vec<u8>),
}

/// What a column holds, as its own engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Bool,
    Text,
    Bytes,
    Uuid,
}

impl Kind {
    /// Reads the name of a type, of either engine.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "integer" | "smallint" | "bigint" => Self::Int,
            "boolean" => Self::Bool,
            "text" => Self::Text,
            "blob" | "bytea" => Self::Bytes,
            "uuid" => Self::Uuid,
            _ => return None,
        })
    }

    /// Whether one can hold what the other does.
    pub(super) const fn is_like(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Int, Self::Int)
                | (Self::Bool, Self::Bool)
                | (Self::Text, Self::Text)
                | (Self::Bytes | Self::Uuid, Self::Bytes | Self::Uuid)
        )
    }

    /// What to select of `column` to read it as a [`Datum`].
    pub(super) fn selected(self, column: &str) -> String {
        match self {
            Self::Int => format!("CAST({column} AS BIGINT)"),
            Self::Bool => format!("CAST(CAST({column} AS INTEGER) AS BIGINT)"),
            Self::Text | Self::Bytes => column.to_owned(),
            Self::Uuid => format!("uuid_send({column})"),
        }
    }

    /// Reads what was [`selected`](Self::selected).
    pub(super) fn read(self, row: &QueryResult, at: usize) -> Result<Datum, Error> {
        let datum = match self {
            Self::Int | Self::Bool => row.try_get_by_index::<Option<i64>>(at)?.map(Datum::Int),
            // Postgres keeps no such character; and both ends must show the same.
            Self::Text => {
                row.try_get_by_index::<Option<String>>(at)?.map(|text| Datum::Text(text.replace('\0', "\u{fffd}")))
            }
            Self::Bytes | Self::Uuid => row.try_get_by_index::<Option<Vec<u8>>>(at)?.map(Datum::Bytes),
        };
        Ok(datum.unwrap_or(Datum::Null))
    }

    /// The value to write, or to compare with.
    pub(super) fn value(self, datum: &Datum) -> Value {
        match (self, datum) {
            (Self::Bool, Datum::Int(number)) => Value::Bool(Some(*number != 0)),
            (Self::Bool, _) => Value::Bool(None),
            (Self::Int, Datum::Int(number)) => Value::BigInt(Some(*number)),
            (Self::Int, _) => Value::BigInt(None),
            (Self::Text, Datum::Text(text)) => text.clone().into(),
            (Self::Text, _) => Value::String(None),
            (Self::Bytes, Datum::Bytes(bytes)) => bytes.clone().into(),
            (Self::Bytes, _) => Value::Bytes(None),
            // Bytes that are none would not have been read from a column of this kind, nor from one of SQLite's ids.
            (Self::Uuid, Datum::Bytes(bytes)) => Value::Uuid(Uuid::from_slice(bytes).ok()),
            (Self::Uuid, _) => Value::Uuid(None),
        }
    }
}

impl Datum {
    /// How much memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Int(_) => 0,
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
            }
    }

    /// Adds it to a digest, in a way that no two rows share.
    pub(super) fn digest(&self, into: &mut Sha256) {
        let mut tagged = |tag: u8, bytes: &[u8]| {
            into.update([tag]);
            into.update((bytes.len() as u64).to_be_bytes());
            into.update(bytes);
        };
        match self {
            Self::Null => tagged(0, &[]),
            Self::Int(number) => tagged(1, &number.to_be_bytes()),
            Self::Text(text) => tagged(2, text.as_bytes()),
            Self::Bytes(bytes) => tagged(3, bytes),
        }
    }

    /// Bytes become a list of numbers, texts and numbers themselves.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Int(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(bytes) => bytes.as_slice().into(),
        }
    }

    pub(super) fn from_json(json: &Json) -> Option<Self> {
        Some(match json {
            Json::Null => Self::Null,
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(bytes) => {
                let bytes = bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok());
                Self::Bytes(bytes.collect::<Option<_>>()?)
            }
            number => Self::Int(number.as_i64()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_goes_through_json() {
        let data = [
            Datum::Null,
            Datum::Int(i64::MIN),
            Datum::Int(i64::MAX),
            Datum::Text("7 \"ü\"\n".into()),
            Datum::Bytes(vec![]),
            Datum::Bytes(vec![0, 255]),
        ];
        for datum in data {
            let text = datum.to_json().to_string();
            assert_eq!(Datum::from_json(&text.parse().unwrap()), Some(datum), "{text}");
        }
    }

    #[test]
    fn no_two_rows_share_a_digest() {
        let text = |text: &str| Datum::Text(text.into());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("abc"), Datum::Null],
            vec![Datum::Null, text("abc")],
            vec![Datum::Bytes(b"ab".to_vec()), text("c")],
        ];
        let digest = |row: &Row| {
            let mut sum = Sha256::new();
            row.iter().for_each(|datum| datum.digest(&mut sum));
            sum.finalize()
        };
        for (one, row) in rows.iter().enumerate() {
            for other in &rows[one + 1..] {
                assert_ne!(digest(row), digest(other), "{row:?} and {other:?}");
            }
        }
    }
}
