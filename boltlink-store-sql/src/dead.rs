//! What a store refused: whole batches in quarantine, and single clicks apart from their batches.

use std::ops::Range;

use async_trait::async_trait;
use boltlink_core::{
    BatchId, ClickBatch, ProducerId, StoreError, Timestamp,
    ledger::Ledger,
    store::{Applied, Consumer, DeadClicks, DeadLetter, UnreadableClicks},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, TransactionTrait};

use crate::{
    Error,
    ledger::code,
    row::{Columns, signed, unsigned},
};

/// What a sink does with clicks, within a transaction.
#[async_trait]
pub trait Effect: Sync {
    /// Makes the clicks take effect, and says how many of them found no link.
    async fn take(&self, db: &DatabaseTransaction, batches: &[&ClickBatch]) -> Result<u64, Error>;
}

/// Makes all clicks of a batch take effect but those that the database refuses, which are found by halves and wait from
/// then on. For a batch that is known to be new; its ledger is the caller's to write.
///
/// # Errors
/// What is no refusal, as `answer` tells.
pub async fn salvage(
    db: &DatabaseTransaction,
    consumer: Consumer,
    batch: &ClickBatch,
    answer: fn(Error) -> StoreError,
    effect: &impl Effect,
    now: Timestamp,
) -> Result<Applied, Error> {
    let mut applied = Applied { batches: 1, ..Applied::default() };
    let (mut dead, mut why) = (Vec::new(), String::new());
    let whole = 0..batch.len();
    let mut parts: Vec<Range<usize>> = vec![whole];
    while let Some(places) = parts.pop() {
        let part = batch.part(places.clone());
        let attempt = db.begin().await?;
        match effect.take(&attempt, &[&part]).await {
            Ok(orphaned) => {
                attempt.commit().await?;
                applied.clicks += part.len() as u64;
                applied.orphaned += orphaned;
            }
            Err(error) => {
                attempt.rollback().await?;
                match answer(error) {
                    StoreError::Invalid { reason } if places.len() > 1 => {
                        tracing::debug!(reason, ?places, "a part is refused; trying its halves");
                        let middle = places.start + places.len() / 2;
                        parts.extend([middle..places.end, places.start..middle]);
                    }
                    StoreError::Invalid { reason } => {
                        if dead.is_empty() {
                            why = reason;
                        }
                        dead.extend(places);
                    }
                    other => return Err(other.into()),
                }
            }
        }
    }
    if !dead.is_empty() {
        applied.dead = dead.len() as u64;
        put(db, consumer, &DeadClicks::of(batch, &dead), &why, now).await?;
    }
    Ok(applied)
}

/// Takes out what waits of a batch, unread, which counts as applied from then on: in `row`, what is known of its
/// producer, which is the caller's to write.
///
/// # Errors
/// [`StoreError::NotFound`] if nothing waits of it; the driver's.
pub async fn take_out(
    db: &DatabaseTransaction,
    consumer: Consumer,
    id: BatchId,
    row: Option<&mut Ledger>,
) -> Result<(), Error> {
    // A row that begins now would have holes for all that came before, and they would be applied blind.
    forget(db, consumer, id, row.is_some()).await?;
    if let Some(row) = row {
        row.apply(id.sequence);
    }
    Ok(())
}

/// Makes what waits of a batch take effect, and [takes it out](take_out).
///
/// # Errors
/// As [`take_out`], [`StoreError::Unreadable`], and why it is still refused.
pub async fn replay(
    db: &DatabaseTransaction,
    consumer: Consumer,
    id: BatchId,
    row: Option<&mut Ledger>,
    effect: &impl Effect,
) -> Result<Applied, Error> {
    let letter = find(db, consumer, id).await?.ok_or(MISSING)?;
    let parts = letter.clicks.map_err(StoreError::from)?.parts();
    take_out(db, consumer, id, row).await?;
    let orphaned = effect.take(db, &parts.iter().collect::<Vec<_>>()).await?;
    let clicks = parts.iter().map(|part| part.len() as u64).sum();
    Ok(Applied { batches: 1, clicks, orphaned, ..Applied::default() })
}

const MISSING: StoreError = StoreError::NotFound { what: "dead letter" };

const COLUMNS: &str = "producer, sequence, payload, places, reason, at";

/// What an operator has dealt with, and what stays of it where no ledger says so, waits no more.
const WAITS: &str = "(places IS NULL OR places <> '')";

