//! `/api/v1/links`.

use std::{str::FromStr, sync::Arc};

use boltlink_core::{
    Domain, LinkId, Shortener, StoredLink, Tags, Timestamp,
    store::{LinkCursor, LinkFilter, LinkOrder, TagMatch},
};
use poem_openapi::{
    ApiResponse, Enum, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::{Caller, may_protect},
    body::Body,
    cursor::Cursors,
    draft::{self, Rules},
    model::{LinkPage, LinkPatch, LinkView, NewLink},
    precondition,
    problem::{Code, Problem},
    scalar::{CursorText, EntityTag, IdText, Moment, Nullable, RequestKey, SearchWords, TagText},
};
use crate::{hosts::Hosts, throttle::Throttle};

/// Links.
pub(crate) struct Links {
    shortener: Shortener,
    hosts: Arc<Hosts>,
    rules: Rules,
    cursors: Cursors,
    throttle: Arc<Throttle>,
}

/// The orders that lists have.
#[derive(Debug, Clone, Copy, Enum)]
enum Sort {
    /// The latest made first.
    #[oai(rename = "-created_at")]
    Newest,
    /// The earliest made first.
    #[oai(rename = "created_at")]
    Oldest,
    /// The latest changed first.
    #[oai(rename = "-updated_at")]
    LatestChange,
    /// The earliest changed first.
    #[oai(rename = "updated_at")]
    EarliestChange,
}

/// How many of the tags a link must have.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum Match {
    /// One of them.
    Any,
    /// Every one.
    All,
}

refusals! {
    OnCreate: MalformedBody BodyTimeout SlugTaken ReplayedDeleted BodyTooLarge UnsupportedMediaType Invalid KeyReused;
    OnList: ;
    OnRead: LinkNotFound;
    OnEdit: MalformedBody LinkNotFound BodyTimeout SlugTaken Stale BodyTooLarge UnsupportedMediaType Invalid;
    OnDelete: LinkNotFound Stale;
}

