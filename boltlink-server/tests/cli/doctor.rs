//! Broken setups: what doctor says of them, and that other commands refuse them and touch nothing.

use std::{fs, net::TcpListener};

use crate::Folder;

/// The arguments of a doctor who looks at a port that is free.
const DOCTOR: [&str; 3] = ["doctor", "--listen", "127.0.0.1:0"];

#[test]
fn a_fresh_folder_and_a_used_one_are_fine() {
    let folder = Folder::new();
    let report = folder.ok(&DOCTOR);
    assert!(report.contains("boltlink.db will be made"), "{report}");
    assert_eq!(folder.files(), [""; 0], "doctor changes nothing");
    folder.ok(&["shorten", "https://example.com/"]);
    let report = folder.ok(&DOCTOR);
    assert!(report.contains("ok      database: ") && report.contains("boltlink.db is whole"), "{report}");
}

#[test]
fn a_data_folder_that_cannot_be_is_broken() {
    let folder = Folder::new();
    folder.write("file", "");
    let report = folder.run(&["doctor", "--data-dir", "file/data", "--listen", "127.0.0.1:0"]);
    assert_eq!(report.code, Some(1), "{report:?}");
    assert!(report.out.contains("BROKEN  data folder") && report.out.contains("fix: "), "{report:?}");
    let error = folder.fails(&["serve", "--data-dir", "file/data", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("data folder") && error.contains("--data-dir"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_broken_and_left_alone() {
    let folder = Folder::new();
    let garbage = "This is no database. ".repeat(1_000);
    folder.write("boltlink.db", &garbage);
    let report = folder.run(&DOCTOR);
    assert_eq!(report.code, Some(1), "{report:?}");
    assert!(report.out.contains("BROKEN  database") && report.out.contains("fix: "), "{report:?}");
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["shorten", "https://example.com/"], &["export"]] {
        assert!(folder.fails(args).contains("boltlink.db"));
    }
    assert_eq!(folder.read("boltlink.db"), garbage);
}

#[test]
fn a_damaged_database_is_broken() {
    let folder = Folder::new();
    for n in 0..5 {
        folder.write("urls", &(0..500).map(|i| format!("https://example.com/{n}/{i}\n")).collect::<String>());
        folder.ok(&["import", "urls"]);
    }
    let file = folder.path().join("boltlink.db");
    let mut bytes = fs::read(&file).unwrap();
    let (start, end) = (bytes.len() / 3, bytes.len() / 3 * 2);
    bytes[start..end].fill(0x5a);
    fs::write(&file, &bytes).unwrap();
    let report = folder.run(&DOCTOR);
    assert_eq!(report.code, Some(1), "{report:?}");
    assert!(report.out.contains("BROKEN  database"), "{report:?}");
}

#[test]
fn a_port_of_another_program_is_broken_only_if_it_was_asked_for() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let other = std::thread::spawn(move || {
        // Hangs up at once: no BoltLink.
        drop(taken.accept());
        taken
    });
    let report = folder.run(&["doctor", "--listen", &address]);
    assert_eq!(report.code, Some(1), "{report:?}");
    assert!(report.out.contains("BROKEN  address"), "{report:?}");
    drop(other.join().unwrap());
}
