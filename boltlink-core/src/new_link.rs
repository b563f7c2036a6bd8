//! What a caller says of a link to be made, or to be found instead.

use crate::{
    domain::Domain,
    id::{AccountId, LinkId},
    link::{Forward, Lifetime, Link, MaxVisits, RedirectKind},
    password::PasswordHash,
    slug::Slug,
    target::TargetUrl,
    text::{Note, Tags, Title},
    time::Timestamp,
};

/// How many characters a random slug is to have: 4 to 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlugLength(u8);

/// The number is no length of a random slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be between 4 and 32")]
pub struct InvalidSlugLength;

impl SlugLength {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for SlugLength {
    type Error = InvalidSlugLength;

    fn try_from(length: u8) -> Result<Self, Self::Error> {
        if (4..=32).contains(&length) { Ok(Self(length)) } else { Err(InvalidSlugLength) }
    }
}

/// What a caller says of a link to be made. `NewLink::to(target)` is the least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// The host; the default domain if not said.
    pub domain: Domain,
    /// The slug; a random one if not said.
    pub slug: Option<Slug>,
    /// How long a random slug is to be; as the shortener's [`SlugSource`](crate::SlugSource) has it if not
    /// said.
    pub slug_length: Option<SlugLength>,
    /// Where it leads.
    pub target: TargetUrl,
    /// See [`Link::title`].
    pub title: Option<Title>,
    /// See [`Link::note`].
    pub note: Option<Note>,
    /// See [`Link::tags`].
    pub tags: Tags,
    /// See [`Link::redirect`].
    pub redirect: RedirectKind,
    /// See [`Link::lifetime`].
    pub lifetime: Lifetime,
    /// See [`Link::max_visits`].
    pub max_visits: Option<MaxVisits>,
    /// See [`Link::password`], and [`hash_link_password`](crate::Shortener::hash_link_password).
    pub password: Option<PasswordHash>,
    /// See [`Link::forward`].
    pub forward: Forward,
    /// See [`Link::crawlable`].
    pub crawlable: bool,
    /// See [`Link::enabled`].
    pub enabled: bool,
    /// What it brings along from elsewhere.
    pub past: Past,
}

/// What a link brings along that was made elsewhere, for imports. A link that is new here has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// Its id; a new one if not said.
    pub id: Option<LinkId>,
    /// Whose it is; the actor's if not said. Only who sees all links may say.
    pub owner: Option<AccountId>,
    /// When it was made; now if not said.
    pub created_at: Option<Timestamp>,
    /// When it was last changed; when it was made if not said.
    pub updated_at: Option<Timestamp>,
    /// Its version; 1 if not said.
    pub version: Option<u64>,
    /// How often it was followed there: its opening balance, which no rollup shows. Taken from
    /// [`NewLink::max_visits`].
    pub clicks: u64,
}

impl NewLink {
    /// An ordinary link to `target`: random slug, default domain, 302, no bounds.
    #[must_use]
    pub fn to(target: TargetUrl) -> Self {
        Self {
            domain: Domain::default_domain(),
            slug: None,
            slug_length: None,
            target,
            title: None,
            note: None,
            tags: Tags::default(),
            redirect: RedirectKind::default(),
            lifetime: Lifetime::default(),
            max_visits: None,
            password: None,
            forward: Forward::default(),
            crawlable: false,
            enabled: true,
            past: Past::default(),
        }
    }
}

/// What a link must be like, to be taken instead of a new one: equal in what is said; what is not said may be
/// anything. One with a password is like none: whoever wants a link wants one that can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    /// The host.
    pub domain: Domain,
    /// Where it leads.
    pub target: TargetUrl,
    /// See [`Link::slug`].
    pub slug: Option<Slug>,
    /// See [`Link::title`].
    pub title: Option<Title>,
    /// See [`Link::note`].
    pub note: Option<Note>,
    /// See [`Link::tags`].
    pub tags: Option<Tags>,
    /// See [`Link::redirect`].
    pub redirect: Option<RedirectKind>,
    /// See [`Lifetime::starts_at`].
    pub starts_at: Option<Timestamp>,
    /// See [`Lifetime::expires_at`].
    pub expires_at: Option<Timestamp>,
    /// See [`Link::max_visits`].
    pub max_visits: Option<MaxVisits>,
    /// See [`Forward::query`].
    pub forward_query: Option<bool>,
    /// See [`Forward::path`].
    pub forward_path: Option<bool>,
    /// See [`Link::crawlable`].
    pub crawlable: Option<bool>,
    /// See [`Link::enabled`].
    pub enabled: Option<bool>,
}

impl Likeness {
    /// Any link under `domain` to `target`.
    #[must_use]
    pub fn of(domain: Domain, target: TargetUrl) -> Self {
        Self {
            domain,
            target,
            slug: None,
            title: None,
            note: None,
            tags: None,
            redirect: None,
            starts_at: None,
            expires_at: None,
            max_visits: None,
            forward_query: None,
            forward_path: None,
            crawlable: None,
            enabled: None,
        }
    }

    /// Whether a link is so.
    #[must_use]
    pub fn fits(&self, link: &Link) -> bool {
        fn same<T: PartialEq>(wanted: &Option<T>, has: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == has)
        }
        fn set<T: PartialEq>(wanted: &Option<T>, has: &Option<T>) -> bool {
            wanted.is_none() || wanted == has
        }
        self.domain == link.domain
            && link.password.is_none()
            && self.target == link.target
            && same(&self.slug, &link.slug)
            && set(&self.title, &link.title)
            && set(&self.note, &link.note)
            && same(&self.tags, &link.tags)
            && same(&self.redirect, &link.redirect)
            && set(&self.starts_at, &link.lifetime.starts_at())
            && set(&self.expires_at, &link.lifetime.expires_at())
            && set(&self.max_visits, &link.max_visits)
            && same(&self.forward_query, &link.forward.query)
            && same(&self.forward_path, &link.forward.path)
            && same(&self.crawlable, &link.crawlable)
            && same(&self.enabled, &link.enabled)
    }
}
