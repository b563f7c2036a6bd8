//! Links.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use boltlink_core::{
    AccountId, Clock, Domain, Link, LinkId, Slug, SlugCase, StoreError, StoredLink, TargetUrl, Timestamp,
    store::{Change, Idempotency, Insert, Inserted, LinkCursor, LinkFilter, LinkOrder, LinkStore, SlugCaseChange},
};
use boltlink_store_sql::{
    Error, change, link,
    row::{link_values, signed},
    slug_case,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, Value};

use crate::{batch::Batch, error::answer, queue::Priority, search::Search, writer::Writer};

static INSERT: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/link_insert_many.sql")));
static KNOWN: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/ids_known.sql")));
static INSERT_TOTAL: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/total_insert_many.sql")));
static INSERT_CHANGE: LazyLock<Batch> = LazyLock::new(|| Batch::new(include_str!("sql/change_insert_many.sql")));

pub(crate) struct SqliteLinks {
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) search: Search,
}

#[async_trait]
impl LinkStore for SqliteLinks {
    async fn insert(&self, link: &Link, key: Option<&Idempotency>) -> Result<Inserted, StoreError> {
        let new = Insert { once: key.cloned(), ..link.clone().into() };
        let clock = self.clock.clone();
        self.writer
            .write(Priority::Api, move |db| Box::pin(async move { link::insert(db, &new, clock.now()).await }))
            .await
    }

    async fn insert_many(&self, links: &[Insert]) -> Result<Vec<Inserted>, StoreError> {
        let (links, clock) = (links.to_vec(), self.clock.clone());
        self.writer
            .write(Priority::Bulk, move |db| Box::pin(async move { insert_many(db, &links, clock.now()).await }))
            .await
    }

    async fn by_id(&self, id: LinkId) -> Result<Option<StoredLink>, StoreError> {
        link::by_id(&self.readers, id).await.map_err(answer)
    }

    async fn by_slug(&self, domain: &Domain, slug: &Slug) -> Result<Option<StoredLink>, StoreError> {
        link::by_slug(&self.readers, domain, slug).await.map_err(answer)
    }

    async fn by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        link::by_target(&self.readers, owner, domain, target, limit).await.map_err(answer)
    }

    async fn usable_by_target(
        &self,
        owner: AccountId,
        domain: &Domain,
        target: &TargetUrl,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        link::usable_by_target(&self.readers, owner, domain, target, now, limit).await.map_err(answer)
    }

    async fn update(&self, link: &Link, expected: u64) -> Result<StoredLink, StoreError> {
        let (link, clock) = (link.clone(), self.clock.clone());
        self.writer
            .write(Priority::Api, move |db| {
                Box::pin(async move { link::update(db, &link, expected, clock.now()).await })
            })
            .await
    }

    async fn delete(&self, id: LinkId, expected: Option<u64>) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.writer
            .write(Priority::Api, move |db| Box::pin(async move { link::delete(db, id, expected, clock.now()).await }))
            .await
    }

    async fn list(
        &self,
        filter: &LinkFilter,
        order: LinkOrder,
        after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, StoreError> {
        self.search.list(&self.readers, filter, order, after, limit).await.map_err(answer)
    }

    async fn reserve(&self, id: LinkId, wanted: u32) -> Result<u32, StoreError> {
        self.writer.write(Priority::Api, move |db| Box::pin(async move { link::reserve(db, id, wanted).await })).await
    }

    async fn slug_case(&self, wanted: SlugCase) -> Result<SlugCase, StoreError> {
        if let Some(kept) = slug_case::read(&self.readers).await.map_err(answer)? {
            return Ok(kept);
        }
        self.writer.write(Priority::Api, move |db| Box::pin(async move { slug_case::keep(db, wanted).await })).await
    }

    async fn change_slug_case(&self, case: SlugCase) -> Result<SlugCaseChange, StoreError> {
        let clock = self.clock.clone();
        self.writer
            .write(Priority::Bulk, move |db| Box::pin(async move { slug_case::change(db, case, clock.now()).await }))
            .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // A read of the file: a driver's ping would only ask its own thread.
        self.readers.execute_unprepared("SELECT 1 FROM meta LIMIT 1").await.map_err(|error| answer(error.into()))?;
        Ok(())
    }
}

async fn insert_many(db: &DatabaseTransaction, links: &[Insert], now: Timestamp) -> Result<Vec<Inserted>, Error> {
    if link::are_entangled(links) {
        // What one is answered depends on those before.
        return link::insert_each(db, links, now).await;
    }
    let rows = links.iter().flat_map(|new| link_values(&new.link)).collect();
    let created = link::ids(&INSERT.query(db, rows).await?)?;
    let others = links.iter().map(|new| new.link.id).filter(|id| !created.contains(id));
    let known = link::ids(&KNOWN.query(db, others.map(|id| (*id.as_uuid()).into()).collect()).await?)?;

    let new = || links.iter().filter(|new| created.contains(&new.link.id));
    let total = |new: &Insert| {
        let taken = signed(new.taken());
        [Value::from(*new.link.id.as_uuid()), signed(new.opening).into(), taken.into()]
    };
    INSERT_TOTAL.execute(db, new().flat_map(total).collect(), |_, _| {}).await?;
    let change = |new: &Insert| change::values(&Change::Link(new.link.domain.clone(), new.link.slug.clone()), now);
    INSERT_CHANGE.execute(db, new().filter_map(change).flatten().collect(), |_, _| {}).await?;
    Ok(link::answers(links, &created, &known))
}

#[cfg(test)]
mod tests {
    use boltlink_core::{FakeClock, testing::link_at};

    use super::*;
    use crate::{SqliteConfig, SqliteStore, open::connect};

    #[tokio::test]
    async fn a_full_disk_is_unavailable_and_leaves_nothing_half_done() {
        let dir = tempfile::tempdir().unwrap();
        let config = SqliteConfig::new(dir.path().join("boltlink.db"));
        let clock = Arc::new(FakeClock::default());
        SqliteStore::open(&config, clock.clone()).await.unwrap().close().await.unwrap();
        // SQLite reports its own bound on pages just as it reports a full disk.
        let small = connect(config.writing().pragma("max_page_count", "90"), 1).await.unwrap();
        let writer = Writer::new(small, Arc::default());
        let links = SqliteLinks {
            writer,
            readers: connect(config.reading(), 1).await.unwrap(),
            clock,
            search: Search::default(),
        };
        let kept = link_at("kept", Timestamp::EPOCH);
        assert_eq!(links.insert(&kept, None).await.unwrap(), Inserted::Created);

        let many: Vec<_> = (0..2_000).map(|at| link_at(&format!("bulk-{at}"), Timestamp::EPOCH).into()).collect();
        let error = links.insert_many(&many).await.unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("disk is full"), "{error}");
        let listed = links.list(&LinkFilter::default(), LinkOrder::Newest, None, 500).await.unwrap();
        assert_eq!(listed.into_iter().map(|stored| stored.link).collect::<Vec<_>>(), [kept]);
        assert_eq!(links.insert(&link_at("later", Timestamp::EPOCH), None).await.unwrap(), Inserted::Created);
    }
}
