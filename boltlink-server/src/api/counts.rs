//! What the API shows of counts and clicks, as the document describes it.

use boltlink_core::{
    GlobalStats, LinkStats, Timestamp, VisitorHash,
    store::{Interval, Point, RawClick, Share},
};
use chrono::NaiveDate;
use poem_openapi::Object;
use uuid::Uuid;

use super::{
    model::LinkView,
    scalar::{Date, Moment, Nullable},
};

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