/// Puts what is to wait where it waits, unless something of its batch does already.
///
/// # Errors
/// The driver's.
pub async fn put(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    clicks: &DeadClicks,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO quarantine (consumer, producer, sequence, payload, places, reason, at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (consumer, producer, sequence) DO NOTHING";
    let id = clicks.batch().id();
    let values = [
        code(consumer).into(),
        (*id.producer.as_uuid()).into(),
        signed(id.sequence).into(),
        clicks.batch().encoded().to_vec().into(),
        clicks.places().map(ToString::to_string).into(),
        // Postgres keeps no such character.
        reason.replace('\0', "\u{fffd}").into(),
        now.as_micros().into(),
    ];
    crate::execute(db, sql, values).await?;
    Ok(())
}

/// A page of what waits, by batch.
///
/// # Errors
/// The driver's.
pub async fn page(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    after: Option<BatchId>,
    limit: u32,
) -> Result<Vec<DeadLetter>, Error> {
    rows(db, COLUMNS, consumer, after, limit).await?.iter().map(|row| letter(&Columns(row))).collect()
}

/// Of which batches something waits, as in a [`page`]; what it is stays unread.
///
/// # Errors
/// The driver's.
pub async fn ids(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    after: Option<BatchId>,
    limit: u32,
) -> Result<Vec<BatchId>, Error> {
    rows(db, "producer, sequence", consumer, after, limit).await?.iter().map(|row| batch_id(&Columns(row))).collect()
}

async fn rows(
    db: &impl ConnectionTrait,
    columns: &str,
    consumer: Consumer,
    after: Option<BatchId>,
    limit: u32,
) -> Result<Vec<QueryResult>, Error> {
    let sql = format!(
        "SELECT {columns} FROM quarantine WHERE consumer = $1 AND (producer > $2 OR producer = $2 AND sequence > $3) \
         AND {WAITS} ORDER BY producer, sequence LIMIT $4"
    );
    let (producer, sequence) = match after {
        Some(after) => (*after.producer.as_uuid(), signed(after.sequence)),
        // No producer has this id, and sequences begin at 1.
        None => (uuid::Uuid::nil(), -1),
    };
    crate::all(db, &sql, [code(consumer).into(), producer.into(), sequence.into(), i64::from(limit).into()]).await
}

/// What waits of a batch.
///
/// # Errors
/// The driver's.
pub async fn find(db: &impl ConnectionTrait, consumer: Consumer, id: BatchId) -> Result<Option<DeadLetter>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM quarantine WHERE consumer = $1 AND producer = $2 AND sequence = $3 AND {WAITS}");
    crate::one(db, &sql, key(consumer, id)).await?.as_ref().map(|row| letter(&Columns(row))).transpose()
}

/// How many batches something waits of.
///
/// # Errors
/// The driver's.
pub async fn count(db: &impl ConnectionTrait, consumer: Consumer) -> Result<u64, Error> {
    let sql = format!("SELECT COUNT(*) FROM quarantine WHERE consumer = $1 AND {WAITS}");
    let row = crate::one(db, &sql, [code(consumer).into()]).await?;
    row.map_or(Ok(0), |row| Ok(unsigned(Columns(&row).at(0)?)))
}

/// Forgets what waited of a batch. Where no ledger shows that the batch is dealt with, the row stays to say so.
async fn forget(db: &impl ConnectionTrait, consumer: Consumer, id: BatchId, in_ledger: bool) -> Result<(), Error> {
    let forget = if in_ledger { "DELETE FROM quarantine" } else { "UPDATE quarantine SET payload = '', places = ''" };
    let sql = format!("{forget} WHERE consumer = $1 AND producer = $2 AND sequence = $3 AND {WAITS}");
    match crate::execute(db, &sql, key(consumer, id)).await?.rows_affected() {
        0 => Err(MISSING.into()),
        _ => Ok(()),
    }
}

fn key(consumer: Consumer, id: BatchId) -> [sea_orm::Value; 3] {
    [code(consumer).into(), (*id.producer.as_uuid()).into(), signed(id.sequence).into()]
}

/// Whatever is damaged in a row, the letter is there: it must not keep operators from the others, nor from purging it.
fn letter(row: &Columns<'_>) -> Result<DeadLetter, Error> {
    let id = batch_id(row)?;
    let since: Option<i64> = row.at(5).ok();
    Ok(DeadLetter {
        id,
        clicks: clicks(row, id),
        reason: row.at(4).unwrap_or_else(|_| "(the reason cannot be read)".to_owned()),
        since: since.and_then(Timestamp::from_micros).unwrap_or(Timestamp::EPOCH),
    })
}

fn batch_id(row: &Columns<'_>) -> Result<BatchId, Error> {
    Ok(BatchId { producer: ProducerId::from_uuid(row.at(0)?), sequence: unsigned(row.at(1)?) })
}

fn clicks(row: &Columns<'_>, id: BatchId) -> Result<DeadClicks, UnreadableClicks> {
    let payload = row.at(2).map_err(UnreadableClicks::new)?;
    let places: Option<String> = row.at(3).map_err(UnreadableClicks::new)?;
    DeadClicks::from_parts(id, payload, places.as_deref())
}
