//! Segments that something happened to.

use std::{collections::BTreeMap, fs, io::Write, ops::Range, path::PathBuf};

use proptest::prelude::*;

use super::*;
use crate::journal::record::{MAX_PAYLOAD, RECORD_HEAD, SEGMENT_HEAD, Scanner, put_record, segment_head};

const ROOMY: u64 = 1 << 20;

/// A journal whose process died, and what is in it.
struct Wreck {
    dir: tempfile::TempDir,
    journal: Journal,
    batches: Vec<ClickBatch>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Where each batch's record is.
    places: BTreeMap<u64, (PathBuf, Range<usize>)>,
}

impl Wreck {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), ROOMY, 300);
        let batches: Vec<_> = (1..=9).map(|sequence| batch(producer(1), sequence, 7 * sequence as usize)).collect();
        let mut log = journal.begin(producer(1)).unwrap();
        for batch in &batches {
            log.append(batch).unwrap();
        }
        drop(log);
        let home = dir.path().join(producer(1).to_string());
        let files: BTreeMap<_, _> = names(&home)
            .into_iter()
            .filter(|name| name.ends_with(".seg"))
            .map(|name| (home.join(&name), fs::read(home.join(&name)).unwrap()))
            .collect();
        assert!(files.len() >= 3);
        let mut left = batches.iter().peekable();
        let mut places = BTreeMap::new();
        for (path, bytes) in &files {
            let mut at = SEGMENT_HEAD;
            while at < bytes.len() {
                let batch = left.next().unwrap();
                let end = at + RECORD_HEAD + batch.encoded().len();
                places.insert(batch.id().sequence, (path.clone(), at..end));
                at = end;
            }
        }
        assert!(left.next().is_none());
        Self { dir, journal, batches, files, places }
    }

    /// Puts other bytes into a file, reads everything, and puts the file back. Every batch whose
    /// record `hit` does not touch must be there.
    fn read_with(&self, path: &PathBuf, bytes: &[u8], hit: &Range<usize>) -> (Vec<u64>, u64) {
        let before = self.journal.stats().damaged_bytes;
        overwrite(path, bytes);
        let mut adopted = self.journal.adopt().unwrap();
        let read = all_of(&mut adopted[0]);
        drop(adopted);
        overwrite(path, &self.files[path]);
        for batch in &read {
            assert_eq!(batch, &self.batches[batch.id().sequence as usize - 1]);
        }
        let read = sequences(&read);
        assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
        for (sequence, (file, place)) in &self.places {
            let touched = file == path && place.start < hit.end && hit.start < place.end;
            assert!(touched || read.contains(sequence), "{sequence} is missing: {hit:?} of {path:?}");
        }
        (read, self.journal.stats().damaged_bytes - before)
    }
}

