//! Reading rollups and single clicks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use boltlink_core::{
    Clock, LinkId, StoreError, Timestamp,
    store::{AnalyticsReader, ClickCursor, Dimension, Interval, LinkClicks, Point, RawClick, Scope, Share, Span},
};
use boltlink_store_sql::analytics;

use crate::replica::Readers;

pub(crate) struct PostgresAnalytics {
    pub(crate) readers: Readers,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long single clicks are kept.
    pub(crate) retention: Duration,
}

#[async_trait]
impl AnalyticsReader for PostgresAnalytics {
    async fn total(&self, scope: Scope) -> Result<u64, StoreError> {
        self.readers.read(|db| async move { analytics::total(&db, scope).await }).await
    }

    async fn series(&self, scope: Scope, interval: Interval, span: Span) -> Result<Vec<Point>, StoreError> {
        self.readers.read(|db| async move { analytics::series(&db, scope, interval, span).await }).await
    }

    async fn breakdown(
        &self,
        link: LinkId,
        by: Dimension,
        from: i64,
        to: i64,
        limit: u32,
    ) -> Result<Vec<Share>, StoreError> {
        self.readers.read(|db| async move { analytics::breakdown(&db, link, by, from, to, limit).await }).await
    }

    async fn top(&self, from: i64, to: i64, limit: u32) -> Result<Vec<LinkClicks>, StoreError> {
        self.readers.read(|db| async move { analytics::top(&db, from..to, limit).await }).await
    }

    async fn clicks(
        &self,
        link: LinkId,
        from: Timestamp,
        to: Timestamp,
        after: Option<ClickCursor>,
        limit: u32,
    ) -> Result<Vec<RawClick>, StoreError> {
        // What is too old is gone, whether or not somebody has come by since to drop it.
        let from = from.max(self.clock.now().minus(self.retention));
        self.readers.read(|db| async move { analytics::clicks(&db, link, from..to, after, limit).await }).await
    }
}
