//! Scalars of the API that need their own schema.

use std::borrow::Cow;

use boltlink_core::{RedirectKind, Timestamp};
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde_json::Value;

/// A moment: RFC 3339, in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) Timestamp);

/// The status of a redirect: an integer of four.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RedirectStatus(pub(crate) RedirectKind);

macro_rules! scalar {
    ($name:ident, $schema:expr, $to_json:expr, $parse:expr) => {
        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some($to_json(self))
            }
        }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                let value = value.unwrap_or_default();
                let parse: fn(&Value) -> Option<Self> = $parse;
                parse(&value).ok_or_else(|| ParseError::expected_type(value))
            }
        }
    };
}

scalar!(
    Moment,
    MetaSchema::new_with_format("string", "date-time"),
    |moment: &Self| Value::String(moment.0.to_string()),
    |value| value.as_str()?.parse().ok().map(Self)
);

scalar!(
    RedirectStatus,
    MetaSchema {
        enum_items: [301, 302, 307, 308].map(Value::from).into(),
        ..MetaSchema::new_with_format("integer", "int32")
    },
    |status: &Self| Value::from(status.0.code()),
    |value| RedirectKind::try_from(u16::try_from(value.as_u64()?).ok()?).ok().map(Self)
);
