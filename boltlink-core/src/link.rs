//! A short link and how it is described, made and changed.

use std::num::NonZeroU64;

use crate::{
    domain::Domain,
    id::{AccountId, LinkId},
    password::PasswordHash,
    slug::Slug,
    target::TargetUrl,
    text::{Note, Tags, Title},
    time::Timestamp,
};

/// The status a redirect is answered with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RedirectKind {
    /// 301: permanent; a browser may turn POST into GET.
    MovedPermanently,
    /// 302: temporary; a browser may turn POST into GET.
    #[default]
    Found,
    /// 307: temporary, the method kept.
    TemporaryRedirect,
    /// 308: permanent, the method kept.
    PermanentRedirect,
}

/// The number is not the status of a redirect we answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 301, 302, 307 or 308")]
pub struct InvalidRedirect;

impl RedirectKind {
    /// All of them; `kind as usize` is each one's place.
    pub const ALL: [Self; 4] = [Self::MovedPermanently, Self::Found, Self::TemporaryRedirect, Self::PermanentRedirect];

    /// The HTTP status code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::MovedPermanently => 301,
            Self::Found => 302,
            Self::TemporaryRedirect => 307,
            Self::PermanentRedirect => 308,
        }
    }

    /// Whether clients may remember the redirect and not ask again.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        matches!(self, Self::MovedPermanently | Self::PermanentRedirect)
    }
}

const _: () = {
    let mut place = 0;
    while place < RedirectKind::ALL.len() {
        assert!(RedirectKind::ALL[place] as usize == place);
        place += 1;
    }
};

impl TryFrom<u16> for RedirectKind {
    type Error = InvalidRedirect;

    fn try_from(code: u16) -> Result<Self, Self::Error> {
        Self::ALL.into_iter().find(|kind| kind.code() == code).ok_or(InvalidRedirect)
    }
}

/// How many redirects a capped link gives: 1 to 2⁵³ − 1 (so that JSON can carry it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaxVisits(NonZeroU64);

/// The number is no cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be between 1 and 9007199254740991")]
pub struct InvalidMaxVisits;

impl MaxVisits {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl TryFrom<u64> for MaxVisits {
    type Error = InvalidMaxVisits;

    fn try_from(visits: u64) -> Result<Self, Self::Error> {
        NonZeroU64::new(visits).filter(|n| n.get() < 1 << 53).map(Self).ok_or(InvalidMaxVisits)
    }
}

/// When a link works: from `starts_at` (inclusive) to `expires_at` (exclusive).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Lifetime {
    starts_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

/// The link would end before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be later than starts_at")]
pub struct InvalidLifetime;

impl Lifetime {
    /// # Errors
    /// If both are given and `starts_at` is not earlier.
    pub fn new(starts_at: Option<Timestamp>, expires_at: Option<Timestamp>) -> Result<Self, InvalidLifetime> {
        match (starts_at, expires_at) {
            (Some(from), Some(to)) if from >= to => Err(InvalidLifetime),
            _ => Ok(Self { starts_at, expires_at }),
        }
    }

    /// The first moment the link works; `None` from ever.
    #[must_use]
    pub const fn starts_at(&self) -> Option<Timestamp> {
        self.starts_at
    }

    /// The first moment the link works no more; `None` for ever.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

/// What of a visitor's request goes along to the target; see [`forward`](crate::forward) for the rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Forward {
    /// The query.
    pub query: bool,
    /// What follows the slug in the path.
    pub path: bool,
}

/// A short link, as its owner sees it, without its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name for ever.
    pub id: LinkId,
    /// Who may see and change it.
    pub owner: AccountId,
    /// The host it lives under.
    pub domain: Domain,
    /// Its name in the URL; unique within the domain.
    pub slug: Slug,
    /// Where it leads.
    pub target: TargetUrl,
    /// What it is called in lists.
    pub title: Option<Title>,
    /// The owner's note.
    pub note: Option<Note>,
    /// Words to find it by.
    pub tags: Tags,
    /// The status of the redirect.
    pub redirect: RedirectKind,
    /// When it works.
    pub lifetime: Lifetime,
    /// How many redirects it gives; `None` without end.
    pub max_visits: Option<MaxVisits>,
    /// What its visitors have to know the password of; `None` if nothing.
    pub password: Option<PasswordHash>,
    /// What of a visitor's request goes along to the target.
    pub forward: Forward,
    /// Whether `robots.txt` lets crawlers in.
    pub crawlable: bool,
    /// Switched off by its owner if false.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner last changed it.
    pub updated_at: Timestamp,
    /// Goes up by one with every change, from 1; clicks do not touch it.
    pub version: u64,
}

