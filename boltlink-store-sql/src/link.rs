//! Links, for transactions that keep other writers of links out.

use std::collections::HashSet;

use boltlink_core::{
    AccountId, Domain, Link, LinkId, Slug, StoreError, StoredLink, TargetUrl, Timestamp,
    store::{Change, Idempotency, Insert, Inserted},
};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};

use crate::{
    Error, change,
    row::{Columns, link_values, signed, stored_link, unsigned},
};

macro_rules! select {
    ($rest:literal) => {
        concat!(include_str!("sql/link.sql"), $rest)
    };
}

/// The text of [`by_id`].
pub const BY_ID: &str = select!("WHERE l.id = $1");
/// The text of [`by_slug`].
pub const BY_SLUG: &str = select!("WHERE l.domain = $1 AND l.slug = $2");
/// The text of [`by_target`]. The hash finds, the comparison decides.
pub const BY_TARGET: &str = concat!(
    include_str!("sql/by_target.sql"),
    select!("WHERE l.id IN (SELECT id FROM found) AND l.target = $4 ORDER BY l.created_at, l.id LIMIT $5")
);
/// The text of [`usable_by_target`].
pub const USABLE_BY_TARGET: &str = concat!(
    include_str!("sql/usable_by_target.sql"),
    select!("WHERE l.id IN (SELECT id FROM found) AND l.target = $4 ORDER BY l.created_at, l.id LIMIT $6")
);

const NOT_FOUND: StoreError = StoreError::NotFound { what: "link" };

/// How many expired idempotency keys an insert clears away.
const PRUNED: i64 = 20;

/// See [`LinkStore::by_id`](boltlink_core::store::LinkStore::by_id).
///
/// # Errors
/// The driver's.
pub async fn by_id(db: &impl ConnectionTrait, id: LinkId) -> Result<Option<StoredLink>, Error> {
    crate::one(db, BY_ID, [(*id.as_uuid()).into()]).await?.map(|row| stored_link(&row)).transpose()
}

