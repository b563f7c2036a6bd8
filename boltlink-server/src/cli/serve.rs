//! `boltlink serve`

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use boltlink_core::{Domain, InvalidText, KeyToken, TargetUrl};
use boltlink_server::{BaseUrl, Listeners, Proxies, ServerOptions};
use tokio::net::TcpListener;

use super::{
    engine,
    failure::Failure,
    lifecycle::{Inherited, Lifecycle},
    stop::Signals,
    telemetry::Telemetry,
    tls,
};
use crate::config::{Config, PageUrls};

/// How many ports after the default one are tried if that is taken.
const OTHER_PORTS: u16 = 100;

/// Serves; on the socket that was `given`, if one was.
pub(super) async fn run(config: &Config, mut given: Inherited, telemetry: Telemetry) -> Result<ExitCode, Failure> {
    // First what can fail without a trace.
    let tls_files = config.tls_files();
    let tls = match &tls_files {
        Some(files) => Some(tls::load(files, config).await?),
        None => None,
    };
    let listener = match given.listener.take() {
        Some(listener) => adopt(listener, given.is_succeeding().then_some(("listen", config.http.listen)))?,
        None => bind(config).await?,
    };
    let address = listener.local_addr()?;
    let signals = Signals::listen_to_serve()?;
    let admin = match (given.admin.take(), config.http.admin_listen) {
        // It was for the process before this one.
        (Some(_), None) if given.is_succeeding() => None,
        (Some(listener), wanted) => {
            let wanted = wanted.filter(|_| given.is_succeeding());
            Some(adopt(listener, wanted.map(|wanted| ("admin_listen", wanted)))?)
        }
        (None, _) => bind_admin(config).await?,
    };
    let (opened, rates) = engine::open_to_serve(config, &telemetry).await?;

    let initial = config.access.initial_api_key.as_ref().map(|key| key.expose().clone());
    let told = initial.is_some();
    let name = "first admin".parse().map_err(|error: InvalidText| Failure::new(error))?;
    let first = opened.shortener.first_key(name, initial).await?;
    greet(&greeting(config, address, first.map(|(_, token)| token).filter(|_| !told)));

    if let (Some(files), Some(tls)) = (tls_files, tls.clone()) {
        // It ends with the program.
        tokio::spawn(async move { files.follow(tls, tls::INTERVAL).await });
    }
    let options = ServerOptions {
        base_url: config.http.base_url.clone(),
        domains: config.http.domains.0.clone(),
        root_urls: by_domain(config, &config.http.root_url),
        not_found_urls: by_domain(config, &config.http.not_found_url),
        ready_requires_database: config.http.ready_requires.database,
        ready_requires_redis: config.http.ready_requires.redis,
        proxies: Proxies { trusted: config.http.trusted_proxies.0.clone(), header: config.http.proxy_header },
        cors_origins: config.http.cors_origins.0.clone(),
        registration: config.access.registration,
        rates,
        metrics: telemetry.metrics.clone(),
        traces: telemetry.traces.clone(),
        tls,
        ..ServerOptions::default()
    };
    let handover = options.limits.handover_timeout + options.limits.drain_timeout;
    let listeners = Listeners { public: listener, admin };
    let mut lifecycle = Lifecycle::new(signals, given, &listeners, (config.data_dir().to_owned(), handover))?;
    let shortener = opened.shortener.clone();
    let served = boltlink_server::run_until(listeners, shortener, options, &mut lifecycle).await;
    opened.close().await;
    telemetry.end().await;
    served.map_err(|error| Failure::new(format_args!("the server failed: {error}")))?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Pages by the domain as links are stored under it.
fn by_domain(config: &Config, pages: &PageUrls) -> BTreeMap<Domain, TargetUrl> {
    let default = config.http.base_url.as_ref().map(BaseUrl::host);
    let stored = |named: &Option<Domain>| named.clone().filter(|named| Some(named) != default).unwrap_or_default();
    pages.0.iter().map(|(domain, url)| (stored(domain), url.clone())).collect()
}

/// A socket that somebody else has opened. If a process before this one has, for a setting, it may be another one that is
/// `wanted` by now.
fn adopt(listener: std::net::TcpListener, wanted: Option<(&str, SocketAddr)>) -> io::Result<TcpListener> {
    let address = listener.local_addr()?;
    if let Some((setting, wanted)) = wanted.filter(|(_, wanted)| wanted.port() != 0 && *wanted != address) {
        tracing::warn!(
            "listening on {address} as before: to listen on {wanted} ({setting}), stop the server and start it"
        );
    }
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// The listener for operators, if there is to be one.
pub(super) async fn bind_admin(config: &Config) -> Result<Option<TcpListener>, Failure> {
    let Some(wanted) = config.http.admin_listen else { return Ok(None) };
    TcpListener::bind(wanted).await.map(Some).map_err(|error| {
        Failure::new(format_args!(
            "cannot listen on {wanted} for operators: {error}\n    fix: stop what uses it, or choose another address with \
             --admin-listen or BOLTLINK_ADMIN_LISTEN"
        ))
    })
}

async fn bind(config: &Config) -> Result<TcpListener, Failure> {
    let wanted = config.http.listen;
    let others = if config.listens_by_default() { OTHER_PORTS } else { 0 };
    for port in wanted.port()..=wanted.port().saturating_add(others) {
        match TcpListener::bind((wanted.ip(), port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port < wanted.port().saturating_add(others) => {}
            Err(error) => {
                return Err(Failure::new(format_args!(
                    "cannot listen on {}: {error}\n    fix: stop what uses it, or choose another address with --listen \
                     or BOLTLINK_LISTEN",
                    SocketAddr::new(wanted.ip(), port)
                )));
            }
        }
    }
    Err(Failure::new("no port to listen on"))
}

/// Standard output that is gone is no reason not to serve.
fn greet(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Says where to go, and at the first start with which key.
fn greeting(config: &Config, address: SocketAddr, key: Option<KeyToken>) -> String {
    // An address that means "all of them" is none that a client can use.
    let host = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("127.0.0.1:{}", v4.port()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("[::1]:{}", v6.port()),
        other => other.to_string(),
    };
    let scheme = if config.tls_files().is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{host}");
    let base_url = config.http.base_url.as_ref();
    let outside = base_url.map_or_else(|| url.clone(), ToString::to_string);
    let mut text = format!(
        "BoltLink {}\n  listening on {url}\n  docs at      {outside}/docs\n  data in      {}\n",
        env!("CARGO_PKG_VERSION"),
        config.database()
    );
    if let Some(key) = key {
        let key = key.reveal();
        // With a base URL only its host is answered, and it may not lead here yet.
        let asked = base_url.map_or_else(String::new, |base_url| format!(" -H \"Host: {}\"", base_url.host()));
        text.push_str(&format!(
            "\nThis is the first start. Your admin API key, shown this once only:\n\n  {key}\n\n\
             Make a short link:\n\n  \
             curl {url}/api/v1/links{asked} -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \
             -d \"{{\\\"target\\\": \\\"https://www.rust-lang.org/\\\"}}\"\n"
        ));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io};

    use boltlink_core::{EntropyExt, SeededEntropy, Timestamp};

    use super::*;
    use crate::config::{Input, parse};

    fn greeted(env: &[(&str, &str)], listen: &str) -> String {
        let env: BTreeMap<_, _> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let read = |_: &std::path::Path| Err(io::ErrorKind::NotFound.into());
        let config = parse(&Input { file: None, env: &env, flags: &BTreeMap::new(), read: &read }).unwrap();
        let entropy = SeededEntropy::new(1);
        let key = KeyToken::generate(entropy.api_key_id(Timestamp::EPOCH), &entropy);
        greeting(&config, listen.parse().unwrap(), Some(key))
    }

    #[test]
    fn an_address_that_means_all_is_shown_as_one_that_works() {
        assert!(greeted(&[], "0.0.0.0:5001").contains("listening on http://127.0.0.1:5001\n"));
        assert!(greeted(&[], "[::]:5001").contains("curl http://[::1]:5001/api/v1/links -H \"Authorization"));
    }

    #[test]
    fn the_curl_asks_for_the_host_that_is_answered() {
        let text = greeted(&[("BOLTLINK_BASE_URL", "https://go.example.com")], "127.0.0.1:5000");
        assert!(text.contains("curl http://127.0.0.1:5000/api/v1/links -H \"Host: go.example.com\" "), "{text}");
        assert!(text.contains("https://go.example.com/docs\n"), "{text}");
    }
}
