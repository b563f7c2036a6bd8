//! JSON, read strictly: an object that has a field twice means nothing (RFC 8259 section 4), and which of the two a
//! reader takes has been the way past many a check.

use std::cell::RefCell;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Reads a text. Fields that are there twice are told as JSON pointers (RFC 6901), the first value is kept.
///
/// # Errors
/// If it is no JSON.
pub(crate) fn parse(text: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let twice = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { at: &At::Top, twice: &twice }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, twice.into_inner()))
}

/// A field's name as it stands in a pointer.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Where a value stands; put into words only if something is wrong there.
enum At<'a> {
    Top,
    Field(&'a At<'a>, &'a str),
    Element(&'a At<'a>, usize),
}

impl At<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Top => String::new(),
            Self::Field(above, name) => format!("{}/{}", above.pointer(), escape(name)),
            Self::Element(above, index) => format!("{}/{index}", above.pointer()),
        }
    }
}

struct Strict<'a> {
    at: &'a At<'a>,
    twice: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let at = At::Element(self.at, values.len());
            match elements.next_element_seed(Strict { at: &at, twice: self.twice })? {
                Some(value) => values.push(value),
                None => return Ok(values.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(Name(name)) = fields.next_key()? {
            let at = At::Field(self.at, &name);
            let value = fields.next_value_seed(Strict { at: &at, twice: self.twice })?;
            if values.contains_key(&name) {
                tell(&mut self.twice.borrow_mut(), &at);
            } else {
                values.insert(name, value);
            }
        }
        Ok(values.into())
    }
}

/// Tells of some, not of all: a body could repeat a field a million times below names that are long.
fn tell(twice: &mut Vec<String>, at: &At<'_>) {
    if twice.len() < TOLD && twice.iter().map(String::len).sum::<usize>() < TOLD_BYTES {
        twice.push(at.pointer());
    }
}

/// How many repetitions are told.
const TOLD: usize = 100;
/// How long their pointers are together, but for the last.
const TOLD_BYTES: usize = 16 << 10;

#[derive(Deserialize)]
struct Name(String);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#"{"a": [1, -2, 1.5, true, null, "\u00e4"], "b": {"c": {}}, "": []}"#;
        let (value, twice) = parse(text.as_bytes()).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        assert!(twice.is_empty());
        for bad in ["", "{", "{} x", "[1,]", "\u{feff}{}", &"[".repeat(500), "\"\\ud800\""] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_crowd_of_repetitions_is_not_told_one_by_one() {
        let (_, twice) = parse(format!("{{{}\"a\":1}}", "\"a\":1,".repeat(5_000)).as_bytes()).unwrap();
        assert_eq!(twice.len(), TOLD);
        let (_, twice) =
            parse(format!("{{\"{}\":{{{}\"a\":1}}}}", "x".repeat(50_000), "\"a\":1,".repeat(9)).as_bytes()).unwrap();
        assert_eq!(twice.len(), 1);
    }

    #[test]
    fn fields_that_are_there_twice_are_told() {
        let (value, twice) = parse(br#"{"a": 1, "b": [{"x/y": 1, "x/y": 2}], "a": 2, "\u0061": 3}"#).unwrap();
        assert_eq!(twice, ["/b/0/x~1y", "/a", "/a"]);
        assert_eq!(value, json!({ "a": 1, "b": [{ "x/y": 1 }] }));
    }
}
