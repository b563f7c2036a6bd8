//! A copy of the file while others work on it.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::{
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
    sync::Arc,
};

use boltlink_core::memory::MemoryLog;
use boltlink_store_sqlite::{BackupError, OpenError, SqliteConfig, SqliteStore};
use common::Place;

#[tokio::test]
async fn a_copy_has_what_is_committed_and_takes_nobodys_place() {
    let place = Place::new();
    let (store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("kept")).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    SqliteStore::backup(&place.config(), &copy).await.unwrap();
    let again = SqliteStore::backup(&place.config(), &copy).await;
    assert!(matches!(again, Err(BackupError::Exists { .. })), "{again:?}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
    store.close().await.unwrap();

    let copied = SqliteStore::open(&SqliteConfig::new(&copy), place.clock.clone()).await.unwrap();
    let stores = copied.stores(Arc::new(MemoryLog::new(place.clock.clone(), 1)));
    assert_eq!(stores.links.by_id(link).await.unwrap().unwrap().link.slug.as_str(), "kept");
    copied.close().await.unwrap();
}

#[tokio::test]
async fn what_is_damaged_is_refused() {
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    let mut file = OpenOptions::new().write(true).open(place.path()).unwrap();
    let len = file.metadata().unwrap().len();
    // All but the first page, which says what it is.
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&vec![0xff; usize::try_from(len - 4096).unwrap()]).unwrap();
    drop(file);
    let folder = tempfile::tempdir().unwrap();
    let refused = SqliteStore::backup(&place.config(), &folder.path().join("copy.db")).await;
    assert!(matches!(refused, Err(BackupError::Source(OpenError::Corrupt { .. }))), "{refused:?}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
