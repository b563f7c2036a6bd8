//! What the journal does, case by case.

use std::{fs, io::Write};

use super::*;
use crate::journal::{AppendError, record};

const ROOMY: u64 = 1 << 20;

#[test]
fn what_was_appended_is_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, 200);
    let mut log = filled(&journal, producer(1), [1, 2, 3, 5, 8, 9, 10, 40]);
    assert!(names(&dir.path().join(producer(1).to_string())).len() > 3, "several segments and a lock");
    let expected = [1, 2, 3, 5, 8, 9, 10, 40].map(|sequence| batch(producer(1), sequence, 0));
    assert_eq!(read_all(|from| log.read(from, 3, usize::MAX).unwrap()), expected);
    assert_eq!(read_all(|from| log.read(from, usize::MAX, 1).unwrap()), expected);
    assert_eq!(sequences(&log.read(6, 1, usize::MAX).unwrap()), [8]);
    assert_eq!(sequences(&log.read(40, 9, usize::MAX).unwrap()), [40]);
    assert_eq!(log.read(41, 9, usize::MAX).unwrap(), []);
    assert_eq!(log.read(1, 0, usize::MAX).unwrap(), []);
    assert_eq!((log.first_sequence(), log.last_sequence()), (Some(1), Some(40)));
    // Reading on while the log grows.
    log.append(&batch(producer(1), 41, 0)).unwrap();
    assert_eq!(sequences(&log.read(41, 9, usize::MAX).unwrap()), [41]);
    log.sync().unwrap();
    assert_eq!(sequences(&all_of(&mut log.retire())), [1, 2, 3, 5, 8, 9, 10, 40, 41]);
}

#[test]
fn a_large_batch_has_a_segment_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, 1_000);
    let mut log = journal.begin(producer(1)).unwrap();
    let clicks = vec![Click::bare(LinkId::from_uuid(uuid::Uuid::nil()), Timestamp::EPOCH); 10_000];
    let large = ClickBatch::new(BatchId { producer: producer(1), sequence: 2 }, clicks);
    log.append(&batch(producer(1), 1, 0)).unwrap();
    log.append(&large).unwrap();
    log.append(&batch(producer(1), 3, 0)).unwrap();
    assert_eq!(log.read(2, 9, 9).unwrap(), [large]);
    assert_eq!(sequences(&all_of(&mut log.retire())), [1, 2, 3]);
}

#[test]
fn only_the_next_batches_of_its_own_producer_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, 300);
    let mut log = filled(&journal, producer(1), [4]);
    for refused in [batch(producer(2), 5, 0), batch(producer(1), 4, 0), batch(producer(1), 0, 0)] {
        let error = log.append(&refused).unwrap_err();
        assert!(matches!(error, AppendError::Io(error) if error.kind() == std::io::ErrorKind::InvalidInput));
    }
    assert_eq!(journal.begin(producer(1)).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(sequences(&all_of(&mut log.retire())), [4]);
}

#[test]
fn a_full_journal_takes_batches_again_once_some_are_released() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 1_000, ROOMY);
    let mut log = journal.begin(producer(1)).unwrap();
    let mut sequence = 0;
    let fill = |log: &mut ProducerLog, sequence: &mut u64| {
        while log
            .append(&batch(producer(1), *sequence + 1, 0))
            .map_err(|e| assert!(matches!(e, AppendError::Full)))
            .is_ok()
        {
            *sequence += 1;
        }
    };
    fill(&mut log, &mut sequence);
    let before = sequence;
    assert!(before > 3);
    assert!((900..=1_000).contains(&journal.stats().bytes));
    log.release(|_| false).unwrap();
    fill(&mut log, &mut sequence);
    assert_eq!(sequence, before);
    log.release(|_| true).unwrap();
    fill(&mut log, &mut sequence);
    assert!(sequence > before);

    // What is adopted counts, too.
    drop(log);
    assert_eq!(journal.stats().bytes, 0);
    let mut adopted = journal.adopt().unwrap();
    assert!(matches!(journal.begin(producer(2)).unwrap().append(&batch(producer(2), 1, 900)), Err(AppendError::Full)));
    adopted[0].release(|_| true).unwrap();
    assert!(adopted[0].is_empty());
    assert_eq!(journal.stats().bytes, 0);
}

#[test]
fn a_segment_goes_when_all_its_batches_are_dealt_with() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, 200);
    let mut log = filled(&journal, producer(1), 1..=12);
    let home = dir.path().join(producer(1).to_string());
    let all = names(&home);
    // Sequences that were never appended hold nothing up.
    log.release(|sequence| sequence != 6 && sequence <= 12).unwrap();
    let left = names(&home);
    assert_eq!(left.len(), 3, "the one with 6, the one being written, the lock: {left:?} of {all:?}");
    assert!(log.first_sequence().unwrap() <= 6);
    assert!(sequences(&read_all(|from| log.read(from, 9, 9_999).unwrap())).contains(&6));
    let mut retired = log.retire();
    retired.release(|sequence| sequence == 12).unwrap();
    assert!(!retired.is_empty());
    retired.release(|_| true).unwrap();
    assert!(retired.is_empty());
    drop(retired);
    assert_eq!(names(dir.path()), ["lock"]);
}

