//! Links.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use boltlink_core::{
    AccountId, Clock, Domain, Link, LinkId, Slug, SlugCase, StoreError, StoredLink, TargetUrl, Timestamp,
    store::{Change, Idempotency, Insert, Inserted, LinkCursor, LinkFilter, LinkOrder, LinkStore, SlugCaseChange},
};
use boltlink_store_sql::{
    Error, link,
    row::{LINK_COLUMNS, signed, tags_text},
    slug_case,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use crate::{
    array::{bigints, ids, optional, optional_bigints, statement, texts, uuids},
    change,
    pool::Pool,
    replica::Readers,
    search,
};

pub(crate) struct PostgresLinks {
    pub(crate) pool: Pool,
    pub(crate) readers: Readers,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl LinkStore for PostgresLinks {
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError> {
        let new: Insert = Insert { once: key.cloned(), ..link.clone().into() };
        let clock = self.clock.clone();
        let write = self.pool.write(move |db| {
            let (new, now) = (new.clone(), clock.now());
            Box::pin(async move {
                lock_keys(db, std::slice::from_ref(&new)).await?;
                link::insert(db, &new, now).await
            })
        });
        self.readers.after(write).await
    }

    async fn insert_many(&self, links: &[Insert]) -> Result<Vec<Inserted>, StoreError> {
        let (links, clock): (Arc<[Insert]>, _) = (links.into(), self.clock.clone());
        let write = self.pool.write(move |db| {
            let (links, now) = (links.clone(), clock.now());
            Box::pin(async move { insert_many(db, &links, now).await })
        });
        self.readers.after(write).await
    }

    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError> {
        self.pool.read(|| link::by_id(self.pool.connections(), id)).await
    }

    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError> {
        self.pool.read(|| link::by_slug(self.pool.connections(), domain, slug)).await
    }

    async fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.pool.read(|| link::by_target(self.pool.connections(), owner, domain, target, limit)).await
    }

    async fn usable_by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.pool.read(|| link::usable_by_target(self.pool.connections(), owner, domain, target, now, limit)).await
    }

    async fn update(&self, link: &Link, expected: u64) -> Result<StoredLink, StoreError> {
        let (link, clock) = (link.clone(), self.clock.clone());
        let write = self.pool.write(move |db| {
            let (link, now) = (link.clone(), clock.now());
            Box::pin(async move {
                lock(db, link.id).await?;
                link::update(db, &link, expected, now).await
            })
        });
        self.readers.after(write).await
    }

    async fn delete(&self, id: LinkId, expected: Option<u64>) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        let write = self.pool.write(move |db| {
            let now = clock.now();
            Box::pin(async move {
                lock(db, id).await?;
                link::delete(db, id, expected, now).await
            })
        });
        self.readers.after(write).await
    }

    async fn list(
        &self,
        filter: &LinkFilter,
        order: LinkOrder,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.readers.read(|db| async move { search::list(&db, filter, order, after, limit).await }).await
    }

    async fn reserve(&self, id: LinkId, wanted: u32) -> Result<u32, StoreError> {
        self.pool.write(move |db| Box::pin(reserve(db, id, wanted))).await
    }

    async fn slug_case(&self, wanted: SlugCase) -> Result<SlugCase, StoreError> {
        if let Some(kept) = self.pool.read(|| slug_case::read(self.pool.connections())).await? {
            return Ok(kept);
        }
        self.pool
            .write(move |db| {
                Box::pin(async move {
                    lock_out_writers(db).await?;
                    slug_case::keep(db, wanted).await
                })
            })
            .await
    }

    async fn change_slug_case(&self, case: SlugCase) -> Result<SlugCaseChange, StoreError> {
        let clock = self.clock.clone();
        let write = self.pool.write_at_length(move |db| {
            let now = clock.now();
            Box::pin(async move {
                lock_out_writers(db).await?;
                slug_case::change(db, case, now).await
            })
        });
        self.readers.after(write).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let ping = || async {
            self.pool.connections().execute_unprepared("SELECT 1 FROM meta LIMIT 1").await?;
            Ok(())
        };
        self.pool.read(ping).await
    }
}

/// Keeps others from changing the link until the transaction ends.
async fn lock(db: &DatabaseTransaction, id: LinkId) -> Result<(), Error> {
    db.execute_raw(statement("SELECT 1 FROM link WHERE id = $1 FOR UPDATE", [(*id.as_uuid()).into()])).await?;
    Ok(())
}

/// Keeps others from writing any link until the transaction ends; they may read.
async fn lock_out_writers(db: &DatabaseTransaction) -> Result<(), Error> {
    db.execute_unprepared("LOCK TABLE link IN SHARE ROW EXCLUSIVE MODE").await?;
    Ok(())
}

