//! Whatever becomes of a segment of a dead process, its journal is adopted and read to the end.
#![no_main]

use boltlink_core::{
    BatchId, Click, ClickBatch, LinkId, ProducerId, Timestamp,
    journal::{Journal, JournalConfig},
};
use libfuzzer_sys::fuzz_target;

const PRODUCER: &str = "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f";

fuzz_target!(|input: (u16, &[u8])| {
    let (at, rubbish) = input;
    let dir = tempfile::tempdir().unwrap();
    let producer: ProducerId = PRODUCER.parse().unwrap();
    {
        let mut log = Journal::open(JournalConfig::new(dir.path())).unwrap().begin(producer).unwrap();
        let link: LinkId = PRODUCER.parse().unwrap();
        for sequence in 1..4 {
            let clicks = (0..sequence).map(|_| Click::bare(link, Timestamp::EPOCH));
            log.append(&ClickBatch::new(BatchId { producer, sequence }, clicks)).unwrap();
        }
    }
    let segment = dir.path().join(PRODUCER).join("0000000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = usize::from(at) % (bytes.len() + 1);
    let end = bytes.len().min(at + rubbish.len());
    bytes.splice(at..end, rubbish.iter().copied());
    std::fs::write(&segment, bytes).unwrap();

    for mut log in Journal::open(JournalConfig::new(dir.path())).unwrap().adopt().unwrap() {
        let mut next = 0;
        while let Some(last) = log.read(next, 10, 1 << 20).unwrap().iter().map(|batch| batch.id().sequence).max() {
            assert!(last >= next, "what was read is not read again");
            next = last.saturating_add(1);
        }
        log.release(|_| true).unwrap();
    }
});
