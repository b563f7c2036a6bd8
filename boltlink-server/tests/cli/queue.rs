//! Dead letters on the command line, of a database that no server has open.

use std::sync::Arc;

use boltlink_core::{
    BatchId, Click, ClickBatch, Clock, EntropyExt, LinkId, ProducerId, Stores, SystemClock, SystemEntropy,
    memory::MemoryLog,
};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use serde_json::Value;

use crate::Folder;

/// A folder whose database has a link, and its id.
fn folder() -> (Folder, LinkId) {
    let folder = Folder::new();
    folder.ok(&["shorten", "https://example.com/"]);
    let links = folder.links(&[]);
    let id = links.values().next().unwrap()["id"].as_str().unwrap().parse().unwrap();
    (folder, id)
}

/// Does something to the stores of the folder's database.
fn behind<T>(folder: &Folder, work: impl AsyncFnOnce(Stores) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(SystemClock);
        let store =
            SqliteStore::open(&SqliteConfig::new(folder.path().join("boltlink.db")), clock.clone()).await.unwrap();
        let done = work(store.stores(Arc::new(MemoryLog::new(clock, 1_000)))).await;
        store.close().await.unwrap();
        done
    })
}

fn batch(producer: ProducerId, sequence: u64, link: LinkId, clicks: usize) -> ClickBatch {
    let click = Click { user_agent: Some("a \u{1b}[31mred one"), ..Click::bare(link, SystemClock.now()) };
    ClickBatch::new(BatchId { producer, sequence }, std::iter::repeat_n(click, clicks))
}

/// Two batches of these many clicks that the totals' store refused whole.
fn refused(folder: &Folder, link: LinkId, clicks: [usize; 2]) -> [String; 2] {
    behind(folder, async |stores| {
        let producer = SystemEntropy.producer_id(SystemClock.now());
        for (sequence, clicks) in [1, 2].into_iter().zip(clicks) {
            stores.totals.set_aside(&batch(producer, sequence, link, clicks), "too\n\u{1b}[31modd").await.unwrap();
        }
        [1, 2].map(|sequence| format!("totals.{producer}.{sequence}"))
    })
}

/// Marks the clicks of a letter as written by a newer release. They are looked for in the file: no store writes such.
fn age(folder: &Folder, id: &str) {
    let mut parts = id.splitn(3, '.').skip(1);
    let producer: ProducerId = parts.next().unwrap().parse().unwrap();
    let sequence = parts.next().unwrap().parse().unwrap();
    let encoded = ClickBatch::new(BatchId { producer, sequence }, []).encoded().clone();
    // What all batches of this name begin with: the version, the producer, the number.
    let head = &encoded[..1 + 16 + 1];
    // Behind it and how many clicks there are comes a time of our days: an index may begin with the rest by chance.
    let is_batch = |bytes: &[u8]| bytes.starts_with(head) && bytes.get(head.len() + 7..head.len() + 9) == Some(&[6, 0]);
    let path = folder.path().join("boltlink.db");
    let mut file = std::fs::read(&path).unwrap();
    let places: Vec<_> = (0..file.len()).filter(|at| is_batch(&file[*at..])).collect();
    assert!(!places.is_empty());
    for place in places {
        file[place] = 99;
    }
    std::fs::write(path, file).unwrap();
}

fn clicks(folder: &Folder) -> u64 {
    folder.links(&[]).values().next().unwrap()["clicks"].as_u64().unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn dead_letters_are_listed_shown_replayed_and_purged() {
    let (folder, link) = folder();
    assert_eq!(folder.ok(&["queue", "dead", "--json"]), "");
    let [one, two] = refused(&folder, link, [3, 4]);

    let depth: Value = serde_json::from_str(&folder.ok(&["queue", "depth", "--json"])).unwrap();
    let waits: Vec<_> = depth.as_array().unwrap().iter().map(|depth| depth["dead_letters"].as_u64().unwrap()).collect();
    assert_eq!((waits, &depth[0]["batches"]), (vec![2, 0], &Value::Null), "{depth}");
    assert!(folder.ok(&["queue", "depth"]).contains("/api/v1/admin/queue"), "only a server knows its log");
    let dead = lines(&folder.ok(&["queue", "dead", "--json"]));
    let ids: Vec<_> = dead.iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&*one, &*two]);
    assert!(dead.iter().all(|letter| letter["whole"] == true && letter["reason"] == "too\n\u{1b}[31modd"));
    let table = folder.ok(&["queue", "dead"]);
    assert!(table.contains(&one) && table.contains(&two) && table.contains("too  [31modd"), "{table}");
    assert!(table.lines().count() == 2 && !table.contains('\u{1b}'), "{table}");
    let shown = folder.ok(&["queue", "show", &one]);
    assert!(shown.matches(&link.to_string()).count() == 3 && !shown.contains('\u{1b}'), "{shown}");

    folder.ok(&["queue", "replay", &one]);
    assert_eq!(clicks(&folder), 3);
    assert!(folder.fails(&["queue", "replay", &one]).contains("does not exist"));
    folder.ok(&["queue", "purge", &two]);
    assert!(folder.fails(&["queue", "show", &two]).contains("does not exist"));
    assert_eq!((clicks(&folder), folder.ok(&["queue", "dead", "--json"])), (3, String::new()));
}

