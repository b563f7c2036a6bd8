//! Two processes on one directory do anything in any order, and die, beside a plain model.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::PathBuf,
};

use proptest::prelude::*;

use super::*;
use crate::journal::AppendError;

const MAX_BYTES: u64 = 2_000;

#[derive(Debug, Clone)]
enum Step {
    Begin {
        process: usize,
    },
    Append {
        log: prop::sample::Index,
        skip: u64,
        len: usize,
    },
    Sync {
        log: prop::sample::Index,
    },
    /// Both consumers have stored some of what was appended.
    Deal {
        producer: prop::sample::Index,
        batches: Vec<prop::sample::Index>,
    },
    Release {
        log: prop::sample::Index,
    },
    Retire {
        log: prop::sample::Index,
    },
    Adopt {
        process: usize,
    },
    /// The process dies, while it appends these bytes to one of its logs.
    Crash {
        process: usize,
        log: prop::sample::Index,
        torn: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let process = 0..2_usize;
    prop_oneof![
        1 => process.clone().prop_map(|process| Step::Begin { process }),
        8 => (index(), 0..2_u64, 0..60_usize).prop_map(|(log, skip, len)| Step::Append { log, skip, len }),
        1 => index().prop_map(|log| Step::Sync { log }),
        3 => (index(), prop::collection::vec(index(), 0..9))
            .prop_map(|(producer, batches)| Step::Deal { producer, batches }),
        3 => index().prop_map(|log| Step::Release { log }),
        1 => index().prop_map(|log| Step::Retire { log }),
        2 => process.clone().prop_map(|process| Step::Adopt { process }),
        1 => (process, index(), 0..80_usize).prop_map(|(process, log, torn)| Step::Crash { process, log, torn }),
    ]
}

enum Log {
    Live(ProducerLog),
    Retired(RetiredLog),
}

impl Log {
    fn producer(&self) -> ProducerId {
        match self {
            Self::Live(log) => log.producer(),
            Self::Retired(log) => log.producer(),
        }
    }
}

#[derive(Default)]
struct Facts {
    appended: BTreeMap<u64, ClickBatch>,
    dealt_with: BTreeSet<u64>,
}

struct World {
    dir: tempfile::TempDir,
    processes: [Journal; 2],
    logs: Vec<(usize, Log)>,
    facts: BTreeMap<ProducerId, Facts>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let processes = [open(dir.path(), MAX_BYTES, 250), open(dir.path(), MAX_BYTES, 250)];
        Self { dir, processes, logs: Vec::new(), facts: BTreeMap::new() }
    }

    fn live(&mut self, index: prop::sample::Index) -> Option<(usize, &mut ProducerLog)> {
        let mut live: Vec<_> = self
            .logs
            .iter_mut()
            .filter_map(|(process, log)| if let Log::Live(log) = log { Some((*process, log)) } else { None })
            .collect();
        let at = index.index(live.len().max(1));
        (at < live.len()).then(|| live.swap_remove(at))
    }

