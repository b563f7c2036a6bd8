//! The part of a short link that people type.

use std::{fmt, str::FromStr};

use compact_str::CompactString;
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

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

/// 1 to 128 characters: letters, digits, `-` and `_`, in Unicode's normal form C (UAX #15), not a
/// [reserved](RESERVED) word. Compared byte for byte.
///
/// What a service takes of these, and in which spelling, is for its [`SlugRules`] to say; [`FromStr`] is for
/// slugs that were parsed by them before.
///
/// Up to 24 bytes are kept where the slug is, as the cache of links compares them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(CompactString);

/// Why a text is no slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSlug {
    /// Nothing, or more than [`MAX_LENGTH`].
    #[error("must have 1 to {MAX_LENGTH} characters")]
    Length,
    /// A character outside `[A-Za-z0-9_-]`, where no others are allowed.
    #[error("must consist of letters A-Z and a-z, digits, '-' and '_'")]
    Character,
    /// A character that is no letter or digit of any script, nor `-` or `_`.
    #[error("must consist of letters, digits, '-' and '_'")]
    Letter,
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

    /// A slug out of a generator, whose alphabet and length are known to be right. Should it spell
    /// a reserved word, it gets one more letter.
    pub(crate) fn generated(mut text: String) -> Self {
        if is_reserved(&text) {
            text.push('2');
        }
        Self(text.into())
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        SlugRules { unicode: true, ..SlugRules::default() }.parse(text)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether slugs that differ in case only are one slug. Fixed when a service first starts, because links
/// that were two would become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum SlugCase {
    /// `Abc` and `abc` are two slugs.
    #[default]
    Sensitive,
    /// `Abc` and `abc` are one slug, kept in lower case.
    Insensitive,
}

impl fmt::Display for SlugCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sensitive => "sensitive",
            Self::Insensitive => "insensitive",
        })
    }
}

/// The text names no [`SlugCase`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be sensitive or insensitive")]
pub struct InvalidSlugCase;

impl FromStr for SlugCase {
    type Err = InvalidSlugCase;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sensitive" => Ok(Self::Sensitive),
            "insensitive" => Ok(Self::Insensitive),
            _ => Err(InvalidSlugCase),
        }
    }
}

/// Which slugs a service takes, and how it spells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlugRules {
    /// Whether case matters.
    pub case: SlugCase,
    /// Whether letters and digits of all scripts are taken, or only those of ASCII.
    pub unicode: bool,
}

impl SlugRules {
    /// The slug that `text` spells: in normal form C, and in lower case where case does not matter.
    ///
    /// # Errors
    /// Why no link can have it.
    pub fn parse(self, text: &str) -> Result<Slug, InvalidSlug> {
        // Nothing that is longer can shrink to a slug.
        if text.is_empty() || text.len() > MAX_LENGTH * LONGEST_CHARACTER {
            return Err(InvalidSlug::Length);
        }
        let spelled: CompactString = match self.case {
            SlugCase::Sensitive if text.is_ascii() => text.into(),
            SlugCase::Sensitive => text.nfc().collect(),
            // Letter by letter, as the same letters must be one slug wherever they stand: a sigma at the end of a word,
            // too. Lower-casing may leave the normal form.
            SlugCase::Insensitive => {
                let lower = text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c });
                lower.nfc().collect()
            }
        };
        if spelled.chars().count() > MAX_LENGTH {
            return Err(InvalidSlug::Length);
        }
        let letter = |c: char| (c.is_alphanumeric() || is_mark(c)) && !is_invisible(c);
        let fits = |c: char| if self.unicode { letter(c) } else { c.is_ascii_alphanumeric() };
        if !spelled.chars().all(|c| fits(c) || c == '-' || c == '_') {
            return Err(if self.unicode { InvalidSlug::Letter } else { InvalidSlug::Character });
        }
        if is_reserved(&spelled) {
            return Err(InvalidSlug::Reserved);
        }
        Ok(Slug(spelled))
    }

    /// The slug that a segment of a URL's path asks for, percent-encoded (RFC 3986 section 2.1) or not.
    ///
    /// # Errors
    /// Why no link can have it.
    pub fn parse_segment(self, segment: &str) -> Result<Slug, InvalidSlug> {
        match percent_decode_str(segment).decode_utf8() {
            Ok(text) => self.parse(&text),
            Err(_) => Err(InvalidSlug::Character),
        }
    }

    /// How a slug that was kept under other rules is spelled under these.
    #[must_use]
    pub fn respell(self, slug: &Slug) -> Slug {
        // What was valid stays so: lower case makes no reserved word, as those are reserved in any case.
        self.parse(slug.as_str()).unwrap_or_else(|_| slug.clone())
    }
}

