//! Whether every click is counted.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use boltlink_testkit::Client;
use tokio::time::{Instant, sleep};

use crate::{Result, users::World};

/// How long the last clicks may take to be stored.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was sent, answered and counted, of all links together; and the first that is not as it must be.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) counted: u64,
    pub(crate) rolled_up: u64,
    pub(crate) wrong: Option<String>,
}

impl Counts {
    /// Waits until every visit that was answered is counted, and looks at each link.
    pub(crate) async fn settle(client: &Client, world: &World) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = Self::read(client, world).await?;
            let is_there = counts.wrong.is_none() && counts.rolled_up == counts.counted;
            if is_there || Instant::now() >= deadline {
                return Ok(counts);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn read(client: &Client, world: &World) -> Result<Self> {
        let clicks = client.clicks_by_slug().await?;
        let mut counts = Self { rolled_up: client.rolled_up().await?, ..Self::default() };
        for link in &world.links {
            let (sent, answered) = (link.sent.load(Relaxed), link.answered.load(Relaxed));
            let counted = clicks.get(&link.slug).copied().unwrap_or_default();
            counts.sent += sent;
            counts.answered += answered;
            counts.counted += counted;
            // Of what got no answer nobody knows whether it was counted.
            if !(answered..=sent).contains(&counted) {
                let slug = &link.slug;
                counts.wrong.get_or_insert(format!("/{slug}: {sent} sent, {answered} answered, {counted} counted"));
            }
        }
        Ok(counts)
    }
}
