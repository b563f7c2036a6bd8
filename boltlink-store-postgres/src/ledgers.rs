//! The ledger of a consumer, locked and written for many producers at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use boltlink_core::{
    BatchId, ClickBatch, ProducerId, StoreError, Timestamp,
    ledger::{Ledger, RETENTION},
    store::{Consumer, LedgerState},
};
use boltlink_store_sql::{
    Error,
    ledger::code,
    row::{signed, unsigned},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult};
use uuid::Uuid;

use crate::array::{bigints, statement, texts, uuids};

/// How many forgotten producers are dropped at a time.
const PRUNED: i64 = 100;

/// The rows of some producers, locked until the transaction ends.
pub(crate) struct Ledgers {
    /// What is known of the producers; to be brought up to date.
    pub(crate) rows: BTreeMap<ProducerId, Ledger>,
    consumer: Consumer,
    producers: BTreeSet<ProducerId>,
    known: BTreeMap<ProducerId, Ledger>,
}

impl Ledgers {
    /// Locks the rows of the producers, in their order. Rows that do not exist are made first: there is nothing else that
    /// two transactions, both of which know nothing of a producer, could wait for each other at.
    pub(crate) async fn lock(
        db: &DatabaseTransaction,
        consumer: Consumer,
        producers: BTreeSet<ProducerId>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let ids = || uuids(producers.iter().map(|producer| *producer.as_uuid()));
        let make = "INSERT INTO ledger (consumer, producer, highest, holes, updated_at) \
                    SELECT $1, producer, 0, '', $3 FROM unnest($2::uuid[]) AS v (producer) ORDER BY producer \
                    ON CONFLICT DO NOTHING";
        db.execute_raw(statement(make, [code(consumer).into(), ids(), now.as_micros().into()])).await?;
        let lock = "SELECT producer, highest, holes FROM ledger WHERE consumer = $1 AND producer = ANY($2) \
                    ORDER BY producer FOR UPDATE";
        let rows = db.query_all_raw(statement(lock, [code(consumer).into(), ids()])).await?;
        let mut known = rows.iter().map(row).collect::<Result<BTreeMap<_, _>, _>>()?;
        // Nothing was ever applied of these: they were made just now.
        known.retain(|_, ledger| ledger.highest() > 0);
        Ok(Self { rows: known.clone(), consumer, producers, known })
    }

    /// Writes what has changed. Rows of producers of which nothing was applied go again.
    pub(crate) async fn keep(self, db: &DatabaseTransaction, now: Timestamp) -> Result<(), Error> {
        let consumer = code(self.consumer);
        let changed: Vec<_> = self
            .rows
            .iter()
            .filter(|(producer, row)| row.highest() > 0 && self.known.get(*producer) != Some(*row))
            .collect();
        if !changed.is_empty() {
            let values = [
                consumer.into(),
                uuids(changed.iter().map(|(producer, _)| *producer.as_uuid())),
                bigints(changed.iter().map(|(_, row)| signed(row.highest()))),
                texts(changed.iter().map(|(_, row)| row.holes_text()).collect::<Vec<_>>().iter().map(String::as_str)),
                now.as_micros().into(),
            ];
            db.execute_raw(statement(include_str!("sql/ledger_write.sql"), values)).await?;
        }
        self.drop_unused(db, &self.rows).await?;
        if changed.iter().any(|(producer, _)| !self.known.contains_key(*producer)) {
            let before = now.minus(RETENTION).as_micros();
            let values = [consumer.into(), before.into(), PRUNED.into()];
            db.execute_raw(statement(include_str!("sql/ledger_prune.sql"), values)).await?;
        }
        Ok(())
    }

    /// Leaves all rows as they were.
    pub(crate) async fn leave(self, db: &DatabaseTransaction) -> Result<(), Error> {
        self.drop_unused(db, &self.known).await
    }

    /// Drops the rows of producers of which nothing was applied, by what is known of them.
    async fn drop_unused(&self, db: &DatabaseTransaction, rows: &BTreeMap<ProducerId, Ledger>) -> Result<(), Error> {
        let applied = |producer: &ProducerId| rows.get(producer).is_some_and(|row| row.highest() > 0);
        let unused: Vec<_> = self.producers.iter().filter(|producer| !applied(producer)).collect();
        if !unused.is_empty() {
            let sql = "DELETE FROM ledger WHERE consumer = $1 AND producer = ANY($2) AND highest = 0";
            let unused = uuids(unused.into_iter().map(|producer| *producer.as_uuid()));
            db.execute_raw(statement(sql, [code(self.consumer).into(), unused])).await?;
        }
        Ok(())
    }
}

/// Which of the batches are in quarantine.
pub(crate) async fn quarantined(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    batches: &[ClickBatch],
) -> Result<HashSet<BatchId>, Error> {
    let sql = "SELECT q.producer, q.sequence FROM unnest($2::uuid[], $3::bigint[]) AS v (producer, sequence) \
               JOIN quarantine q ON q.consumer = $1 AND q.producer = v.producer AND q.sequence = v.sequence";
    let values = [
        code(consumer).into(),
        uuids(batches.iter().map(|batch| *batch.id().producer.as_uuid())),
        bigints(batches.iter().map(|batch| signed(batch.id().sequence))),
    ];
    let rows = db.query_all_raw(statement(sql, values)).await?;
    rows.iter().map(batch_id).collect()
}

/// Which batches of the producers are in quarantine, in the order of their sequences.
pub(crate) async fn quarantine_of(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    producers: impl Iterator<Item = ProducerId>,
) -> Result<Vec<BatchId>, Error> {
    let sql = "SELECT producer, sequence FROM quarantine WHERE consumer = $1 AND producer = ANY($2) ORDER BY sequence";
    let values = [code(consumer).into(), uuids(producers.map(|producer| *producer.as_uuid()))];
    db.query_all_raw(statement(sql, values)).await?.iter().map(batch_id).collect()
}

fn batch_id(row: &QueryResult) -> Result<BatchId, Error> {
    Ok(BatchId { producer: producer(row)?, sequence: unsigned(row.try_get_by_index(1)?) })
}

/// What is known of the producers, for those of which something is.
pub(crate) async fn states(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    producers: &[ProducerId],
) -> Result<HashMap<ProducerId, LedgerState>, Error> {
    let values = [code(consumer).into(), uuids(producers.iter().map(|producer| *producer.as_uuid()))];
    let mut states: HashMap<ProducerId, LedgerState> = HashMap::new();
    // In this order: a batch that moves from the quarantine into the ledger meanwhile is seen in one of them at least.
    for BatchId { producer, sequence } in quarantine_of(db, consumer, producers.iter().copied()).await? {
        states.entry(producer).or_default().quarantined.push(sequence);
    }
    let sql = "SELECT producer, highest, holes FROM ledger WHERE consumer = $1 AND producer = ANY($2)";
    for found in &db.query_all_raw(statement(sql, values)).await? {
        let (producer, ledger) = row(found)?;
        states.entry(producer).or_default().ledger = ledger;
    }
    Ok(states)
}

fn row(row: &QueryResult) -> Result<(ProducerId, Ledger), Error> {
    let holes: String = row.try_get_by_index(2)?;
    let ledger = Ledger::from_parts(unsigned(row.try_get_by_index(1)?), &holes).map_err(StoreError::backend)?;
    Ok((producer(row)?, ledger))
}

fn producer(row: &QueryResult) -> Result<ProducerId, Error> {
    Ok(ProducerId::from_uuid(row.try_get_by_index::<Uuid>(0)?))
}
