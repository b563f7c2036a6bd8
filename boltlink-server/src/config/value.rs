//! The kinds of values that settings have. One parser for each, whatever the text came from.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use boltlink_core::{Domain, Durability, KeyToken, SlugCase, TargetRules, TargetUrl};
use boltlink_server::{BaseUrl, InvalidBaseUrl};
use tracing_subscriber::EnvFilter;

use crate::duration;

/// A value that a text can be read as.
pub(super) trait Value: Sized {
    /// Whether it must never be shown, not even in an error.
    const SECRET: bool = false;

    /// Reads a text. An empty one stands for "nothing" where the kind knows that.
    fn parse(text: &str) -> Result<Self, Wrong>;

    /// The value as TOML; `None` for nothing and for secrets.
    fn to_toml(&self) -> Option<String>;
}

/// What is wrong with a text, and, where an example would not say it, how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) fix: Option<String>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), fix: None }
    }
}

/// A TOML string. JSON's escapes are a subset of TOML's.
pub(super) fn quoted(text: impl fmt::Display) -> String {
    serde_json::Value::String(text.to_string()).to_string()
}

impl<T: Value> Value for Option<T> {
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }

    fn to_toml(&self) -> Option<String> {
        self.as_ref().and_then(T::to_toml)
    }
}

impl Value for SocketAddr {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::new("must be an IP address and a port"))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for PathBuf {
    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() { Err(Wrong::new("must name a folder")) } else { Ok(text.into()) }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.display()))
    }
}

impl Value for BaseUrl {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: InvalidBaseUrl| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

/// Hosts beside the default one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Domains(pub(crate) Vec<Domain>);

impl Value for Domains {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let mut domains = Vec::new();
        for part in items(text) {
            let domain: Domain = part.parse().map_err(|error| Wrong::new(format!("'{part}' {error}")))?;
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        Ok(Self(domains))
    }

    fn to_toml(&self) -> Option<String> {
        let list: Vec<_> = self.0.iter().map(quoted).collect();
        (!list.is_empty()).then(|| format!("[{}]", list.join(", ")))
    }
}

/// The items of a comma-separated list.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Addresses of pages: one for the default domain, and one for each other that is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageUrls(pub(crate) Vec<(Option<Domain>, TargetUrl)>);

impl Value for PageUrls {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let mut pages: Vec<(Option<Domain>, TargetUrl)> = Vec::new();
        for item in items(text) {
            let (domain, url) = match item.split_once('=') {
                Some((domain, url)) if !domain.contains(['/', '?']) => {
                    let domain = domain.trim().parse().map_err(|error| Wrong::new(format!("'{domain}' {error}")))?;
                    (Some(domain), url.trim())
                }
                _ => (None, item),
            };
            if pages.iter().any(|(other, _)| *other == domain) {
                let whose = domain.map_or_else(|| "the default domain".to_owned(), |domain| domain.to_string());
                return Err(Wrong::new(format!("names two addresses for {whose}")));
            }
            let url = TargetUrl::parse(url, &TargetRules::default())
                .map_err(|error| Wrong::new(format!("'{url}' {error}")))?;
            pages.push((domain, url));
        }
        Ok(Self(pages))
    }

    fn to_toml(&self) -> Option<String> {
        let item = |(domain, url): &(Option<Domain>, TargetUrl)| match domain {
            None => quoted(url),
            Some(domain) => quoted(format_args!("{domain}={url}")),
        };
        let list: Vec<_> = self.0.iter().map(item).collect();
        (!list.is_empty()).then(|| format!("[{}]", list.join(", ")))
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

impl Value for Switch {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text {
            "on" | "true" => Ok(Self(true)),
            "off" | "false" => Ok(Self(false)),
            _ => Err(Wrong::new("must be on or off")),
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(if self.0 { "on" } else { "off" }))
    }
}

impl Value for SlugCase {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: boltlink_core::InvalidSlugCase| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

/// How many single clicks are kept a second: up to a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawRate(pub(crate) u32);

impl Value for RawRate {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let rate = text.parse().ok().filter(|rate| *rate <= 1_000_000);
        rate.map(Self).ok_or_else(|| Wrong::new("must be a whole number up to 1000000"))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.0))
    }
}

/// How long single clicks are kept: an hour to ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention(pub(crate) Duration);

impl Value for Retention {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let time = duration::parse(text).map_err(Wrong::new)?;
        if time < Duration::from_secs(3_600) || time > Duration::from_secs(3_650 * 24 * 3_600) {
            return Err(Wrong::new("must be between 1h and 3650d"));
        }
        Ok(Self(time))
    }

    fn to_toml(&self) -> Option<String> {
        let hours = self.0.as_secs() / 3_600;
        Some(match hours % 24 {
            0 => quoted(format_args!("{}d", hours / 24)),
            _ => quoted(format_args!("{}s", self.0.as_secs())),
        })
    }
}

impl Value for Durability {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text {
            "buffered" => Ok(Self::Buffered),
            "acknowledged" => Ok(Self::Acknowledged),
            _ => Err(Wrong::new("must be buffered or acknowledged")),
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Buffered => "buffered",
            Self::Acknowledged => "acknowledged",
        }))
    }
}

/// How often clicks are stored: 200 ms to 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlushInterval(pub(crate) Duration);

impl Value for FlushInterval {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let interval = duration::parse(text).map_err(Wrong::new)?;
        if interval < Duration::from_millis(200) || interval > Duration::from_secs(60) {
            return Err(Wrong::new("must be between 200ms and 60s"));
        }
        Ok(Self(interval))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(format_args!("{}ms", self.0.as_millis())))
    }
}

/// A log filter whose syntax is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    /// The filter.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for LogFilter {
    fn parse(text: &str) -> Result<Self, Wrong> {
        EnvFilter::try_new(text)
            .map(|_| Self(text.to_owned()))
            .map_err(|error| Wrong::new(format!("must be a level or a list of target=level ({error})")))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// A value that `Debug` and `--print-config` do not show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret<T>(T);

impl<T> Secret<T> {
    /// The value itself. The only way to it, so that a look for leaks has one name to follow.
    pub(crate) const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<T: Value> Value for Secret<T> {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        T::parse(text).map(Self)
    }

    fn to_toml(&self) -> Option<String> {
        None
    }
}

impl Value for KeyToken {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::parse(text).map_err(|error| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        None
    }
}

/// The server's secret.
pub(crate) type ServerSecret = [u8; 32];

impl Value for ServerSecret {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("must be 64 hexadecimal digits");
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(bytes)
    }

    fn to_toml(&self) -> Option<String> {
        None
    }
}
