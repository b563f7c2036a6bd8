//! `/api/v1/admin/queue`: what waits to be stored, and what the database refused.

use boltlink_core::{
    DeadLetterId, Error, Shortener,
    store::{DeadClicks, DeadLetter},
};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::ToJSON,
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::Caller,
    problem::{Code, Problem},
    scalar::{DeadLetterText, Moment, Nullable},
};

/// The queue of clicks.
pub(crate) struct Queue(pub(crate) Shortener);

refusals! {
    OnQueue: ;
    OnLetter: DeadLetterNotFound;
    OnReplay: DeadLetterNotFound StillRefused DeadLetterUnreadable;
}

/// What waits to be stored.
#[derive(Debug, Object)]
pub(crate) struct Depths {
    /// One entry for each consumer.
    consumers: Vec<Depth>,
}

/// What waits for one consumer.
#[derive(Debug, Object)]
pub(crate) struct Depth {
    /// `totals` or `analytics`.
    consumer: String,
    /// Batches of clicks that it has not stored yet. With Redis those of all servers, else those of this one.
    batches: u64,
    /// About when the oldest of them was recorded, UTC; null if none waits.
    oldest: Nullable<Moment>,
    /// Of how many batches something was refused and waits for an operator.
    dead_letters: u64,
}

/// A page of dead letters.
#[derive(Debug, Object)]
pub(crate) struct DeadLetterPage {
    /// The letters.
    items: Vec<DeadLetterView>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    next_cursor: Nullable<String>,
}

/// Clicks that the database refused.
#[derive(Debug, Object)]
pub(crate) struct DeadLetterView {
    /// Its name.
    id: String,
    /// Whose store refused it: `totals` or `analytics`.
    consumer: String,
    /// How many clicks it has; null if they cannot be read.
    clicks: Nullable<u64>,
    /// Whether a batch waits whole; else some of its clicks, and the others were stored. Null if they cannot be read.
    whole: Nullable<bool>,
    /// Why its clicks cannot be read: they are damaged, or a newer release wrote them. Null if they can.
    unreadable: Nullable<String>,
    /// Why it was refused, in the database's words.
    reason: String,
    /// Since when it waits, UTC.
    since: Moment,
}

/// Clicks that the database refused, one by one.
#[derive(Debug, Object)]
pub(crate) struct DeadLetterDetails {
    /// The letter.
    letter: DeadLetterView,
    /// Its clicks; none if they cannot be read.
    items: Vec<DeadClick>,
}

/// A click that was refused.
#[derive(Debug, Object)]
pub(crate) struct DeadClick {
    /// Its name for ever.
    id: Uuid,
    /// The link that was followed.
    link_id: Uuid,
    /// When, UTC.
    at: Moment,
    /// The page that linked, as the visitor's browser named it.
    referrer: Nullable<String>,
    /// The visitor's browser, as it named itself.
    user_agent: Nullable<String>,
    /// The languages that the visitor prefers.
    language: Nullable<String>,
}

/// What became of a dead letter.
#[derive(Debug, Object)]
pub(crate) struct Replayed {
    /// Clicks that count now.
    clicks: u64,
    /// Those of them whose link does not exist any more.
    orphaned: u64,
}

#[derive(ApiResponse)]
enum Told {
    /// What waits.
    #[oai(status = 200)]
    Depths(Json<Depths>),
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of them.
    #[oai(status = 200)]
    Page(Json<DeadLetterPage>),
}

#[derive(ApiResponse)]
enum Shown {
    /// The letter.
    #[oai(status = 200)]
    Letter(Json<DeadLetterDetails>),
}

#[derive(ApiResponse)]
enum Done {
    /// It counts.
    #[oai(status = 200)]
    Replayed(Json<Replayed>),
}

#[derive(ApiResponse)]
enum Gone {
    /// It is gone.
    #[oai(status = 204)]
    Purged,
}

#[OpenApi(prefix_path = "/api/v1/admin", tag = "Tag::Queue")]
impl Queue {
    /// Tell what waits to be stored
    #[oai(path = "/queue", method = "get", operation_id = "queue_depth")]
    async fn depth(&self, caller: Caller) -> Result<Told, Refused<OnQueue>> {
        let depth = |depth: boltlink_core::QueueDepth| Depth {
            consumer: depth.consumer.name().to_owned(),
            batches: depth.backlog.batches,
            oldest: Nullable(depth.backlog.oldest.map(Moment)),
            dead_letters: depth.dead_letters,
        };
        let depths = self.0.queue(&caller.0).await?;
        Ok(Told::Depths(Json(Depths { consumers: depths.into_iter().map(depth).collect() })))
    }