#[test]
fn the_living_are_not_adopted_and_the_dead_once() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (open(dir.path(), ROOMY, 200), open(dir.path(), ROOMY, 200));
    let living = filled(&ours, producer(1), 1..=4);
    let dead = filled(&ours, producer(2), 1..=5);
    let empty = ours.begin(producer(3)).unwrap();
    assert_eq!(ours.adopt().unwrap().len() + theirs.adopt().unwrap().len(), 0);

    drop((dead, empty));
    let mut adopted = theirs.adopt().unwrap();
    assert_eq!(adopted.len(), 1);
    assert_eq!(adopted[0].producer(), producer(2));
    assert_eq!(sequences(&all_of(&mut adopted[0])), [1, 2, 3, 4, 5]);
    assert_eq!(ours.adopt().unwrap().len() + theirs.adopt().unwrap().len(), 0);

    // Its adopter dies as well.
    adopted[0].release(|sequence| sequence <= 3).unwrap();
    drop(adopted);
    let mut adopted = ours.adopt().unwrap();
    assert!(sequences(&all_of(&mut adopted[0])).ends_with(&[4, 5]));
    drop((living, adopted));
    assert_eq!(
        theirs.adopt().unwrap().iter().map(RetiredLog::producer).collect::<Vec<_>>(),
        [producer(1), producer(2)]
    );
}

#[test]
fn directories_without_batches_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, 200);
    drop(journal.begin(producer(1)).unwrap());
    // Whoever made this died before it locked it.
    fs::create_dir(dir.path().join(producer(2).to_string())).unwrap();
    fs::create_dir(dir.path().join("not ours")).unwrap();
    assert_eq!(journal.adopt().unwrap().len(), 0);
    assert_eq!(names(dir.path()), ["lock", "not ours"]);
}

#[test]
fn nothing_comes_behind_half_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, ROOMY);
    let mut log = filled(&journal, producer(1), 1..=2);
    let path = dir.path().join(producer(1).to_string()).join("0000000000000001.seg");
    let whole = fs::metadata(&path).unwrap().len();
    // The write fails, and so does the repair: this handle cannot be written to.
    fs::File::options().append(true).open(&path).unwrap().write_all(b"half a record").unwrap();
    log.active = Some(fs::File::open(&path).unwrap());
    assert!(matches!(log.append(&batch(producer(1), 3, 0)), Err(AppendError::Io(_))));
    assert_eq!(journal.stats().bytes, whole);
    for sequence in 3..=4 {
        log.append(&batch(producer(1), sequence, 0)).unwrap();
    }
    assert_eq!(sequences(&read_all(|from| log.read(from, 9, 9_999).unwrap())), [1, 2, 3, 4]);
    drop(log);
    assert_eq!(sequences(&all_of(&mut journal.adopt().unwrap()[0])), [1, 2, 3, 4]);
}

#[test]
fn a_segment_that_could_not_be_begun_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, ROOMY);
    let mut log = journal.begin(producer(1)).unwrap();
    let path = dir.path().join(producer(1).to_string()).join("0000000000000001.seg");
    fs::create_dir(&path).unwrap();
    assert!(matches!(log.append(&batch(producer(1), 1, 0)), Err(AppendError::Io(_))));
    assert_eq!(journal.stats().bytes, 0);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"what an attempt left").unwrap();
    log.append(&batch(producer(1), 1, 0)).unwrap();
    log.sync().unwrap();
    assert_eq!(sequences(&all_of(&mut log.retire())), [1]);
}

#[test]
fn a_batch_that_was_written_twice_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, ROOMY);
    let mut log = filled(&journal, producer(1), 1..=2);
    // A record that reached the disk although its write failed.
    let mut bytes = Vec::new();
    let third = batch(producer(1), 3, 0);
    record::put_record(&mut bytes, third.encoded().len() as u32, third.encoded());
    let path = dir.path().join(producer(1).to_string()).join("0000000000000001.seg");
    fs::File::options().append(true).open(&path).unwrap().write_all(&bytes).unwrap();
    log.active = None;
    log.append(&third).unwrap();
    log.append(&batch(producer(1), 4, 0)).unwrap();
    assert_eq!(sequences(&read_all(|from| log.read(from, 9, 9_999).unwrap())), [1, 2, 3, 4]);
    drop(log);
    assert_eq!(sequences(&all_of(&mut journal.adopt().unwrap()[0])), [1, 2, 3, 4]);
}
