//! PgBouncer in front of the database: one that keeps prepared statements will do, an older one is refused.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // A failure is a panic.

use std::sync::Arc;

use boltlink_core::SystemClock;
use boltlink_store_postgres::{OpenError, PostgresConfig, PostgresStore};
use boltlink_testkit::{Database, InstalledPgBouncer, PgBouncer};

#[tokio::test]
async fn the_installed_pgbouncer_is_recognised() {
    let Some(installed) = InstalledPgBouncer::find().unwrap() else {
        println!("there is no PgBouncer here, as the summary of the run says");
        return;
    };
    let database = Database::new().await.unwrap();
    let pooler = PgBouncer::start(&installed, &database.direct_url()).await.unwrap();
    let config = PostgresConfig::new(pooler.url()).unwrap();
    let opened = PostgresStore::open(&config, Arc::new(SystemClock)).await;
    if installed.keeps_statements() {
        opened.unwrap().close().await.unwrap();
        let health = PostgresStore::check(&config).await.unwrap();
        assert!(health.pgbouncer.unwrap().starts_with(&installed.version()));
    } else {
        let refused = opened.err().unwrap();
        assert!(matches!(refused, OpenError::Pooler { .. }), "{refused}");
        PostgresStore::migrate(&PostgresConfig::new(&database.direct_url()).unwrap()).await.unwrap();
        let problems = PostgresStore::check(&config).await.unwrap().problems.join("; ");
        for told in [refused.to_string(), problems] {
            assert!(told.contains("1.21") && told.contains("max_prepared_statements"), "{told}");
        }
    }
}
