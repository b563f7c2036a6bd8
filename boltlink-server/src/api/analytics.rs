//! `/api/v1/analytics`.

use std::sync::Arc;

use boltlink_core::Shortener;
use poem_openapi::{ApiResponse, OpenApi, param::Query, payload::Json};

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::Caller,
    counts::{GlobalCounts, Top, TopLink},
    model::LinkView,
    problem::Code,
    scalar::Date,
    stats::{days, number},
};
use crate::hosts::Hosts;

/// Counts across links.
pub(crate) struct Analytics {
    shortener: Shortener,
    hosts: Arc<Hosts>,
}

impl Analytics {
    pub(crate) const fn new(shortener: Shortener, hosts: Arc<Hosts>) -> Self {
        Self { shortener, hosts }
    }
}

/// The most days that one request covers.
const MAX_DAYS: i64 = 366;
/// The most days that one list of the most clicked links covers.
const MAX_TOP_DAYS: i64 = 92;
/// The days covered if none are named.
const DEFAULT_DAYS: u64 = 30;

refusals! {
    OnGlobal: ;
}

#[derive(ApiResponse)]
enum Counted {
    /// The counts.
    #[oai(status = 200)]
    Global(Json<GlobalCounts>),
}

#[derive(ApiResponse)]
enum Ranked {
    /// The links.
    #[oai(status = 200)]
    Top(Json<Top>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Analytics")]
impl Analytics {
    /// Count the clicks of all links
    ///
    /// At most 366 days at a time.
    #[oai(path = "/analytics/global", method = "get", operation_id = "global_analytics")]
    async fn global(
        &self,
        caller: Caller,
        /// The first day, UTC; 29 days before `to` if absent.
        from: Query<Option<Date>>,
        /// The last day, UTC; today if absent.
        to: Query<Option<Date>>,
    ) -> Result<Counted, Refused<OnGlobal>> {
        let (from, to) = days(&self.shortener, from.0, to.0, DEFAULT_DAYS, MAX_DAYS)?;
        let stats = self.shortener.global(&caller.0, number(from), number(to) + 1).await?;
        Ok(Counted::Global(Json(GlobalCounts::new(from, to, stats))))
    }

    /// List the most clicked links
    ///
    /// At most 92 days at a time. Counts are exact; looked at are the 1,000 most clicked links of each
    /// day. Links that have been deleted since are left out.
    #[oai(path = "/analytics/top", method = "get", operation_id = "top_links")]
    async fn top(
        &self,
        caller: Caller,
        /// The first day, UTC; 29 days before `to` if absent.
        from: Query<Option<Date>>,
        /// The last day, UTC; today if absent.
        to: Query<Option<Date>>,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
    ) -> Result<Ranked, Refused<OnGlobal>> {
        let (from, to) = days(&self.shortener, from.0, to.0, DEFAULT_DAYS, MAX_TOP_DAYS)?;
        let top = self.shortener.top(&caller.0, number(from)..number(to) + 1, limit.0).await?;
        let item = |(link, clicks)| TopLink { clicks, link: LinkView::new(link, &self.hosts) };
        Ok(Ranked::Top(Json(Top { from: Date(from), to: Date(to), items: top.into_iter().map(item).collect() })))
    }
}

fn default_limit() -> u32 {
    50
}
