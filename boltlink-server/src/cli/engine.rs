//! The engine on the configured database, for each command in the way it needs it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use boltlink_core::{
    BuildError, Domain, LinkId, RandomSlugs, Shortener, ShortenerBuilder, SlugRules, StoreError, Stores, SystemClock,
    TargetRules, WithoutWords,
    journal::JournalConfig,
    limit::LocalFirst,
    memory::MemoryLog,
    policy::TargetFilter,
    store::{Balance, Consumer, Observer},
};
use boltlink_server::{Hosts, Metrics, Rates};
use boltlink_store_postgres::{PostgresConfig, PostgresStore};
use boltlink_store_redis::{RedisConfig, RedisStore};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore, Sync};

use tokio::task::JoinHandle;

use super::{blocklist, failure::Failure, telemetry::Telemetry};
use crate::config::{Config, DatabaseUrl};

/// What links are allowed to be here, and how they are written.
pub(super) struct Site {
    pub(super) hosts: Hosts,
    pub(super) rules: TargetRules,
    pub(super) slugs: SlugRules,
}

impl Site {
    pub(super) fn new(config: &Config) -> Self {
        let http = &config.http;
        let hosts = Hosts::new(http.base_url.as_ref(), &http.domains.0, http.listen, config.tls_files().is_some());
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
    database: Option<Database>,
    /// What follows the blocklist, where something has to.
    watching: Option<JoinHandle<()>>,
}

impl Opened {
    /// Stores what is recorded, and lets go of the database.
    pub(super) async fn close(self) {
        if let Some(watching) = &self.watching {
            watching.abort();
        }
        self.shortener.shutdown().await;
        if let Some(database) = self.database
            && let Err(error) = database.close().await
        {
            tracing::warn!(%error, "the database could not be closed; nothing stored is lost");
        }
    }
}

/// An open database of either kind.
pub(super) enum Database {
    Sqlite(SqliteStore),
    Postgres(Box<PostgresStore>),
}

impl Database {
    /// Opens the configured database, makes an SQLite file if needed, and brings the schema up to date. `sync` is for
    /// SQLite: Postgres is asked whenever something must be safe.
    pub(super) async fn open(
        config: &Config,
        sync: Sync,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, Failure> {
        let clock = Arc::new(SystemClock);
        match config.database() {
            DatabaseUrl::Sqlite(path) => {
                let file = SqliteConfig { raw_clicks: config.raw_clicks(), sync, observer, ..SqliteConfig::new(path) };
                SqliteStore::open(&file, clock).await.map(Self::Sqlite).map_err(Failure::new)
            }
            DatabaseUrl::Postgres(postgres) => {
                let postgres = PostgresConfig { observer, ..*postgres };
                let store = PostgresStore::open(&postgres, clock).await.map_err(Failure::new)?;
                Ok(Self::Postgres(Box::new(store)))
            }
        }
    }

    /// Its stores, with the click log in `redis`, or in this process's memory.
    pub(super) fn stores(&self, redis: Option<&RedisStore>) -> Stores {
        let log = match redis {
            Some(redis) => redis.log(),
            None => Arc::new(MemoryLog::new(Arc::new(SystemClock), MemoryLog::DEFAULT_CAPACITY)),
        };
        match self {
            Self::Sqlite(store) => store.stores(log),
            Self::Postgres(store) => store.stores(log),
        }
    }

    /// Lets `metrics` tell of its connections. Those to a file are always as many.
    fn watch(&self, metrics: &Metrics, most: u32) {
        if let Self::Postgres(store) = self {
            let store = store.clone();
            metrics.watch_pool("database", most, move || store.connections());
        }
    }

    /// What is stored of the clicks of links after `after`.
    pub(super) async fn balances(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Balance>, StoreError> {
        match self {
            Self::Sqlite(store) => store.balances(after, limit).await,
            Self::Postgres(store) => store.balances(after, limit).await,
        }
    }

    /// The same of one link.
    pub(super) async fn balance(&self, link: LinkId) -> Result<Option<Balance>, StoreError> {
        match self {
            Self::Sqlite(store) => store.balance(link).await,
            Self::Postgres(store) => store.balance(link).await,
        }
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// The database file that is wanted, but does not exist.
pub(super) fn missing_file(config: &Config) -> Option<PathBuf> {
    match config.database() {
        DatabaseUrl::Sqlite(path) => (!path.exists()).then_some(path),
        DatabaseUrl::Postgres(_) => None,
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

/// The same, but an SQLite file that does not exist is a mistake.
pub(super) async fn open_existing(config: &Config) -> Result<Opened, Failure> {
    let Some(file) = missing_file(config) else { return open(config).await };
    Err(no_database(&file))
}

/// The failure that a file does not exist which should.
pub(super) fn no_database(file: &Path) -> Failure {
    Failure::new(format_args!(
        "there is no database at {}\n    fix: name the server's folder with --data-dir or BOLTLINK_DATA_DIR",
        file.display()
    ))
}

/// The same, but an SQLite file that does not exist is an empty one, and is not made.
pub(super) async fn open_to_look(config: &Config) -> Result<Opened, Failure> {
    if missing_file(config).is_none() {
        return open(config).await;
    }
    let stores = Stores::in_memory(Arc::new(SystemClock));
    start(configured(config, Shortener::builder().visits(false).consumers([]))?.0, stores, None).await
}

/// A shortener as the configuration wants it, whatever it is for; and what decides of targets in it.
fn configured(config: &Config, builder: ShortenerBuilder) -> Result<(ShortenerBuilder, Arc<TargetFilter>), Failure> {
    let filter = Arc::new(TargetFilter::new(config.targets.private_targets));
    if let Some(path) = &config.targets.target_blocklist {
        let list = blocklist::read(path);
        filter.block(list.map_err(|why| Failure::new(format_args!("{why}\n    fix: {}", blocklist::FIX)))?);
    }
    let slugs = WithoutWords::new(RandomSlugs::default(), sqids::default_blocklist());
    let builder = builder
        .slugs(Arc::new(slugs))
        .slug_rules(config.slug_rules())
        .target_policy(filter.clone())
        .hash_cost(config.access.password_cost)
        .session_lifetime(config.access.session_lifetime.0);
    Ok((builder, filter))
}

/// Opens the database for a server: takes clicks, and keeps them in the journal until they are stored.
pub(super) async fn open_to_serve(config: &Config, telemetry: &Telemetry) -> Result<(Opened, Rates), Failure> {
    let mut builder = Shortener::builder()
        .durability(config.clicks.durability)
        .flush_interval(config.flush_interval())
        .consumers(config.clicks.workers.consumers())
        .journal(JournalConfig::new(config.journal()));
    if let Some(secret) = &config.access.secret {
        builder = builder.secret(*secret.expose());
    }
    let observer = telemetry.observer();
    let redis = redis(config, Some(observer.clone()))?;
    if let Some(redis) = &redis {
        look_at(redis).await?;
    }
    let (database, mut stores) = open_stores(config, redis.as_ref(), Sync::EachCommit, Some(observer)).await?;
    database.watch(&telemetry.metrics, config.storage.database_connections.0);
    if let Some(redis) = &redis {
        stores.changes = redis.waking(stores.changes);
    }
    let (builder, filter) = configured(config, telemetry.trace(builder))?;
    let mut opened = start(builder, stores, Some(database)).await?;
    let watched = config.targets.target_blocklist.clone();
    opened.watching = watched.map(|path| tokio::spawn(blocklist::watch(path, filter)));
    Ok((opened, rates(config, redis.as_ref())))
}

/// The configured limits, kept in `redis` if there is one.
fn rates(config: &Config, redis: Option<&RedisStore>) -> Rates {
    let limits = &config.limits;
    let mut rates = Rates {
        api: limits.limit_api.0,
        login_account: limits.limit_login_account.0,
        login_address: limits.limit_login_address.0,
        password: limits.limit_password.0,
        password_link: limits.limit_password_link.0,
        password_set: limits.limit_password_set.0,
        link: limits.limit_link.0,
        address: limits.limit_address.0,
        ..Rates::default()
    };
    if let Some(redis) = redis {
        rates.limiter = Arc::new(LocalFirst::new(redis.limiter(), limits.nodes.0, Arc::new(SystemClock)));
    }
    rates
}

/// Opens the database for a worker: takes clicks out of Redis and makes them count, as `consumer` does.
pub(super) async fn open_to_work(
    config: &Config,
    consumer: Consumer,
    telemetry: &Telemetry,
) -> Result<Opened, Failure> {
    let observer = telemetry.observer();
    let Some(redis) = redis(config, Some(observer.clone()))? else {
        return Err(Failure::new(
            "a worker needs a Redis: without one each server has its clicks in its own memory and stores them itself\n    \
             fix: set REDIS_URL to the Redis of the servers, or leave the workers to boltlink serve",
        ));
    };
    look_at(&redis).await?;
    let builder = Shortener::builder().visits(false).consumers([consumer]).flush_interval(config.flush_interval());
    let (database, stores) = open_stores(config, Some(&redis), Sync::EachCommit, Some(observer)).await?;
    database.watch(&telemetry.metrics, config.storage.database_connections.0);
    start(configured(config, telemetry.trace(builder))?.0, stores, Some(database)).await
}

/// The configured Redis, if there is one. Connects to nobody yet.
fn redis(config: &Config, observer: Option<Arc<dyn Observer>>) -> Result<Option<RedisStore>, Failure> {
    let config = config.redis().map(|redis| RedisConfig { observer, ..redis });
    let store = config.map(|redis| RedisStore::new(&redis, Arc::new(SystemClock)));
    store.transpose().map_err(Failure::new)
}

/// Whether Redis can be relied on. While it is away clicks wait in the journal, which is no reason not to start; a wrong
/// setting is.
async fn look_at(redis: &RedisStore) -> Result<(), Failure> {
    match redis.check().await {
        Ok(health) if !health.append_only => {
            tracing::warn!("Redis forgets clicks when it restarts (appendonly is off); the journals send them again");
        }
        Ok(_) => {}
        Err(error) if error.is_retryable() => {
            tracing::warn!(%error, "starting without Redis; clicks wait in the journal")
        }
        Err(error) => return Err(Failure::new(error)),
    }
    Ok(())
}

async fn build(config: &Config, builder: ShortenerBuilder) -> Result<Opened, Failure> {
    build_with(config, builder, Sync::EachCommit).await
}

async fn build_with(config: &Config, builder: ShortenerBuilder, sync: Sync) -> Result<Opened, Failure> {
    let (database, stores) = open_stores(config, redis(config, None)?.as_ref(), sync, None).await?;
    start(configured(config, builder)?.0, stores, Some(database)).await
}

/// The database and its stores, with the click log in `redis` if there is one.
async fn open_stores(
    config: &Config,
    redis: Option<&RedisStore>,
    sync: Sync,
    observer: Option<Arc<dyn Observer>>,
) -> Result<(Database, Stores), Failure> {
    make_folder(config.data_dir())?;
    let database = Database::open(config, sync, observer).await?;
    let stores = database.stores(redis);
    Ok((database, stores))
}

async fn start(builder: ShortenerBuilder, stores: Stores, database: Option<Database>) -> Result<Opened, Failure> {
    let shortener = builder.stores(stores).build().await.map_err(|error| match error {
        BuildError::SlugCase { kept, wanted } => Failure::new(format_args!(
            "{error}\n    fix: set BOLTLINK_SLUG_CASE={kept}, or stop the server and run boltlink migrate --change-slug-case {wanted}"
        )),
        error => Failure::new(error),
    })?;
    Ok(Opened { shortener, database, watching: None })
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
