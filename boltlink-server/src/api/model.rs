//! What the API shows and takes, as the document describes it.

use boltlink_core::{
    GlobalStats, LinkStats, StoredLink, Timestamp, VisitorHash,
    store::{Interval, Point, RawClick, Share},
};
use chrono::NaiveDate;
use poem_openapi::Object;
use uuid::Uuid;

use super::{
    problem::{Details, Problem},
    scalar::{Date, Moment, NoteText, Nullable, RedirectStatus, SlugText, TagText, Target, TitleText},
};
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
    /// Whether a visitor's query goes along to the target.
    forward_query: bool,
    /// Whether what follows the slug in a visitor's path goes along to the target.
    forward_path: bool,
    /// Whether `robots.txt` lets crawlers in.
    crawlable: bool,
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
            forward_query: link.forward.query,
            forward_path: link.forward.path,
            crawlable: link.crawlable,
            enabled: link.enabled,
            clicks,
            created_at: Moment(link.created_at),
            updated_at: Moment(link.updated_at),
            version: link.version,
        }
    }
}

/// A page of links, in the order asked for.
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
#[oai(deny_unknown_fields)]
pub(crate) struct NewLink {
    /// Where it leads: an absolute `http` or `https` URL of at most 8192 bytes, without user name and password, and not
    /// on one of this server's own domains.
    target: Target,
    /// One of this server's domains; the default one if absent.
    domain: Option<Nullable<String>>,
    /// Its name in the URL, unique within the domain; a random one if absent. Not one of the names that the service
    /// itself uses, such as `api`.
    slug: Option<Nullable<SlugText>>,
    /// How many characters a random slug is to have; 7 if absent. Not together with `slug`.
    #[oai(validator(minimum(value = "4"), maximum(value = "32")))]
    slug_length: Option<Nullable<u8>>,
    /// What it is called in lists.
    title: Option<Nullable<TitleText>>,
    /// A note for oneself.
    note: Option<Nullable<NoteText>>,
    /// Words to find it by.
    #[oai(validator(max_items = 50))]
    tags: Option<Nullable<Vec<TagText>>>,
    /// The HTTP status of the redirect; 302 if absent.
    redirect: Option<Nullable<RedirectStatus>>,
    /// The first moment it works.
    starts_at: Option<Nullable<Moment>>,
    /// The first moment it works no more; later than `starts_at`.
    expires_at: Option<Nullable<Moment>>,
    /// How many redirects it gives in all.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    max_visits: Option<Nullable<u64>>,
    /// Whether a visitor's query goes along to the target: its parameters follow the target's, and replace those of
    /// the same name. False if absent.
    forward_query: Option<Nullable<bool>>,
    /// Whether what follows the slug in a visitor's path is appended to the target's path. False if absent.
    forward_path: Option<Nullable<bool>>,
    /// Whether `robots.txt` lets crawlers in; false if absent.
    crawlable: Option<Nullable<bool>>,
    /// Whether it is switched on; true if absent.
    enabled: Option<Nullable<bool>>,
    /// Whether an existing link is as good: then the oldest of your usable links of the same domain and target that is
    /// equal in all that this request says is given (with 200), and one is made only if there is none. Of links to
    /// one target the 1,000 oldest are looked at.
    find_existing: Option<Nullable<bool>>,
}

/// What is to change of a link: null empties a field, an absent field stays as it is. Other fields than
/// these are refused.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkPatch {
    /// Where it leads, as when it was made.
    target: Option<Target>,
    /// Its name in the URL, under the same domain.
    slug: Option<SlugText>,
    /// What it is called in lists.
    title: Option<Nullable<TitleText>>,
    /// A note for oneself.
    note: Option<Nullable<NoteText>>,
    /// Words to find it by: the whole list.
    #[oai(validator(max_items = 50))]
    tags: Option<Vec<TagText>>,
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
    /// Whether a visitor's query goes along to the target.
    forward_query: Option<bool>,
    /// Whether what follows the slug in a visitor's path is appended to the target's path.
    forward_path: Option<bool>,
    /// Whether `robots.txt` lets crawlers in.
    crawlable: Option<bool>,
    /// Whether it is switched on.
    enabled: Option<bool>,
}

/// Links to be made, each judged by itself.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct NewLinks {
    /// The links.
    #[oai(validator(min_items = 1, max_items = 1000))]
    links: Vec<NewLink>,
}

/// One change to many links.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkPatches {
    /// The links' `id`s.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<Uuid>,
    /// What is to change of each.
    patch: LinkPatch,
}

