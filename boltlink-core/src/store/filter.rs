//! Which links to list, in what order, and where to go on.

use std::{ops::RangeBounds, str::FromStr};

use crate::{
    domain::Domain,
    id::{AccountId, LinkId},
    link::Link,
    text::{InvalidText, Tags},
    time::Timestamp,
};

/// Which links to list; an empty filter passes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFilter {
    /// Only what this account owns.
    pub owner: Option<AccountId>,
    /// Only links of this domain.
    pub domain: Option<Domain>,
    /// Only links in which this is found.
    pub text: Option<SearchText>,
    /// Only links with these tags; any link, if there are none.
    pub tags: Tags,
    /// How many of the tags a link must have.
    pub tag_match: TagMatch,
    /// Only links made at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Only links made before this moment.
    pub created_to: Option<Timestamp>,
    /// Only links that are switched on, or off.
    pub enabled: Option<bool>,
    /// Only links that crawlers may follow, or may not.
    pub crawlable: Option<bool>,
}

impl LinkFilter {
    /// Whether `link` passes. What a store says in its own language must come to the same.
    #[must_use]
    pub fn passes(&self, link: &Link) -> bool {
        let tagged = |wanted| link.tags.iter().any(|tag| tag == wanted);
        self.owner.is_none_or(|owner| owner == link.owner)
            && self.domain.as_ref().is_none_or(|domain| *domain == link.domain)
            && self.text.as_ref().is_none_or(|text| text.is_in(link))
            && match self.tag_match {
                TagMatch::Any => self.tags.is_empty() || self.tags.iter().any(tagged),
                TagMatch::All => self.tags.iter().all(tagged),
            }
            && self.created().contains(&link.created_at)
            && self.enabled.is_none_or(|enabled| enabled == link.enabled)
            && self.crawlable.is_none_or(|crawlable| crawlable == link.crawlable)
    }

    fn created(&self) -> impl RangeBounds<Timestamp> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        (self.created_from.map_or(Unbounded, Included), self.created_to.map_or(Unbounded, Excluded))
    }
}

/// How many of the tags asked for a link must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TagMatch {
    /// One of them.
    #[default]
    Any,
    /// Every one.
    All,
}

/// What is looked for in a link: words, of which each must be part of its slug, its target, its title or its
/// note, in any case. 1 to 100 characters, and one of the words has at least [`SearchText::SHORTEST`]: stores
/// find by such pieces without looking at every link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(Box<[Box<str>]>);

/// The text cannot be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSearchText {
    /// No word is long enough.
    #[error("must have a word of at least {} characters", SearchText::SHORTEST)]
    Short,
    /// It is too long, or has characters that no field has.
    #[error(transparent)]
    Text(#[from] InvalidText),
}

impl SearchText {
    /// The most characters it may have.
    pub const MAX: usize = 100;
    /// How many characters the longest word has at least.
    pub const SHORTEST: usize = 3;

    /// The words, in lower case.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|word| &**word)
    }

    /// Whether every word is part of the link.
    #[must_use]
    pub fn is_in(&self, link: &Link) -> bool {
        let title = link.title.as_ref().map_or("", |title| title.as_str());
        let note = link.note.as_ref().map_or("", |note| note.as_str());
        let fields = [link.slug.as_str(), link.target.as_str(), title, note].map(str::to_lowercase);
        self.words().all(|word| fields.iter().any(|field| field.contains(word)))
    }
}

impl FromStr for SearchText {
    type Err = InvalidSearchText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().count() > Self::MAX {
            return Err(InvalidText::TooLong { max: Self::MAX }.into());
        }
        if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err(InvalidText::Control.into());
        }
        let words: Box<[Box<str>]> = text.split_whitespace().map(|word| word.to_lowercase().into()).collect();
        let searchable = words.iter().any(|word| word.chars().count() >= Self::SHORTEST);
        if searchable { Ok(Self(words)) } else { Err(InvalidSearchText::Short) }
    }
}

/// The order of a list. Links of equal time are in the order of their ids, in the same direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LinkOrder {
    /// By the time they were made, the latest first.
    #[default]
    Newest,
    /// By the time they were made, the earliest first.
    Oldest,
    /// By the time they were last changed, the latest first.
    LatestChange,
    /// By the time they were last changed, the earliest first.
    EarliestChange,
}

impl LinkOrder {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Newest, Self::Oldest, Self::LatestChange, Self::EarliestChange];

    /// Whether the latest comes first.
    #[must_use]
    pub const fn is_descending(self) -> bool {
        matches!(self, Self::Newest | Self::LatestChange)
    }

    /// The time it goes by.
    #[must_use]
    pub const fn time(self, link: &Link) -> Timestamp {
        match self {
            Self::Newest | Self::Oldest => link.created_at,
            Self::LatestChange | Self::EarliestChange => link.updated_at,
        }
    }
}

/// The place of one link in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkCursor {
    /// The time that the order goes by.
    pub at: Timestamp,
    /// The link.
    pub id: LinkId,
}

impl LinkCursor {
    /// The place of `link` in `order`.
    #[must_use]
    pub const fn of(link: &Link, order: LinkOrder) -> Self {
        Self { at: order.time(link), id: link.id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_needs_a_word_of_three_characters() {
        for good in ["abc", "a bcd", "日本語", "  ABC  "] {
            assert!(good.parse::<SearchText>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "a b c", "ab\u{0}c", &"x".repeat(101)] {
            assert!(bad.parse::<SearchText>().is_err(), "{bad}");
        }
        assert_eq!("Ab  ÄÖÜ".parse::<SearchText>().unwrap().words().collect::<Vec<_>>(), ["ab", "äöü"]);
    }
}
