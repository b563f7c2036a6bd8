//! Which files are opened, which are refused, and that what is refused stays as it was.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::fs;

use boltlink_core::{
    AccountId, ApiKey, Bounds, Clock, EntropyExt, KeyToken, Scopes, SystemEntropy, Timestamp,
    store::{Dimension, Scope},
};
use boltlink_store_sqlite::{OpenError, SqliteConfig, SqliteStore};
use common::Place;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

/// Runs `sql` on the file, from outside.
async fn run(place: &Place, sql: &str) {
    let db = Database::connect(format!("sqlite://{}?mode=rwc", place.path().display())).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

async fn refusal(place: &Place) -> OpenError {
    SqliteStore::open(&place.config(), place.clock.clone()).await.unwrap_err()
}

#[tokio::test]
async fn a_new_file_is_made_and_migrated_once() {
    let place = Place::new();
    let first = SqliteStore::migrate(&place.config()).await.unwrap();
    assert_eq!(first.applied.first().map(String::as_str), Some("m0001_first"));
    assert_eq!(first.applied.len(), usize::try_from(first.version).unwrap());
    let second = SqliteStore::migrate(&place.config()).await.unwrap();
    assert_eq!((second.applied, second.version), (Vec::new(), first.version));
    let health = SqliteStore::check(&place.path()).await.unwrap();
    assert_eq!((health.version, health.problems), (health.known_version, Vec::new()));
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let place = Place::new();
    let (store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("kept")).await;
    let batch = place.batch(place.producer(), 1, &[(link, 3)]);
    stores.totals.apply(std::slice::from_ref(&batch)).await.unwrap();
    stores.analytics.apply(std::slice::from_ref(&batch)).await.unwrap();
    let secret = stores.keys.server_secret([7; 32]).await.unwrap();
    store.close().await.unwrap();

    let (_store, stores) = place.open().await;
    assert_eq!(stores.links.by_id(link).await.unwrap().unwrap().clicks, 3);
    assert_eq!(stores.reader.total(Scope::Global).await.unwrap(), 3);
    assert_eq!(stores.totals.apply(&[batch]).await.unwrap().duplicates, 1);
    assert_eq!(stores.keys.server_secret([8; 32]).await.unwrap(), secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_start_at_once_on_a_fresh_file() {
    let place = Place::new();
    let starts: Vec<_> = (0..10)
        .map(|_| {
            let (config, clock) = (place.config(), place.clock.clone());
            tokio::spawn(async move { SqliteStore::open(&config, clock).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_untouched() {
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    run(&place, "UPDATE meta SET value = '999' WHERE key IN ('schema_version', 'oldest_compatible')").await;
    let before = fs::read(place.path()).unwrap();
    let error = refusal(&place).await;
    assert!(matches!(error, OpenError::TooNew { version: 999, .. }), "{error}");
    assert!(error.to_string().contains("upgrade"), "{error}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
    let error = SqliteStore::check(&place.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::TooNew { .. }), "a check says so too: {error}");
}

#[tokio::test]
async fn a_newer_schema_that_is_compatible_is_served() {
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    run(
        &place,
        "UPDATE meta SET value = '999' WHERE key = 'schema_version';
         INSERT INTO seaql_migrations (version, applied_at) VALUES ('m0999_later', 0)",
    )
    .await;
    let (store, stores) = place.open().await;
    place.store_link(&stores, place.link("old-binary")).await;
    store.close().await.unwrap();
    assert_eq!(SqliteStore::check(&place.path()).await.unwrap().version, 999);
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_untouched() {
    for content in [&b"hello"[..], &[7; 8192]] {
        let place = Place::new();
        fs::write(place.path(), content).unwrap();
        let error = refusal(&place).await;
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
        assert!(error.to_string().contains("boltlink.db"), "{error}");
        assert_eq!(fs::read(place.path()).unwrap(), content);
    }
}

#[tokio::test]
async fn another_programs_database_is_refused_untouched() {
    let place = Place::new();
    run(&place, "CREATE TABLE theirs (x)").await;
    let before = fs::read(place.path()).unwrap();
    let error = refusal(&place).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
    assert!(matches!(SqliteStore::check(&place.path()).await, Err(OpenError::Foreign { .. })));
}

#[tokio::test]
async fn a_damaged_file_is_refused_untouched() {
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    let mut content = fs::read(place.path()).unwrap();
    content[100..4096].fill(0xff);
    fs::write(place.path(), &content).unwrap();
    let error = refusal(&place).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("restore"), "{error}");
    assert_eq!(fs::read(place.path()).unwrap(), content);
}

#[tokio::test]
async fn a_check_finds_damage_deep_in_the_file() {
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    // Not the last page: which one that is changes with every migration, and one of the schema keeps everybody out.
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = 'link_slug'";
    let page = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap().unwrap();
    let page = usize::try_from(page.try_get_by_index::<i64>(0).unwrap()).unwrap();
    db.close().await.unwrap();
    let mut content = fs::read(place.path()).unwrap();
    content[(page - 1) * 4096..page * 4096].fill(0xff);
    fs::write(place.path(), &content).unwrap();
    assert!(!SqliteStore::check(&place.path()).await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    assert!(matches!(refusal(&place).await, OpenError::Directory { .. }));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let place = Place::new();
    let config = SqliteConfig::new(place.dir.path().join("missing").join("boltlink.db"));
    let error = SqliteStore::open(&config, place.clock.clone()).await.unwrap_err();
    assert!(matches!(error, OpenError::NoDirectory { .. }), "{error}");
    assert!(matches!(SqliteStore::check(&place.path()).await, Err(OpenError::NoDirectory { .. })));
    assert_eq!(fs::read_dir(place.dir.path()).unwrap().count(), 0);
}

/// The kernel's own file system lets nobody make files, not even root.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_read_only_directory_is_named() {
    let place = Place::new();
    let config = SqliteConfig::new("/sys/boltlink.db");
    let error = SqliteStore::open(&config, place.clock.clone()).await.unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error}");
    assert!(error.to_string().contains("/sys/boltlink.db"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let (_store, _) = place.open().await;
    for entry in std::fs::read_dir(place.path().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_note_of_an_earlier_release_is_read_though_it_would_be_too_long_now() {
    let place = Place::new();
    let (store, stores) = place.open().await;
    let id = place.store_link(&stores, place.link("old")).await;
    store.close().await.unwrap();
    let db = sea_orm::Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    let note = "ä".repeat(4_096);
    sea_orm::ConnectionTrait::execute_unprepared(&db, &format!("UPDATE link SET note = '{note}'")).await.unwrap();
    db.close().await.unwrap();
    let (_store, stores) = place.open().await;
    let link = stores.links.by_id(id).await.unwrap().unwrap().link;
    assert_eq!(link.note.unwrap().as_str(), note);
}

#[tokio::test]
async fn keys_of_an_earlier_release_are_good_for_what_they_were() {
    let place = Place::new();
    place.open().await.0.close().await.unwrap();
    let key = |admin| {
        format!(
            "INSERT INTO api_key (id, owner, name, admin, digest, created_at)
             VALUES (randomblob(16), zeroblob(16), 'old', {admin}, zeroblob(32), 0);"
        )
    };
    run(&place, &(key(true) + &key(false))).await;
    let (_store, stores) = place.open().await;
    let keys = stores.keys.list(None, None, 10).await.unwrap();
    let mut scopes: Vec<_> = keys.iter().map(|key| key.scopes.to_string()).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["admin", "links:read links:write analytics:read"]);
    assert!(keys.iter().all(|key| key.bounds == Bounds::NONE && key.previous.is_none()), "{keys:?}");
}

#[tokio::test]
async fn to_an_earlier_release_a_bounded_admin_is_none() {
    let place = Place::new();
    let (store, stores) = place.open().await;
    let id = SystemEntropy.api_key_id(Timestamp::EPOCH);
    let bounds = Bounds { networks: vec!["10.0.0.0/8".parse().unwrap()], ..Bounds::NONE };
    let key = ApiKey {
        id,
        owner: AccountId::OPERATOR,
        name: "bounded".parse().unwrap(),
        scopes: Scopes::ADMIN,
        bounds,
        digest: KeyToken::generate(id, &SystemEntropy).digest(),
        previous: None,
        created_at: Timestamp::EPOCH,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    stores.keys.insert(&key).await.unwrap();
    assert_eq!(stores.keys.by_id(id).await.unwrap(), Some(key));
    store.close().await.unwrap();
    let db = Database::connect(format!("sqlite://{}", place.path().display())).await.unwrap();
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, "SELECT admin FROM api_key")).await.unwrap();
    assert!(!row.unwrap().try_get_by_index::<bool>(0).unwrap());
}

/// As `.cargo/config.toml` asks for.
#[tokio::test]
async fn sqlite_keeps_no_count_of_its_memory() {
    let db = Database::connect("sqlite::memory:").await.unwrap();
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA compile_options")).await.unwrap();
    let options: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!options.iter().any(|option| option.starts_with("ENABLE_MEMORY_MANAGEMENT")), "{options:?}");
}

#[tokio::test]
async fn values_that_an_earlier_release_stored_are_counted_with_the_new_ones() {
    let place = Place::new();
    let (_store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("x")).await;
    let day = place.clock.now().day();
    stores.analytics.apply(&[place.batch(place.producer(), 1, &[(link, 3)])]).await.unwrap();
    // As nodes of that release do, which may be there still.
    let old = "INSERT INTO rollup_day (link, day, dimension, value, clicks)
               SELECT link, day, 1, '', 2 FROM rollup_values
               UNION ALL SELECT link, day - 1, 1, 'a.example', 4 FROM rollup_values";
    run(&place, old).await;
    let found = stores.reader.breakdown(link, Dimension::Referrer, day - 1, day + 1, 10).await.unwrap();
    let found: Vec<_> = found.iter().map(|share| (share.value.as_str(), share.clicks)).collect();
    assert_eq!(found, [("", 5), ("a.example", 4)]);
}
