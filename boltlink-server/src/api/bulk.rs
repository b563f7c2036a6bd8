//! `/api/v1/links/bulk`: many links in one request, each judged by itself.

use std::{collections::HashSet, sync::Arc};

use boltlink_core::{Actor, Error, LinkId, NewLink as New, Shortener, StoredLink, hex, store::IdempotencyKey};
use poem_openapi::{ApiResponse, OpenApi, param::Header, payload::Json};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::{Caller, may_protect},
    body::{self, Body, Fields},
    draft::{self, Draft, Rules},
    model::{BulkResult, BulkResults, LinkIds, LinkPatches, NewLinks},
    precondition,
    problem::{Code, FieldError, Problem},
    scalar::RequestKey,
};
use crate::{hosts::Hosts, throttle::Throttle};

/// How many links one request may be about.
const MOST: usize = 1_000;
/// How many of them one transaction makes: others have a turn between.
const CHUNK: usize = 250;
/// How many of them may get a password, as each takes some 20 ms of a core.
const MOST_PROTECTED: u32 = 100;
/// Bodies may be so many times as long as others.
const LONG: usize = 8;

/// Many links at once.
pub(crate) struct Bulk {
    shortener: Shortener,
    hosts: Arc<Hosts>,
    rules: Rules,
    throttle: Arc<Throttle>,
}

refusals! {
    OnBulk: MalformedBody BodyTimeout BodyTooLarge UnsupportedMediaType Invalid;
}