    /// List dead letters
    ///
    /// Clicks that the database refused, and which are counted nowhere until they are replayed.
    #[oai(path = "/queue/dead", method = "get", operation_id = "list_dead_letters")]
    async fn list(
        &self,
        caller: Caller,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<DeadLetterText>>,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
    ) -> Result<Listed, Refused<OnQueue>> {
        let wrong = |_| Problem::parameter("cursor", "must be the next_cursor of an earlier page");
        let after = cursor.0.map(|cursor| cursor.0.parse().map_err(wrong)).transpose()?;
        let mut letters = self.0.dead_letters(&caller.0, after, limit.0 + 1).await?;
        let more = letters.len() > limit.0 as usize;
        letters.truncate(limit.0 as usize);
        let next_cursor = letters.last().filter(|_| more).map(|(id, _)| id.to_string());
        let items = letters.iter().map(|(id, letter)| view(*id, letter)).collect();
        Ok(Listed::Page(Json(DeadLetterPage { items, next_cursor: Nullable(next_cursor) })))
    }

    /// Show a dead letter
    #[oai(path = "/queue/dead/:id", method = "get", operation_id = "get_dead_letter")]
    async fn show(
        &self,
        caller: Caller,
        /// The letter's `id`.
        id: Path<DeadLetterText>,
    ) -> Result<Shown, Refused<OnLetter>> {
        let id = named(&id.0)?;
        let letter = self.0.dead_letter(&caller.0, id).await.map_err(|error| problem(id, error))?;
        Ok(Shown::Letter(Json(details(id, &letter))))
    }

    /// Replay a dead letter
    ///
    /// Counts its clicks, once the cause is mended.
    #[oai(path = "/queue/dead/:id/replay", method = "post", operation_id = "replay_dead_letter")]
    async fn replay(
        &self,
        caller: Caller,
        /// The letter's `id`.
        id: Path<DeadLetterText>,
    ) -> Result<Done, Refused<OnReplay>> {
        let id = named(&id.0)?;
        let applied = self.0.replay(&caller.0, id).await.map_err(|error| problem(id, error))?;
        Ok(Done::Replayed(Json(Replayed { clicks: applied.clicks, orphaned: applied.orphaned })))
    }

    /// Purge a dead letter
    ///
    /// Drops its clicks for good, readable or not. Purged of one consumer only, they stay a difference between totals and
    /// statistics.
    #[oai(path = "/queue/dead/:id", method = "delete", operation_id = "purge_dead_letter")]
    async fn purge(
        &self,
        caller: Caller,
        /// The letter's `id`.
        id: Path<DeadLetterText>,
    ) -> Result<Gone, Refused<OnLetter>> {
        let id = named(&id.0)?;
        self.0.purge(&caller.0, id).await.map_err(|error| problem(id, error))?;
        Ok(Gone::Purged)
    }
}

fn default_limit() -> u32 {
    50
}

fn view(id: DeadLetterId, letter: &DeadLetter) -> DeadLetterView {
    let clicks = letter.clicks.as_ref();
    DeadLetterView {
        id: id.to_string(),
        consumer: id.consumer.name().to_owned(),
        clicks: Nullable(clicks.ok().map(|clicks| clicks.batch().len() as u64)),
        whole: Nullable(clicks.ok().map(|clicks| clicks.places().is_none())),
        unreadable: Nullable(clicks.err().map(ToString::to_string)),
        reason: letter.reason.clone(),
        since: Moment(letter.since),
    }
}

fn details(id: DeadLetterId, letter: &DeadLetter) -> DeadLetterDetails {
    let mut items = Vec::new();
    for part in letter.clicks.as_ref().map(DeadClicks::parts).unwrap_or_default() {
        items.extend(part.clicks().enumerate().map(|(place, click)| DeadClick {
            id: *part.click_id(place, click.at).as_uuid(),
            link_id: *click.link.as_uuid(),
            at: Moment(click.at),
            referrer: Nullable(click.referrer.map(str::to_owned)),
            user_agent: Nullable(click.user_agent.map(str::to_owned)),
            language: Nullable(click.language.map(str::to_owned)),
        }));
    }
    DeadLetterDetails { letter: view(id, letter), items }
}

/// A dead letter as the API lists it.
#[must_use]
pub fn dead_letter_summary(id: DeadLetterId, letter: &DeadLetter) -> Value {
    view(id, letter).to_json().unwrap_or_default()
}

/// A dead letter with its clicks, as the API shows it.
#[must_use]
pub fn dead_letter_details(id: DeadLetterId, letter: &DeadLetter) -> Value {
    details(id, letter).to_json().unwrap_or_default()
}

/// What is no id names nothing.
fn named(id: &DeadLetterText) -> Result<DeadLetterId, Problem> {
    id.0.parse().map_err(|_| not_found())
}

fn not_found() -> Problem {
    Problem::new(Code::DeadLetterNotFound, "there is no dead letter of this id, or no more")
}

fn problem(id: DeadLetterId, error: Error) -> Problem {
    match error {
        Error::Unreadable { reason } => Problem::new(
            Code::DeadLetterUnreadable,
            format!("{id} cannot be read: {reason}; replay it with the release that wrote it, or purge it"),
        ),
        Error::NotFound { .. } => not_found(),
        Error::Refused { reason } => {
            Problem::new(Code::StillRefused, format!("the database still refuses it: {reason}; mend the cause first"))
        }
        other => other.into(),
    }
}