/// Like `fs::write`, which makes ext4 wait for the disk as it cuts the file to nothing first.
fn overwrite(path: &PathBuf, bytes: &[u8]) {
    let mut file = fs::File::options().write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

#[test]
fn a_cut_anywhere_costs_only_what_it_cuts_off() {
    let wreck = Wreck::new();
    for (path, bytes) in &wreck.files {
        for cut in 0..bytes.len() {
            let (_, damaged) = wreck.read_with(path, &bytes[..cut], &(cut..bytes.len()));
            assert_eq!(damaged, 0, "a torn tail is no damage: cut at {cut}");
            // A length that reached the disk before its content.
            let mut zeroed = bytes[..cut].to_vec();
            zeroed.resize(bytes.len() + 100, 0);
            wreck.read_with(path, &zeroed, &(cut..bytes.len()));
        }
    }
}

#[test]
fn a_flip_anywhere_costs_only_the_record_it_hits() {
    let wreck = Wreck::new();
    for (path, bytes) in &wreck.files {
        let last = wreck.places.values().filter(|(file, _)| file == path).map(|(_, place)| place.start).max().unwrap();
        for at in 0..bytes.len() {
            for pattern in [0x01, 0x10, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= pattern;
                let (read, damaged) = wreck.read_with(path, &flipped, &(at..at + 1));
                let lost = read.len() < wreck.batches.len();
                assert_eq!(lost, at >= SEGMENT_HEAD, "{at}");
                // A last record that claims to be longer than the file looks like a torn one.
                let looks_torn = (last + 4..last + 8).contains(&at);
                assert!(damaged > 0 || looks_torn, "unnoticed: {at} of {path:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_overwritten_stretch_costs_only_the_records_it_touches(
        file: prop::sample::Index, at: prop::sample::Index, rubbish in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let wreck = Wreck::new();
        let (path, bytes) = wreck.files.iter().nth(file.index(wreck.files.len())).unwrap();
        let at = at.index(bytes.len());
        let mut spoilt = bytes.clone();
        let end = (at + rubbish.len()).min(bytes.len());
        spoilt[at..end].copy_from_slice(&rubbish[..end - at]);
        wreck.read_with(path, &spoilt, &(at..end));
    }

    #[test]
    fn records_are_found_between_rubbish(
        parts in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..100)), 0..20),
    ) {
        let (mut bytes, mut payloads) = (Vec::new(), Vec::new());
        for (record, content) in parts {
            if record {
                put_record(&mut bytes, content.len() as u32, &content);
                payloads.push(content);
            } else {
                bytes.extend(content);
            }
        }
        let mut scanner = Scanner::new(bytes.as_slice(), 0);
        let mut found = Vec::new();
        while let Some(payload) = scanner.next().unwrap() {
            found.push(payload.to_vec());
        }
        prop_assert_eq!(found, payloads);
        prop_assert_eq!(scanner.offset(), bytes.len() as u64);
    }
}

#[test]
fn a_record_in_a_visitors_text_is_none() {
    let mut nested = Vec::new();
    put_record(&mut nested, 3, b"abc");
    assert!(str::from_utf8(&nested).is_err());
}

#[test]
fn an_impossible_length_is_passed_over() {
    let mut bytes = Vec::new();
    put_record(&mut bytes, u32::MAX, b"x");
    put_record(&mut bytes, MAX_PAYLOAD as u32, b"x");
    put_record(&mut bytes, 3, b"abc");
    let mut scanner = Scanner::new(bytes.as_slice(), 0);
    assert_eq!(scanner.next().unwrap(), Some(b"abc".as_slice()));
    assert_eq!(scanner.damaged(), 26);
}

#[test]
fn a_damaged_segment_is_kept_for_the_operator() {
    let wreck = Wreck::new();
    let (path, bytes) = wreck.files.iter().nth(1).unwrap();
    let mut spoilt = bytes.clone();
    spoilt[SEGMENT_HEAD + RECORD_HEAD] ^= 1;
    fs::write(path, &spoilt).unwrap();
    let mut adopted = wreck.journal.adopt().unwrap();
    adopted[0].release(|_| true).unwrap();
    assert!(adopted[0].is_empty());
    drop(adopted);
    assert_eq!(wreck.journal.stats().bytes, 0);
    let first = path.file_stem().unwrap().to_str().unwrap();
    let kept = format!("{}-{first}.damaged", producer(1));
    assert_eq!(names(wreck.dir.path()), [kept.as_str(), "lock"]);
    assert_eq!(fs::read(wreck.dir.path().join(kept)).unwrap(), spoilt);
    assert_eq!(wreck.journal.adopt().unwrap().len(), 0);
}

#[test]
fn damage_to_a_living_log_is_noticed_by_reading_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), ROOMY, ROOMY);
    let mut log = filled(&journal, producer(1), 1..=5);
    let path = dir.path().join(producer(1).to_string()).join("0000000000000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    let third = bytes.len() / 2;
    bytes[third] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(sequences(&read_all(|from| log.read(from, 9, 9_999).unwrap())), [1, 2, 4, 5]);
    assert!(journal.stats().damaged_bytes > 0);
    // The lost one holds up nothing, and the log goes on.
    log.append(&batch(producer(1), 6, 0)).unwrap();
    let mut retired = log.retire();
    assert_eq!(sequences(&all_of(&mut retired)), [1, 2, 4, 5, 6]);
    retired.release(|sequence| sequence != 3).unwrap();
    assert!(retired.is_empty());
    drop(retired);
    assert_eq!(names(dir.path()).len(), 2, "the damaged one and the lock");
}

#[test]
fn another_releases_batches_wait_for_it_and_hold_up_nobody() {
    let wreck = Wreck::new();
    let mut paths = wreck.files.keys();
    // A record in another encoding, and a segment in another format.
    let (path, format) = (paths.next().unwrap(), paths.next().unwrap());
    let mut unknown = wreck.files[path].clone();
    put_record(&mut unknown, 3, &[99, 1, 2]);
    fs::write(path, &unknown).unwrap();
    let mut foreign = segment_head(99).to_vec();
    foreign.extend(b"something else altogether");
    fs::write(format, &foreign).unwrap();

    let mut adopted = wreck.journal.adopt().unwrap();
    let read = sequences(&all_of(&mut adopted[0]));
    let expected: Vec<u64> =
        wreck.places.iter().filter(|(_, (file, _))| file != format).map(|(sequence, _)| *sequence).collect();
    assert_eq!(read, expected);
    assert_eq!(wreck.journal.stats().unknown_records, 2);
    assert_eq!(wreck.journal.stats().damaged_bytes, 0);
    adopted[0].release(|_| true).unwrap();
    assert!(adopted[0].is_empty());
    assert_eq!(wreck.journal.stats().bytes, 0);
    drop(adopted);
    assert_eq!(wreck.journal.adopt().unwrap().len(), 0, "nothing to do for this process");

    // They are all there for the next one.
    assert_eq!((fs::read(path).unwrap(), fs::read(format).unwrap()), (unknown, foreign));
    let next = open(wreck.dir.path(), ROOMY, 300);
    assert_eq!(next.adopt().unwrap().len(), 1);
    assert_eq!(next.stats().unknown_records, 2);
}

#[test]
fn another_producers_records_are_damage() {
    let wreck = Wreck::new();
    let path = wreck.files.keys().next().unwrap();
    let mut bytes = wreck.files[path].clone();
    let stranger = batch(producer(2), 7, 0);
    put_record(&mut bytes, stranger.encoded().len() as u32, stranger.encoded());
    put_record(&mut bytes, 3, &[2, 2, 3]);
    let end = bytes.len();
    let (read, damaged) = wreck.read_with(path, &bytes, &(wreck.files[path].len()..end));
    assert_eq!(read.len(), wreck.batches.len());
    assert_eq!(damaged as usize, end - wreck.files[path].len());
}
