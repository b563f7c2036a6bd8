//! `boltlink doctor --reconcile`

use std::{fmt::Write, time::Duration};

use boltlink_core::store::Balance;
use boltlink_store_postgres::PostgresStore;
use boltlink_store_sqlite::{SqliteStore, Sync};

use super::{
    engine::{Database, missing_file},
    failure::Failure,
};
use crate::config::{Config, DatabaseUrl};

/// Links looked at in one statement.
const PAGE: u32 = 1_000;
/// How many mismatches are told one by one.
const TOLD: usize = 100;
/// Totals and rollups are stored by different consumers: they may be so long apart.
const PATIENCE: u32 = 20;
/// What has not moved for so many looks is not on its way.
const STILL: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Compares the total of every link with the sum of its rollups. The text of what was found, and whether all agree.
pub(super) async fn run(config: &Config) -> Result<(String, bool), Failure> {
    if missing_file(config).is_some() {
        return Ok(("there is no database yet\n".to_owned(), true));
    }
    // Opening it would bring the schema up to date, and a doctor changes nothing.
    if is_behind(config).await? {
        return Ok(("not compared: start the server first, which brings the schema up to date\n".to_owned(), false));
    }
    let database = Database::open(config, Sync::EachCommit, None).await?;
    let found = compare(&database).await;
    if let Err(error) = database.close().await {
        tracing::warn!(%error, "the database could not be closed");
    }
    found
}

async fn is_behind(config: &Config) -> Result<bool, Failure> {
    Ok(match config.database() {
        DatabaseUrl::Sqlite(path) => {
            let health = SqliteStore::check(&path).await.map_err(Failure::new)?;
            health.version < health.known_version
        }
        DatabaseUrl::Postgres(postgres) => {
            let health = PostgresStore::check(&postgres).await.map_err(Failure::new)?;
            health.version < health.known_version
        }
    })
}

async fn compare(database: &Database) -> Result<(String, bool), Failure> {
    let (mut looked_at, mut clicks, mut wrong, mut after) = (0_u64, 0_u64, Vec::new(), None);
    loop {
        let page = database.balances(after, PAGE).await.map_err(Failure::new)?;
        let Some(last) = page.last() else { break };
        after = Some(last.link);
        looked_at += page.len() as u64;
        clicks += page.iter().map(|balance| balance.total).sum::<u64>();
        wrong.extend(page.into_iter().filter(|balance| balance.difference() != 0));
    }
    // Clicks may be between the two: all of these are looked at again, however many are followed just now.
    let mut unmoved = 0;
    for _ in 0..PATIENCE {
        if wrong.is_empty() || unmoved == STILL {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let mut still = Vec::new();
        for balance in &wrong {
            let now = database.balance(balance.link).await.map_err(Failure::new)?;
            still.extend(now.filter(|now| now.difference() != 0));
        }
        unmoved = if still == wrong { unmoved + 1 } else { 0 };
        wrong = still;
    }
    if wrong.is_empty() {
        return Ok((format!("{looked_at} links, {clicks} clicks: totals and rollups agree\n"), true));
    }
    Ok((told(looked_at, &wrong), false))
}

fn told(looked_at: u64, wrong: &[Balance]) -> String {
    let mut text = format!("{} of {looked_at} links do not balance\n", wrong.len());
    for balance in wrong.iter().take(TOLD) {
        let Balance { link, total, opening, rollups } = balance;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "        {link}: total {total}, opening {opening}, rollups {rollups}: {:+}",
            balance.difference()
        );
    }
    if wrong.len() > TOLD {
        let _ = writeln!(text, "        and {} others", wrong.len() - TOLD);
    }
    text + "        fix: see boltlink queue depth and boltlink queue dead, as what waits or was refused is in one of them only, \
           and what was purged of one of them only stays a difference for good; where links are followed without a pause, \
           look again when it is quiet; a backup that was made meanwhile keeps such a difference for good\n"
}
