//! Reading counts.

use std::ops::Range;

use tracing::instrument;

use super::{
    Error, Shortener,
    error::{require, require_all},
};
use crate::{
    access::{self, Actor},
    id::LinkId,
    link::StoredLink,
    store::{ClickCursor, Dimension, Interval, LinkClicks, Point, RawClick, Scope, Share, Span},
    time::Timestamp,
};

/// Values shown per dimension.
const TOP: u32 = 20;
const DAYS: i64 = 30;

/// The counts of a link. All but `clicks` come from rollups, which follow within seconds; under the heaviest load within
/// half a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStats {
    /// Clicks as of now: stored, and on their way.
    pub clicks: u64,
    /// Clicks per hour, the last 24 hours that have any.
    pub hours: Vec<Point>,
    /// Clicks per day, of the last 30 days those that have any.
    pub days: Vec<Point>,
    /// The most frequent referring hosts of these days.
    pub referrers: Vec<Share>,
    /// The most frequent languages of these days.
    pub languages: Vec<Share>,
}

/// The counts of all links together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalStats {
    /// Clicks within the days asked for.
    pub clicks: u64,
    /// Clicks per day, those days that have any.
    pub days: Vec<Point>,
}

impl Shortener {
    /// The counts of a link.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn stats(&self, actor: &Actor, id: LinkId) -> Result<LinkStats, Error> {
        let link = self.counted(actor, id).await?;
        let clicks = self.live(link).await?.clicks;
        let (now, reader) = (self.now(), &self.0.stores.reader);
        let (hour, day) = (now.hour() + 1, now.day() + 1);
        let scope = Scope::Link(id);
        let last_day = Span { from: hour - 24, to: hour };
        let last_days = Span { from: (day - DAYS) * 24, to: day * 24 };
        let read = async {
            Ok(LinkStats {
                clicks,
                hours: reader.series(scope, Interval::Hour, last_day).await?,
                days: reader.series(scope, Interval::Day, last_days).await?,
                referrers: reader.breakdown(id, Dimension::Referrer, day - DAYS, day, TOP).await?,
                languages: reader.breakdown(id, Dimension::Language, day - DAYS, day, TOP).await?,
            })
        };
        Ok(self.0.within(read).await?)
    }

    /// The counts of all links over the days `from..to` ([`Timestamp::day`](crate::Timestamp::day)).
    /// The caller bounds the span.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the actor is an admin, [`Error::OtherDomain`] unless of all domains.
    #[instrument(level = "debug", skip_all)]
    pub async fn global(&self, actor: &Actor, from: i64, to: i64) -> Result<GlobalStats, Error> {
        require_all(actor)?;
        let span = Span { from: from * 24, to: to * 24 };
        let days = self.0.within(self.0.stores.reader.series(Scope::Global, Interval::Day, span)).await?;
        Ok(GlobalStats { clicks: days.iter().map(|day| day.clicks).sum(), days })
    }

    /// The clicks of a link per hour or day of `points`, counted from 1970, those without any included. The caller
    /// bounds them.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn series(
        &self,
        actor: &Actor,
        id: LinkId,
        interval: Interval,
        points: Range<i64>,
    ) -> Result<Vec<Point>, Error> {
        self.counted(actor, id).await?;
        let hours = match interval {
            Interval::Hour => 1,
            Interval::Day => 24,
        };
        let span = Span { from: points.start * hours, to: points.end * hours };
        let found = self.0.within(self.0.stores.reader.series(Scope::Link(id), interval, span)).await?;
        let mut found = found.into_iter().peekable();
        let mut clicks = |at| found.next_if(|point| point.at == at).map_or(0, |point| point.clicks);
        Ok(points.map(|at| Point { at, clicks: clicks(at) }).collect())
    }

    /// The clicks of a link per value of `by` over the days `from..to`, most first. The caller bounds the span.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn breakdown(
        &self,
        actor: &Actor,
        id: LinkId,
        by: Dimension,
        days: Range<i64>,
        limit: u32,
    ) -> Result<Vec<Share>, Error> {
        self.counted(actor, id).await?;
        Ok(self.0.within(self.0.stores.reader.breakdown(id, by, days.start, days.end, limit)).await?)
    }

    /// Single clicks of a link within `from..to`, newest first, after `after`; see
    /// [`AnalyticsReader::clicks`](crate::store::AnalyticsReader::clicks).
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`], also if the actor may not see it.
    #[instrument(level = "debug", skip_all)]
    pub async fn clicks(
        &self,
        actor: &Actor,
        id: LinkId,
        span: Range<Timestamp>,
        after: Option<ClickCursor>,
        limit: u32,
    ) -> Result<Vec<RawClick>, Error> {
        self.counted(actor, id).await?;
        Ok(self.0.within(self.0.stores.reader.clicks(id, span.start, span.end, after, limit)).await?)
    }

    /// The links with the most clicks over the days `from..to`, most first; those that were deleted since are left
    /// out, and so there may be fewer than `limit`. The caller bounds the span.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the actor is an admin, [`Error::OtherDomain`] unless of all domains.
    #[instrument(level = "debug", skip_all)]
    pub async fn top(&self, actor: &Actor, days: Range<i64>, limit: u32) -> Result<Vec<(StoredLink, u64)>, Error> {
        require_all(actor)?;
        let read = async {
            let mut top = Vec::new();
            for LinkClicks { link, clicks } in self.0.stores.reader.top(days.start, days.end, limit).await? {
                top.extend(self.0.stores.links.by_id(link).await?.map(|link| (link, clicks)));
            }
            Ok(top)
        };
        Ok(self.0.within(read).await?)
    }

    /// The link as stored, if the actor may see its counts.
    async fn counted(&self, actor: &Actor, id: LinkId) -> Result<StoredLink, Error> {
        require(actor, access::Scope::AnalyticsRead)?;
        self.own(actor, id).await
    }
}
