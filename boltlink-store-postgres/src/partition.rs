//! The partitions of single clicks: one for each day, `click_N` with the day as `Timestamp::day` counts it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use boltlink_core::{StoreError, Timestamp, store::Interval};
use boltlink_store_sql::Error;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use crate::{array::statement, pool::Pool};

/// How many days ahead there are partitions for.
const AHEAD: i64 = 2;

/// Who makes and drops partitions takes this lock.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('boltlink partitions'))";

/// How many clicks of the default partition are dropped at a time.
const PRUNED: i64 = 10_000;

/// How long a failure is let be.
const PAUSE: Duration = Duration::from_secs(60);
/// How long everything is in order, at most.
const PERIOD: Duration = Duration::from_secs(3_600);

/// When the partitions are to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Housekeeping(Mutex<Option<Due>>);

/// Not before this moment, unless it is another day.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Timestamp,
    day: i64,
}

impl Housekeeping {
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let due = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        due.is_none_or(|due| now >= due.at || now.day() != due.day)
    }

    pub(crate) fn done(&self, now: Timestamp) {
        self.set(now.plus(PERIOD), now);
    }

    pub(crate) fn postpone(&self, now: Timestamp) {
        self.set(now.plus(PAUSE), now);
    }

    fn set(&self, at: Timestamp, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Due { at, day: now.day() });
    }
}

/// Makes the partitions that are missing, and drops what is older than `retention`: each in a transaction of its own, as
/// each waits for others to be done with the table.
pub(crate) async fn keep_house(pool: &Pool, retention: Duration, now: Timestamp) -> Result<(), StoreError> {
    let oldest = now.minus(retention);
    let existing = pool.read(|| days(pool.connections())).await?;
    for day in now.day()..=now.day() + AHEAD {
        if !existing.contains(&day) {
            pool.write(move |db| Box::pin(make(db, day))).await?;
        }
    }
    for day in existing.into_iter().filter(|day| *day < oldest.day()) {
        pool.write(move |db| Box::pin(drop(db, day))).await?;
    }
    pool.write_at_length(move |db| Box::pin(prune(db, oldest))).await
}

/// The days that have partitions.
async fn days(db: &impl ConnectionTrait) -> Result<Vec<i64>, Error> {
    let sql = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
               WHERE i.inhparent = to_regclass('click')";
    let rows = db.query_all_raw(statement(sql, [])).await?;
    let names = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<String>, DbErr>>()?;
    Ok(names.iter().filter_map(|name| name.strip_prefix("click_")?.parse().ok()).collect())
}

/// Makes the partition of a day, and takes the clicks of that day out of the default partition.
pub(crate) async fn make(db: &DatabaseTransaction, day: i64) -> Result<(), Error> {
    db.execute_unprepared(LOCK).await?;
    if days(db).await?.contains(&day) {
        return Ok(());
    }
    let (from, to) = (day * Interval::Day.micros(), (day + 1) * Interval::Day.micros());
    db.execute_unprepared(&format!(
        "LOCK TABLE click_default IN ACCESS EXCLUSIVE MODE; \
         CREATE TABLE click_{day} (LIKE click INCLUDING ALL); \
         WITH moved AS (DELETE FROM click_default WHERE at >= {from} AND at < {to} RETURNING *) \
         INSERT INTO click_{day} SELECT * FROM moved; \
         ALTER TABLE click ATTACH PARTITION click_{day} FOR VALUES FROM ({from}) TO ({to})"
    ))
    .await?;
    Ok(())
}

async fn drop(db: &DatabaseTransaction, day: i64) -> Result<(), Error> {
    db.execute_unprepared(LOCK).await?;
    db.execute_unprepared(&format!("DROP TABLE IF EXISTS click_{day}")).await?;
    Ok(())
}

/// Drops clicks of the default partition that are too old.
async fn prune(db: &DatabaseTransaction, oldest: Timestamp) -> Result<(), Error> {
    let sql = include_str!("sql/clicks_prune.sql");
    while db.execute_raw(statement(sql, [oldest.as_micros().into(), PRUNED.into()])).await?.rows_affected() > 0 {}
    Ok(())
}
