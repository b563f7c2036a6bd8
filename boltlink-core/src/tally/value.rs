//! What a click counts for, by dimension.

use std::borrow::Cow;

use super::text::Texts;
use crate::{click::Entry, store::Dimension};

/// Different values of dimensions, each with a number.
#[derive(Debug, Default)]
pub(super) struct Values([Texts; DIMENSIONS]);

const DIMENSIONS: usize = Dimension::ALL.len();

/// The numbers of what the texts of one batch say of each dimension, as far as somebody has asked: most texts are many
/// clicks'.
#[derive(Debug)]
pub(super) struct Said<'a> {
    texts: &'a [&'a str],
    /// The last ones are of no text.
    numbers: Vec<[Option<u32>; DIMENSIONS]>,
}

impl<'a> Said<'a> {
    pub(super) fn by(texts: &'a [&'a str]) -> Self {
        Self { texts, numbers: vec![[None; DIMENSIONS]; texts.len() + 1] }
    }

    /// What a click says of each dimension.
    pub(super) fn of(&mut self, click: &Entry, values: &mut Values) -> [u32; DIMENSIONS] {
        let [referrer, _, language] = click.texts;
        Dimension::ALL.map(|dimension| {
            let which = match dimension {
                Dimension::Referrer => referrer,
                Dimension::Language => language,
            };
            let known = &mut self.numbers[which.unwrap_or(self.texts.len())][dimension as usize];
            *known.get_or_insert_with(|| {
                let text = which.map_or("", |which| self.texts[which]);
                values.number(
                    dimension,
                    &match dimension {
                        Dimension::Referrer => referrer_host(text),
                        Dimension::Language => primary_language(text),
                    },
                )
            })
        })
    }
}

impl Values {
    /// The numbers of the dimensions take turns.
    fn number(&mut self, dimension: Dimension, value: &str) -> u32 {
        self.0[dimension as usize].number(value) * DIMENSIONS as u32 + dimension as u32
    }

    pub(super) fn text(&self, number: u32) -> (Dimension, &str) {
        let dimension = number as usize % DIMENSIONS;
        (Dimension::ALL[dimension], self.0[dimension].text(number / DIMENSIONS as u32))
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.0.iter().map(Texts::weight).sum()
    }

    /// Forgets everything but the memory that it took.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Texts::clear);
    }
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
