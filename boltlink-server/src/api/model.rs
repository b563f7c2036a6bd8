//! What the API shows and takes, as the document describes it.

use boltlink_core::{
    GlobalStats, LinkStats, StoredLink, Timestamp,
    store::{Point, Share},
};
use chrono::NaiveDate;
use poem_openapi::Object;
use uuid::Uuid;

use super::scalar::{Date, Moment, Nullable, RedirectStatus};
use crate::hosts::Hosts;

/// A short link.
#[derive(Debug, Object)]
#[oai(rename = "Link")]
pub(crate) struct LinkView {
    /// Its name for ever; the slug may change.
    id: Uuid,
    /// The host it lives under.
    domain: String,
    /// Its name in the URL, unique within the domain.
    slug: String,
    /// What to share.
    short_url: String,
    /// Where it leads.
    target: String,
    /// What it is called in lists.
    title: Nullable<String>,
    /// A note for oneself.
    note: Nullable<String>,
    /// Words to find it by, in alphabetical order.
    tags: Vec<String>,
    /// The HTTP status of the redirect.
    redirect: RedirectStatus,
    /// The first moment it works.
    starts_at: Nullable<Moment>,
    /// The first moment it works no more.
    expires_at: Nullable<Moment>,
    /// How many redirects it gives in all.
    max_visits: Nullable<u64>,
    /// Whether it is switched on.
    enabled: bool,
    /// How often it was followed, as of now.
    clicks: u64,
    /// When it was made.
    created_at: Moment,
    /// When it was last changed; clicks change nothing.
    updated_at: Moment,
    /// Goes up by one with every change; the `ETag` is the same number.
    version: u64,
}

impl LinkView {
    pub(crate) fn new(link: StoredLink, hosts: &Hosts) -> Self {
        let StoredLink { link, clicks, .. } = link;
        Self {
            id: *link.id.as_uuid(),
            domain: hosts.authority(&link.domain).to_owned(),
            slug: link.slug.to_string(),
            short_url: hosts.short_url(&link.domain, &link.slug),
            target: link.target.to_string(),
            title: Nullable(link.title.map(|title| title.to_string())),
            note: Nullable(link.note.map(|note| note.to_string())),
            tags: link.tags.iter().map(ToString::to_string).collect(),
            redirect: RedirectStatus(link.redirect),
            starts_at: Nullable(link.lifetime.starts_at().map(Moment)),
            expires_at: Nullable(link.lifetime.expires_at().map(Moment)),
            max_visits: Nullable(link.max_visits.map(|max| max.get())),
            enabled: link.enabled,
            clicks,
            created_at: Moment(link.created_at),
            updated_at: Moment(link.updated_at),
            version: link.version,
        }
    }
}

/// A page of links, newest first.
#[derive(Debug, Object)]
pub(crate) struct LinkPage {
    /// The links.
    pub(crate) items: Vec<LinkView>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    pub(crate) next_cursor: Nullable<String>,
}

/// A link to be made. Only `target` is required; null is as good as absent. Other fields than
/// these are refused.
#[derive(Debug, Object)]
pub(crate) struct NewLink {
    /// Where it leads: an absolute `http` or `https` URL of at most 8192 bytes.
    #[oai(validator(max_length = 8192))]
    target: String,
    /// One of this server's domains; the default one if absent.
    domain: Option<Nullable<String>>,
    /// 1 to 128 of `A-Z a-z 0-9 - _`; a random one if absent.
    #[oai(validator(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$"))]
    slug: Option<Nullable<String>>,
    /// What it is called in lists.
    #[oai(validator(max_length = 512))]
    title: Option<Nullable<String>>,
    /// A note for oneself.
    #[oai(validator(max_length = 4096))]
    note: Option<Nullable<String>>,
    /// Words to find it by, each of at most 64 characters.
    #[oai(validator(max_items = 50))]
    tags: Option<Nullable<Vec<String>>>,
    /// The HTTP status of the redirect; 302 if absent.
    redirect: Option<Nullable<RedirectStatus>>,
    /// The first moment it works.
    starts_at: Option<Nullable<Moment>>,
    /// The first moment it works no more; later than `starts_at`.
    expires_at: Option<Nullable<Moment>>,
    /// How many redirects it gives in all.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    max_visits: Option<Nullable<u64>>,
    /// Whether it is switched on; true if absent.
    enabled: Option<Nullable<bool>>,
}

