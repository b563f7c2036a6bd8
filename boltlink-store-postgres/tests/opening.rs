//! Which databases are opened, which are refused, and that what is refused stays as it was.

#![allow(clippy::unwrap_used)] // A failure is a panic.

mod common;

use std::time::Duration;

use boltlink_core::{
    Clock,
    store::{Dimension, LinkFilter, LinkOrder, Scope},
};
use boltlink_store_postgres::{OpenError, PostgresConfig, PostgresStore};
use common::{Place, texts};
use sea_orm::{ConnectionTrait, TransactionTrait};

async fn refusal(place: &Place, config: &PostgresConfig) -> OpenError {
    PostgresStore::open(config, place.clock.clone()).await.unwrap_err()
}

#[tokio::test]
async fn an_empty_database_is_migrated_once() {
    let place = Place::new().await;
    let before = PostgresStore::check(&place.config()).await.unwrap();
    assert!(before.version == 0 && before.version < before.known_version);
    let first = PostgresStore::migrate(&place.config()).await.unwrap();
    assert_eq!(first.applied.first().map(String::as_str), Some("m0001_first"));
    assert_eq!(first.applied.len(), usize::try_from(first.version).unwrap());
    let second = PostgresStore::migrate(&place.config()).await.unwrap();
    assert_eq!((second.applied, second.version), (Vec::new(), first.version));
    let health = PostgresStore::check(&place.config()).await.unwrap();
    assert_eq!((health.version, &health.problems), (health.known_version, &Vec::new()));
    assert!(health.server.starts_with(|c: char| c.is_ascii_digit()), "{health:?}");
    assert_eq!(health.pgbouncer, None);
}

