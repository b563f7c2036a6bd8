//! Request bodies: JSON objects, read field by field so that everything wrong is said at once.

use std::{marker::PhantomData, str::FromStr, time::Duration};

use boltlink_core::{Field, Password};
use bytes::Bytes;
use http::header;
use poem::{Request, RequestBody, Result, error::ReadBodyError};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::{Json, Payload},
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use serde_json::{Map, Value};

use super::{
    json,
    problem::{Code, FieldError, Problem},
};

/// A JSON object, documented as `T`.
///
/// poem-openapi's own `Json<T>` stops at the first field that is wrong and does not say where; here the
/// operation reads the fields itself, by [`Fields`].
///
/// It may be `TIMES` times as long as a body is allowed to be in general.
pub(crate) struct Body<T, const TIMES: usize = 1>(pub(crate) Fields, PhantomData<fn() -> T>);

/// Bounds on a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

impl<'a, T: Type, const TIMES: usize> ApiExtractor<'a> for Body<T, TIMES> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !declared.is_some_and(Json::<T>::check_content_type) {
            let detail = "send the header 'Content-Type: application/json'";
            return Err(Problem::new(Code::UnsupportedMediaType, detail).into());
        }
        let limits = request.data::<BodyLimits>().copied();
        let limits = limits.unwrap_or(BodyLimits { bytes: 1 << 20, time: Duration::from_secs(30) });
        let bytes = take(body.take()?, BodyLimits { bytes: limits.bytes * TIMES, ..limits }).await?;
        match json::parse(&bytes) {
            Ok((_, twice)) if !twice.is_empty() => {
                let errors = twice.into_iter().map(|pointer| FieldError::at(pointer, "is there more than once"));
                Err(Problem::invalid(errors.collect()).into())
            }
            Ok((Value::Object(fields), _)) => Ok(Self(Fields::new(fields, String::new()), PhantomData)),
            Ok(_) => Err(Problem::invalid(vec![FieldError::at("", "must be a JSON object")]).into()),
            Err(error) => Err(Problem::new(Code::MalformedBody, format!("the body is no JSON: {error}")).into()),
        }
    }
}

/// All of a body, within its bounds.
pub(super) async fn take(body: poem::Body, limits: BodyLimits) -> Result<Bytes, Problem> {
    match tokio::time::timeout(limits.time, body.into_bytes_limit(limits.bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(ReadBodyError::PayloadTooLarge)) => {
            Err(Problem::new(Code::BodyTooLarge, format!("send at most {} bytes", limits.bytes)))
        }
        Ok(Err(error)) => Err(Problem::new(Code::MalformedBody, error.to_string())),
        Err(_) => {
            let detail = format!("it must be here within {} seconds", limits.time.as_secs());
            Err(Problem::new(Code::BodyTimeout, detail))
        }
    }
}

/// The fields of an object, and what has been found wrong with them.
pub(crate) struct Fields {
    fields: Map<String, Value>,
    /// Where the object stands in the body, as a JSON pointer.
    at: String,
    errors: Vec<FieldError>,
}

/// What is wrong with a value: where below it, and what.
pub(crate) struct Wrong {
    below: String,
    detail: String,
}

impl<E: std::error::Error> From<E> for Wrong {
    fn from(error: E) -> Self {
        must(error.to_string())
    }
}

pub(crate) fn must(detail: impl Into<String>) -> Wrong {
    Wrong { below: String::new(), detail: detail.into() }
}

impl Fields {
    pub(crate) const fn new(fields: Map<String, Value>, at: String) -> Self {
        Self { fields, at, errors: Vec::new() }
    }

    /// A field that is an object itself.
    pub(crate) fn object(&mut self, name: &str) -> Option<Self> {
        let fields =
            self.required(name, |value| value.as_object().cloned().ok_or_else(|| must("must be an object")))?;
        Some(Self::new(fields, format!("{}/{name}", self.at)))
    }

    /// A field that may be absent ([`Field::Keep`]) or null ([`Field::Clear`]).
    pub(crate) fn field<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Field<T> {
        match self.fields.remove(name) {
            None => Field::Keep,
            Some(Value::Null) => Field::Clear,
            Some(value) => match read(&value) {
                Ok(value) => Field::Set(value),
                Err(wrong) => {
                    self.refuse(format!("/{name}{}", wrong.below), wrong.detail);
                    Field::Keep
                }
            },
        }
    }

    /// A field of words that may be absent or null. Blank ones, as forms send them, are as good as null; `breaks`
    /// says whether they may have several lines.
    pub(crate) fn words<T: FromStr<Err: std::error::Error>>(&mut self, name: &str, breaks: bool) -> Field<T> {
        let blank = |c: char| c.is_whitespace() && (!c.is_control() || (breaks && matches!(c, '\n' | '\r' | '\t')));
        let read = |value: &Value| {
            let words = string(value)?;
            Ok(if words.chars().all(blank) { None } else { Some(words.parse()?) })
        };
        match self.field(name, read) {
            Field::Set(Some(words)) => Field::Set(words),
            Field::Set(None) | Field::Clear => Field::Clear,
            Field::Keep => Field::Keep,
        }
    }

