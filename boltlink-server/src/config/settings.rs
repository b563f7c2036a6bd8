//! Every setting there is. A field's documentation is also what `--help` and `--print-config` say.

use std::{net::SocketAddr, path::PathBuf};

use boltlink_core::{Durability, HashCost, KeyToken, SlugCase, policy::PrivateTargets};
use boltlink_server::{BaseUrl, ProxyHeader, Registration};
use boltlink_store_redis::KeyPrefix;

use super::{
    backend::{Connections, DatabaseUrl, ReadyRequires, RedisUrl, ReplicaUrl, Workers},
    clients::{Networks, NodeCount, Rate, SessionLifetime, SiteOrigins},
    sources::{Origins, Sources},
    traces::{OtlpEndpoint, OtlpHeaders, Share},
    value::{Domains, FlushInterval, LogFilter, PageUrls, RawRate, Retention, Secret, ServerSecret, Switch, Value},
};

/// What is known of a setting before anybody gives it a value.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in the configuration file; `--` and this with hyphens is its flag.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) env: &'static str,
    /// What it is when nothing is said; empty for nothing.
    pub(crate) default: &'static str,
    /// A value that is right, to be shown beside one that is wrong.
    pub(crate) example: &'static str,
    /// Whether it must not be shown. Secrets have no flag, as others can see a command line, but a
    /// second variable, `…_FILE`, that names a file to read them from.
    pub(crate) secret: bool,
    /// Its documentation, line by line.
    pub(crate) docs: &'static [&'static str],
}

/// The settings of one concern.
#[derive(Debug)]
pub(crate) struct Section {
    /// What they are about, line by line.
    pub(crate) docs: &'static [&'static str],
    /// The settings.
    pub(crate) settings: &'static [Setting],
}

/// Makes of one list the structs, the table [`SECTIONS`], and the way from texts to values and back.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {$(
            $(#[doc = $doc:literal])+
            $name:ident: $kind:ty = $default:literal, env $env:literal, example $example:literal;
        )+}
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone)]
            pub(crate) struct $Section {$(
                $(#[doc = $doc])+
                pub(crate) $name: $kind,
            )+}
        )+

        /// The whole configuration; every value in it is valid.
        #[derive(Debug, Clone)]
        pub(crate) struct Config {
            $( $(#[doc = $about])+ pub(crate) $section: $Section, )+
            /// Where each value came from.
            pub(crate) origins: Origins,
        }

        /// Every setting, by concern.
        pub(crate) const SECTIONS: &[Section] = &[$( Section {
            docs: &[$($about),+],
            settings: &[$( Setting {
                name: stringify!($name),
                env: $env,
                default: $default,
                example: $example,
                secret: <$kind as Value>::SECRET,
                docs: &[$($doc),+],
            } ),+],
        } ),+];

        impl Config {
            /// Asks `sources` for every setting. `None` if one is wrong; all are read nevertheless, so
            /// that every problem is found.
            pub(super) fn read(sources: &mut Sources<'_>) -> Option<Self> {
                $( $( let $name = sources.read::<$kind>(stringify!($name)); )+ )+
                Some(Self {
                    $( $section: $Section { $( $name: $name? ),+ }, )+
                    origins: sources.origins(),
                })
            }

            /// A setting's value as TOML; `None` for nothing and for secrets.
            pub(super) fn shown(&self, name: &str) -> Option<String> {
                match name {
                    $( $( stringify!($name) => self.$section.$name.to_toml(), )+ )+
                    _ => None,
                }
            }
        }
    };
}