/// See [`LinkStore::by_slug`](boltlink_core::store::LinkStore::by_slug).
///
/// # Errors
/// The driver's.
pub async fn by_slug(db: &impl ConnectionTrait, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, Error> {
    let values = [domain.as_str().into(), slug.as_str().into()];
    crate::one(db, BY_SLUG, values).await?.map(|row| stored_link(&row)).transpose()
}

/// See [`LinkStore::by_target`](boltlink_core::store::LinkStore::by_target).
///
/// # Errors
/// The driver's.
pub async fn by_target(
    db: &impl ConnectionTrait,
    owner: AccountId,
    domain: &Domain,
    target: &TargetUrl,
    limit: u32,
) -> Result<Vec<StoredLink>, Error> {
    let values = [
        target.hash().into(),
        (*owner.as_uuid()).into(),
        domain.as_str().into(),
        target.as_str().into(),
        i64::from(limit).into(),
    ];
    crate::all(db, BY_TARGET, values).await?.iter().map(stored_link).collect()
}

/// See [`LinkStore::usable_by_target`](boltlink_core::store::LinkStore::usable_by_target).
///
/// # Errors
/// The driver's.
pub async fn usable_by_target(
    db: &impl ConnectionTrait,
    owner: AccountId,
    domain: &Domain,
    target: &TargetUrl,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredLink>, Error> {
    let values = [
        target.hash().into(),
        (*owner.as_uuid()).into(),
        domain.as_str().into(),
        target.as_str().into(),
        now.as_micros().into(),
        i64::from(limit).into(),
    ];
    crate::all(db, USABLE_BY_TARGET, values).await?.iter().map(stored_link).collect()
}

/// See [`LinkStore::insert`](boltlink_core::store::LinkStore::insert). Writes nothing unless it
/// answers [`Inserted::Created`].
///
/// # Errors
/// The driver's.
pub async fn insert(db: &impl ConnectionTrait, new: &Insert, now: Timestamp) -> Result<Inserted, Error> {
    let Insert { link, opening, once } = new;
    if let Some(key) = once
        && let Some(answer) = answered(db, key).await?
    {
        return Ok(answer);
    }
    let id = || (*link.id.as_uuid()).into();
    let done = crate::execute(db, include_str!("sql/link_insert.sql"), link_values(link)).await?;
    if done.rows_affected() == 0 {
        let known = crate::one(db, "SELECT 1 FROM link WHERE id = $1", [id()]).await?.is_some();
        return Ok(if known { Inserted::IdTaken } else { Inserted::SlugTaken });
    }
    let sql = "INSERT INTO link_total (link, clicks, opening, taken) VALUES ($1, $2, \
               $2 - (SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM rollup_hour WHERE link = $1), $3)";
    crate::execute(db, sql, [id(), signed(*opening).into(), signed(new.taken()).into()]).await?;
    change::note(db, &[Change::Link(link.domain.clone(), link.slug.clone())], now).await?;
    if let Some(key) = once {
        remember(db, key, link.id).await?;
    }
    Ok(Inserted::Created)
}

/// Whether what one of the links is answered may depend on those before it: then they are to be
/// [inserted one by one](insert_each).
#[must_use]
pub fn are_entangled(links: &[Insert]) -> bool {
    let mut distinct = HashSet::new();
    links.iter().any(|new| new.once.is_some() || !distinct.insert(new.link.id))
}

/// [`insert`]s the links one after the other.
///
/// # Errors
/// The driver's.
pub async fn insert_each(db: &impl ConnectionTrait, links: &[Insert], now: Timestamp) -> Result<Vec<Inserted>, Error> {
    let mut inserted = Vec::with_capacity(links.len());
    for new in links {
        inserted.push(insert(db, new, now).await?);
    }
    Ok(inserted)
}

/// What became of links that are not [entangled](are_entangled), of which those of the ids `created` were inserted
/// together, and those of the ids `known` were there before.
#[must_use]
pub fn answers(links: &[Insert], created: &HashSet<LinkId>, known: &HashSet<LinkId>) -> Vec<Inserted> {
    let answer = |new: &Insert| match new.link.id {
        id if created.contains(&id) => Inserted::Created,
        id if known.contains(&id) => Inserted::IdTaken,
        _ => Inserted::SlugTaken,
    };
    links.iter().map(answer).collect()
}

/// The links' ids in the first column.
///
/// # Errors
/// The driver's.
pub fn ids(rows: &[QueryResult]) -> Result<HashSet<LinkId>, Error> {
    rows.iter().map(|row| Ok(LinkId::from_uuid(Columns(row).uuid(0)?))).collect()
}

/// What a request with this key was answered before.
async fn answered(db: &impl ConnectionTrait, key: &Idempotency) -> Result<Option<Inserted>, Error> {
    let sql = "SELECT fingerprint, link FROM idempotency WHERE owner = $1 AND key = $2 AND at > $3";
    let forgotten = key.at.minus(Idempotency::RETENTION).as_micros();
    let values = [(*key.owner.as_uuid()).into(), key.key.as_str().into(), forgotten.into()];
    let Some(row) = crate::one(db, sql, values).await? else { return Ok(None) };
    let row = Columns(&row);
    let fingerprint: Vec<u8> = row.at(0)?;
    let same = fingerprint == key.fingerprint.0;
    Ok(Some(if same { Inserted::Replayed(LinkId::from_uuid(row.uuid(1)?)) } else { Inserted::KeyReused }))
}

async fn remember(db: &impl ConnectionTrait, key: &Idempotency, link: LinkId) -> Result<(), Error> {
    let values = [
        (*key.owner.as_uuid()).into(),
        key.key.as_str().into(),
        key.fingerprint.0.to_vec().into(),
        (*link.as_uuid()).into(),
        key.at.as_micros().into(),
    ];
    crate::execute(db, include_str!("sql/idempotency.sql"), values).await?;
    let forgotten = key.at.minus(Idempotency::RETENTION).as_micros();
    crate::execute(db, prune_query(db.get_database_backend()), [forgotten.into(), PRUNED.into()]).await?;
    Ok(())
}

/// Where transactions run side by side, each clears away what no other one does.
fn prune_query(engine: DbBackend) -> &'static str {
    match engine {
        DbBackend::Sqlite => concat!(include_str!("sql/idempotency_prune.sql"), ")"),
        _ => concat!(include_str!("sql/idempotency_prune.sql"), " FOR UPDATE SKIP LOCKED)"),
    }
}

/// See [`LinkStore::update`](boltlink_core::store::LinkStore::update).
///
/// # Errors
/// The driver's, and those of the contract.
pub async fn update(
    db: &impl ConnectionTrait,
    link: &Link,
    expected: u64,
    now: Timestamp,
) -> Result<StoredLink, Error> {
    let Some(old) = by_id(db, link.id).await? else { return Err(NOT_FOUND.into()) };
    let mismatch = || Error::from(StoreError::VersionMismatch { current: old.link.version });
    if old.link.version != expected {
        return Err(mismatch());
    }
    let values = link_values(link).into_iter().chain([signed(expected).into()]);
    let done = crate::execute(db, include_str!("sql/link_update.sql"), values).await;
    let slug_taken = |error: Error| {
        if error.is_unique_violation() { StoreError::Conflict { what: "slug" }.into() } else { error }
    };
    if done.map_err(slug_taken)?.rows_affected() == 0 {
        return Err(mismatch());
    }
    if link.max_visits.is_some() && old.link.max_visits.is_none() {
        let sql = "UPDATE link_total SET taken = clicks WHERE link = $1 AND clicks > taken";
        crate::execute(db, sql, [(*link.id.as_uuid()).into()]).await?;
    }
    let mut changes = vec![Change::Link(link.domain.clone(), link.slug.clone())];
    if (&old.link.domain, &old.link.slug) != (&link.domain, &link.slug) {
        changes.push(Change::Link(old.link.domain.clone(), old.link.slug.clone()));
    }
    change::note(db, &changes, now).await?;
    Ok(by_id(db, link.id).await?.ok_or(NOT_FOUND)?)
}

/// See [`LinkStore::delete`](boltlink_core::store::LinkStore::delete).
///
/// # Errors
/// The driver's, and those of the contract.
pub async fn delete(db: &impl ConnectionTrait, id: LinkId, expected: Option<u64>, now: Timestamp) -> Result<(), Error> {
    let sql = "SELECT domain, slug, version FROM link WHERE id = $1";
    let row = crate::one(db, sql, [(*id.as_uuid()).into()]).await?.ok_or(NOT_FOUND)?;
    let row = Columns(&row);
    let current = unsigned(row.at(2)?);
    if expected.is_some_and(|expected| expected != current) {
        return Err(StoreError::VersionMismatch { current }.into());
    }
    crate::execute(db, "DELETE FROM link WHERE id = $1", [(*id.as_uuid()).into()]).await?;
    crate::execute(db, "DELETE FROM link_total WHERE link = $1", [(*id.as_uuid()).into()]).await?;
    change::note(db, &[Change::Link(row.text("domain", 0)?, row.text("slug", 1)?)], now).await
}

/// See [`LinkStore::reserve`](boltlink_core::store::LinkStore::reserve).
///
/// # Errors
/// The driver's, and [`StoreError::NotFound`].
pub async fn reserve(db: &impl ConnectionTrait, id: LinkId, wanted: u32) -> Result<u32, Error> {
    let sql = "SELECT l.max_visits, t.taken FROM link l JOIN link_total t ON t.link = l.id WHERE l.id = $1";
    let row = crate::one(db, sql, [(*id.as_uuid()).into()]).await?.ok_or(NOT_FOUND)?;
    let row = Columns(&row);
    let Some(max) = row.at::<Option<i64>>(0)? else { return Ok(wanted) };
    let taken: i64 = row.at(1)?;
    let granted = i64::from(wanted).min(max - taken).max(0);
    if granted > 0 {
        // The condition repeats what was read: an engine whose reads do not lock grants nothing
        // beyond the cap either.
        let sql = "UPDATE link_total SET taken = taken + $2 WHERE link = $1 AND taken = $3";
        let values = [(*id.as_uuid()).into(), granted.into(), taken.into()];
        if crate::execute(db, sql, values).await?.rows_affected() == 0 {
            return Err(StoreError::unavailable("another process reserved visits of this link just now").into());
        }
    }
    Ok(u32::try_from(granted).unwrap_or(wanted))
}
