//! The part of a short link that people type.

use std::{fmt, str::FromStr};

/// The longest slug, in characters.
pub const MAX_LENGTH: usize = 128;

/// Names at the root that belong to the service: no link can take them, in any case.
pub const RESERVED: &[&str] = &[
    "health",
    "ready",
    "metrics",
    "docs",
    "openapi.json",
    "robots.txt",
    "favicon.ico",
    "api",
    "dashboard",
    ".well-known",
    "admin",
    "assets",
    "static",
    "login",
    "logout",
    "oauth",
    "rest",
    "v4",
    "sitemap.xml",
];

/// 1 to 128 of `[A-Za-z0-9_-]`, not a [reserved](RESERVED) word. Case matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(Box<str>);

/// Why a text is no slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSlug {
    /// Nothing, or more than [`MAX_LENGTH`].
    #[error("must have 1 to {MAX_LENGTH} characters")]
    Length,
    /// A character outside `[A-Za-z0-9_-]`.
    #[error("must consist of letters A-Z and a-z, digits, '-' and '_'")]
    Character,
    /// One of [`RESERVED`].
    #[error("is reserved for the service itself; choose another")]
    Reserved,
}

impl Slug {
    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a link could have this slug. Allocates nothing: this is how a request is judged.
    ///
    /// # Errors
    /// Why no link can have it.
    pub fn check(text: &str) -> Result<(), InvalidSlug> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(InvalidSlug::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(InvalidSlug::Character);
        }
        if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Err(InvalidSlug::Reserved);
        }
        Ok(())
    }

    /// A slug out of a generator, whose alphabet and length are known to be right. Should it spell
    /// a reserved word, it gets one more letter.
    pub(crate) fn generated(mut text: String) -> Self {
        if Self::check(&text) == Err(InvalidSlug::Reserved) {
            text.push('2');
        }
        Self(text.into())
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::check(text).map(|()| Self(text.into()))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_and_refuses() {
        for good in ["a", "Ab-9_", &"x".repeat(128)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", InvalidSlug::Length),
            (&*"x".repeat(129), InvalidSlug::Length),
            ("a b", InvalidSlug::Character),
            ("a/b", InvalidSlug::Character),
            ("ä", InvalidSlug::Character),
            ("API", InvalidSlug::Reserved),
            ("v4", InvalidSlug::Reserved),
        ] {
            assert_eq!(bad.parse::<Slug>(), Err(why), "{bad}");
        }
    }
}
