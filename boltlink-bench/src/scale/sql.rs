//! Expressions that the two engines spell differently.

use super::store::Kind;

impl Kind {
    /// A join with the numbers from 0 to one below `count`, as `name.n`. In the order of what it is joined to.
    pub(super) fn each(self, count: &str, name: &str) -> String {
        match self {
            Self::Sqlite => format!("CROSS JOIN number {name} ON {name}.n < {count}"),
            Self::Postgres => format!("CROSS JOIN LATERAL generate_series(0::bigint, ({count}) - 1) AS {name} (n)"),
        }
    }

    /// A JSON object, as text, of `value` by `key` for the numbers from 0 to one below `count`, as `name.n`.
    pub(super) fn object(self, key: &str, value: &str, count: &str, name: &str) -> String {
        match self {
            Self::Sqlite => {
                format!("(SELECT json_group_object({key}, {value}) FROM number {name} WHERE {name}.n < {count})")
            }
            Self::Postgres => format!(
                "(SELECT json_object_agg({key}, {value})::text FROM generate_series(0::bigint, ({count}) - 1) AS {name} (n))"
            ),
        }
    }

    /// The lesser one.
    pub(super) fn least(self, a: &str, b: &str) -> String {
        let function = if self == Self::Sqlite { "MIN" } else { "LEAST" };
        format!("{function}({a}, {b})")
    }

    /// A number with leading zeros.
    pub(super) fn digits(self, width: usize, number: &str) -> String {
        match self {
            Self::Sqlite => format!("printf('%0{width}d', {number})"),
            Self::Postgres => format!("lpad(({number})::text, {width}, '0')"),
        }
    }

    /// A number in hexadecimal, with leading zeros.
    pub(super) fn hex(self, width: usize, number: &str) -> String {
        match self {
            Self::Sqlite => format!("printf('%0{width}x', {number})"),
            Self::Postgres => format!("lpad(to_hex({number}), {width}, '0')"),
        }
    }

    /// The bytes of a text in hexadecimal.
    pub(super) fn bytes(self, hex: &str) -> String {
        match self {
            Self::Sqlite => format!("unhex({hex})"),
            Self::Postgres => format!("decode({hex}, 'hex')"),
        }
    }

    /// A UUID of the text of its 32 digits.
    pub(super) fn uuid(self, hex: &str) -> String {
        match self {
            Self::Sqlite => format!("unhex({hex})"),
            Self::Postgres => format!("({hex})::uuid"),
        }
    }

    /// A UUIDv7 of a time in microseconds and a number of 52 bits that makes it unique.
    pub(super) fn uuid_v7(self, micros: &str, unique: &str) -> String {
        let time = self.hex(12, &format!("({micros}) / 1000"));
        let (head, tail) = (self.hex(3, &format!("({unique}) % 4096")), self.hex(15, unique));
        self.uuid(&format!("{time} || '7' || {head} || '8' || {tail}"))
    }

    /// A UUID as text of its 32 digits.
    pub(super) fn uuid_text(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("lower(hex({column}))"),
            Self::Postgres => format!("replace({column}::text, '-', '')"),
        }
    }

    /// A text of the number's two characters of `characters`.
    pub(super) fn pair(self, characters: &str, number: &str) -> String {
        match self {
            Self::Sqlite => format!("substr('{characters}', 2 * ({number}) + 1, 2)"),
            Self::Postgres => format!("substr('{characters}', (2 * ({number}) + 1)::int, 2)"),
        }
    }
}