/// UTF-8 needs at most so many bytes for a character.
const LONGEST_CHARACTER: usize = 4;

/// Whether the service itself owns the name, in any case.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Marks that stand with a letter, such as vowel signs and viramas: without them many scripts cannot be
/// written. Never the first of a normal form, but harmless there.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Letters and marks that are not to be seen (Unicode's Default_Ignorable_Code_Point): with them two slugs would look
/// the same, or one like nothing.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNICODE: SlugRules = SlugRules { case: SlugCase::Sensitive, unicode: true };
    const LOOSE: SlugRules = SlugRules { case: SlugCase::Insensitive, unicode: false };

    #[test]
    fn accepts_and_refuses() {
        let rules = SlugRules::default();
        for good in ["a", "Ab-9_", &"x".repeat(128)] {
            assert_eq!(rules.parse(good).unwrap().as_str(), good);
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
            assert_eq!(rules.parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn unicode_is_taken_in_one_spelling() {
        for (text, slug) in [("a\u{308}", "ä"), ("日本", "日本"), ("हिन्दी", "हिन्दी"), ("Ä", "Ä")]
        {
            assert_eq!(UNICODE.parse(text).unwrap().as_str(), slug);
            assert_eq!(slug.parse::<Slug>().unwrap().as_str(), slug, "as it is kept");
        }
        assert!(UNICODE.parse(&"語".repeat(128)).is_ok());
        for (bad, why) in [
            (&*"語".repeat(129), InvalidSlug::Length),
            ("a\u{200b}", InvalidSlug::Letter),
            ("\u{202e}a", InvalidSlug::Letter),
            ("\u{3164}", InvalidSlug::Letter),
            ("a\u{fe0f}", InvalidSlug::Letter),
            ("a\u{34f}b", InvalidSlug::Letter),
            ("😀", InvalidSlug::Letter),
            ("a.b", InvalidSlug::Letter),
        ] {
            assert_eq!(UNICODE.parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn without_case_there_is_one_spelling() {
        assert_eq!(LOOSE.parse("AbC-1").unwrap().as_str(), "abc-1");
        assert_eq!(LOOSE.parse("Api"), Err(InvalidSlug::Reserved));
        let rules = SlugRules { unicode: true, ..LOOSE };
        assert_eq!(rules.parse("ÄÖ").unwrap().as_str(), "äö");
        assert_eq!(rules.parse("ΟΔΟΣ").unwrap(), rules.parse("οδος").unwrap());
        let spelled = rules.parse("İ").unwrap();
        assert_eq!(rules.parse(spelled.as_str()).unwrap(), spelled, "a spelling is its own");
    }

    #[test]
    fn a_segment_may_be_percent_encoded() {
        assert_eq!(UNICODE.parse_segment("%C3%A4").unwrap().as_str(), "ä");
        assert_eq!(UNICODE.parse_segment("a%CC%88").unwrap().as_str(), "ä");
        assert_eq!(SlugRules::default().parse_segment("%61bc").unwrap().as_str(), "abc");
        for bad in ["%ff", "%2F", "%00", "%61pi", "%"] {
            assert!(UNICODE.parse_segment(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_path_has_is_a_slug_in_its_own_spelling_or_none(
            segment in prop_oneof![any::<String>(), "[%0-9a-fA-F]{0,40}", "[a-zA-Z0-9_%äßİΣ\u{308}-]{0,140}"],
            unicode: bool,
            loose: bool,
        ) {
            let case = if loose { SlugCase::Insensitive } else { SlugCase::Sensitive };
            let rules = SlugRules { unicode, case };
            if let Ok(slug) = rules.parse_segment(&segment) {
                prop_assert_eq!(rules.parse(slug.as_str()), Ok(slug.clone()));
                prop_assert_eq!(rules.respell(&slug), slug.clone());
                prop_assert!(!is_reserved(slug.as_str()) && slug.as_str().chars().count() <= 128);
                prop_assert!(!slug.as_str().contains(['/', '%', '?', '#', '.', ' ']));
            }
        }
    }
}
