//! How slugs are told apart.

use std::collections::{BTreeSet, HashSet};

use boltlink_core::{
    Domain, LinkId, Slug, SlugCase, SlugRules, StoreError, Timestamp,
    store::{Change, SlugCaseChange},
};
use sea_orm::ConnectionTrait;

use crate::{Error, change, meta, row::Columns};

const KEY: &str = "slug_case";

/// How many links are looked at together.
const PAGE: i64 = 1_000;

/// What was fixed, if anything was.
///
/// # Errors
/// The driver's, or a value that nobody of ours wrote.
pub async fn read(db: &impl ConnectionTrait) -> Result<Option<SlugCase>, Error> {
    let Some(text) = meta::read(db, KEY).await? else { return Ok(None) };
    Ok(Some(text.parse().map_err(StoreError::backend)?))
}

/// See [`LinkStore::slug_case`](boltlink_core::store::LinkStore::slug_case).
///
/// # Errors
/// As [`read`].
pub async fn keep(db: &impl ConnectionTrait, wanted: SlugCase) -> Result<SlugCase, Error> {
    if let Some(kept) = read(db).await? {
        return Ok(kept);
    }
    let is_empty = crate::one(db, "SELECT 1 FROM link LIMIT 1", []).await?.is_none();
    let kept = if is_empty { wanted } else { SlugCase::Sensitive };
    meta::write(db, KEY, &kept.to_string()).await?;
    Ok(kept)
}

/// See [`LinkStore::change_slug_case`](boltlink_core::store::LinkStore::change_slug_case). The transaction must keep
/// other writers of links out.
///
/// # Errors
/// The driver's.
pub async fn change(db: &impl ConnectionTrait, case: SlugCase, now: Timestamp) -> Result<SlugCaseChange, Error> {
    let respelled = respelled(db, case).await?;
    let mut clashes = BTreeSet::new();
    let mut new = HashSet::new();
    for (_, domain, _, slug) in &respelled {
        let taken = "SELECT 1 FROM link WHERE domain = $1 AND slug = $2";
        let twice = !new.insert((domain, slug));
        if twice || crate::one(db, taken, [domain.as_str().into(), slug.as_str().into()]).await?.is_some() {
            clashes.insert((domain.clone(), slug.clone()));
        }
    }
    if !clashes.is_empty() {
        return Ok(SlugCaseChange::Clashes(clashes.into_iter().take(SlugCaseChange::TOLD).collect()));
    }
    for (id, domain, old, slug) in &respelled {
        let sql = "UPDATE link SET slug = $2, version = version + 1 WHERE id = $1";
        crate::execute(db, sql, [(*id.as_uuid()).into(), slug.as_str().into()]).await?;
        let changes = [old, slug].map(|slug| Change::Link(domain.clone(), slug.clone()));
        change::note(db, &changes, now).await?;
    }
    meta::write(db, KEY, &case.to_string()).await?;
    Ok(SlugCaseChange::Done { respelled: respelled.len() as u64 })
}

/// The links whose slugs are spelled differently under `case`: id, domain, old and new slug.
async fn respelled(db: &impl ConnectionTrait, case: SlugCase) -> Result<Vec<(LinkId, Domain, Slug, Slug)>, Error> {
    let rules = SlugRules { case, unicode: true };
    let sql = "SELECT id, domain, slug FROM link WHERE id > $1 ORDER BY id LIMIT $2";
    let mut respelled = Vec::new();
    let mut last = uuid::Uuid::nil();
    loop {
        let rows = crate::all(db, sql, [last.into(), PAGE.into()]).await?;
        let Some(row) = rows.last() else { return Ok(respelled) };
        last = Columns(row).uuid(0)?;
        for row in &rows {
            let row = Columns(row);
            let old: Slug = row.text("slug", 2)?;
            let new = rules.respell(&old);
            if new != old {
                respelled.push((LinkId::from_uuid(row.uuid(0)?), row.text("domain", 1)?, old, new));
            }
        }
    }
}
