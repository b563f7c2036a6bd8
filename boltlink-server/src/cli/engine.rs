//! The engine on the configured database, for each command in the way it needs it.

use std::{fs, path::Path, sync::Arc};

use boltlink_core::{
    BuildError, Domain, Shortener, ShortenerBuilder, SlugRules, Stores, SystemClock, TargetRules,
    journal::JournalConfig, memory::MemoryLog,
};
use boltlink_server::Hosts;
use boltlink_store_sqlite::{SqliteConfig, SqliteStore, Sync};

use super::failure::Failure;
use crate::config::Config;

/// What links are allowed to be here, and how they are written.
pub(super) struct Site {
    pub(super) hosts: Hosts,
    pub(super) rules: TargetRules,
    pub(super) slugs: SlugRules,
}

impl Site {
    pub(super) fn new(config: &Config) -> Self {
        let hosts = Hosts::new(config.http.base_url.as_ref(), &config.http.domains.0, config.http.listen);
        let rules = TargetRules { own_hosts: hosts.own(), ..TargetRules::default() };
        Self { hosts, rules, slugs: config.slug_rules() }
    }

    /// The configured domain of this name.
    ///
    /// # Errors
    /// Which ones there are.
    pub(super) fn domain(&self, name: &str) -> Result<Domain, String> {
        if name.is_empty() {
            return Ok(Domain::default_domain());
        }
        self.hosts.named(name).ok_or_else(|| {
            let known: Vec<_> = self.hosts.authorities().map(Domain::as_str).collect();
            format!("must be a configured domain ({}); add others to domains", known.join(", "))
        })
    }
}

/// An engine with the database it works on.
pub(super) struct Opened {
    pub(super) shortener: Shortener,
    store: Option<SqliteStore>,
}

impl Opened {
    /// Stores what is recorded, and lets go of the database.
    pub(super) async fn close(self) {
        self.shortener.shutdown().await;
        if let Some(store) = self.store
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "the database could not be closed; nothing stored is lost");
        }
    }
}

/// Opens the database to read and write links, beside a server or without one. Makes it if needed.
pub(super) async fn open(config: &Config) -> Result<Opened, Failure> {
    build(config, Shortener::builder().visits(false).consumers([])).await
}

/// The same, to write very many links that can be written again: they are safe from a power cut once it is closed.
pub(super) async fn open_for_bulk(config: &Config) -> Result<Opened, Failure> {
    build_with(config, Shortener::builder().visits(false).consumers([]), Sync::OnClose).await
}

/// The same, but a database that does not exist is a mistake.
pub(super) async fn open_existing(config: &Config) -> Result<Opened, Failure> {
    if config.database().exists() {
        return open(config).await;
    }
    Err(Failure::new(format_args!(
        "there is no database at {}\n    fix: name the server's folder with --data-dir or BOLTLINK_DATA_DIR",
        config.database().display()
    )))
}

/// The same, but a database that does not exist is an empty one, and is not made.
pub(super) async fn open_to_look(config: &Config) -> Result<Opened, Failure> {
    if config.database().exists() {
        return open(config).await;
    }
    let stores = Stores::in_memory(Arc::new(SystemClock));
    start(Shortener::builder().visits(false).consumers([]).slug_rules(config.slug_rules()), stores, None).await
}

/// Opens the database for a server: takes clicks, and keeps them in the journal until they are stored.
pub(super) async fn open_to_serve(config: &Config) -> Result<Opened, Failure> {
    let mut builder = Shortener::builder()
        .durability(config.clicks.durability)
        .flush_interval(config.clicks.flush_interval.0)
        .journal(JournalConfig::new(config.journal()));
    if let Some(secret) = &config.access.secret {
        builder = builder.secret(*secret.expose());
    }
    build(config, builder).await
}

async fn build(config: &Config, builder: ShortenerBuilder) -> Result<Opened, Failure> {
    build_with(config, builder, Sync::EachCommit).await
}

async fn build_with(config: &Config, builder: ShortenerBuilder, sync: Sync) -> Result<Opened, Failure> {
    let (store, stores) = open_store(config, sync).await?;
    start(builder.slug_rules(config.slug_rules()), stores, Some(store)).await
}

/// Opens the database without an engine on it.
pub(super) async fn open_store(config: &Config, sync: Sync) -> Result<(SqliteStore, Stores), Failure> {
    make_folder(config.data_dir())?;
    let clock = Arc::new(SystemClock);
    let file = SqliteConfig { raw_clicks: config.raw_clicks(), sync, ..SqliteConfig::new(config.database()) };
    let store = SqliteStore::open(&file, clock.clone()).await.map_err(Failure::new)?;
    let stores = store.stores(Arc::new(MemoryLog::new(clock, MemoryLog::DEFAULT_CAPACITY)));
    Ok((store, stores))
}

async fn start(builder: ShortenerBuilder, stores: Stores, store: Option<SqliteStore>) -> Result<Opened, Failure> {
    let shortener = builder.stores(stores).build().await.map_err(|error| match error {
        BuildError::SlugCase { kept, wanted } => Failure::new(format_args!(
            "{error}\n    fix: set BOLTLINK_SLUG_CASE={kept}, or stop the server and run boltlink migrate --change-slug-case {wanted}"
        )),
        error => Failure::new(error),
    })?;
    Ok(Opened { shortener, store })
}

pub(super) fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| {
        Failure::new(format_args!(
            "cannot make the data folder {}: {error}\n    fix: make it yourself, or choose another with --data-dir or \
             BOLTLINK_DATA_DIR",
            path.display()
        ))
    })
}
