//! The configuration: defaults < TOML file < environment < flags, every problem reported at once.

mod backend;
mod clients;
mod load;
mod print;
mod reference;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod traces;
mod value;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use boltlink_core::{SlugRules, TargetRules, TargetUrl, sample::RawClicks};
use boltlink_server::{BaseUrl, Collector, TlsFiles};
use boltlink_store_postgres::PostgresConfig;
use boltlink_store_redis::RedisConfig;

pub(crate) use self::{
    backend::DatabaseUrl,
    load::load,
    print::to_toml,
    reference::to_markdown,
    settings::{Config, all, unknown},
    sources::{Input, Origin, flag},
    value::PageUrls,
};
use self::{
    backend::{ReadyRequires, RedisUrl, ReplicaUrl, Workers},
    sources::Sources,
    value::Domains,
};

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting.
    pub(crate) key: String,
    /// Who said it.
    pub(crate) origin: Origin,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}\n    fix: {}", self.key, self.origin, self.what, self.fix)
    }
}

/// Makes a configuration of `input`, and of nothing else.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub(crate) fn parse(input: &Input<'_>) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut sources = Sources::collect(input, &mut problems);
    let config = Config::read(&mut sources);
    let mut contradictions: Vec<_> = contradictions(&sources).into_iter().collect();
    contradictions.extend(half_tls(&sources));
    contradictions.extend(stray_pages(&sources));
    contradictions.extend(stray_replica(&sources));
    contradictions.extend(without_redis(&sources));
    problems.extend(contradictions);
    config.filter(|_| problems.is_empty()).ok_or(problems)
}

impl Config {
    /// Where the database is.
    pub(crate) fn database(&self) -> DatabaseUrl {
        match &self.storage.database_url {
            None => DatabaseUrl::Sqlite(self.storage.data_dir.join("boltlink.db")),
            Some(DatabaseUrl::Sqlite(path)) => DatabaseUrl::Sqlite(path.clone()),
            Some(DatabaseUrl::Postgres(postgres)) => DatabaseUrl::Postgres(Box::new(PostgresConfig {
                replica: self.storage.database_replica_url.as_ref().map(|replica| replica.0.clone()),
                max_connections: self.storage.database_connections.0,
                raw_clicks: self.raw_clicks(),
                ..(**postgres).clone()
            })),
        }
    }

    /// What the server speaks TLS with, if it does.
    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        self.http
            .tls_cert
            .clone()
            .zip(self.http.tls_key.clone())
            .map(|(certificate, key)| TlsFiles { certificate, key })
    }

    /// The Redis between the nodes, if there is one.
    pub(crate) fn redis(&self) -> Option<RedisConfig> {
        let url = self.storage.redis_url.as_ref()?;
        Some((*url.0).clone().prefix(self.storage.redis_prefix.clone()))
    }

    /// Who takes traces, if anybody does.
    pub(crate) fn collector(&self) -> Option<Collector> {
        let traces = &self.traces;
        let headers = traces.otlp_headers.as_ref().map(|headers| headers.expose().0.clone());
        let headers = headers.unwrap_or_default();
        let endpoint = traces.otlp_endpoint.as_ref()?.0.clone();
        Some(Collector { endpoint, headers, share: traces.trace_share.0, is_asked: traces.trace_asked.0 })
    }

    /// How long clicks are gathered: longer with a Redis, where what waits is safe and others' clicks are added up too.
    pub(crate) fn flush_interval(&self) -> Duration {
        let chosen = self.origins.get("flush_interval") != Some(&Origin::Default);
        if chosen || self.storage.redis_url.is_none() { self.clicks.flush_interval.0 } else { Duration::from_secs(1) }
    }

    /// The folder of clicks that are not stored yet.
    pub(crate) fn journal(&self) -> PathBuf {
        self.storage.data_dir.join("journal")
    }

    /// The folder that everything else is in.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.storage.data_dir
    }

    /// Which slugs are taken.
    pub(crate) fn slug_rules(&self) -> SlugRules {
        SlugRules { case: self.slugs.slug_case, unicode: self.slugs.unicode_slugs.0 }
    }

    /// Which single clicks are kept.
    pub(crate) fn raw_clicks(&self) -> RawClicks {
        RawClicks { per_second: self.clicks.raw_clicks.0, retention: self.clicks.raw_retention.0 }
    }

    /// Whether nobody chose the address to listen on.
    pub(crate) fn listens_by_default(&self) -> bool {
        self.origins.get("listen") == Some(&Origin::Default)
    }
}