#[test]
fn all_are_replayed_or_purged_at_once() {
    let (folder, link) = folder();
    refused(&folder, link, [1, 2]);
    folder.ok(&["queue", "replay", "--all"]);
    assert_eq!(clicks(&folder), 3);
    refused(&folder, link, [10, 20]);
    assert!(folder.fails(&["queue", "purge", "--all"]).contains("--yes"));
    assert_eq!(lines(&folder.ok(&["queue", "dead", "--json"])).len(), 2);
    folder.ok(&["queue", "purge", "--all", "--yes"]);
    folder.ok(&["queue", "replay", "--all"]);
    assert_eq!((clicks(&folder), folder.ok(&["queue", "dead", "--json"])), (3, String::new()));
}

#[test]
fn a_letter_that_cannot_be_read_holds_up_no_other() {
    let (folder, link) = folder();
    let [one, two] = refused(&folder, link, [1, 2]);
    age(&folder, &one);
    let dead = lines(&folder.ok(&["queue", "dead", "--json"]));
    let [newer, known] = &dead[..] else { panic!("{dead:?}") };
    assert!(newer["unreadable"].as_str().unwrap().contains("version 99") && newer["id"] == *one, "{newer}");
    assert!(newer["clicks"].is_null() && newer["whole"].is_null() && newer["since"].is_string(), "{newer}");
    assert!(known["unreadable"].is_null() && known["clicks"] == 2, "{known}");
    let table = folder.ok(&["queue", "dead"]);
    assert!(table.lines().count() == 2 && table.lines().next().unwrap().contains("cannot be read"), "{table}");
    let shown: Value = serde_json::from_str(&folder.ok(&["queue", "show", &one])).unwrap();
    assert_eq!((&shown["letter"], &shown["items"]), (newer, &Value::Array(vec![])));

    let replayed = folder.run(&["queue", "replay", "--all"]);
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    assert!(replayed.out.contains(&format!("{one} cannot be read")), "{replayed:?}");
    assert!(replayed.out.contains(&format!("{two} counts")), "{replayed:?}");
    assert_eq!((clicks(&folder), folder.run(&["queue", "replay", &one]).code), (2, Some(1)));
    folder.ok(&["queue", "purge", "--all", "--yes"]);
    assert_eq!(folder.ok(&["queue", "dead", "--json"]), "");
}

#[test]
fn more_than_a_page_are_listed_replayed_and_purged() {
    let (folder, link) = folder();
    let ids = behind(&folder, async |stores| {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let producer = SystemEntropy.producer_id(SystemClock.now());
            for sequence in 1..=600 {
                stores.totals.set_aside(&batch(producer, sequence, link, 1), "bad").await.unwrap();
                ids.push(format!("totals.{producer}.{sequence}"));
            }
        }
        ids
    });
    age(&folder, &ids[0]);
    let table = folder.ok(&["queue", "dead"]);
    let mut listed: Vec<_> = table.lines().map(|line| line.split(' ').next().unwrap()).collect();
    listed.sort_unstable();
    let mut all: Vec<_> = ids.iter().map(String::as_str).collect();
    all.sort_unstable();
    assert_eq!(listed, all);
    // One at the beginning that stays keeps nobody from what comes after.
    assert_eq!(folder.run(&["queue", "replay", "--all"]).code, Some(1));
    assert_eq!(clicks(&folder), 1_199);
    assert_eq!(lines(&folder.ok(&["queue", "dead", "--json"])).len(), 1);
    folder.ok(&["queue", "purge", "--all", "--yes"]);
    assert_eq!(folder.ok(&["queue", "dead", "--json"]), "");
}

#[test]
fn operators_who_replay_all_at_once_do_not_fail_each_other() {
    let (folder, link) = folder();
    for _ in 0..10 {
        refused(&folder, link, [1, 2]);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| folder.ok(&["queue", "replay", "--all"]));
        }
    });
    assert_eq!((clicks(&folder), folder.ok(&["queue", "dead", "--json"])), (30, String::new()));
}

#[test]
fn mistakes_are_explained() {
    let folder = Folder::new();
    assert!(folder.fails(&["queue", "depth"]).contains("there is no database"));
    assert_eq!(folder.files(), [""; 0]);
    for args in [
        &["queue", "replay"][..],
        &["queue", "purge", "--yes"],
        &["queue", "show", "x"],
        &["queue", "replay", "totals.019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f.1", "--all"],
    ] {
        assert_eq!(folder.run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn doctor_reconciles_totals_with_rollups() {
    let (folder, link) = folder();
    let doctor = ["doctor", "--reconcile", "--listen", "127.0.0.1:0"];
    let fresh = Folder::new();
    assert!(fresh.ok(&doctor).contains("there is no database yet"));
    assert_eq!(fresh.files(), [""; 0], "doctor changes nothing");
    behind(&folder, async |stores| {
        let batch = batch(SystemEntropy.producer_id(SystemClock.now()), 1, link, 5);
        stores.totals.apply(std::slice::from_ref(&batch)).await.unwrap();
        stores.analytics.apply(&[batch]).await.unwrap();
    });
    let report = folder.ok(&doctor);
    assert!(report.contains("1 links, 5 clicks: totals and rollups agree"), "{report}");
    // What only one of the two has waits as a dead letter of the other, or is lost.
    let [one, two] = refused(&folder, link, [2, 1]);
    folder.ok(&["queue", "replay", &one]);
    let report = folder.run(&doctor);
    assert_eq!(report.code, Some(1), "{report:?}");
    assert!(
        report.out.contains("BROKEN  counts: 1 of 1 links") && report.out.contains(&link.to_string()),
        "{report:?}"
    );
    assert!(report.out.contains("total 7, opening 0, rollups 5: +2"), "{report:?}");
    // What is purged is no longer there to be found.
    folder.ok(&["queue", "purge", &two]);
    let report = folder.run(&doctor);
    assert!(report.out.contains("what was purged of one of them only stays a difference"), "{report:?}");
}
