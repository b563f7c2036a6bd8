//! Reading rollups and single clicks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use boltlink_core::{
    Clock, LinkId, StoreError, Timestamp,
    store::{AnalyticsReader, ClickCursor, Dimension, Interval, LinkClicks, Point, RawClick, Scope, Share, Span},
};
use boltlink_store_sql::analytics;
use sea_orm::DatabaseConnection;

use crate::error::answer;

pub(crate) struct SqliteAnalytics {
    pub(crate) readers: DatabaseConnection,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long single clicks are kept.
    pub(crate) retention: Duration,
}

#[async_trait]
impl AnalyticsReader for SqliteAnalytics {
    async fn total(&self, scope: Scope) -> Result<u64, StoreError> {
        analytics::total(&self.readers, scope).await.map_err(answer)
    }

    async fn series(&self, scope: Scope, interval: Interval, span: Span) -> Result<Vec<Point>, StoreError> {
        analytics::series(&self.readers, scope, interval, span).await.map_err(answer)
    }

    async fn breakdown(
        &self,
        link: LinkId,
        by: Dimension,
        from: i64,
        to: i64,
        limit: u32,
    ) -> Result<Vec<Share>, StoreError> {
        analytics::breakdown(&self.readers, link, by, from, to, limit).await.map_err(answer)
    }

    async fn top(&self, from: i64, to: i64, limit: u32) -> Result<Vec<LinkClicks>, StoreError> {
        analytics::top(&self.readers, from..to, limit).await.map_err(answer)
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
        analytics::clicks(&self.readers, link, from..to, after, limit).await.map_err(answer)
    }
}