    fn segments(&self, producer: ProducerId) -> Vec<PathBuf> {
        let home = self.dir.path().join(producer.to_string());
        names(&home).into_iter().filter(|name| name.ends_with(".seg")).map(|name| home.join(name)).collect()
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Begin { process } => {
                let producer = producer(self.facts.len() as u64);
                let log = self.processes[process].begin(producer).unwrap();
                self.logs.push((process, Log::Live(log)));
                self.facts.insert(producer, Facts::default());
            }
            Step::Append { log, skip, len } => self.append(log, skip, len),
            Step::Sync { log } => {
                if let Some((_, log)) = self.live(log) {
                    log.sync().unwrap();
                }
            }
            Step::Deal { producer, batches } if !self.facts.is_empty() => {
                let at = producer.index(self.facts.len());
                let facts = self.facts.values_mut().nth(at).unwrap();
                let appended: Vec<u64> = facts.appended.keys().copied().collect();
                if !appended.is_empty() {
                    facts.dealt_with.extend(batches.iter().map(|batch| *batch.get(&appended)));
                }
            }
            Step::Release { log } if !self.logs.is_empty() => {
                let at = log.index(self.logs.len());
                self.release(at);
            }
            Step::Retire { log } => {
                let Some(producer) = self.live(log).map(|(_, log)| log.producer()) else { return };
                let at = self.logs.iter().position(|(_, log)| log.producer() == producer).unwrap();
                if let (process, Log::Live(log)) = self.logs.swap_remove(at) {
                    self.logs.push((process, Log::Retired(log.retire())));
                }
            }
            Step::Adopt { process } => {
                let adopted = self.processes[process].adopt().unwrap();
                self.logs.extend(adopted.into_iter().map(|log| (process, Log::Retired(log))));
            }
            Step::Crash { process, log, torn } => self.crash(process, log, torn),
            Step::Deal { .. } | Step::Release { .. } => {}
        }
    }

    fn append(&mut self, log: prop::sample::Index, skip: u64, len: usize) {
        let Some((process, producer)) = self.live(log).map(|(process, log)| (process, log.producer())) else { return };
        let before = self.processes[process].stats().bytes;
        let sequence = self.facts[&producer].appended.keys().last().unwrap_or(&0) + 1 + skip;
        let batch = batch(producer, sequence, len);
        match self.live(log).unwrap().1.append(&batch) {
            Ok(()) => {
                assert!(self.processes[process].stats().bytes <= MAX_BYTES);
                self.facts.get_mut(&producer).unwrap().appended.insert(sequence, batch);
            }
            Err(AppendError::Full) => assert!(before + batch.encoded().len() as u64 + 28 > MAX_BYTES),
            Err(error) => panic!("{error}"),
        }
    }

    fn release(&mut self, at: usize) {
        let facts = &self.facts[&self.logs[at].1.producer()];
        let dealt_with = |sequence: u64| facts.dealt_with.contains(&sequence);
        let empty = match &mut self.logs[at].1 {
            Log::Live(log) => {
                log.release(dealt_with).unwrap();
                false
            }
            Log::Retired(log) => {
                log.release(dealt_with).unwrap();
                log.is_empty()
            }
        };
        if empty {
            assert!(facts.appended.keys().all(|sequence| dealt_with(*sequence)));
            self.logs.swap_remove(at);
        }
    }

    fn crash(&mut self, process: usize, log: prop::sample::Index, torn: usize) {
        let victim = self.live(log).filter(|(owner, _)| *owner == process).map(|(_, log)| log.producer());
        self.logs.retain(|(owner, _)| *owner != process);
        let Some(path) = victim.filter(|victim| self.dir.path().join(victim.to_string()).exists()) else { return };
        if let Some(path) = self.segments(path).last() {
            let next = batch(victim.unwrap(), u64::MAX, 60);
            let mut record = Vec::new();
            crate::journal::record::put_record(&mut record, next.encoded().len() as u32, next.encoded());
            record.truncate(torn);
            fs::File::options().append(true).open(path).unwrap().write_all(&record).unwrap();
        }
    }

    fn check(&mut self) {
        let mut bytes = [0; 2];
        for at in 0..self.logs.len() {
            let (process, log) = &mut self.logs[at];
            let (process, producer) = (*process, log.producer());
            let read = match log {
                Log::Live(log) => read_all(|from| log.read(from, 3, 200).unwrap()),
                Log::Retired(log) => read_all(|from| log.read(from, 3, 200).unwrap()),
            };
            let facts = &self.facts[&producer];
            let mut kept = facts.appended.clone();
            let held: BTreeSet<u64> = read.iter().map(|batch| batch.id().sequence).collect();
            kept.retain(|sequence, _| held.contains(sequence) || !facts.dealt_with.contains(sequence));
            assert_eq!(read, kept.into_values().collect::<Vec<_>>());
            bytes[process] += self.segments(producer).iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
        }
        for (process, bytes) in self.processes.iter().zip(bytes) {
            assert_eq!(process.stats().bytes, bytes);
            assert_eq!(process.stats().damaged_bytes, 0);
        }
    }

    /// All processes die, one comes back, and the consumers store everything.
    fn end(mut self) {
        self.logs.clear();
        self.run(Step::Adopt { process: 0 });
        self.check();
        for facts in self.facts.values_mut() {
            let left = |sequence: &u64| !facts.dealt_with.contains(sequence);
            let owed: BTreeSet<u64> = facts.appended.keys().copied().filter(left).collect();
            facts.dealt_with.extend(owed);
        }
        while !self.logs.is_empty() {
            let before = self.logs.len();
            self.release(0);
            assert!(self.logs.len() < before);
        }
        assert_eq!(names(self.dir.path()), ["lock"]);
        assert_eq!(self.processes[0].stats().bytes, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_before_it_is_dealt_with(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
            world.check();
        }
        world.end();
    }
}

/// Locks, claims and removals of many threads at once never lose a batch nor trip over each other.
#[test]
fn adopters_race_safely() {
    let dir = tempfile::tempdir().unwrap();
    let seen = parking_lot::Mutex::new(BTreeMap::<(ProducerId, u64), u32>::new());
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (dir, seen) = (dir.path(), &seen);
            scope.spawn(move || {
                let journal = open(dir, 1 << 20, 200);
                for round in 0..15 {
                    drop(filled(&journal, producer(thread * 100 + round), 1..=4));
                    for mut log in journal.adopt().unwrap() {
                        for batch in all_of(&mut log) {
                            *seen.lock().entry((batch.id().producer, batch.id().sequence)).or_default() += 1;
                        }
                        log.release(|_| true).unwrap();
                    }
                }
            });
        }
    });
    let left = open(dir.path(), 1 << 20, 200).adopt().unwrap();
    assert!(left.is_empty(), "every thread adopts after its last drop");
    let seen = seen.into_inner();
    assert_eq!(seen.len(), 4 * 15 * 4);
    assert!(seen.values().all(|times| *times == 1));
    assert_eq!(names(dir.path()), ["lock"]);
}
