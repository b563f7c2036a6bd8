//! `boltlink doctor --reconcile`

use std::{fmt::Write, time::Duration};

use boltlink_store_sql::reconcile::Balance;
use boltlink_store_sqlite::Sync;

use super::{
    engine::{Database, missing_file},
    failure::Failure,
};
use crate::config::Config;

/// Links looked at in one statement.
const PAGE: u32 = 1_000;
/// How many mismatches are looked at again, and told one by one.
const TOLD: usize = 100;
/// Totals and rollups are stored by different consumers: they may be so long apart.
const PATIENCE: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// Compares the total of every link with the sum of its rollups. The text of what was found, and whether all agree.
pub(super) async fn run(config: &Config) -> Result<(String, bool), Failure> {
    if missing_file(config).is_some() {
        return Ok(("there is no database yet\n".to_owned(), true));
    }
    let database = Database::open(config, Sync::EachCommit).await?;
    let found = compare(&database).await;
    if let Err(error) = database.close().await {
        tracing::warn!(%error, "the database could not be closed");
    }
    found
}

async fn compare(database: &Database) -> Result<(String, bool), Failure> {
    let (mut looked_at, mut clicks, mut wrong, mut after) = (0_u64, 0_u64, Vec::new(), None);
    let mut more = 0_u64;
    loop {
        let page = database.balances(after, PAGE).await.map_err(Failure::new)?;
        let Some(last) = page.last() else { break };
        after = Some(last.link);
        looked_at += page.len() as u64;
        for balance in page {
            clicks += balance.total;
            if balance.difference() != 0 {
                if wrong.len() < TOLD { wrong.push(balance) } else { more += 1 }
            }
        }
    }
    // Clicks may be between the two.
    for _ in 0..PATIENCE {
        if wrong.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let mut still = Vec::new();
        for balance in wrong {
            let now = database.balance(balance.link).await.map_err(Failure::new)?;
            still.extend(now.filter(|now| now.difference() != 0));
        }
        wrong = still;
    }
    if wrong.is_empty() && more == 0 {
        return Ok((format!("{looked_at} links, {clicks} clicks: totals and rollups agree\n"), true));
    }
    Ok((told(looked_at, &wrong, more), false))
}

fn told(looked_at: u64, wrong: &[Balance], more: u64) -> String {
    let mut text = format!("{} of {looked_at} links do not balance\n", wrong.len() as u64 + more);
    for balance in wrong {
        let Balance { link, total, opening, rollups } = balance;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "        {link}: total {total}, opening {opening}, rollups {rollups}: {:+}",
            balance.difference()
        );
    }
    text + "        fix: see boltlink queue depth and boltlink queue dead, as what waits or was refused is in one of them only; \
           where links are followed without a pause, look again when it is quiet\n"
}
