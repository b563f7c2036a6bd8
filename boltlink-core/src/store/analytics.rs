//! Reading what the analytics sink keeps.

use async_trait::async_trait;

use crate::{
    click::{Network, VisitorHash},
    error::StoreError,
    id::{ClickId, LinkId},
    time::Timestamp,
};

/// Of which clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Of one link, which need not exist any more.
    Link(LinkId),
    /// Of all links, deleted ones included.
    Global,
}

/// Into what stretches of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Hours, UTC.
    Hour,
    /// Days, UTC.
    Day,
}

impl Interval {
    /// How long one is, in microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }
}

/// The hours from `from` (inclusive) to `to` (exclusive), counted as [`Timestamp::hour`] counts them.
///
/// [`Timestamp::hour`]: crate::Timestamp::hour
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first hour.
    pub from: i64,
    /// The hour after the last.
    pub to: i64,
}

/// What clicks are broken down by. Consumers may learn more of these; stores keep them by
/// [`code`](Self::code), so that an older reader passes over what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dimension {
    /// The host of the page that linked, or [`Dimension::NONE`].
    Referrer,
    /// The visitor's preferred language (primary subtag, lower case), or [`Dimension::NONE`].
    Language,
}

impl Dimension {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Referrer, Self::Language];
    /// The value of clicks that say nothing about the dimension.
    pub const NONE: &str = "";
    /// The value that takes the clicks of a link and day beyond its [`MAX_VALUES`](Self::MAX_VALUES)
    /// different values.
    pub const OTHER: &str = "(other)";
    /// The most different values kept per link, day and dimension, [`OTHER`](Self::OTHER) not counted.
    pub const MAX_VALUES: usize = 100;

    /// What stands for it in a store.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Referrer => 1,
            Self::Language => 2,
        }
    }
}

/// The clicks of one hour or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The hour or day, counted from 1970.
    pub at: i64,
    /// The clicks.
    pub clicks: u64,
}

/// The clicks of one value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The value; [`Dimension::NONE`] and [`Dimension::OTHER`] are among them.
    pub value: String,
    /// The clicks.
    pub clicks: u64,
}

/// The clicks of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkClicks {
    /// The link, which may have been deleted since.
    pub link: LinkId,
    /// The clicks.
    pub clicks: u64,
}

/// One click of a link as it is kept, alone or for others like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawClick {
    /// The click.
    pub id: ClickId,
    /// When.
    pub at: Timestamp,
    /// How many clicks it stands for, itself included.
    pub weight: u64,
    /// `Referer`, as it was sent.
    pub referrer: Option<String>,
    /// `User-Agent`, as it was sent.
    pub user_agent: Option<String>,
    /// `Accept-Language`, as it was sent.
    pub language: Option<String>,
    /// Who, for a day; see [`VisitorHash`].
    pub visitor: Option<VisitorHash>,
    /// From where.
    pub network: Option<Network>,
}

/// The place of one click among those of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClickCursor {
    /// When it was made.
    pub at: Timestamp,
    /// The click.
    pub id: ClickId,
}

impl From<&RawClick> for ClickCursor {
    fn from(click: &RawClick) -> Self {
        Self { at: click.at, id: click.id }
    }
}

/// Reads what analytics keep. Rollups are exact: what the sink applied is what is read.
///
/// # Contract
/// Every method is a bounded number of bounded, indexed queries, over rollups unless it is about raw clicks. Spans
/// are the caller's to bound: a point is returned only for hours and days that have clicks.
#[async_trait]
pub trait AnalyticsReader: Send + Sync {
    /// All clicks of the scope, ever.
    async fn total(&self, scope: Scope) -> Result<u64, StoreError>;

    /// The clicks per hour or day within `span`, ascending; empty stretches are left out. Days at
    /// the ends of the span count only its hours.
    async fn series(&self, scope: Scope, interval: Interval, span: Span) -> Result<Vec<Point>, StoreError>;

    /// The clicks of a link per value of `by` over the days `from..to` (as [`Timestamp::day`] counts
    /// them), most first, ties by value, at most `limit`.
    ///
    /// [`Timestamp::day`]: crate::Timestamp::day
    async fn breakdown(
        &self,
        link: LinkId,
        by: Dimension,
        from: i64,
        to: i64,
        limit: u32,
    ) -> Result<Vec<Share>, StoreError>;

    /// The links with the most clicks over the days `from..to`, most first, ties by id, at most `limit`, deleted
    /// ones included.
    ///
    /// The clicks are exact. A link is looked at if it is among the [`CONTENDERS`] most clicked of one of the
    /// days at least: one that never is may be left out, though its days together would carry it in.
    async fn top(&self, from: i64, to: i64, limit: u32) -> Result<Vec<LinkClicks>, StoreError>;

    /// Clicks of a link within `from..to` as they are kept, newest first (by time, then id), after `after`, at most
    /// `limit`. Of a busy link some stand for others: over any time that is still kept the weights add up to the
    /// clicks.
    async fn clicks(
        &self,
        link: LinkId,
        from: Timestamp,
        to: Timestamp,
        after: Option<ClickCursor>,
        limit: u32,
    ) -> Result<Vec<RawClick>, StoreError>;
}

/// How many links of each day [`AnalyticsReader::top`] looks at.
pub const CONTENDERS: usize = 1_000;