#[derive(ApiResponse)]
enum Done {
    /// What became of each, in the order of the request. Some may have been refused.
    #[oai(status = 200)]
    Results(Json<BulkResults>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Links")]
impl Bulk {
    /// Make many links
    ///
    /// Up to 1,000, each judged by itself: some may be made and others refused. With an `Idempotency-Key` a request can
    /// be repeated safely: links that it made are not made again, but given.
    #[oai(path = "/links/bulk", method = "post", operation_id = "create_links")]
    async fn create(
        &self,
        caller: Caller,
        /// 1 to 255 visible ASCII characters that no other request of yours has.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<RequestKey>>,
        body: Body<NewLinks, LONG>,
    ) -> Result<Done, Refused<OnBulk>> {
        let key = precondition::idempotency_key(key.0)?;
        // More than the quota has at once would never be let in.
        let most_protected = self.throttle.most_protected().map_or(MOST_PROTECTED, |most| most.min(MOST_PROTECTED));
        let mut results: Vec<Option<BulkResult>> = Vec::new();
        let (mut open, mut again, mut coming) = (Vec::new(), Vec::new(), HashSet::new());
        let (mut drafts, mut protected) = (Vec::new(), 0_u32);
        for (index, fields) in objects(body.0)?.into_iter().enumerate() {
            let draft = draft::new_link(fields, &self.rules);
            protected += u32::from(draft.as_ref().is_ok_and(Draft::is_protected));
            if protected > most_protected {
                let detail = format!("must be absent: of one request {most_protected} links may have one");
                return Err(Problem::invalid(vec![FieldError::at(format!("/links/{index}/password"), detail)]).into());
            }
            drafts.push(draft);
        }
        may_protect(&self.throttle, &caller.0, protected).await?;
        for (index, draft) in drafts.into_iter().enumerate() {
            // One that asks for a link which may be made just now has to wait for it.
            let place = draft.as_ref().ok().map(|draft| (draft.place().0.clone(), draft.place().1.clone()));
            let waits = draft.as_ref().is_ok_and(|draft| draft.existing.is_some())
                && place.as_ref().is_some_and(|place| coming.contains(place));
            coming.extend(place);
            results.push(if waits {
                again.push((index, draft));
                None
            } else {
                self.judge(&caller.0, key.as_ref(), (index, draft), &mut open).await?
            });
        }
        let mut away = None;
        for (number, chunk) in open.chunks(CHUNK).enumerate() {
            let made = match &away {
                None => self.make(&caller.0, key.as_ref(), chunk).await,
                Some(error) => Err(Error::clone(error)),
            };
            let made = match made {
                Ok(made) => made,
                // What was made before has to be told, or nobody would know of it.
                Err(error) if number > 0 => {
                    away = Some(error.clone());
                    chunk.iter().map(|_| Err(error.clone())).collect()
                }
                Err(error) => return Err(error.into()),
            };
            for ((index, _), made) in chunk.iter().zip(made) {
                results[*index] = Some(self.made(*index, made));
            }
        }
        for (index, draft) in again {
            let mut new = Vec::new();
            let judged = match self.judge(&caller.0, key.as_ref(), (index, draft), &mut new).await {
                Ok(None) => self.make(&caller.0, key.as_ref(), &new).await.map(|mut made| made.pop()),
                Ok(result) => {
                    results[index] = result;
                    continue;
                }
                Err(error) => Err(error),
            };
            results[index] = judged.map_or_else(
                |error| Some(self.made(index, Err(error))),
                |made| made.map(|made| self.made(index, made)),
            );
        }
        Ok(Done::Results(Json(BulkResults { results: results.into_iter().flatten().collect() })))
    }

    /// Change many links
    ///
    /// The same change to up to 1,000 links, each by itself: some may be changed and others refused.
    #[oai(path = "/links/bulk", method = "patch", operation_id = "edit_links")]
    async fn edit(&self, caller: Caller, body: Body<LinkPatches, LONG>) -> Result<Done, Refused<OnBulk>> {
        let mut fields = body.0;
        let ids = ids(&mut fields);
        let patch = fields.object("patch");
        fields.finish()?;
        // Their absence was refused just now.
        let (Some(ids), Some(patch)) = (ids, patch) else { return Err(Problem::invalid(Vec::new()).into()) };
        let draft = draft::link_edit(patch, &self.rules)?;
        // One hash for all of them, also if none turns out to be there.
        may_protect(&self.throttle, &caller.0, u32::from(draft.is_protected())).await?;
        let edit = draft.into_edit(&self.shortener, &caller.0).await?;
        let mut results = Vec::with_capacity(ids.len());
        while let Some(id) = ids.get(results.len()) {
            match self.shortener.edit(&caller.0, *id, edit.clone(), None).await {
                Ok(link) => results.push(BulkResult::done(200, link, &self.hosts)),
                Err(error) => refuse(&mut results, ids.len(), error, "/patch"),
            }
        }
        Ok(Done::Results(Json(BulkResults { results })))
    }

    /// Delete many links
    ///
    /// Up to 1,000, each by itself. Not `DELETE`, which has no body that every client can send.
    #[oai(path = "/links/bulk/delete", method = "post", operation_id = "delete_links")]
    async fn delete(&self, caller: Caller, body: Body<LinkIds, LONG>) -> Result<Done, Refused<OnBulk>> {
        let mut fields = body.0;
        let ids = ids(&mut fields);
        fields.finish()?;
        let (ids, mut results) = (ids.unwrap_or_default(), Vec::new());
        while let Some(id) = ids.get(results.len()) {
            match self.shortener.delete(&caller.0, *id, None).await {
                Ok(()) => results.push(BulkResult { status: 204, link: None, problem: None }),
                Err(error) => refuse(&mut results, ids.len(), error, ""),
            }
        }
        Ok(Done::Results(Json(BulkResults { results })))
    }
}

impl Bulk {
    pub(crate) fn new(shortener: Shortener, hosts: Arc<Hosts>, throttle: Arc<Throttle>) -> Self {
        Self { rules: Rules::new(&shortener, hosts.clone()), shortener, hosts, throttle }
    }

    /// What becomes of one link before any is made; `None` if it is to be made, and is one of `open` then.
    async fn judge(
        &self,
        actor: &Actor,
        key: Option<&IdempotencyKey>,
        (index, draft): (usize, Result<Draft, Problem>),
        open: &mut Vec<(usize, New)>,
    ) -> Result<Option<BulkResult>, Error> {
        let draft = match draft {
            Ok(draft) => draft,
            Err(problem) => return Ok(Some(BulkResult::refused(&problem))),
        };
        if let Some(like) = &draft.existing {
            match self.shortener.find_like(actor, like).await {
                Ok(Some(link)) => return Ok(Some(BulkResult::done(200, link, &self.hosts))),
                Ok(None) => {}
                // Of this one alone.
                Err(error @ Error::OtherDomain) => return Ok(Some(BulkResult::refused(&error.into()))),
                Err(error) => return Err(error),
            }
        }
        let key = key.map(|key| key_of(key, index)).transpose()?;
        open.push((index, draft.into_new(&self.shortener, actor, key.as_ref()).await?));
        Ok(None)
    }

    fn made(&self, index: usize, made: Result<StoredLink, Error>) -> BulkResult {
        match made {
            Ok(link) => BulkResult::done(201, link, &self.hosts),
            Err(error) => BulkResult::refused(&Problem::from(error).below(&format!("/links/{index}"))),
        }
    }

    async fn make(
        &self,
        actor: &Actor,
        key: Option<&IdempotencyKey>,
        links: &[(usize, New)],
    ) -> Result<Vec<Result<StoredLink, Error>>, Error> {
        let Some(key) = key else {
            return self.shortener.create_many(actor, links.iter().map(|(_, new)| new.clone()).collect()).await;
        };
        let once = |(index, new): &(usize, New)| Ok((new.clone(), key_of(key, *index)?, draft::fingerprint(new)));
        let links: Result<Vec<_>, Error> = links.iter().map(once).collect();
        self.shortener.create_many_once(actor, links?).await
    }
}

/// The key of one link of a request.
fn key_of(key: &IdempotencyKey, index: usize) -> Result<IdempotencyKey, Error> {
    // Keys have no spaces: no two pairs are the same text.
    let mut text = "bulk-".to_owned();
    hex::write(&mut text, &Sha256::digest(format!("{} {index}", key.as_str())));
    text.parse().map_err(|error| Error::Internal(boltlink_core::StoreError::backend(error)))
}

/// Refuses the next of `many`. While a store is away, or too much is being done, the rest is not tried: a thousand times a
/// deadline is no answer.
fn refuse(results: &mut Vec<BulkResult>, many: usize, error: Error, at: &str) {
    let all = matches!(error, Error::Unavailable { .. } | Error::Busy { .. });
    let next = if all { many } else { results.len() + 1 };
    let problem = Problem::from(error).below(at);
    results.resize_with(next, || BulkResult::refused(&problem));
}

/// The objects in `links`.
fn objects(mut fields: Fields) -> Result<Vec<Fields>, Problem> {
    let links = fields.required("links", |value| {
        some(value, |link| link.as_object().cloned().ok_or_else(|| body::must("must be an object")))
    });
    fields.finish()?;
    let links = links.unwrap_or_default().into_iter().enumerate();
    Ok(links.map(|(index, fields)| Fields::new(fields, format!("/links/{index}"))).collect())
}

fn ids(fields: &mut Fields) -> Option<Vec<LinkId>> {
    fields.required("ids", |value| some(value, body::text))
}

/// An array of some elements, but not too many.
fn some<T>(value: &Value, read: impl Fn(&Value) -> Result<T, body::Wrong>) -> Result<Vec<T>, body::Wrong> {
    match value.as_array().map(Vec::len) {
        Some(0) => Err(body::must("must not be empty")),
        Some(many) if many > MOST => Err(body::must(format!("must have at most {MOST} elements"))),
        _ => body::array(value, read),
    }
}