settings! {
    /// HTTP: where the server listens, and what it is called outside.
    http: Http {
        /// Address and port to listen on. If the default port is taken, the next free one is used;
        /// if one given here is taken, the server does not start. 0.0.0.0:5000 or [::]:5000 makes it
        /// reachable from other machines.
        listen: SocketAddr = "127.0.0.1:5000", env "BOLTLINK_LISTEN", example "127.0.0.1:5000";
        /// Address and port for operators alone, in plain HTTP: /metrics, and /health with all details, to whoever reaches it.
        /// boltlink worker listens there, too. Without it, these are for admins, and, with neither base_url nor
        /// trusted_proxies set, for who asks from the same machine.
        admin_listen: Option<SocketAddr> = "", env "BOLTLINK_ADMIN_LISTEN", example "127.0.0.1:9090";
        /// A file with the certificate chain for TLS in PEM, the server's own certificate first. Without it the server
        /// speaks plain HTTP. It is read again when it changes, and so is the key.
        tls_cert: Option<PathBuf> = "", env "BOLTLINK_TLS_CERT", example "/etc/boltlink/chain.pem";
        /// A file with the private key of that certificate in PEM (PKCS#8, PKCS#1 or SEC1), without a passphrase.
        tls_key: Option<PathBuf> = "", env "BOLTLINK_TLS_KEY", example "/etc/boltlink/key.pem";
        /// How the outside reaches the service: scheme, host and, if unusual, port. Short links begin
        /// with it, and its host is the default domain. Without it: http (with TLS https) and the listen address.
        base_url: Option<BaseUrl> = "", env "BOLTLINK_BASE_URL", example "https://go.example.com";
        /// Further hosts that have short links of their own, separated by commas. With these or
        /// base_url set, requests for other hosts are answered 404; with neither, every host serves
        /// the default domain.
        domains: Domains = "", env "BOLTLINK_DOMAINS", example "links.example.org, s.example.net";
        /// Where the bare domain (/) leads, instead of to a page about the service: an address for the default
        /// domain, domain=address for others, separated by commas (one within an address is written %2C).
        root_url: PageUrls = "", env "BOLTLINK_ROOT_URL",
            example "https://www.example.com/, links.example.org=https://www.example.org/";
        /// Where visitors of unknown links are sent, instead of being shown an error; written as root_url.
        not_found_url: PageUrls = "", env "BOLTLINK_NOT_FOUND_URL", example "https://www.example.com/not-found";
        /// Other sites whose pages may use the API from within a browser, separated by commas, as scheme and host.
        cors_origins: SiteOrigins = "", env "BOLTLINK_CORS_ORIGINS", example "https://app.example.com";
        /// Networks of the proxies in front of the server, separated by commas. Only these are believed when they say from
        /// whom a request came; without any, it came from whoever is connected.
        trusted_proxies: Networks = "", env "BOLTLINK_TRUSTED_PROXIES", example "10.0.0.0/8, 127.0.0.1";
        /// Where these proxies say it: x-forwarded-for or forwarded. The other header is passed over, as clients can make
        /// it up; the proxy has to add to this one, or set it anew.
        proxy_header: ProxyHeader = "x-forwarded-for", env "BOLTLINK_PROXY_HEADER", example "forwarded";
        /// What must work for /ready to answer 200, separated by commas: database, redis. Without it, the
        /// server stays ready during an outage and says "degraded": cached redirects go on.
        ready_requires: ReadyRequires = "", env "BOLTLINK_READY_REQUIRES", example "database";
    }

    /// Slugs: which are taken, and how they are told apart.
    slugs: Slugs {
        /// sensitive: Abc and abc are two links. insensitive: they are one, kept in lower case. Fixed by the first
        /// start; boltlink migrate --change-slug-case changes it, if no two links would become one.
        slug_case: SlugCase = "sensitive", env "BOLTLINK_SLUG_CASE", example "insensitive";
        /// Whether slugs may have letters and digits of all scripts (in Unicode's normal form C), or only a-z, A-Z
        /// and 0-9: on or off.
        unicode_slugs: Switch = "off", env "BOLTLINK_UNICODE_SLUGS", example "on";
    }

    /// Storage: where data is kept.
    storage: Storage {
        /// The folder for the database and for clicks that are not stored yet (journal/). Made if it
        /// does not exist.
        data_dir: PathBuf = ".", env "BOLTLINK_DATA_DIR", example "/var/lib/boltlink";
        /// The database: sqlite: and the path of its file, or postgres://user:password@host/database. Without it:
        /// boltlink.db in the data folder.
        database_url: Option<DatabaseUrl> = "", env "DATABASE_URL", example "sqlite:/var/lib/boltlink/boltlink.db";
        /// How many connections to Postgres this process may hold.
        database_connections: Connections = "10", env "BOLTLINK_DATABASE_CONNECTIONS", example "10";
        /// A replica of the Postgres database, postgres://user:password@host/database, to read lists and statistics
        /// from. Visitors' links are always loaded from the database itself.
        database_replica_url: Option<ReplicaUrl> = "", env "BOLTLINK_DATABASE_REPLICA_URL",
            example "postgres://user:password@replica/database";
        /// A Redis for the clicks on their way between nodes and workers: redis://user:password@host:6379/0, rediss://
        /// with TLS, redis+sentinel://host:26379,host:26379/service or redis+cluster://host:7000,host:7001. Without it
        /// each process stores its own clicks.
        redis_url: Option<RedisUrl> = "", env "REDIS_URL", example "redis://user:password@cache:6379/0";
        /// What all keys in Redis begin with; another one for each installation that shares a Redis.
        redis_prefix: KeyPrefix = "boltlink:", env "BOLTLINK_REDIS_PREFIX", example "boltlink:";
    }

    /// Clicks: how they are counted.
    clicks: Clicks {
        /// buffered: the redirect does not wait; a crash (kill -9) may lose the last 2 ms of clicks,
        /// a power failure what the system had not written yet. acknowledged: the redirect leaves
        /// after its click is on disk; neither loses one. A clean stop loses none in either.
        durability: Durability = "buffered", env "BOLTLINK_DURABILITY", example "acknowledged";
        /// Which workers run within the server, if it has a Redis: all, none, aggregator (totals) or analytics. The others
        /// run elsewhere: boltlink worker.
        workers: Workers = "all", env "BOLTLINK_WORKERS", example "none";
        /// How often clicks are added up and stored, from 200ms to 60s; with a Redis 1s, if not said. Longer costs less: a
        /// busy server stores less often, every 30s at least (with a Redis 10s), so that it takes a twentieth of its time.
        flush_interval: FlushInterval = "500ms", env "BOLTLINK_FLUSH_INTERVAL", example "500ms";
        /// How many single clicks a second are kept, with who came from where, on average. Beyond it some stand
        /// for others, with a weight. 0 keeps none. Totals and statistics count every click either way.
        raw_clicks: RawRate = "500", env "BOLTLINK_RAW_CLICKS", example "500";
        /// For how long single clicks are kept.
        raw_retention: Retention = "30d", env "BOLTLINK_RAW_RETENTION", example "90d";
    }

    /// Access: keys, accounts and secrets.
    access: Access {
        /// The first admin API key (blt_<id>_<secret>), if the database has no key at all. Without it,
        /// the first start makes one and prints it.
        initial_api_key: Option<Secret<KeyToken>> = "", env "BOLTLINK_INITIAL_API_KEY",
            example "blt_019ab2c46f1e7cc398c4dc0c0c07398f_<64 hexadecimal digits>";
        /// What visitor hashes are keyed with: 32 bytes as 64 hexadecimal digits, the same on every
        /// node. Without it: one made at the first start and kept in the database.
        secret: Option<Secret<ServerSecret>> = "", env "BOLTLINK_SECRET", example "<the output of: openssl rand -hex 32>";
        /// Who may have an account by way of the API: closed (nobody; boltlink users makes accounts), invitation (whom an
        /// admin invites) or open (whoever comes, as an editor).
        registration: Registration = "closed", env "BOLTLINK_REGISTRATION", example "invitation";
        /// How long a session lasts that is not used: each use prolongs it. From 5m to 400d.
        session_lifetime: SessionLifetime = "14d", env "BOLTLINK_SESSION_LIFETIME", example "12h";
        /// What one hash of a password (argon2id) costs: KiB of memory, passes over it, lanes. Whoever logs in after a
        /// change gets a new hash.
        password_cost: HashCost = "m=19456,t=2,p=1", env "BOLTLINK_PASSWORD_COST", example "m=47104,t=1,p=1";
    }

    /// Targets: where links may lead.
    targets: Targets {
        /// Who may make links that lead to private networks (addresses that are not on the internet, names such as
        /// localhost or printer.local): admins, everybody or nobody.
        private_targets: PrivateTargets = "admins", env "BOLTLINK_PRIVATE_TARGETS", example "nobody";
        /// A file of hosts to which no link may lead, whoever makes it: a name (with all below it), an address or a
        /// network a line; what follows # is a remark. It is read again when it changes.
        target_blocklist: Option<PathBuf> = "", env "BOLTLINK_TARGET_BLOCKLIST", example "/etc/boltlink/blocklist.txt";
    }

    /// Limits: how often somebody may come, as a number and s, min, h or d; off for as often as they want. Too often is
    /// answered 429. With a Redis all nodes share them.
    limits: LimitSettings {
        /// Requests of one API key, or one session.
        limit_api: Rate = "6000/min", env "BOLTLINK_LIMIT_API", example "600/min";
        /// Attempts to log in to one account.
        limit_login_account: Rate = "10/min", env "BOLTLINK_LIMIT_LOGIN_ACCOUNT", example "10/h";
        /// Attempts to log in from one address (of IPv6, from one /64 network), or to do what takes as much work:
        /// registering, setting a password, opening a link by its password.
        limit_login_address: Rate = "60/min", env "BOLTLINK_LIMIT_LOGIN_ADDRESS", example "100/h";
        /// Attempts at the password of one link from one address (of IPv6, from one /64 network). They count as attempts to log
        /// in from that address, too.
        limit_password: Rate = "10/min", env "BOLTLINK_LIMIT_PASSWORD", example "20/h";
        /// Attempts at the password of one link from all addresses together, right ones too.
        limit_password_link: Rate = "300/min", env "BOLTLINK_LIMIT_PASSWORD_LINK", example "1000/h";
        /// Passwords of links that one account sets: each takes as much work as a login. One bulk request may set 100, or
        /// as many as this says.
        limit_password_set: Rate = "300/min", env "BOLTLINK_LIMIT_PASSWORD_SET", example "1000/h";
        /// Visits of one link.
        limit_link: Rate = "off", env "BOLTLINK_LIMIT_LINK", example "1000/s";
        /// Visits from one address (of IPv6, from one /64 network), whichever links they are of.
        limit_address: Rate = "off", env "BOLTLINK_LIMIT_ADDRESS", example "120/min";
        /// How many nodes share the limits by a Redis; the more exactly this is said, the more exact they are.
        nodes: NodeCount = "1", env "BOLTLINK_NODES", example "4";
    }

    /// Copying: what boltlink copy goes by if it has no flags.
    copying: Copying {
        /// The database to copy from, instead of --from. Without either: the configured one.
        copy_from: Option<DatabaseUrl> = "", env "BOLTLINK_COPY_FROM", example "sqlite:/var/lib/boltlink/boltlink.db";
        /// The database to copy to, instead of --to.
        copy_to: Option<DatabaseUrl> = "", env "BOLTLINK_COPY_TO", example "postgres://user:password@host/database";
    }

    /// Logging, to standard error: readable on a terminal, JSON otherwise.
    logging: Logging {
        /// What is logged: a level (error, warn, info, debug, trace), or a list such as
        /// warn,boltlink_core=debug.
        log: LogFilter = "info,sea_orm_migration=warn,sqlx::postgres::notice=warn", env "BOLTLINK_LOG", example "info,boltlink_core=debug";
    }

    /// Traces, for OpenTelemetry: what a request took its time with, up to the click that is stored.
    traces: TraceSettings {
        /// Where a collector takes them by OTLP over HTTP, such as an OpenTelemetry Collector, Jaeger or Tempo; /v1/traces is
        /// added. Without it nothing is traced.
        otlp_endpoint: Option<OtlpEndpoint> = "", env "OTEL_EXPORTER_OTLP_ENDPOINT", example "http://127.0.0.1:4318";
        /// Headers for the collector, as name=value, separated by commas; values percent-encoded.
        otlp_headers: Option<Secret<OtlpHeaders>> = "", env "OTEL_EXPORTER_OTLP_HEADERS", example "authorization=Basic%20<token>";
        /// Which share of requests is traced, from 0 to 1.
        trace_share: Share = "0.01", env "BOLTLINK_TRACE_SHARE", example "0.01";
        /// Whether a request is traced, too, whose traceparent header says that its trace is kept, up to 100 a second and core: on
        /// or off. Anybody can send one.
        trace_asked: Switch = "on", env "BOLTLINK_TRACE_ASKED", example "off";
    }
}

/// Every setting, in order.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// Those of these environment variables that look like ours but set nothing: misspelt, most likely.
/// Not errors, because orchestrators make such names too: Kubernetes, for a service called `boltlink`,
/// sets `BOLTLINK_PORT` and `BOLTLINK_SERVICE_…`, which are passed over.
pub(crate) fn unknown<'a>(env: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let known = |name: &str| all().any(|setting| setting.env == name.strip_suffix("_FILE").unwrap_or(name));
    let orchestrator = |name: &str| ["BOLTLINK_PORT", "BOLTLINK_SERVICE_"].iter().any(|head| name.starts_with(head));
    env.filter(|name| name.starts_with("BOLTLINK_") && !known(name) && !orchestrator(name)).collect()
}
