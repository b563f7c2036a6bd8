//! The host names that short links live under.

use std::{fmt, str::FromStr, sync::Arc};

/// A host, with its port where that is not the scheme's own, in lower case and punycode.
///
/// The empty one is the default domain: its name is configuration, so changing the name moves no
/// link. Cloning costs a reference count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

/// The text is no `host[:port]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a host name, with :port if it is not the usual one, such as go.example.com")]
pub struct InvalidDomain;

impl Domain {
    /// The default domain.
    #[must_use]
    pub fn default_domain() -> Self {
        Self(Arc::from(""))
    }

    /// Whether this is the default domain.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// `host[:port]`, or nothing for the default domain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Domain {
    fn default() -> Self {
        Self::default_domain()
    }
}

impl FromStr for Domain {
    type Err = InvalidDomain;

    /// An empty text is the default domain.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default_domain());
        }
        if text.contains(['/', '\\', '@', '?', '#']) || text.len() > 259 {
            return Err(InvalidDomain);
        }
        // The URL parser knows hosts: IDNA, IPv6 brackets, numeric addresses in odd bases.
        let url = url::Url::parse(&format!("http://{text}/")).map_err(|_| InvalidDomain)?;
        let host = url.host_str().ok_or(InvalidDomain)?.trim_end_matches('.');
        if host.is_empty() {
            return Err(InvalidDomain);
        }
        Ok(Self(match url.port() {
            Some(port) => format!("{host}:{port}").into(),
            None => host.into(),
        }))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_host() {
        for (text, domain) in [
            ("Go.Example.COM", "go.example.com"),
            ("go.example.com.", "go.example.com"),
            ("go.example.com:8080", "go.example.com:8080"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("[::1]:5000", "[::1]:5000"),
            ("0x7f.1", "127.0.0.1"),
        ] {
            assert_eq!(text.parse::<Domain>().unwrap().as_str(), domain);
        }
        for bad in ["a b", "x/y", "u@h", "h:99999", ":80", "."] {
            assert_eq!(bad.parse::<Domain>(), Err(InvalidDomain), "{bad}");
        }
    }
}
