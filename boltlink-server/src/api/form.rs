//! What a page's form sends.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use url::form_urlencoded;

use super::{
    body::{BodyLimits, take},
    problem::{Code, Problem},
};

/// More than any browser sends of a form of ours.
const MOST_BYTES: usize = 4 << 10;

/// The fields of a form, as browsers encode them (URL standard, `application/x-www-form-urlencoded`).
pub(crate) struct FormData(Bytes);

impl FormData {
    /// Reads a request's body, which must be here within `time`.
    pub(crate) async fn read(headers: &HeaderMap, body: poem::Body, time: Duration) -> Result<Self, Problem> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Problem::new(Code::UnsupportedMediaType, "send the page's own form"));
        }
        Ok(Self(take(body, BodyLimits { bytes: MOST_BYTES, time }).await?))
    }

    /// A field's value; empty if there is none.
    pub(crate) fn field(&self, name: &str) -> String {
        field(&self.0, name)
    }
}

/// The value of a field of a form, or of a parameter of a query; empty if there is none.
pub(crate) fn field(encoded: &[u8], name: &str) -> String {
    let mut fields = form_urlencoded::parse(encoded);
    fields.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}
