//! What consumers remember of batches: the ledger and the quarantine.

use boltlink_core::{
    ClickBatch, ProducerId, StoreError, Timestamp,
    ledger::{Ledger, RETENTION},
    store::{Consumer, DeadClicks},
};
use sea_orm::{ConnectionTrait, QueryResult};

use crate::{
    Error, dead,
    row::{Columns, signed, unsigned},
};

/// The reason given for batches of producers that began too long ago to be judged.
pub const UNKNOWN_PRODUCER: &str = "nothing is known of its producer any more, so it may have been counted before";

/// How many forgotten producers are dropped at a time.
const PRUNED: i64 = 100;

/// What stands for a consumer in the tables.
#[must_use]
pub const fn code(consumer: Consumer) -> i16 {
    match consumer {
        Consumer::Totals => 1,
        Consumer::Analytics => 2,
    }
}

/// The row of a producer.
///
/// # Errors
/// The driver's, or a damaged row.
pub async fn read(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    producer: ProducerId,
) -> Result<Option<Ledger>, Error> {
    let sql = "SELECT highest, holes FROM ledger WHERE consumer = $1 AND producer = $2";
    let row = crate::one(db, sql, [code(consumer).into(), (*producer.as_uuid()).into()]).await?;
    row.as_ref().map(parse).transpose()
}

/// Stores the row of a producer.
///
/// # Errors
/// The driver's.
pub async fn write(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    producer: ProducerId,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO ledger (consumer, producer, highest, holes, updated_at) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (consumer, producer) DO UPDATE \
               SET highest = excluded.highest, holes = excluded.holes, updated_at = excluded.updated_at";
    let values = [
        code(consumer).into(),
        (*producer.as_uuid()).into(),
        signed(ledger.highest()).into(),
        ledger.holes_text().into(),
        now.as_micros().into(),
    ];
    crate::execute(db, sql, values).await?;
    Ok(())
}

/// How many batches have not come of which later ones have. Costs a look at each producer that has such holes.
///
/// # Errors
/// The driver's, or a damaged row.
pub async fn missing(db: &impl ConnectionTrait, consumer: Consumer) -> Result<u64, Error> {
    let sql = "SELECT highest, holes FROM ledger WHERE consumer = $1 AND holes <> ''";
    let rows = crate::all(db, sql, [code(consumer).into()]).await?;
    rows.iter().map(|row| Ok(parse(row)?.missing())).sum()
}

fn parse(row: &QueryResult) -> Result<Ledger, Error> {
    let row = Columns(row);
    let holes: String = row.at(1)?;
    Ok(Ledger::from_parts(unsigned(row.at(0)?), &holes).map_err(StoreError::backend)?)
}

/// Drops rows whose producers have been silent for longer than [`RETENTION`], a few at a time.
///
/// # Errors
/// The driver's.
pub async fn prune(db: &impl ConnectionTrait, consumer: Consumer, now: Timestamp) -> Result<(), Error> {
    let sql = "DELETE FROM ledger WHERE consumer = $1 AND producer IN \
               (SELECT producer FROM ledger WHERE consumer = $1 AND updated_at < $2 ORDER BY updated_at LIMIT $3)";
    let before = now.minus(RETENTION).as_micros();
    crate::execute(db, sql, [code(consumer).into(), before.into(), PRUNED.into()]).await?;
    Ok(())
}

/// The sequences of a producer's batches in quarantine, ascending.
///
/// # Errors
/// The driver's.
pub async fn quarantined(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    producer: ProducerId,
) -> Result<Vec<u64>, Error> {
    let sql = "SELECT sequence FROM quarantine WHERE consumer = $1 AND producer = $2 ORDER BY sequence";
    let rows = crate::all(db, sql, [code(consumer).into(), (*producer.as_uuid()).into()]).await?;
    rows.iter().map(|row| Ok(unsigned(Columns(row).at(0)?))).collect()
}

/// Puts a batch into quarantine, whole, unless it is there.
///
/// # Errors
/// The driver's.
pub async fn quarantine(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    batch: &ClickBatch,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    dead::put(db, consumer, &DeadClicks::whole(batch.clone()), reason, now).await
}