/// What is to change of a link: null empties a field, an absent field stays as it is. Other fields than
/// these are refused.
#[derive(Debug, Object)]
pub(crate) struct LinkPatch {
    /// Where it leads: an absolute `http` or `https` URL of at most 8192 bytes.
    #[oai(validator(max_length = 8192))]
    target: Option<String>,
    /// 1 to 128 of `A-Z a-z 0-9 - _`.
    #[oai(validator(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$"))]
    slug: Option<String>,
    /// What it is called in lists.
    #[oai(validator(max_length = 512))]
    title: Option<Nullable<String>>,
    /// A note for oneself.
    #[oai(validator(max_length = 4096))]
    note: Option<Nullable<String>>,
    /// Words to find it by, each of at most 64 characters: the whole list.
    #[oai(validator(max_items = 50))]
    tags: Option<Vec<String>>,
    /// The HTTP status of the redirect.
    redirect: Option<RedirectStatus>,
    /// The first moment it works.
    starts_at: Option<Nullable<Moment>>,
    /// The first moment it works no more; later than `starts_at`.
    expires_at: Option<Nullable<Moment>>,
    /// How many redirects it gives in all. If there was no bound before, the clicks stored so far count;
    /// those of the last second may come on top.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    max_visits: Option<Nullable<u64>>,
    /// Whether it is switched on.
    enabled: Option<bool>,
}

/// The counts of a link. All but `clicks` follow within seconds.
#[derive(Debug, Object)]
pub(crate) struct Stats {
    /// How often it was followed, as of now.
    clicks: u64,
    /// Clicks per hour of the last 24 hours; hours without any are left out.
    hours: Vec<Hour>,
    /// Clicks per day of the last 30 days; days without any are left out.
    days: Vec<Day>,
    /// The most frequent referring hosts of these days, most first.
    referrers: Vec<Value>,
    /// The most frequent languages of these days, most first.
    languages: Vec<Value>,
}

/// The clicks of an hour.
#[derive(Debug, Object)]
pub(crate) struct Hour {
    /// When it began, UTC.
    hour: Moment,
    /// How many.
    clicks: u64,
}

/// The clicks of a day.
#[derive(Debug, Object)]
pub(crate) struct Day {
    /// Which one, UTC.
    day: Date,
    /// How many.
    clicks: u64,
}

/// The clicks of one value.
#[derive(Debug, Object)]
pub(crate) struct Value {
    /// The value; empty where visitors told none, `(other)` for all that are too rare to be kept.
    value: String,
    /// How many.
    clicks: u64,
}

/// The counts of all links together, deleted ones included.
#[derive(Debug, Object)]
pub(crate) struct GlobalCounts {
    /// The first day.
    from: Date,
    /// The last day.
    to: Date,
    /// Clicks from the first to the last day.
    clicks: u64,
    /// Clicks per day; days without any are left out.
    days: Vec<Day>,
}

impl From<LinkStats> for Stats {
    fn from(stats: LinkStats) -> Self {
        Self {
            clicks: stats.clicks,
            hours: stats.hours.into_iter().map(Hour::from).collect(),
            days: stats.days.into_iter().map(Day::from).collect(),
            referrers: stats.referrers.into_iter().map(Value::from).collect(),
            languages: stats.languages.into_iter().map(Value::from).collect(),
        }
    }
}

impl GlobalCounts {
    pub(crate) fn new(from: NaiveDate, to: NaiveDate, stats: GlobalStats) -> Self {
        Self {
            from: Date(from),
            to: Date(to),
            clicks: stats.clicks,
            days: stats.days.into_iter().map(Day::from).collect(),
        }
    }
}

impl From<Point> for Hour {
    fn from(point: Point) -> Self {
        let begin = Timestamp::from_micros(point.at.saturating_mul(3_600_000_000)).unwrap_or(Timestamp::EPOCH);
        Self { hour: Moment(begin), clicks: point.clicks }
    }
}

impl From<Point> for Day {
    fn from(point: Point) -> Self {
        let begin = Timestamp::from_micros(point.at.saturating_mul(86_400_000_000)).unwrap_or(Timestamp::EPOCH);
        Self { day: Date(begin.to_datetime().date_naive()), clicks: point.clicks }
    }
}

impl From<Share> for Value {
    fn from(share: Share) -> Self {
        Self { value: share.value, clicks: share.clicks }
    }
}
