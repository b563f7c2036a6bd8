//! The kinds of values that say where traces go.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::value::{Value, Wrong, items, quoted};

/// Where an OpenTelemetry collector listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtlpEndpoint(pub(crate) Url);

impl Value for OtlpEndpoint {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let plain = |url: &Url| {
            let bare = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && bare
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let what = "must be an http or https URL without a user, a query or a fragment";
        Url::parse(text).ok().filter(plain).map(Self).ok_or_else(|| Wrong {
            what: what.into(),
            fix: Some("who sends is said by otlp_headers, such as authorization=Basic%20<token>".into()),
        })
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// Headers for it, as OpenTelemetry writes them: `name=value,name=value`, values percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OtlpHeaders(pub(crate) HashMap<String, String>);

impl Value for OtlpHeaders {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        let header = |item: &str| {
            let (name, value) = item.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let name: HeaderName = name.trim().parse().ok()?;
            HeaderValue::from_str(&value).ok()?;
            Some((name.to_string(), value.into_owned()))
        };
        let headers: Option<_> = items(text).map(header).collect();
        headers.map(Self).ok_or_else(|| Wrong::new("must be headers as name=value, separated by commas"))
    }

    fn to_toml(&self) -> Option<String> {
        None
    }
}

/// Which share of all requests: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share(pub(crate) f64);

impl Value for Share {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| Wrong::new("must be a number from 0 (none) to 1 (all)"))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.0))
    }
}
