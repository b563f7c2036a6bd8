//! Adding clicks up before they are stored: what both sinks of every store do first.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    click::{ClickBatch, clamp_skew},
    id::LinkId,
    store::Dimension,
    time::Timestamp,
};

/// The clicks per link, in the order of the links (the order in which rows are locked).
pub fn totals<'a>(batches: impl IntoIterator<Item = &'a ClickBatch>) -> BTreeMap<LinkId, u64> {
    let mut totals = BTreeMap::new();
    for batch in batches {
        for click in batch.clicks() {
            *totals.entry(click.link).or_default() += 1;
        }
    }
    totals
}

/// Clicks added up by time and by dimension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollups {
    /// Clicks per link and hour ([`Timestamp::hour`]).
    pub hours: BTreeMap<(LinkId, i64), u64>,
    /// Clicks per link, day ([`Timestamp::day`]), dimension and value. Not bounded yet: the store
    /// knows which values it has and sends the rest to [`Dimension::OTHER`].
    pub values: BTreeMap<(LinkId, i64, Dimension), BTreeMap<String, u64>>,
}

/// Adds up what the batches say, as of `now`.
pub fn rollups<'a>(batches: impl IntoIterator<Item = &'a ClickBatch>, now: Timestamp) -> Rollups {
    let mut rollups = Rollups::default();
    for batch in batches {
        for click in batch.clicks() {
            let at = clamp_skew(click.at, now);
            *rollups.hours.entry((click.link, at.hour())).or_default() += 1;
            let day = at.day();
            let mut count = |dimension, value: &str| {
                let values = rollups.values.entry((click.link, day, dimension)).or_default();
                // Most values have been seen: look before paying for a String.
                match values.get_mut(value) {
                    Some(clicks) => *clicks += 1,
                    None => {
                        values.insert(value.to_owned(), 1);
                    }
                }
            };
            count(Dimension::Referrer, &referrer_host(click.referrer.unwrap_or_default()));
            count(Dimension::Language, &primary_language(click.language.unwrap_or_default()));
        }
    }
    rollups
}

/// The longest value kept of a dimension, in bytes: a DNS name's bound.
const MAX_VALUE: usize = 253;

/// The host of a referring page, without `www.`, in lower case; [`Dimension::NONE`] if there is none.
fn referrer_host(referrer: &str) -> Cow<'_, str> {
    let host = referrer
        .split_once("://")
        .map(|(_, rest)| rest)
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .map(|authority| authority.rsplit_once('@').map_or(authority, |(_, host)| host))
        .map_or("", |host| if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() });
    let host = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('.');
    let clean = host.len() <= MAX_VALUE && host.bytes().all(|b| b.is_ascii_graphic());
    if clean { lowercase(host) } else { Cow::Borrowed(Dimension::NONE) }
}

/// The primary subtag of the first language range (RFC 9110 section 12.5.4), in lower case.
fn primary_language(accepted: &str) -> Cow<'_, str> {
    let first = accepted.split([',', ';', '-', '_']).next().unwrap_or_default().trim();
    let clean = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    if clean { lowercase(first) } else { Cow::Borrowed(Dimension::NONE) }
}

/// Most are in lower case as they come, and cost nothing then.
fn lowercase(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_referrers() {
        for (referrer, host) in [
            ("https://www.Example.com/path?q", "example.com"),
            ("http://user@example.com:8080", "example.com"),
            ("android-app://com.example.app/", "com.example.app"),
            ("https://[2001:db8::1]/x", "[2001:db8::1]"),
            ("nonsense", ""),
            ("https://a b/", ""),
            ("", ""),
        ] {
            assert_eq!(referrer_host(referrer), host, "{referrer}");
        }
    }

    #[test]
    fn reads_languages() {
        for (accepted, language) in [("de-DE,de;q=0.9,en;q=0.8", "de"), ("EN", "en"), ("*", ""), ("", ""), ("d3", "")] {
            assert_eq!(primary_language(accepted), language, "{accepted}");
        }
    }
}
