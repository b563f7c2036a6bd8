//! `/api/v1/links/{id}/…`: who followed a link.

use boltlink_core::{
    Shortener, Timestamp,
    store::{ClickCursor, Dimension, Interval},
};
use chrono::{Days, NaiveDate};
use poem_openapi::{
    ApiResponse, Enum, OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::Caller,
    counts::{Breakdown, ClickPage, Series, SeriesPoint, Stats, begin},
    cursor::Cursors,
    export::{self, Format},
    links::link_id,
    problem::{Code, Problem},
    scalar::{CursorText, Date, IdText, Moment, Nullable},
};

/// The most points of a series.
const MAX_POINTS: i64 = 1_000;
/// The most days of a breakdown.
const MAX_DAYS: i64 = 366;
/// How many days a breakdown covers if none are named.
const DEFAULT_DAYS: u64 = 30;

/// What is wrong with a span that ends before it begins.
const LATER: &str = "must not be later than 'to'";

/// The counts of single links.
pub(crate) struct LinkCounts {
    shortener: Shortener,
    cursors: Cursors,
}

refusals! {
    OnCount: LinkNotFound;
}

/// Into what stretches of time clicks are counted.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum Step {
    /// Hours.
    Hour,
    /// Days.
    Day,
}

/// What clicks are broken down by.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum By {
    /// The host of the page that linked.
    Referrer,
    /// The visitor's preferred language.
    Language,
}

#[derive(ApiResponse)]
enum Counted {
    /// The link's counts.
    #[oai(status = 200)]
    Stats(Json<Stats>),
}

#[derive(ApiResponse)]
enum Counts {
    /// The clicks of each hour or day.
    #[oai(status = 200)]
    Series(Json<Series>),
}

