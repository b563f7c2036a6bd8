//! `boltlink doctor`

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use boltlink_core::SystemClock;
use boltlink_store_postgres::PostgresStore;
use boltlink_store_redis::{OpenError, RedisConfig, RedisStore};
use boltlink_store_sqlite::SqliteStore;
use tokio::net::TcpListener;

use super::{
    blocklist,
    failure::{Failure, print},
    probe::is_boltlink,
    reconcile,
    scrape::Source,
    tls,
};
use crate::config::{Config, DatabaseUrl, Origin};

/// What is wrong with one thing, and how to mend it.
struct Broken {
    what: String,
    fix: &'static str,
}

type Finding = Result<String, Broken>;

pub(super) async fn run(config: &Config, reconciles: bool) -> Result<ExitCode, Failure> {
    // A configuration that does not parse was refused before this.
    let mut findings = vec![
        ("configuration", Ok("every setting is valid; --print-config shows them".to_owned())),
        ("data folder", folder(config.data_dir())),
        ("database", database(&config.database()).await),
        ("journal", journal(&config.journal())),
        ("address", address(config).await),
    ];
    if let Some(redis_config) = config.redis() {
        let unsaid = config.origins.get("nodes") == Some(&Origin::Default);
        let shares = if unsaid { "; its limits are those of one node: with more, set BOLTLINK_NODES" } else { "" };
        findings.insert(3, ("redis", redis(&redis_config).await.map(|word| word + shares)));
    }
    if let Some(path) = &config.targets.target_blocklist {
        let read = blocklist::read(path).map_err(|what| Broken { what, fix: blocklist::FIX });
        findings.push(("blocklist", read.map(|list| format!("{} has {} entries", path.display(), list.len()))));
    }
    if let Some(files) = config.tls_files() {
        match files.load().await {
            Ok(_) => {
                let word = format!("{} and its key belong together", files.certificate.display());
                findings.push(("tls", Ok(word)));
            }
            Err(wrong) => findings.extend(wrong.iter().map(|wrong| {
                let broken = Broken { what: wrong.to_string(), fix: tls::fix(wrong) };
                ("tls", Err(broken))
            })),
        }
    }
    let mut text = String::new();
    let mut broken = 0;
    for (name, finding) in findings {
        // Writing to a String cannot fail.
        let _ = match finding {
            Ok(word) => writeln!(text, "ok      {name}: {word}"),
            Err(Broken { what, fix }) => {
                broken += 1;
                writeln!(text, "BROKEN  {name}: {what}\n        fix: {fix}")
            }
        };
    }
    print(&text)?;
    // Not where the database is broken anyway.
    if reconciles && broken == 0 {
        let (told, agrees) = reconcile::run(config).await?;
        print(&format!("{}  counts: {told}", if agrees { "ok    " } else { "BROKEN" }))?;
        broken += usize::from(!agrees);
    }
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks the running server whether it wants requests.
pub(super) async fn ask(config: &Config) -> Result<ExitCode, Failure> {
    let (is_ready, told) = Source::of(config).ready().await?;
    print(&format!("{told}\n"))?;
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A folder that does not exist is made at the first start: then its nearest parent must be writable.
fn folder(path: &Path) -> Finding {
    let broken = |what: String| Broken {
        what,
        fix: "give the user who runs the server write permission, or choose another folder with --data-dir",
    };
    let Some(existing) = nearest(path) else {
        return Err(broken(format!("{} cannot be made: no parent folder exists", path.display())));
    };
    if !existing.is_dir() {
        return Err(broken(format!("{} is no folder", existing.display())));
    }
    try_writing(&existing).map_err(|error| broken(format!("{} cannot be written to: {error}", existing.display())))?;
    Ok(if existing == path {
        format!("{} can be written to", path.display())
    } else {
        format!("{} will be made at the first start", path.display())
    })
}

fn journal(path: &Path) -> Finding {
    if path.exists() { folder(path) } else { Ok(format!("{} will be made at the first start", path.display())) }
}

/// The path itself, or the first of its parents, that exists.
fn nearest(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    if path.exists() {
        return Some(path.to_owned());
    }
    absolute.ancestors().find(|parent| parent.exists()).map(Path::to_owned)
}

/// Permissions can be asked for, but only writing tells.
fn try_writing(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".boltlink-doctor-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}

async fn database(database: &DatabaseUrl) -> Finding {
    match database {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            Ok(format!("{} will be made at the first start", path.display()))
        }
        DatabaseUrl::Sqlite(path) => {
            let health = SqliteStore::check(path).await.map_err(|error| Broken {
                what: error.to_string(),
                fix: "as it says; a database elsewhere is named with --data-dir or DATABASE_URL",
            })?;
            if !health.problems.is_empty() {
                return Err(Broken {
                    what: format!("{database} is damaged: {}", health.problems.join("; ")),
                    fix: "stop the server, keep a copy of the file, and restore a backup",
                });
            }
            Ok(format!("{database} is whole; {}", schema(health.version, health.known_version)))
        }
        DatabaseUrl::Postgres(postgres) => {
            let health = PostgresStore::check(postgres).await.map_err(|error| Broken {
                what: error.to_string(),
                fix: "as it says; DATABASE_URL names the database",
            })?;
            if !health.problems.is_empty() {
                return Err(Broken { what: health.problems.join("; "), fix: "as it says" });
            }
            let pooler = health.pgbouncer.map(|version| format!(", behind PgBouncer {version}")).unwrap_or_default();
            let search = if health.text_index || health.version == 0 {
                ""
            } else {
                "; lists by text are slow: as a superuser, run CREATE EXTENSION pg_trgm in it, then start anew"
            };
            let schema = schema(health.version, health.known_version);
            Ok(format!("{database} answers, Postgres {}{pooler}; {schema}{search}", health.server))
        }
    }
}

async fn redis(config: &RedisConfig) -> Finding {
    let broken = |error: OpenError| Broken { what: error.to_string(), fix: "as it says; REDIS_URL names the server" };
    let store = RedisStore::new(config, Arc::new(SystemClock)).map_err(broken)?;
    let health = store.check().await.map_err(broken)?;
    let keeps = if health.append_only {
        "it keeps clicks when it restarts"
    } else {
        "appendonly is off: it forgets clicks when it restarts, and the nodes' journals send them again; with several \
         nodes set appendonly yes"
    };
    let room = match health.most_bytes {
        Some(bytes) if bytes.saturating_sub(health.used_bytes) < config.capacity => {
            "; it has less memory left than the click log may take (256 MiB): raise maxmemory"
        }
        _ => "",
    };
    Ok(format!("{} answers, Redis {}; {keeps}{room}", config.url, health.version))
}

/// Which schema a database has, and what becomes of it.
fn schema(version: u32, known: u32) -> String {
    match version {
        0 => "its schema will be made at the first start".to_owned(),
        _ if version < known => {
            format!("its schema is at version {version} and will be brought to {known} at the next start")
        }
        _ => format!("its schema is at version {version}"),
    }
}

/// An address that is taken is right if a BoltLink has it.
async fn address(config: &Config) -> Finding {
    let wanted = config.http.listen;
    let error = match TcpListener::bind(wanted).await {
        Ok(_) => return Ok(format!("{wanted} is free")),
        Err(error) => error,
    };
    if error.kind() == io::ErrorKind::AddrInUse {
        if is_boltlink(wanted, config.tls_files().is_some()).await {
            return Ok(format!("{wanted}: a running BoltLink answers"));
        }
        if config.listens_by_default() {
            return Ok(format!("{wanted} is taken; the next free port will be used"));
        }
    }
    Err(Broken {
        what: format!("cannot listen on {wanted}: {error}"),
        fix: "stop what uses it, or choose another address with --listen",
    })
}
