//! Short texts on links, keys, sessions and in the audit log.

use std::{fmt, str::FromStr};

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// Longer than the kind of text may be.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The bound, in Unicode characters.
        max: usize,
    },
    /// Longer than the kind of text may be, in UTF-8.
    #[error("must have at most {max} bytes of UTF-8")]
    TooLarge {
        /// The bound, in bytes.
        max: usize,
    },
    /// Nothing, or only white space, where something must stand.
    #[error("must not be empty")]
    Empty,
    /// A control character that has no place in it.
    #[error("must not contain control characters")]
    Control,
    /// Too many of them.
    #[error("must have at most {max} entries")]
    TooMany {
        /// The bound.
        max: usize,
    },
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $max:literal $unit:ident, $allowed:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            #[doc = concat!("The most ", stringify!($unit), " it may have.")]
            pub const MAX: usize = $max;

            /// Takes a text that was parsed before it was stored, perhaps when other bounds held. `None` for nothing.
            #[must_use]
            pub fn from_stored(text: &str) -> Option<Self> {
                (!text.is_empty()).then(|| Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            /// Trims white space at both ends.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let text = text.trim();
                if text.is_empty() {
                    return Err(InvalidText::Empty);
                }
                texts!(@bound $unit text $max);
                let allowed: fn(char) -> bool = $allowed;
                if text.chars().any(|c| c.is_control() && !allowed(c)) {
                    return Err(InvalidText::Control);
                }
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
    (@bound characters $text:ident $max:literal) => {
        if $text.chars().count() > $max {
            return Err(InvalidText::TooLong { max: $max });
        }
    };
    (@bound bytes $text:ident $max:literal) => {
        if $text.len() > $max {
            return Err(InvalidText::TooLarge { max: $max });
        }
    };
}

texts! {
    /// What a link is called in lists.
    Title, 512 characters, |_| false;
    /// What its owner wants to remember about a link; may have several lines.
    Note, 4096 bytes, |c| matches!(c, '\n' | '\r' | '\t');
    /// A word to find links by.
    Tag, 64 characters, |_| false;
    /// What an API key is called in lists.
    KeyName, 128 characters, |_| false;
    /// What a session was opened with: the program's own name for itself.
    ClientName, 256 characters, |_| false;
    /// What an entry of the audit log says besides who did what.
    AuditDetail, 1024 characters, |_| false;
}

/// Up to 50 different tags, in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// The most tags a link may have.
    pub const MAX: usize = 50;

    /// Sorts `tags` and drops repetitions.
    ///
    /// # Errors
    /// [`InvalidText::TooMany`] if more than [`Tags::MAX`] are left.
    pub fn new(mut tags: Vec<Tag>) -> Result<Self, InvalidText> {
        tags.sort();
        tags.dedup();
        if tags.len() > Self::MAX {
            return Err(InvalidText::TooMany { max: Self::MAX });
        }
        Ok(Self(tags))
    }

    /// The tags.
    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_in_characters_or_bytes() {
        assert!("ä".repeat(512).parse::<Title>().is_ok());
        assert_eq!("ä".repeat(513).parse::<Title>(), Err(InvalidText::TooLong { max: 512 }));
        assert!("ä".repeat(2_048).parse::<Note>().is_ok());
        assert_eq!("ä".repeat(2_049).parse::<Note>(), Err(InvalidText::TooLarge { max: 4_096 }));
        assert_eq!(" \t".parse::<Tag>(), Err(InvalidText::Empty));
        assert_eq!("a\nb".parse::<Title>(), Err(InvalidText::Control));
        assert!("a\nb".parse::<Note>().is_ok());
    }

    #[test]
    fn tags_are_a_set() {
        let tags = Tags::new(["b", "a", "b"].map(|t| t.parse().unwrap()).into()).unwrap();
        assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b"]);
    }
}
