//! The program `boltlink` as a person at a terminal meets it: real processes, each in a folder of its own.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod backup;
mod config;
mod copy;
mod doctor;
mod export;
mod import;
mod import_conflicts;
mod import_foreign;
mod import_tables;
mod keys;
mod links;
mod queue;
mod slugs;
mod users;

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to run commands in.
struct Folder(TempDir);

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The names of the files in it.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Puts one of the files of `samples/` here, byte for byte.
    fn sample(&self, name: &str) {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/samples");
        std::fs::copy(samples.join(name), self.path().join(name)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[], "")
    }

    /// Runs a command in this folder and in no other environment than `env`.
    fn run_with(&self, args: &[&str], env: &[(&str, &str)], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boltlink"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("BOLTLINK_") || text.starts_with("DATABASE_URL") || text.starts_with("REDIS_URL") {
                command.env_remove(&name);
            }
        }
        let mut child = command
            .args(args)
            .envs(env.iter().copied())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads no input may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed, and gives what it printed.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.out
    }

    /// Runs a command that must fail, and gives its complaint.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
        assert!(!ran.err.contains("panicked") && !ran.err.contains("backtrace"), "{ran:?}");
        ran.err
    }

    /// Everything that is exported, by short URL.
    fn links(&self, env: &[(&str, &str)]) -> BTreeMap<String, Value> {
        let ran = self.run_with(&["export"], env, "");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let links = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        links.map(|link| (link["short_url"].as_str().unwrap().to_owned(), link)).collect()
    }
}
