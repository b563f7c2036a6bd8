//! `/api/v1/links`.

use std::sync::Arc;

use boltlink_core::{
    LinkId, Shortener, TargetRules,
    store::{IdempotencyKey, LinkCursor},
};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use super::{
    Tag,
    answer::{Refusals, Refused},
    auth::Caller,
    body::Body,
    draft::{self, Rules},
    model::{LinkPage, LinkPatch, LinkView, NewLink, Stats},
    precondition,
    problem::Problem,
    scalar::Nullable,
};
use crate::hosts::Hosts;

/// Links.
pub(crate) struct Links {
    shortener: Shortener,
    hosts: Arc<Hosts>,
    rules: Rules,
}

macro_rules! refusals {
    ($($name:ident: $($status:literal)*;)*) => {$(
        pub(crate) struct $name;

        impl Refusals for $name {
            const STATUSES: &'static [u16] = &[$($status),*];
        }
    )*};
}

refusals! {
    OnCreate: 400 408 409 410 413 415 422;
    OnList: 400;
    OnRead: 404;
    OnEdit: 400 404 408 409 412 413 415 422;
    OnDelete: 400 404 412;
}

#[derive(ApiResponse)]
enum Made {
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

#[derive(ApiResponse)]
enum Counted {
    /// The link's counts.
    #[oai(status = 200)]
    Stats(Json<Stats>),
}

impl Links {
    pub(crate) fn new(shortener: Shortener, hosts: Arc<Hosts>) -> Self {
        let targets = TargetRules { own_hosts: hosts.own(), ..TargetRules::default() };
        Self { shortener, rules: Rules { hosts: hosts.clone(), targets }, hosts }
    }

    fn show(&self, link: boltlink_core::StoredLink) -> Shown {
        let tag = precondition::tag(link.link.version);
        Shown::Link(Json(LinkView::new(link, &self.hosts)), tag)
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Links")]
impl Links {
    /// Make a link
    ///
    /// With an `Idempotency-Key` a request can be repeated safely, in parallel too: the same key and body
    /// within 24 hours give the same link, the same key with another body is refused with 422.
    #[oai(path = "/links", method = "post", operation_id = "create_link")]
    async fn create(
        &self,
        caller: Caller,
        /// 1 to 255 visible ASCII characters that no other request of yours has.
        #[oai(name = "Idempotency-Key", validator(min_length = 1, max_length = 255))]
        key: Header<Option<String>>,
        body: Body<NewLink>,
    ) -> Result<Made, Refused<OnCreate>> {
        let new = draft::new_link(body.0, &self.rules)?;
        let link = match key.0 {
            None => self.shortener.create(&caller.0, new).await?,
            Some(key) => {
                let key: IdempotencyKey = key.parse().map_err(|why| Problem::parameter("Idempotency-Key", why))?;
                let fingerprint = draft::fingerprint(&new);
                self.shortener.create_once(&caller.0, new, key, fingerprint).await?.link
            }
        };
        let (location, tag) = (format!("/api/v1/links/{}", link.link.id), precondition::tag(link.link.version));
        Ok(Made::Link(Json(LinkView::new(link, &self.hosts)), location, tag))
    }

    /// List links
    ///
    /// Newest first. Links made or deleted meanwhile make no other link appear twice or be missed.
    #[oai(path = "/links", method = "get", operation_id = "list_links")]
    async fn list(
        &self,
        caller: Caller,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only links of this domain.
        domain: Query<Option<String>>,
    ) -> Result<Listed, Refused<OnList>> {
        let after: Option<LinkCursor> =
            cursor.0.map(|cursor| cursor.parse()).transpose().map_err(|why| Problem::parameter("cursor", why))?;
        let domain = domain
            .0
            .map(|name| {
                self.hosts.named(&name).ok_or_else(|| Problem::parameter("domain", draft::not_ours(&self.hosts)))
            })
            .transpose()?;
        let page = self.shortener.list(&caller.0, domain, after, limit.0).await?;
        Ok(Listed::Page(Json(LinkPage {
            items: page.links.into_iter().map(|link| LinkView::new(link, &self.hosts)).collect(),
            next_cursor: Nullable(page.next.map(|next| next.to_string())),
        })))
    }

    /// Read a link
    #[oai(path = "/links/:id", method = "get", operation_id = "read_link")]
    async fn read(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<String>,
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
        id: Path<String>,
        /// The `ETag` of the version that is to be changed.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<LinkPatch>,
    ) -> Result<Shown, Refused<OnEdit>> {
        let id = link_id(&id)?;
        let version = precondition::version(if_match.0.as_deref())?;
        let edit = draft::link_edit(body.0, &self.rules)?;
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
        id: Path<String>,
        /// The `ETag` of the version that is to be deleted.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Deleted, Refused<OnDelete>> {
        let id = link_id(&id)?;
        let version = precondition::version(if_match.0.as_deref())?;
        self.shortener.delete(&caller.0, id, version).await?;
        Ok(Deleted::Gone)
    }

    /// Count a link's clicks
    #[oai(path = "/links/:id/stats", method = "get", operation_id = "link_stats")]
    async fn stats(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<String>,
    ) -> Result<Counted, Refused<OnRead>> {
        Ok(Counted::Stats(Json(self.shortener.stats(&caller.0, link_id(&id)?).await?.into())))
    }
}

fn default_limit() -> u32 {
    50
}

/// What is no id names no link.
fn link_id(text: &str) -> Result<LinkId, Problem> {
    text.parse().map_err(|_| Problem::no_such_link())
}
