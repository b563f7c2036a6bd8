//! Where Redis is, what belongs to whom in it, and how long to wait for it.

use std::{fmt, num::NonZeroU16, str::FromStr, sync::Arc, time::Duration};

use boltlink_core::store::Observer;
use redis::{
    ConnectionInfo, IntoConnectionInfo, TlsMode,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use url::Url;

/// How to reach a Redis, and what to keep there.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// The server, the sentinels or the cluster.
    pub url: RedisUrl,
    /// What all keys and channels begin with. Installations that share a server have different ones. Default: `boltlink:`.
    pub prefix: KeyPrefix,
    /// Into how many parts the log of clicks is divided, each of which lives on one node of a cluster. It may be changed:
    /// what is in the other parts is still read. Default: 16 on a cluster, else 1.
    pub shards: NonZeroU16,
    /// How many bytes of clicks the log takes at most. What does not fit waits in the journals of the nodes. Default:
    /// 256 MiB, about a million clicks with their user agents and referrers.
    pub capacity: u64,
    /// How long a new connection may take. Default: 2 s.
    pub connect_timeout: Duration,
    /// How long a command may take. Default: 1 s.
    pub timeout: Duration,
    /// Who is told of every command, and how long it took. Default: nobody.
    pub observer: Option<Arc<dyn Observer>>,
}

impl RedisConfig {
    /// The Redis at `url`, one of
    ///
    /// - `redis://user:password@host:6379/0`, or `rediss://…` with TLS;
    /// - `redis+sentinel://user:password@host:26379,host:26379/service/0`, or `rediss+sentinel://…`; the sentinels' own
    ///   password, if they have one, as `?sentinel_password=…`;
    /// - `redis+cluster://user:password@host:7000,host:7001`, or `rediss+cluster://…`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        let url: RedisUrl = url.parse()?;
        let shards = if matches!(url.servers, Servers::Cluster(_)) { 16 } else { 1 };
        Ok(Self {
            url,
            prefix: KeyPrefix("boltlink:".into()),
            shards: NonZeroU16::new(shards).unwrap_or(NonZeroU16::MIN),
            capacity: 256 << 20,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            observer: None,
        })
    }

    /// The same with another [`prefix`](Self::prefix).
    #[must_use]
    pub fn prefix(self, prefix: KeyPrefix) -> Self {
        Self { prefix, ..self }
    }
}

/// What keys begin with: up to 64 printable ASCII characters without spaces or braces (which would tell a cluster where
/// to put a key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(Box<str>);

/// The text cannot begin a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have up to 64 printable ASCII characters, without spaces and braces")]
pub struct InvalidPrefix;

impl KeyPrefix {
    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyPrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let fits = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}'));
        fits.then(|| Self(text.into())).ok_or(InvalidPrefix)
    }
}

/// The URL of a Redis. It may hold a password, which no text of it shows.
#[derive(Clone)]
pub struct RedisUrl {
    shown: String,
    pub(crate) servers: Servers,
}

/// What a URL names.
#[derive(Clone)]
pub(crate) enum Servers {
    Single(ConnectionInfo),
    Sentinel(SentinelUrl),
    Cluster(Vec<ConnectionInfo>),
}

/// The sentinels, and how to talk to the server that they name.
#[derive(Clone)]
pub(crate) struct SentinelUrl {
    pub(crate) sentinels: Vec<ConnectionInfo>,
    pub(crate) service: String,
    /// Its address is that of a sentinel and of no meaning.
    pub(crate) server: ConnectionInfo,
    pub(crate) sentinel_password: Option<String>,
    pub(crate) tls: Option<TlsMode>,
}

/// The text is no URL of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be like redis://user:password@host:6379/0, redis+sentinel://host:26379,host:26379/service or \
     redis+cluster://host:7000,host:7001 (rediss for TLS): {reason}"
)]
pub struct InvalidUrl {
    reason: &'static str,
}

const fn invalid(reason: &'static str) -> InvalidUrl {
    InvalidUrl { reason }
}