    /// A field that may be absent or null, which is the same.
    pub(crate) fn optional<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        self.field(name, read).apply(None)
    }

    /// A field that may be absent but not null.
    pub(crate) fn solid<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        match self.field(name, read) {
            Field::Keep => None,
            Field::Set(value) => Some(value),
            Field::Clear => {
                self.refuse(format!("/{name}"), "must not be null; leave it out to keep it");
                None
            }
        }
    }

    /// A field that must be there.
    pub(crate) fn required<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.fields.remove(name);
            self.refuse(format!("/{name}"), "is required");
            return None;
        }
        self.optional(name, read)
    }

    /// Notes what is wrong across fields.
    pub(crate) fn refuse(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.errors.push(FieldError::at(format!("{}{}", self.at, pointer.into()), detail));
    }

    /// Two fields that were required, if all was well; see [`finish`](Self::finish).
    pub(crate) fn both<A, B>(self, one: Option<A>, other: Option<B>) -> Result<(A, B), Problem> {
        self.finish()?;
        // Not reached: that one is absent was noted.
        one.zip(other).ok_or_else(|| Problem::invalid(Vec::new()))
    }

    /// Whether all was well; what nobody has asked for is wrong too, so that a misspelled field is not
    /// silently ignored.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.fields).into_iter().map(|(name, _)| name) {
            self.refuse(format!("/{}", json::escape(&name)), "is not a field of this request");
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}

/// Text that is parsed into a domain type.
pub(crate) fn text<T: FromStr<Err: std::error::Error>>(value: &Value) -> Result<T, Wrong> {
    Ok(string(value)?.parse()?)
}

pub(crate) fn string(value: &Value) -> Result<&str, Wrong> {
    value.as_str().ok_or_else(|| must("must be a string"))
}

/// A password that somebody types. Longer ones than any account has are refused before they cost work.
pub(crate) fn password(value: &Value) -> Result<String, Wrong> {
    let text = string(value)?;
    if Password::is_too_long(text) {
        return Err(must(format!("must have at most {} characters", Password::MAX)));
    }
    Ok(text.to_owned())
}

pub(crate) fn boolean(value: &Value) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| must("must be true or false"))
}

/// A whole number that is checked by a domain type.
pub(crate) fn number<N: TryFrom<u64>, T: TryFrom<N, Error: std::error::Error>>(value: &Value) -> Result<T, Wrong> {
    let number = value.as_u64().ok_or_else(|| must("must be a whole number"))?;
    // Too large for `N`: let the domain type say what it wants, by way of a value it refuses.
    let number = N::try_from(number).or_else(|_| N::try_from(0)).map_err(|_| must("must be a whole number"))?;
    Ok(T::try_from(number)?)
}

/// An array, each element read by `read`.
pub(crate) fn array<T>(value: &Value, read: impl Fn(&Value) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    let elements = value.as_array().ok_or_else(|| must("must be an array"))?;
    elements
        .iter()
        .enumerate()
        .map(|(at, element)| {
            read(element).map_err(|wrong| Wrong { below: format!("/{at}{}", wrong.below), detail: wrong.detail })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use boltlink_core::{MaxVisits, RedirectKind, Tag};

    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::new(serde_json::from_str(json).unwrap(), String::new())
    }

    #[test]
    fn says_everything_that_is_wrong() {
        let mut fields = fields(r#"{"tags": ["a", ""], "redirect": 99999, "max_visits": "9", "a/b~c": 1, "on": null}"#);
        assert!(fields.required("target", text::<Tag>).is_none());
        fields.optional("tags", |value| array(value, text::<Tag>));
        fields.optional("redirect", number::<u16, RedirectKind>);
        fields.optional("max_visits", number::<u64, MaxVisits>);
        fields.solid("on", boolean);
        let pointers: Vec<_> = fields.errors.iter().filter_map(|error| error.pointer.as_deref()).collect();
        assert_eq!(pointers, ["/target", "/tags/1", "/redirect", "/max_visits", "/on"]);
        assert_eq!(fields.errors[2].detail, "must be 301, 302, 307 or 308");
        assert!(String::from_utf8_lossy(&fields.finish().unwrap_err().to_bytes()).contains("\"/a~1b~0c\""));
    }

    #[test]
    fn absent_null_and_set_are_three_things() {
        let mut fields = fields(r#"{"a": null, "b": "x"}"#);
        assert_eq!(fields.field("a", text::<Tag>), Field::Clear);
        assert!(matches!(fields.field("b", text::<Tag>), Field::Set(_)));
        assert_eq!(fields.field("c", text::<Tag>), Field::Keep);
        assert!(fields.finish().is_ok());
    }
}