/// Links to be deleted.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkIds {
    /// The links' `id`s.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<Uuid>,
}

/// What became of each link, in the order of the request.
#[derive(Debug, Object)]
pub(crate) struct BulkResults {
    /// One for each.
    pub(crate) results: Vec<BulkResult>,
}

/// What became of one link: what a request for it alone would have been answered.
#[derive(Debug, Object)]
pub(crate) struct BulkResult {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The link, if it was made, found or changed.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) link: Option<LinkView>,
    /// What is wrong, if something is. Pointers are into the whole request.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) problem: Option<Details>,
}

impl BulkResult {
    pub(crate) fn done(status: u16, link: StoredLink, hosts: &Hosts) -> Self {
        Self { status, link: Some(LinkView::new(link, hosts)), problem: None }
    }

    pub(crate) fn refused(problem: &Problem) -> Self {
        Self { status: problem.code().status().as_u16(), link: None, problem: Some(problem.details()) }
    }
}

/// Clicks per hour or day, every one that was asked for.
#[derive(Debug, Object)]
pub(crate) struct Series {
    /// The points, in order.
    pub(crate) points: Vec<SeriesPoint>,
}

/// The clicks of an hour or a day.
#[derive(Debug, Object)]
pub(crate) struct SeriesPoint {
    /// When it began, UTC.
    pub(crate) at: Moment,
    /// How many.
    pub(crate) clicks: u64,
}

/// Clicks by one property of the visitors, most first.
#[derive(Debug, Object)]
pub(crate) struct Breakdown {
    /// The values.
    pub(crate) items: Vec<Value>,
}

/// A page of single clicks, newest first.
#[derive(Debug, Object)]
pub(crate) struct ClickPage {
    /// The clicks.
    pub(crate) items: Vec<ClickView>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    pub(crate) next_cursor: Nullable<String>,
}

/// A click, alone or for others like it.
#[derive(Debug, Object)]
pub(crate) struct ClickView {
    /// Its name for ever.
    pub(crate) id: Uuid,
    /// When, UTC.
    pub(crate) at: Moment,
    /// How many clicks it stands for, itself included. More than 1 only for links that are clicked more often than
    /// single clicks are kept.
    pub(crate) weight: u64,
    /// The page that linked, as the visitor's browser named it.
    pub(crate) referrer: Nullable<String>,
    /// The visitor's browser, as it named itself.
    pub(crate) user_agent: Nullable<String>,
    /// The languages that the visitor prefers.
    pub(crate) language: Nullable<String>,
    /// Who, as a keyed hash: the same for one visitor and day, and nothing else.
    pub(crate) visitor: Nullable<String>,
    /// From where: the first 24 bits of an IPv4 address, the first 48 of an IPv6 one.
    pub(crate) network: Nullable<String>,
}

impl From<RawClick> for ClickView {
    fn from(click: RawClick) -> Self {
        Self {
            id: *click.id.as_uuid(),
            at: Moment(click.at),
            weight: click.weight,
            referrer: Nullable(click.referrer),
            user_agent: Nullable(click.user_agent),
            language: Nullable(click.language),
            visitor: Nullable(click.visitor.map(|VisitorHash(hash)| format!("{hash:032x}"))),
            network: Nullable(click.network.map(|network| network.to_string())),
        }
    }
}

/// The links with the most clicks, most first.
#[derive(Debug, Object)]
pub(crate) struct Top {
    /// The first day.
    pub(crate) from: Date,
    /// The last day.
    pub(crate) to: Date,
    /// The links.
    pub(crate) items: Vec<TopLink>,
}

/// A link and its clicks within some days.
#[derive(Debug, Object)]
pub(crate) struct TopLink {
    /// Clicks within these days.
    pub(crate) clicks: u64,
    /// The link.
    pub(crate) link: LinkView,
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

/// When the hour or day number `at` began.
pub(crate) fn begin(interval: Interval, at: i64) -> Timestamp {
    Timestamp::from_micros(at.saturating_mul(interval.micros())).unwrap_or(Timestamp::EPOCH)
}

impl From<Point> for Hour {
    fn from(point: Point) -> Self {
        Self { hour: Moment(begin(Interval::Hour, point.at)), clicks: point.clicks }
    }
}

impl From<Point> for Day {
    fn from(point: Point) -> Self {
        let begin = begin(Interval::Day, point.at);
        Self { day: Date(begin.to_datetime().date_naive()), clicks: point.clicks }
    }
}

impl From<Share> for Value {
    fn from(share: Share) -> Self {
        Self { value: share.value, clicks: share.clicks }
    }
}
