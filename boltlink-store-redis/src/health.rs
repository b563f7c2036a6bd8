//! What a server says about itself.

use std::time::Duration;

use redis::{RedisResult, aio::MultiplexedConnection};

use crate::{connect::Client, error::OpenError};

/// A Redis that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its version (the oldest, of several servers).
    pub version: String,
    /// Whether it appends every write to a file (each of them, of several servers). Without that a restart forgets
    /// clicks; the nodes' journals then send them again.
    pub append_only: bool,
    /// Bytes of memory in use, of all servers.
    pub used_bytes: u64,
    /// The most that it may use; `None` if it has no bound of its own.
    pub most_bytes: Option<u64>,
}

/// The first version that can read from a stream what comes after an entry.
const OLDEST: (u32, u32) = (6, 2);

pub(crate) async fn check(client: &Client, patience: Duration, url: &str) -> Result<Health, OpenError> {
    let failed = |error| OpenError::from_driver(url.to_owned(), &error);
    let nodes = client.nodes().await.map_err(failed)?;
    let mut all: Option<Health> = None;
    for node in nodes {
        let asked = async { ask(&mut client.connect_to(&node).await?).await };
        let info = tokio::time::timeout(patience * 2, asked)
            .await
            .map_err(|_| OpenError::Unreachable { url: url.to_owned(), reason: "it does not answer".to_owned() })?;
        let health = judge(&info.map_err(failed)?, url)?;
        all = Some(match all {
            None => health,
            Some(other) => Health {
                version: if parsed(&other.version) < parsed(&health.version) { other.version } else { health.version },
                append_only: other.append_only && health.append_only,
                used_bytes: other.used_bytes + health.used_bytes,
                most_bytes: other.most_bytes.zip(health.most_bytes).map(|(one, other)| one + other),
            },
        });
    }
    all.ok_or_else(|| OpenError::Unreachable { url: url.to_owned(), reason: "no server is named".to_owned() })
}

/// `CONFIG` would tell the same, but services that manage Redis often forbid it.
async fn ask(connection: &mut MultiplexedConnection) -> RedisResult<String> {
    redis::cmd("INFO").query_async(connection).await
}

fn judge(info: &str, url: &str) -> Result<Health, OpenError> {
    let value = |name: &str| {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
    };
    let version = value("redis_version").to_owned();
    if parsed(&version) < OLDEST {
        return Err(OpenError::TooOld { url: url.to_owned(), version });
    }
    let policy = value("maxmemory_policy");
    if !matches!(policy, "noeviction" | "") {
        return Err(OpenError::Evicts { url: url.to_owned(), policy: policy.to_owned() });
    }
    Ok(Health {
        version,
        append_only: value("aof_enabled") == "1",
        used_bytes: value("used_memory").parse().unwrap_or(0),
        most_bytes: value("maxmemory").parse().ok().filter(|bytes| *bytes > 0),
    })
}

fn parsed(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: &str, policy: &str) -> String {
        format!(
            "# Server\r\nredis_version:{version}\r\nused_memory:1024\r\nmaxmemory:0\r\nmaxmemory_policy:{policy}\r\n\
             aof_enabled:1\r\n"
        )
    }

    #[test]
    fn what_cannot_be_relied_on_is_refused() {
        let health = judge(&info("7.0.15", "noeviction"), "redis://x").unwrap();
        assert_eq!(
            health,
            Health { version: "7.0.15".to_owned(), append_only: true, used_bytes: 1024, most_bytes: None }
        );
        assert!(judge(&info("6.2.0", "noeviction"), "x").is_ok());
        assert!(judge(&info("10.0.0", "noeviction"), "x").is_ok());
        assert!(matches!(judge(&info("6.0.16", "noeviction"), "x"), Err(OpenError::TooOld { .. })));
        assert!(matches!(judge(&info("7.0.15", "allkeys-lru"), "x"), Err(OpenError::Evicts { .. })));
    }
}
