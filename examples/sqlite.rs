//! The embedded default: one SQLite file, a journal beside it, and counts that survive the program:
//! `cargo run --example sqlite`.

use std::sync::Arc;

use boltlink::{
    Actor, Domain, JournalConfig, NewLink, Shortener, SystemClock, TargetRules, TargetUrl, Visit,
    memory::MemoryLog,
    sqlite::{SqliteConfig, SqliteStore},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let clock = Arc::new(SystemClock);
    let domain = Domain::default_domain();
    let mut made = None;

    // Two runs of a program that opens the same file.
    for run in 1..=2 {
        let store = SqliteStore::open(&SqliteConfig::new(dir.path().join("links.db")), clock.clone()).await?;
        let log = Arc::new(MemoryLog::new(clock.clone(), MemoryLog::DEFAULT_CAPACITY));
        let shortener = Shortener::builder()
            .stores(store.stores(log))
            .journal(JournalConfig::new(dir.path().join("journal")))
            .build()
            .await?;

        let link = match made.take() {
            Some(id) => shortener.find(&Actor::OPERATOR, id).await?,
            None => {
                let target = TargetUrl::parse("https://www.sqlite.org/wal.html", &TargetRules::default())?;
                shortener.create(&Actor::OPERATOR, NewLink::to(target)).await?
            }
        };
        for _ in 0..2 {
            shortener.visit(&Visit::new(&domain, link.link.slug.as_str())).await?;
        }

        shortener.shutdown().await;
        let clicks = shortener.find(&Actor::OPERATOR, link.link.id).await?.clicks;
        println!("run {run}: /{} has {clicks} clicks", link.link.slug);
        assert_eq!(clicks, 2 * run);
        made = Some(link.link.id);
        store.close().await?;
    }
    Ok(())
}
