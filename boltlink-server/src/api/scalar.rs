//! Scalars of the API that need their own schema.

use std::borrow::Cow;

use boltlink_core::{RedirectKind, Timestamp};
use chrono::NaiveDate;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde_json::Value;

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

/// Texts that are documented with more than their type: what they stand for is checked where they are read.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $schema:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name(pub(crate) String);

        scalar!($name, $schema, |text: &Self| Value::from(text.0.as_str()), |value| {
            Some(Self(value.as_str()?.to_owned()))
        });

        impl ParseFromParameter for $name {
            fn parse_from_parameter(value: &str) -> ParseResult<Self> {
                Ok(Self(value.to_owned()))
            }
        }
    )+};
}

/// A text with bounds on its length, and a pattern.
fn text(length: std::ops::RangeInclusive<usize>, pattern: &str) -> MetaSchema {
    MetaSchema {
        min_length: Some(*length.start()).filter(|length| *length > 0),
        max_length: Some(*length.end()),
        pattern: Some(pattern.to_owned()).filter(|pattern| !pattern.is_empty()),
        ..MetaSchema::new("string")
    }
}

/// Slugs where only ASCII is taken, and where all scripts are.
pub(crate) const SLUG_PATTERN: &str = "^[A-Za-z0-9_-]+$";
pub(crate) const UNICODE_SLUG_PATTERN: &str = r"^[\p{L}\p{M}\p{N}_-]+$";

texts! {
    /// Where a link leads.
    Target: MetaSchema { format: Some("uri"), ..text(1..=8192, "^ *[Hh][Tt][Tt][Pp][Ss]?:") };
    /// A slug to be given.
    SlugText: text(1..=128, SLUG_PATTERN);
    /// A title; blank is as good as null.
    TitleText: text(0..=512, r"^[^\x00-\x1f\x7f-\x9f]*$");
    /// A note, of at most 4096 bytes of UTF-8; blank is as good as null.
    NoteText: text(0..=4096, r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$");
    /// A tag: something that is not blank.
    TagText: text(1..=64, r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$");
    /// What links are searched for: one word at least is long enough.
    SearchWords: text(3..=100, r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f]{3}[^\x00-\x1f\x7f-\x9f]*$");
    /// An id in a path. One that is none names nothing, which is no fault of the request's form.
    IdText: MetaSchema::new_with_format("string", "uuid");
    /// What an API key is called.
    KeyNameText: text(1..=128, r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$");
    /// An e-mail address.
    EmailText: MetaSchema { format: Some("email"), ..text(3..=254, "") };
    /// A password.
    PasswordText: MetaSchema { format: Some("password"), ..text(0..=128, "") };
    /// A password of a link.
    LinkPasswordText: MetaSchema { format: Some("password"), ..text(1..=128, "") };
    /// What a one-time link has in it.
    TicketText: text(101..=101, "^blo_[0-9a-f]{32}_[0-9a-f]{64}$");
    /// What an API key is good for.
    ScopeName: MetaSchema {
        enum_items: boltlink_core::Scope::ALL.map(|scope| Value::from(scope.as_str())).into(),
        ..MetaSchema::new("string")
    };
    /// What an account may do at most; its API keys may do less.
    RoleName: MetaSchema {
        enum_items: boltlink_core::Role::ALL.map(|role| Value::from(role.as_str())).into(),
        ..MetaSchema::new("string")
    };
    /// A network, or a single address.
    NetworkText: text(2..=43, "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$");
    /// A key that makes a request repeatable.
    RequestKey: text(1..=255, "^[!-~]+$");
    /// One entity tag, or any.
    EntityTag: text(1..=255, "^(\\*|(W/)?\"[!#-~]*\")$");
    /// The place where a list goes on.
    CursorText: text(80..=80, super::cursor::PATTERN);
    /// The id of any object.
    ObjectText: text(1..=255, "^[!-~]+$");
    /// The id of a dead letter.
    DeadLetterText: text(1..=80, r"^(totals|analytics)\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,20}$");
    /// A colour of a picture.
    ColorText: text(6..=7, "^#?[0-9A-Fa-f]{6}$");
    /// A colour of a picture, or none.
    BackgroundText: text(6..=11, "^(#?[0-9A-Fa-f]{6}|transparent)$");
}

/// A moment: RFC 3339, in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) Timestamp);

/// A day. chrono's own type is documented with a format that is none of OpenAPI's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Date(pub(crate) NaiveDate);

/// The status of a redirect: an integer of four.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RedirectStatus(pub(crate) RedirectKind);

/// A value or null. poem-openapi documents an `Option` as a value that may be absent, and never as one
/// that may be null.
#[derive(Debug, Clone)]
pub(crate) struct Nullable<T>(pub(crate) Option<T>);

scalar!(
    Moment,
    MetaSchema::new_with_format("string", "date-time"),
    |moment: &Self| Value::String(moment.0.to_string()),
    |value| value.as_str()?.parse().ok().map(Self)
);

scalar!(
    Date,
    MetaSchema::new_with_format("string", "date"),
    |date: &Self| Value::String(date.0.to_string()),
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

impl ParseFromParameter for Moment {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        value.parse().map(Self).map_err(ParseError::custom)
    }
}

impl ParseFromParameter for Date {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        // chrono reads more than RFC 3339's ten characters: spaces, single digits, years of six digits.
        let date = value.parse().ok().filter(|date: &NaiveDate| value.len() == 10 && date.to_string() == value);
        date.map(Self).ok_or_else(|| ParseError::custom("must be a date such as 2027-01-31"))
    }
}

impl<T: Type> Type for Nullable<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = T::RawValueType;
    type RawElementValueType = T::RawElementValueType;

    fn name() -> Cow<'static, str> {
        format!("nullable_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref().merge(MetaSchema { nullable: true, ..MetaSchema::ANY })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_ref().and_then(Type::as_raw_value)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        match &self.0 {
            Some(value) => value.raw_element_iter(),
            None => Box::new(std::iter::empty()),
        }
    }
}

impl<T: ToJSON> ToJSON for Nullable<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.as_ref().and_then(ToJSON::to_json).unwrap_or_default())
    }
}

impl<T: ParseFromJSON> ParseFromJSON for Nullable<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value.unwrap_or_default() {
            Value::Null => Ok(Self(None)),
            value => T::parse_from_json(Some(value)).map(|value| Self(Some(value))).map_err(ParseError::propagate),
        }
    }
}