#[derive(ApiResponse)]
enum Shares {
    /// The clicks of each value.
    #[oai(status = 200)]
    Breakdown(Json<Breakdown>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Links")]
impl LinkCounts {
    /// Count a link's clicks
    #[oai(path = "/links/:id/stats", method = "get", operation_id = "link_stats")]
    async fn stats(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<IdText>,
    ) -> Result<Counted, Refused<OnCount>> {
        Ok(Counted::Stats(Json(self.shortener.stats(&caller.0, link_id(&id)?).await?.into())))
    }

    /// Count a link's clicks over time
    ///
    /// A point for every hour or day that begins at `from` or later and before `to`, those without clicks included; at
    /// most 1,000. Follows within seconds.
    #[oai(path = "/links/:id/series", method = "get", operation_id = "link_series")]
    async fn series(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<IdText>,
        /// How long each stretch is.
        interval: Query<Step>,
        /// The earliest beginning; 24 hours or 30 days before `to` if absent.
        from: Query<Option<Moment>>,
        /// All begin before this moment; now if absent.
        to: Query<Option<Moment>>,
    ) -> Result<Counts, Refused<OnCount>> {
        let id = link_id(&id)?;
        let (interval, usual) = match interval.0 {
            Step::Hour => (Interval::Hour, 24),
            Step::Day => (Interval::Day, 30),
        };
        let first = |moment: Timestamp| {
            moment.as_micros().div_euclid(interval.micros())
                + i64::from(moment.as_micros().rem_euclid(interval.micros()) > 0)
        };
        let end = to.0.map_or_else(|| self.shortener.now(), |to| to.0);
        if from.0.as_ref().is_some_and(|from| from.0 > end) {
            return Err(Problem::parameter("from", LATER).into());
        }
        // Nothing is earlier than the year 0.
        let to = first(end);
        let from = from.0.map_or_else(|| (to - usual).max(first(Timestamp::FIRST)), |from| first(from.0));
        if to - from > MAX_POINTS {
            let detail = format!("gives {} points, and more than {MAX_POINTS} are too many", to - from);
            return Err(Problem::parameter("from", detail).into());
        }
        let points = self.shortener.series(&caller.0, id, interval, from..to).await?;
        let point = |point: boltlink_core::store::Point| SeriesPoint {
            at: Moment(begin(interval, point.at)),
            clicks: point.clicks,
        };
        Ok(Counts::Series(Json(Series { points: points.into_iter().map(point).collect() })))
    }

    /// Count a link's clicks by a property of the visitors
    ///
    /// At most 366 days at a time. Of each day the 100 first values are kept apart, the rest together as `(other)`.
    #[oai(path = "/links/:id/breakdown", method = "get", operation_id = "link_breakdown")]
    async fn breakdown(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<IdText>,
        /// The property.
        by: Query<By>,
        /// The first day, UTC; 29 days before `to` if absent.
        from: Query<Option<Date>>,
        /// The last day, UTC; today if absent.
        to: Query<Option<Date>>,
        /// How many values at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
    ) -> Result<Shares, Refused<OnCount>> {
        let id = link_id(&id)?;
        let (from, to) = days(&self.shortener, from.0, to.0, DEFAULT_DAYS, MAX_DAYS)?;
        let by = match by.0 {
            By::Referrer => Dimension::Referrer,
            By::Language => Dimension::Language,
        };
        let shares = self.shortener.breakdown(&caller.0, id, by, number(from)..number(to) + 1, limit.0).await?;
        Ok(Shares::Breakdown(Json(Breakdown { items: shares.into_iter().map(Into::into).collect() })))
    }

    /// List a link's clicks
    ///
    /// Newest first, as long as they are kept. Of links that are clicked more often than single clicks are kept, some
    /// stand for others (`weight`). With `Accept: text/csv` or `application/x-ndjson` all of the span are sent as one
    /// file; `limit` and `cursor` are for JSON.
    #[oai(path = "/links/:id/clicks", method = "get", operation_id = "link_clicks")]
    #[allow(clippy::too_many_arguments)] // As many as there are parameters.
    async fn clicks(
        &self,
        caller: Caller,
        request: &poem::Request,
        /// The link's `id`.
        id: Path<IdText>,
        /// Only clicks at this moment or later.
        from: Query<Option<Moment>>,
        /// Only clicks before this moment.
        to: Query<Option<Moment>>,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
        /// The `next_cursor` of the page before. It goes with the same span.
        cursor: Query<Option<CursorText>>,
    ) -> Result<export::Clicks, Refused<OnCount>> {
        let (actor, id) = (caller.0, link_id(&id)?);
        let span = from.0.map_or(Timestamp::EPOCH, |from| from.0)..to.0.map_or(Timestamp::LAST, |to| to.0);
        if from.0.is_some() && span.start > span.end {
            return Err(Problem::parameter("from", LATER).into());
        }
        let format = export::accepted(request.headers());
        if format != Format::Json {
            // What cannot be seen is refused before anything is sent.
            self.shortener.find(&actor, id).await?;
            return Ok(export::Clicks::File(export::file(self.shortener.clone(), actor, id, span, format), format, id));
        }
        let list = format!("clicks {id} {} {}", span.start.as_micros(), span.end.as_micros());
        let after = cursor.0.map(|cursor| self.cursors.open(&list, &cursor.0)).transpose()?;
        let after = after.map(|(at, id)| ClickCursor { at, id: boltlink_core::ClickId::from_uuid(id) });
        // One more than asked for tells whether there is a next page.
        let mut clicks = self.shortener.clicks(&actor, id, span, after, limit.0 + 1).await?;
        let more = clicks.len() > limit.0 as usize;
        clicks.truncate(limit.0 as usize);
        let last = clicks.last().filter(|_| more).map(ClickCursor::from);
        let next = last.map(|last| self.cursors.seal(&list, last.at, last.id.as_uuid()));
        let items = clicks.into_iter().map(Into::into).collect();
        Ok(export::Clicks::Page(ClickPage { items, next_cursor: Nullable(next) }))
    }
}

impl LinkCounts {
    pub(crate) fn new(shortener: Shortener) -> Self {
        Self { cursors: Cursors::new(&shortener), shortener }
    }
}

fn default_limit() -> u32 {
    50
}

/// The days from `from` to `to`, both included: up to `most` of them, `usual` if only the end is known.
pub(super) fn days(
    shortener: &Shortener,
    from: Option<Date>,
    to: Option<Date>,
    usual: u64,
    most: i64,
) -> Result<(NaiveDate, NaiveDate), Problem> {
    let to = to.map_or_else(|| shortener.now().to_datetime().date_naive(), |to| to.0);
    let from = from.map(|from| from.0).or_else(|| to.checked_sub_days(Days::new(usual - 1))).unwrap_or(to);
    let days = number(to) - number(from) + 1;
    if days < 1 {
        return Err(Problem::parameter("from", LATER));
    }
    if days > most {
        return Err(Problem::parameter("from", format_args!("must lie within {most} days of 'to'")));
    }
    Ok((from, to))
}

/// A day as rollups count it.
pub(super) fn number(day: NaiveDate) -> i64 {
    day.signed_duration_since(NaiveDate::default()).num_days()
}