/// A link with its counts, as a store returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// The link.
    pub link: Link,
    /// Clicks stored so far.
    pub clicks: u64,
    /// Visits granted of `max_visits`; see [`LinkStore::reserve`](crate::store::LinkStore::reserve).
    pub taken: u64,
}

impl StoredLink {
    /// Whether a capped link has given all its redirects.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.link.max_visits.is_some_and(|max| self.taken >= max.get())
    }

    /// Whether it redirects at `now`.
    #[must_use]
    pub fn is_usable_at(&self, now: Timestamp) -> bool {
        let lifetime = self.link.lifetime;
        self.link.enabled
            && lifetime.starts_at().is_none_or(|start| start <= now)
            && lifetime.expires_at().is_none_or(|end| now < end)
            && !self.is_exhausted()
    }
}

/// What an edit does to an optional field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Empties it.
    Clear,
    /// Gives it this value.
    Set(T),
}

impl<T> Field<T> {
    /// Whether it changes something.
    #[must_use]
    pub const fn is_said(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// The field's value after the edit.
    pub fn apply(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Keep => current,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// A change to a link: what is not said stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkEdit {
    /// A new slug, under the same domain.
    pub slug: Option<Slug>,
    /// A new target.
    pub target: Option<TargetUrl>,
    /// See [`Link::title`].
    pub title: Field<Title>,
    /// See [`Link::note`].
    pub note: Field<Note>,
    /// See [`Link::tags`].
    pub tags: Option<Tags>,
    /// See [`Link::redirect`].
    pub redirect: Option<RedirectKind>,
    /// See [`Lifetime::starts_at`].
    pub starts_at: Field<Timestamp>,
    /// See [`Lifetime::expires_at`].
    pub expires_at: Field<Timestamp>,
    /// See [`Link::max_visits`].
    pub max_visits: Field<MaxVisits>,
    /// See [`Link::password`].
    pub password: Field<PasswordHash>,
    /// See [`Forward::query`].
    pub forward_query: Option<bool>,
    /// See [`Forward::path`].
    pub forward_path: Option<bool>,
    /// See [`Link::crawlable`].
    pub crawlable: Option<bool>,
    /// See [`Link::enabled`].
    pub enabled: Option<bool>,
}

impl LinkEdit {
    /// The names of the fields that it sets or clears.
    #[must_use]
    pub fn fields(&self) -> Vec<&'static str> {
        let fields = [
            ("slug", self.slug.is_some()),
            ("target", self.target.is_some()),
            ("title", self.title.is_said()),
            ("note", self.note.is_said()),
            ("tags", self.tags.is_some()),
            ("redirect", self.redirect.is_some()),
            ("starts_at", self.starts_at.is_said()),
            ("expires_at", self.expires_at.is_said()),
            ("max_visits", self.max_visits.is_said()),
            ("password", self.password.is_said()),
            ("forward_query", self.forward_query.is_some()),
            ("forward_path", self.forward_path.is_some()),
            ("crawlable", self.crawlable.is_some()),
            ("enabled", self.enabled.is_some()),
        ];
        fields.into_iter().filter_map(|(name, said)| said.then_some(name)).collect()
    }

    /// The link after the edit, one version up.
    ///
    /// # Errors
    /// If the link would end before it begins.
    pub fn apply(self, link: Link, now: Timestamp) -> Result<Link, InvalidLifetime> {
        let lifetime = Lifetime::new(
            self.starts_at.apply(link.lifetime.starts_at),
            self.expires_at.apply(link.lifetime.expires_at),
        )?;
        Ok(Link {
            id: link.id,
            owner: link.owner,
            domain: link.domain,
            slug: self.slug.unwrap_or(link.slug),
            target: self.target.unwrap_or(link.target),
            title: self.title.apply(link.title),
            note: self.note.apply(link.note),
            tags: self.tags.unwrap_or(link.tags),
            redirect: self.redirect.unwrap_or(link.redirect),
            lifetime,
            max_visits: self.max_visits.apply(link.max_visits),
            password: self.password.apply(link.password),
            forward: Forward {
                query: self.forward_query.unwrap_or(link.forward.query),
                path: self.forward_path.unwrap_or(link.forward.path),
            },
            crawlable: self.crawlable.unwrap_or(link.crawlable),
            enabled: self.enabled.unwrap_or(link.enabled),
            created_at: link.created_at,
            updated_at: now,
            version: link.version + 1,
        })
    }
}
