//! `/api/v1/analytics`.

use boltlink_core::Shortener;
use chrono::{Days, NaiveDate};
use poem_openapi::{ApiResponse, OpenApi, param::Query, payload::Json};

use super::{
    Tag,
    answer::{Refusals, Refused},
    auth::Caller,
    model::GlobalCounts,
    problem::Problem,
    scalar::Date,
};

/// Counts across links.
pub(crate) struct Analytics {
    shortener: Shortener,
}

impl Analytics {
    pub(crate) const fn new(shortener: Shortener) -> Self {
        Self { shortener }
    }
}

/// The most days that one request covers.
const MAX_DAYS: i64 = 366;
/// The days covered if none are named.
const DEFAULT_DAYS: u64 = 30;

pub(crate) struct OnGlobal;

impl Refusals for OnGlobal {
    const STATUSES: &'static [u16] = &[400, 403];
}

#[derive(ApiResponse)]
enum Counted {
    /// The counts.
    #[oai(status = 200)]
    Global(Json<GlobalCounts>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Analytics")]
impl Analytics {
    /// Count the clicks of all links
    ///
    /// Needs an admin key. At most 366 days at a time.
    #[oai(path = "/analytics/global", method = "get", operation_id = "global_analytics")]
    async fn global(
        &self,
        caller: Caller,
        /// The first day, UTC; 29 days before `to` if absent.
        from: Query<Option<Date>>,
        /// The last day, UTC; today if absent.
        to: Query<Option<Date>>,
    ) -> Result<Counted, Refused<OnGlobal>> {
        let to = to.0.map_or_else(|| self.shortener.now().to_datetime().date_naive(), |to| to.0);
        let from = from.0.map(|from| from.0).or_else(|| to.checked_sub_days(Days::new(DEFAULT_DAYS - 1))).unwrap_or(to);
        let days = to.signed_duration_since(from).num_days() + 1;
        if days < 1 {
            return Err(Problem::parameter("from", "must not be later than 'to'").into());
        }
        if days > MAX_DAYS {
            return Err(Problem::parameter("from", format!("must lie within {MAX_DAYS} days of 'to'")).into());
        }
        let first = from.signed_duration_since(NaiveDate::default()).num_days();
        let stats = self.shortener.global(&caller.0, first, first + days).await?;
        Ok(Counted::Global(Json(GlobalCounts::new(from, to, stats))))
    }
}