/// A certificate without its key, or a key without its certificate.
fn half_tls(sources: &Sources<'_>) -> Option<Problem> {
    let (there, missing, what) = match (
        sources.peek::<Option<PathBuf>>("tls_cert")?.is_some(),
        sources.peek::<Option<PathBuf>>("tls_key")?.is_some(),
    ) {
        (true, false) => ("tls_cert", "tls_key", "private key"),
        (false, true) => ("tls_key", "tls_cert", "certificate chain"),
        _ => return None,
    };
    Some(Problem {
        key: missing.into(),
        origin: sources.origin(missing),
        what: format!("is needed: with {there} alone there is no TLS"),
        fix: format!("set {missing} to the PEM file of the {what}, or remove {there}"),
    })
}

/// A replica of nothing.
fn stray_replica(sources: &Sources<'_>) -> Option<Problem> {
    let database = sources.peek::<Option<DatabaseUrl>>("database_url")?;
    let replica = sources.peek::<Option<ReplicaUrl>>("database_replica_url")?;
    if replica.is_none() || matches!(database, Some(DatabaseUrl::Postgres(_))) {
        return None;
    }
    Some(Problem {
        key: "database_replica_url".into(),
        origin: sources.origin("database_replica_url"),
        what: "names a replica, but the database is an SQLite file".into(),
        fix: "set database_url to the Postgres database it is a replica of, or remove it".into(),
    })
}

/// What makes no sense unless there is a Redis.
fn without_redis(sources: &Sources<'_>) -> Vec<Problem> {
    if sources.peek::<Option<RedisUrl>>("redis_url").is_none_or(|url| url.is_some()) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut problem = |key: &str, what: &str, fix: &str| {
        let origin = sources.origin(key);
        problems.push(Problem { key: key.into(), origin, what: what.into(), fix: fix.into() });
    };
    if sources.peek::<Workers>("workers").is_some_and(|workers| workers != Workers::All) {
        problem(
            "workers",
            "leaves clicks to other processes, but without a Redis only this one has them",
            "set redis_url, or workers to all",
        );
    }
    if sources.peek::<ReadyRequires>("ready_requires").is_some_and(|requires| requires.redis) {
        problem("ready_requires", "names redis, but there is none", "set redis_url, or remove redis");
    }
    problems
}

/// Pages of domains that nobody can ask for, or that would lead in a circle.
fn stray_pages(sources: &Sources<'_>) -> Vec<Problem> {
    let (Some(domains), Some(base_url)) =
        (sources.peek::<Domains>("domains"), sources.peek::<Option<BaseUrl>>("base_url"))
    else {
        return Vec::new();
    };
    let mut known = domains.0;
    known.extend(base_url.map(|base_url| base_url.host().clone()));
    let own = TargetRules { own_hosts: known.clone(), ..TargetRules::default() };
    let mut problems = Vec::new();
    for key in ["root_url", "not_found_url"] {
        for (domain, url) in sources.peek::<PageUrls>(key).into_iter().flat_map(|pages| pages.0) {
            let problem = |what, fix| Problem { key: key.into(), origin: sources.origin(key), what, fix };
            if let Some(domain) = domain.filter(|domain| !known.contains(domain)) {
                let what = format!("names {domain}, which is no domain of this service");
                problems.push(problem(what, format!("add {domain} to domains, or remove it from {key}")));
            }
            // A root may lead to a short link; to a root of ours it would lead in a circle.
            let circular = key == "not_found_url" || url::Url::parse(url.as_str()).is_ok_and(|url| url.path() == "/");
            if circular && TargetUrl::parse(url.as_str(), &own).is_err() {
                let what = format!("leads to {url}, which is this service itself");
                problems.push(problem(what, "give the address of a page elsewhere".into()));
            }
        }
    }
    problems
}

/// Settings that are right each by itself, but not together. Looked for even if others are wrong.
fn contradictions(sources: &Sources<'_>) -> Option<Problem> {
    let domains: Domains = sources.peek("domains")?;
    let base_url: Option<BaseUrl> = sources.peek("base_url")?;
    match base_url {
        Some(base_url) if domains.0.contains(base_url.host()) => Some(Problem {
            key: "domains".into(),
            origin: sources.origin("domains"),
            what: format!("names {}, which is the default domain by base_url", base_url.host()),
            fix: format!("remove {} from domains", base_url.host()),
        }),
        None if !domains.0.is_empty() => {
            let listen: SocketAddr =
                sources.peek("listen").filter(|listen: &SocketAddr| listen.ip().is_unspecified())?;
            Some(Problem {
                key: "base_url".into(),
                origin: sources.origin("base_url"),
                what: format!("is needed: with domains set, nobody could reach the default domain {listen}"),
                fix: "set base_url to how the outside reaches the service, such as https://go.example.com".into(),
            })
        }
        _ => None,
    }
}