#[derive(ApiResponse)]
enum Made {
    /// A link that was there already is as good, as `find_existing` asked.
    #[oai(status = 200)]
    Found(
        Json<LinkView>,
        /// Where the link is found in this API.
        #[oai(header = "Location")]
        String,
        /// The link's version.
        #[oai(header = "ETag")]
        String,
    ),
    /// The link is made, or was made by an earlier request with the same idempotency key.
    #[oai(status = 201)]
    Link(
        Json<LinkView>,
        /// Where the link is found in this API.
        #[oai(header = "Location")]
        String,
        /// The link's version.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Shown {
    /// The link as it is now.
    #[oai(status = 200)]
    Link(
        Json<LinkView>,
        /// The link's version, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of links.
    #[oai(status = 200)]
    Page(Json<LinkPage>),
}

#[derive(ApiResponse)]
enum Deleted {
    /// The link is gone, and its slug is free.
    #[oai(status = 204)]
    Gone,
}

impl Links {
    pub(crate) fn new(shortener: Shortener, hosts: Arc<Hosts>, throttle: Arc<Throttle>) -> Self {
        let cursors = Cursors::new(&shortener);
        Self { rules: Rules::new(&shortener, hosts.clone()), cursors, shortener, hosts, throttle }
    }

    fn made(&self, link: StoredLink) -> (Json<LinkView>, String, String) {
        let (location, tag) = (format!("/api/v1/links/{}", link.link.id), precondition::tag(link.link.version));
        (Json(LinkView::new(link, &self.hosts)), location, tag)
    }

    fn domain(&self, name: &str) -> Result<Domain, Problem> {
        self.hosts.named(name).ok_or_else(|| Problem::parameter("domain", draft::not_ours(&self.hosts)))
    }

    fn show(&self, link: StoredLink) -> Shown {
        let tag = precondition::tag(link.link.version);
        Shown::Link(Json(LinkView::new(link, &self.hosts)), tag)
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Links")]
impl Links {
    /// Make a link
    ///
    /// With an `Idempotency-Key` a request can be repeated safely, in parallel too: the same key and body
    /// within 24 hours give the same link, the same key with another body is refused with 422. What `find_existing`
    /// finds is given whatever the key.
    #[oai(path = "/links", method = "post", operation_id = "create_link")]
    async fn create(
        &self,
        caller: Caller,
        /// 1 to 255 visible ASCII characters that no other request of yours has.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<RequestKey>>,
        body: Body<NewLink>,
    ) -> Result<Made, Refused<OnCreate>> {
        let key = precondition::idempotency_key(key.0)?;
        let draft = draft::new_link(body.0, &self.rules)?;
        if let Some(like) = &draft.existing
            && let Some(link) = self.shortener.find_like(&caller.0, like).await?
        {
            let (link, location, tag) = self.made(link);
            return Ok(Made::Found(link, location, tag));
        }
        may_protect(&self.throttle, &caller.0, u32::from(draft.is_protected())).await?;
        let new = draft.into_new(&self.shortener, &caller.0, key.as_ref()).await?;
        let link = match key {
            None => self.shortener.create(&caller.0, new).await?,
            Some(key) => {
                let fingerprint = draft::fingerprint(&new);
                self.shortener.create_once(&caller.0, new, key, fingerprint).await?.link
            }
        };
        let (link, location, tag) = self.made(link);
        Ok(Made::Link(link, location, tag))
    }

    /// List links
    ///
    /// A page at a time, in the order asked for. Links made or deleted meanwhile make no other link appear twice or be
    /// missed.
    #[oai(path = "/links", method = "get", operation_id = "list_links")]
    #[allow(clippy::too_many_arguments)] // As many as there are parameters.
    async fn list(
        &self,
        caller: Caller,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
        /// The `next_cursor` of the page before. It goes with the same filters and the same order.
        cursor: Query<Option<CursorText>>,
        /// Only links in which these words are found, in any case: each in the slug, the target, the title or the note. A
        /// word of three characters at least must be among them.
        text: Query<Option<SearchWords>>,
        /// Only links with these tags; repeat it for more than one.
        #[oai(validator(max_items = 50))]
        tags: Query<Option<Vec<TagText>>>,
        /// Whether a link must have any of the tags, or all; any if absent.
        tags_match: Query<Option<Match>>,
        /// Only links of this domain.
        domain: Query<Option<String>>,
        /// Only links made at this moment or later.
        created_from: Query<Option<Moment>>,
        /// Only links made before this moment.
        created_to: Query<Option<Moment>>,
        /// Only links that are switched on, or off.
        enabled: Query<Option<bool>>,
        /// Only links that crawlers may follow, or may not.
        crawlable: Query<Option<bool>>,
        /// The order: by the time they were made or last changed, `-` for the latest first. `-created_at` if absent.
        sort: Query<Option<Sort>>,
    ) -> Result<Listed, Refused<OnList>> {
        let filter = LinkFilter {
            owner: None,
            domain: domain.0.map(|name| self.domain(&name)).transpose()?,
            text: text.0.map(|text| parameter("text", &text.0)).transpose()?,
            tags: read_tags(tags.0)?,
            tag_match: tags_match.0.map_or(TagMatch::Any, |tags_match| match tags_match {
                Match::Any => TagMatch::Any,
                Match::All => TagMatch::All,
            }),
            created_from: created_from.0.map(|moment| moment.0),
            created_to: created_to.0.map(|moment| moment.0),
            enabled: enabled.0,
            crawlable: crawlable.0,
        };
        let order = sort.0.map_or(LinkOrder::Newest, |sort| match sort {
            Sort::Newest => LinkOrder::Newest,
            Sort::Oldest => LinkOrder::Oldest,
            Sort::LatestChange => LinkOrder::LatestChange,
            Sort::EarliestChange => LinkOrder::EarliestChange,
        });
        let list = list_name(&filter, order);
        let after = cursor.0.map(|cursor| self.cursors.open(&list, &cursor.0)).transpose()?;
        let after = after.map(|(at, id)| LinkCursor { at, id: LinkId::from_uuid(id) });
        let page = self.shortener.list(&caller.0, filter, order, after, limit.0).await?;
        let next = page.next.map(|next| self.cursors.seal(&list, next.at, next.id.as_uuid()));
        Ok(Listed::Page(Json(LinkPage {
            items: page.links.into_iter().map(|link| LinkView::new(link, &self.hosts)).collect(),
            next_cursor: Nullable(next),
        })))
    }

    /// Read a link
    #[oai(path = "/links/:id", method = "get", operation_id = "read_link")]
    async fn read(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<IdText>,
    ) -> Result<Shown, Refused<OnRead>> {
        Ok(self.show(self.shortener.find(&caller.0, link_id(&id)?).await?))
    }

    /// Change a link
    ///
    /// With `If-Match` only if it is still at that version.
    #[oai(path = "/links/:id", method = "patch", operation_id = "edit_link")]
    async fn edit(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<IdText>,
        /// The `ETag` of the version that is to be changed.
        #[oai(name = "If-Match")]
        if_match: Header<Option<EntityTag>>,
        body: Body<LinkPatch>,
    ) -> Result<Shown, Refused<OnEdit>> {
        let id = link_id(&id)?;
        let version = precondition::version(if_match.0.as_ref().map(|tag| &*tag.0))?;
        let draft = draft::link_edit(body.0, &self.rules)?;
        if draft.is_protected() {
            // Nobody takes a hash's work for a link that is not theirs to change.
            self.shortener.check_edit(&caller.0, id, version).await?;
            may_protect(&self.throttle, &caller.0, 1).await?;
        }
        let edit = draft.into_edit(&self.shortener, &caller.0).await?;
        Ok(self.show(self.shortener.edit(&caller.0, id, edit, version).await?))
    }

    /// Delete a link
    ///
    /// With `If-Match` only if it is still at that version. Its clicks stay in the global counts.
    #[oai(path = "/links/:id", method = "delete", operation_id = "delete_link")]
    async fn delete(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<IdText>,
        /// The `ETag` of the version that is to be deleted.
        #[oai(name = "If-Match")]
        if_match: Header<Option<EntityTag>>,
    ) -> Result<Deleted, Refused<OnDelete>> {
        let id = link_id(&id)?;
        let version = precondition::version(if_match.0.as_ref().map(|tag| &*tag.0))?;
        self.shortener.delete(&caller.0, id, version).await?;
        Ok(Deleted::Gone)
    }
}

/// A query parameter that is parsed into a domain type.
fn parameter<T: FromStr<Err: std::error::Error>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|why| Problem::parameter(name, why))
}

fn read_tags(tags: Option<Vec<TagText>>) -> Result<Tags, Problem> {
    let tags = tags.unwrap_or_default().into_iter().map(|tag| parameter("tags", &tag.0));
    Tags::new(tags.collect::<Result<_, _>>()?).map_err(|why| Problem::parameter("tags", why))
}

/// What tells one list from another, for its cursors.
fn list_name(filter: &LinkFilter, order: LinkOrder) -> String {
    let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
    serde_json::json!([
        "links",
        format!("{order:?}"),
        filter.domain.as_ref().map(Domain::as_str),
        filter.text.as_ref().map(|text| text.words().collect::<Vec<_>>()),
        filter.tags.iter().map(boltlink_core::Tag::as_str).collect::<Vec<_>>(),
        filter.tag_match == TagMatch::All,
        micros(filter.created_from),
        micros(filter.created_to),
        filter.enabled,
        filter.crawlable,
    ])
    .to_string()
}

pub(super) fn default_limit() -> u32 {
    50
}

/// What is no id names no link.
pub(super) fn link_id(id: &IdText) -> Result<LinkId, Problem> {
    id.0.parse().map_err(|_| Problem::no_such_link())
}
