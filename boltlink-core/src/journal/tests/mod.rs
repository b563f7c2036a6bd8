//! Two journals on one directory stand for two processes; dropping a log stands for its death.

mod behaviour;
mod damage;
mod model;

use std::{fs, path::Path};

use super::{Journal, JournalConfig, ProducerLog, RetiredLog};
use crate::{
    click::{BatchId, Click, ClickBatch},
    id::{LinkId, ProducerId},
    time::Timestamp,
};

fn producer(number: u64) -> ProducerId {
    ProducerId::from_uuid(uuid::Uuid::from_u64_pair(0x019a_b2c4_6f1e_7cc3, 0x98c4_0000_0000_0000 + number))
}

/// A batch with a referrer so long.
fn batch(producer: ProducerId, sequence: u64, len: usize) -> ClickBatch {
    let link = LinkId::from_uuid(uuid::Uuid::from_u64_pair(sequence, sequence));
    let referrer = "r".repeat(len);
    let click = Click { referrer: Some(&referrer), ..Click::bare(link, Timestamp::EPOCH) };
    ClickBatch::new(BatchId { producer, sequence }, [click])
}

fn open(dir: &Path, max_bytes: u64, segment_bytes: u64) -> Journal {
    Journal::open(JournalConfig { dir: dir.to_owned(), max_bytes, segment_bytes }).unwrap()
}

/// A log of batches with these sequences, a few to a segment.
fn filled(journal: &Journal, producer: ProducerId, sequences: impl IntoIterator<Item = u64>) -> ProducerLog {
    let mut log = journal.begin(producer).unwrap();
    for sequence in sequences {
        log.append(&batch(producer, sequence, 0)).unwrap();
    }
    log
}

fn read_all(mut read: impl FnMut(u64) -> Vec<ClickBatch>) -> Vec<ClickBatch> {
    let mut all: Vec<ClickBatch> = Vec::new();
    loop {
        let some = read(all.last().map_or(1, |batch| batch.id().sequence + 1));
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

fn all_of(log: &mut RetiredLog) -> Vec<ClickBatch> {
    read_all(|from| log.read(from, 3, usize::MAX).unwrap())
}

fn sequences(batches: &[ClickBatch]) -> Vec<u64> {
    batches.iter().map(|batch| batch.id().sequence).collect()
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