/// Lets requests with one idempotency key wait for each other: none can see what another one is about to write. Two keys
/// that happen to share a lock wait for nothing, and that is all.
async fn lock_keys(db: &DatabaseTransaction, links: &[Insert]) -> Result<(), Error> {
    let keys: BTreeSet<String> = links
        .iter()
        .filter_map(|new| new.once.as_ref())
        .map(|once| format!("{}/{}", once.owner, once.key.as_str()))
        .collect();
    if !keys.is_empty() {
        // Sorted by what is locked: the list is done before the first lock is taken.
        let sql = "SELECT pg_advisory_xact_lock(lock) FROM (SELECT DISTINCT hashtextextended(key, 0) AS lock \
                   FROM unnest($1::text[]) AS v (key) ORDER BY 1 OFFSET 0) AS locks";
        db.execute_raw(statement(sql, [texts(keys.iter().map(String::as_str))])).await?;
    }
    Ok(())
}

async fn reserve(db: &DatabaseTransaction, id: LinkId, wanted: u32) -> Result<u32, Error> {
    let values = [(*id.as_uuid()).into(), i64::from(wanted).into()];
    let row = db.query_one_raw(statement(include_str!("sql/reserve.sql"), values)).await?;
    let granted: i64 = row.ok_or(StoreError::NotFound { what: "link" })?.try_get_by_index(0)?;
    Ok(u32::try_from(granted).unwrap_or_default())
}

async fn insert_many(db: &DatabaseTransaction, links: &[Insert], now: Timestamp) -> Result<Vec<Inserted>, Error> {
    if link::are_entangled(links) {
        // What one is answered depends on those before.
        lock_keys(db, links).await?;
        return link::insert_each(db, links, now).await;
    }
    let created =
        link::ids(&db.query_all_raw(statement(include_str!("sql/link_insert_many.sql"), columns(links))).await?)?;
    let others = ids(links.iter().map(|new| new.link.id).filter(|id| !created.contains(id)));
    let known = link::ids(&db.query_all_raw(statement("SELECT id FROM link WHERE id = ANY($1)", [others])).await?)?;

    let new: Vec<_> = links.iter().filter(|new| created.contains(&new.link.id)).collect();
    let totals = [
        ids(new.iter().map(|new| new.link.id)),
        bigints(new.iter().map(|new| signed(new.opening))),
        bigints(new.iter().map(|new| signed(new.taken()))),
    ];
    db.execute_raw(statement(include_str!("sql/total_insert_many.sql"), totals)).await?;
    let changes: Vec<_> = new.iter().map(|new| Change::Link(new.link.domain.clone(), new.link.slug.clone())).collect();
    change::note(db, &changes, now).await?;
    Ok(link::answers(links, &created, &known))
}

/// The columns of `link`, in the order of the table.
fn columns(new: &[Insert]) -> [Value; LINK_COLUMNS] {
    let links = || new.iter().map(|new| &new.link);
    let flags = |flag: fn(&Link) -> bool| links().map(flag).collect::<Vec<_>>().into();
    let tags: Vec<_> = links().map(|link| tags_text(&link.tags)).collect();
    [
        ids(links().map(|link| link.id)),
        uuids(links().map(|link| *link.owner.as_uuid())),
        texts(links().map(|link| link.domain.as_str())),
        texts(links().map(|link| link.slug.as_str())),
        texts(links().map(|link| link.target.as_str())),
        bigints(links().map(|link| link.target.hash())),
        optional(links().map(|link| link.title.as_ref().map(|title| title.as_str()))),
        optional(links().map(|link| link.note.as_ref().map(|note| note.as_str()))),
        texts(tags.iter().map(String::as_str)),
        // At most 308.
        links().map(|link| i16::try_from(link.redirect.code()).unwrap_or_default()).collect::<Vec<_>>().into(),
        optional_bigints(links().map(|link| link.lifetime.starts_at().map(Timestamp::as_micros))),
        optional_bigints(links().map(|link| link.lifetime.expires_at().map(Timestamp::as_micros))),
        optional_bigints(links().map(|link| link.max_visits.map(|max| signed(max.get())))),
        flags(|link| link.enabled),
        bigints(links().map(|link| link.created_at.as_micros())),
        bigints(links().map(|link| link.updated_at.as_micros())),
        bigints(links().map(|link| signed(link.version))),
        flags(|link| link.forward.query),
        flags(|link| link.forward.path),
        flags(|link| link.crawlable),
        optional(links().map(|link| link.password.as_ref().map(|hash| hash.as_str()))),
    ]
}