#[tokio::test]
async fn what_was_answered_is_there_for_the_next_store() {
    let place = Place::new().await;
    let (store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("kept")).await;
    let batch = place.batch(place.producer(), 1, &[(link, 3)]);
    stores.totals.apply(std::slice::from_ref(&batch)).await.unwrap();
    stores.analytics.apply(std::slice::from_ref(&batch)).await.unwrap();
    let secret = stores.keys.server_secret([7; 32]).await.unwrap();
    store.close().await.unwrap();
    assert!(stores.links.ping().await.unwrap_err().is_retryable());

    let (_store, stores) = place.open().await;
    assert_eq!(stores.links.by_id(link).await.unwrap().unwrap().clicks, 3);
    assert_eq!(stores.reader.total(Scope::Global).await.unwrap(), 3);
    assert_eq!(stores.totals.apply(&[batch]).await.unwrap().duplicates, 1);
    assert_eq!(stores.keys.server_secret([8; 32]).await.unwrap(), secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_that_start_at_once_migrate_once() {
    let place = Place::new().await;
    let known_version = PostgresStore::check(&place.config()).await.unwrap().known_version;
    let starts: Vec<_> = (0..10)
        .map(|_| {
            let config = place.config();
            tokio::spawn(async move { PostgresStore::migrate(&config).await.unwrap() })
        })
        .collect();
    let mut applied = Vec::new();
    for start in starts {
        let migrated = start.await.unwrap();
        assert_eq!(migrated.version, known_version);
        applied.extend(migrated.applied);
    }
    assert_eq!(applied.len(), usize::try_from(known_version).unwrap());
    let db = place.connect().await;
    assert_eq!(texts(&db, "SELECT version FROM seaql_migrations ORDER BY 1").await, applied);
}

/// A session that ends in the middle of a migration: the server rolls back what it did, whoever waited goes on.
#[tokio::test(flavor = "multi_thread")]
async fn one_killed_while_it_migrates_leaves_nothing_half_done() {
    let place = Place::new().await;
    let db = place.connect().await;
    // The migration comes as far as the table that this one holds the name of.
    let holder = db.begin().await.unwrap();
    holder.execute_unprepared("CREATE TABLE rollup_hour (any_name INT)").await.unwrap();
    let config = place.config();
    let migrating = tokio::spawn(async move { PostgresStore::migrate(&config).await });
    let waiting = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'boltlink' AND wait_event_type = 'Lock'";
    let pid = loop {
        if let [pid] = &texts(&db, waiting).await[..] {
            break pid.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    db.execute_unprepared(&format!("SELECT pg_terminate_backend({pid})")).await.unwrap();
    assert!(migrating.await.unwrap().unwrap_err().is_retryable());
    holder.rollback().await.unwrap();
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    while !texts(&db, tables).await.is_empty() {
        // The server takes a moment to notice that the session has ended.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let migrated = PostgresStore::migrate(&place.config()).await.unwrap();
    assert_eq!(migrated.applied.len(), usize::try_from(migrated.version).unwrap(), "all of them: {migrated:?}");
}

#[tokio::test]
async fn a_newer_schema_is_served_if_it_says_so_and_refused_if_not() {
    let place = Place::new().await;
    place.open().await.0.close().await.unwrap();
    let db = place.connect().await;
    db.execute_unprepared("UPDATE meta SET value = '99' WHERE key = 'schema_version'").await.unwrap();
    assert_eq!(PostgresStore::migrate(&place.config()).await.unwrap().version, 99);
    db.execute_unprepared("UPDATE meta SET value = '99' WHERE key = 'oldest_compatible'").await.unwrap();
    let error = refusal(&place, &place.config()).await;
    assert!(matches!(error, OpenError::TooNew { version: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("newer release"), "{error}");
    assert!(matches!(PostgresStore::check(&place.config()).await, Err(OpenError::TooNew { .. })));
}

#[tokio::test]
async fn tables_of_another_program_are_left_alone() {
    let place = Place::new().await;
    let db = place.connect().await;
    db.execute_unprepared("CREATE TABLE link (theirs TEXT); INSERT INTO link VALUES ('kept')").await.unwrap();
    let error = refusal(&place, &place.config()).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(texts(&db, "SELECT theirs FROM link").await, ["kept"]);
    assert_eq!(texts(&db, "SELECT relname::text FROM pg_class WHERE relname = 'meta'").await, [""; 0]);
}

#[tokio::test]
async fn who_cannot_log_in_is_told_so() {
    let place = Place::new().await;
    let mut url: url::Url = place.database.url().parse().unwrap();
    url.set_username("nobody_of_that_name").unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let error = refusal(&place, &PostgresConfig::new(url.as_str()).unwrap()).await;
    assert!(matches!(error, OpenError::Login { .. }) && !error.is_retryable(), "{error:?}");
    assert!(!error.to_string().contains("hunter2") && error.to_string().contains("nobody_of_that_name"), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let place = Place::new().await;
    let mut url: url::Url = place.database.url().parse().unwrap();
    url.set_path("no_database_of_that_name");
    let error = refusal(&place, &PostgresConfig::new(url.as_str()).unwrap()).await;
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("no_database_of_that_name"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let place = Place::new().await;
    // Bound, and closed again: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&place, &PostgresConfig::new(&format!("postgres://127.0.0.1:{port}/x")).unwrap()).await;
    assert!(matches!(error, OpenError::Unreachable { .. }) && error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn another_encoding_is_refused() {
    let place = Place::new().await;
    let db = place.connect().await;
    let name = texts(&db, "SELECT current_database()::text || '_ascii'").await.remove(0);
    db.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"))
        .await
        .unwrap();
    let mut url: url::Url = place.database.url().parse().unwrap();
    url.set_path(&name);
    let error = refusal(&place, &PostgresConfig::new(url.as_str()).unwrap()).await;
    db.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    assert!(matches!(error, OpenError::Encoding { .. }), "{error:?}");
}

/// A user who may make tables, but no extensions.
#[tokio::test]
async fn without_the_extension_lists_by_text_walk() {
    let place = Place::new().await;
    let db = place.connect().await;
    let role = texts(&db, "SELECT current_database()::text || '_user'").await.remove(0);
    db.execute_unprepared(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'plain'; GRANT CREATE, USAGE ON SCHEMA public TO {role}"
    ))
    .await
    .unwrap();
    let mut url: url::Url = place.database.url().parse().unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("plain")).unwrap();
    let config = PostgresConfig::new(url.as_str()).unwrap();
    let (store, stores) = place.open_with(&config).await;
    place.store_link(&stores, place.link("needle")).await;
    place.store_link(&stores, place.link("hay")).await;
    let filter = LinkFilter { text: Some("needle".parse().unwrap()), ..LinkFilter::default() };
    let found = stores.links.list(&filter, LinkOrder::Newest, None, 10).await.unwrap();
    let health = PostgresStore::check(&config).await.unwrap();
    store.close().await.unwrap();
    db.execute_unprepared(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    assert_eq!(found.iter().map(|stored| stored.link.slug.as_str()).collect::<Vec<_>>(), ["needle"]);
    assert!(!health.text_index && health.problems.is_empty(), "{health:?}");
}

/// One who may make nothing.
#[tokio::test]
async fn who_may_not_make_tables_is_told_so() {
    let place = Place::new().await;
    let db = place.connect().await;
    let role = texts(&db, "SELECT current_database()::text || '_user'").await.remove(0);
    db.execute_unprepared(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'plain'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    ))
    .await
    .unwrap();
    let mut url: url::Url = place.database.url().parse().unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("plain")).unwrap();
    let error = refusal(&place, &PostgresConfig::new(url.as_str()).unwrap()).await;
    db.execute_unprepared(&format!("DROP ROLE {role}")).await.unwrap();
    assert!(matches!(error, OpenError::Forbidden { .. }) && error.to_string().contains("grant"), "{error:?}");
}

#[tokio::test]
async fn keys_of_an_earlier_release_are_good_for_what_they_were() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let key = |admin| {
        format!(
            "INSERT INTO api_key (id, owner, name, admin, digest, created_at)
             VALUES (gen_random_uuid(), gen_random_uuid(), 'old', {admin}, decode(repeat('00', 32), 'hex'), 0);"
        )
    };
    place.connect().await.execute_unprepared(&(key(true) + &key(false))).await.unwrap();
    let keys = stores.keys.list(None, None, 10).await.unwrap();
    let mut scopes: Vec<_> = keys.iter().map(|key| key.scopes.to_string()).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["admin", "links:read links:write analytics:read"]);
}

#[tokio::test]
async fn values_that_an_earlier_release_stored_are_counted_with_the_new_ones() {
    let place = Place::new().await;
    let (_store, stores) = place.open().await;
    let link = place.store_link(&stores, place.link("x")).await;
    let day = place.clock.now().day();
    stores.analytics.apply(&[place.batch(place.producer(), 1, &[(link, 3)])]).await.unwrap();
    // As nodes of that release do, which may be there still.
    let old = "INSERT INTO rollup_day (link, day, dimension, value, clicks)
               SELECT link, day, 1, '', 2 FROM rollup_values
               UNION ALL SELECT link, day - 1, 1, 'a.example', 4 FROM rollup_values";
    place.connect().await.execute_unprepared(old).await.unwrap();
    let found = stores.reader.breakdown(link, Dimension::Referrer, day - 1, day + 1, 10).await.unwrap();
    let found: Vec<_> = found.iter().map(|share| (share.value.as_str(), share.clicks)).collect();
    assert_eq!(found, [("", 5), ("a.example", 4)]);
}