impl FromStr for RedisUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(invalid("it has no scheme"))?;
        let (plain, kind) = scheme.split_once('+').map_or((scheme, ""), |(plain, kind)| (plain, kind));
        if !matches!(plain, "redis" | "rediss") {
            return Err(invalid("its scheme is another"));
        }
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(login, hosts)| (Some(login), hosts));
        let server = |host: &str, database: &str| {
            let login = login.map(|login| format!("{login}@")).unwrap_or_default();
            connection(&format!("{plain}://{login}{host}/{database}"))
        };
        let each = |database| hosts.split(',').map(|host| server(host, database)).collect::<Result<Vec<_>, _>>();
        let mut sentinel_password = None;
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (kind, &*name) {
                ("sentinel", "sentinel_password") => sentinel_password = Some(value.into_owned()),
                _ => return Err(invalid("it has a parameter that is not known")),
            }
        }
        let servers = match kind {
            "" => Servers::Single(server(hosts, path)?),
            "cluster" if path.is_empty() => Servers::Cluster(each("")?),
            "cluster" => return Err(invalid("a cluster has no databases")),
            "sentinel" => {
                let (service, database) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(invalid("the sentinels' name for the service is missing"));
                }
                let sentinels: Result<_, _> =
                    hosts.split(',').map(|host| connection(&format!("{plain}://{}/", with_port(host)))).collect();
                Servers::Sentinel(SentinelUrl {
                    sentinels: sentinels?,
                    service: service.to_owned(),
                    server: server(hosts.split(',').next().unwrap_or_default(), database)?,
                    sentinel_password,
                    tls: (plain == "rediss").then_some(TlsMode::Secure),
                })
            }
            _ => return Err(invalid("its scheme is another")),
        };
        let login = match login.map(|login| login.split_once(':').map_or(login, |(user, _)| user)) {
            Some(user) if login.is_some_and(|login| login.contains(':')) => format!("{user}:…@"),
            Some(user) => format!("{user}@"),
            None => String::new(),
        };
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { shown: format!("{scheme}://{login}{hosts}{path}"), servers })
    }
}

/// Sentinels listen on a port of their own.
fn with_port(host: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    if has_port { host.to_owned() } else { format!("{host}:26379") }
}

fn connection(url: &str) -> Result<ConnectionInfo, InvalidUrl> {
    let url = Url::parse(url).map_err(|_| invalid("a host or port is not valid"))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(invalid("a host is missing"));
    }
    // What the driver says may repeat the password.
    let info = url.into_connection_info();
    let info = info.map_err(|_| invalid("the driver does not understand it; is the database a number?"))?;
    Ok(info.set_tcp_settings(tcp()))
}

/// A command is small and waited for: it must not wait for more to send. A listener has to notice that nobody is there
/// any more.
pub(crate) fn tcp() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30));
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive)
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "redis://me:hunter2@cache.example:6379/1",
            "rediss://:hunter2@cache.example",
            "redis+sentinel://:hunter2@cache.example:26379,b/links/2?sentinel_password=hunter2",
            "redis+cluster://me:hunter2@cache.example:7000,b:7001",
        ] {
            let config = RedisConfig::new(url).unwrap();
            let text = format!("{config:?} {}", config.url);
            assert!(text.contains("cache.example") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for url in [
            "",
            "localhost:6379",
            "http://:hunter2@cache/",
            "redis://",
            "redis://:hunter2@cache/hunter2",
            "redis://:hunter2@cache/?protocol=hunter2",
            "redis+cluster://:hunter2@a,b/1",
            "redis+sentinel://:hunter2@a,b",
            "redis+sentinel://:hunter2@a,/links",
            "redis+unix:///run/redis",
        ] {
            let error = RedisConfig::new(url).expect_err(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn every_kind_of_address_is_understood() {
        let Servers::Single(single) = RedisConfig::new("redis://me:secret@cache/3").unwrap().url.servers else {
            panic!("not one server");
        };
        assert_eq!((single.addr().to_string().as_str(), single.redis_settings().db()), ("cache:6379", 3));
        let url = "redis+sentinel://:secret@a,b:1,[::1]/links/2".parse::<RedisUrl>().unwrap();
        let Servers::Sentinel(sentinel) = url.servers else { panic!("no sentinels") };
        let addresses: Vec<_> = sentinel.sentinels.iter().map(|sentinel| sentinel.addr().to_string()).collect();
        assert_eq!(addresses, ["a:26379", "b:1", "::1:26379"]);
        assert_eq!((sentinel.service.as_str(), sentinel.server.redis_settings().db()), ("links", 2));
        let config = RedisConfig::new("redis+cluster://a:7000,b:7001").unwrap();
        assert!(matches!(&config.url.servers, Servers::Cluster(nodes) if nodes.len() == 2));
        assert_eq!(config.shards.get(), 16);
    }

    #[test]
    fn a_prefix_says_nothing_about_slots() {
        for text in ["", "boltlink:", &"x".repeat(64)] {
            assert_eq!(text.parse::<KeyPrefix>().unwrap().as_str(), text);
        }
        for text in ["{a}", "a b", "ä", &"x".repeat(65)] {
            assert!(text.parse::<KeyPrefix>().is_err(), "{text}");
        }
    }
}
