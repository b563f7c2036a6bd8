//! Where a short link leads.

use std::{
    borrow::Cow,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::Domain;

/// The longest target, in bytes, before and after normalisation.
pub const MAX_LENGTH: usize = 8 * 1024;

/// What targets a service accepts.
#[derive(Debug, Clone)]
pub struct TargetRules {
    /// Schemes, in lower case. Default: `http` and `https`.
    pub schemes: Vec<String>,
    /// The service's own hosts: a target there would be a redirect loop, so it is refused.
    pub own_hosts: Vec<Domain>,
}

impl Default for TargetRules {
    fn default() -> Self {
        Self { schemes: vec!["http".into(), "https".into()], own_hosts: Vec::new() }
    }
}

/// An absolute URL as the `url` crate (WHATWG URL) normalises it: ASCII, at most 8 KiB, without
/// credentials. Always fit for a `Location` header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetUrl(Box<str>);

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// Over [`MAX_LENGTH`].
    #[error("must have at most {MAX_LENGTH} bytes")]
    Length,
    /// A control character, which the parser would silently drop.
    #[error("must not contain control characters")]
    Control,
    /// No absolute URL.
    #[error("must be an absolute URL such as https://example.com/page ({0})")]
    Syntax(#[from] url::ParseError),
    /// A scheme that is not on the list.
    #[error("has the scheme '{0}', which is not allowed here")]
    Scheme(String),
    /// A user name or a password.
    #[error("must not contain a user name or password")]
    Credentials,
    /// One of the service's own hosts.
    #[error("points back to this service, which would be a redirect loop")]
    Loop,
}

impl TargetUrl {
    /// Parses and normalises `text`.
    ///
    /// # Errors
    /// Why the service does not accept it.
    pub fn parse(text: &str, rules: &TargetRules) -> Result<Self, InvalidTarget> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidTarget::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidTarget::Control);
        }
        let url = Url::parse(text)?;
        if !rules.schemes.iter().any(|scheme| scheme == url.scheme()) {
            return Err(InvalidTarget::Scheme(url.scheme().into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidTarget::Credentials);
        }
        if own(&url, &rules.own_hosts) {
            return Err(InvalidTarget::Loop);
        }
        Self::from_stored(url.as_str()).ok_or(InvalidTarget::Length)
    }

    /// Takes a target that was parsed before it was stored. `None` if it cannot have been.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(|b| matches!(b, b' '..=b'~'));
        fits.then(|| Self(text.into()))
    }

    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 8 bytes of its SHA-256: what stores index to find links by target.
    #[must_use]
    pub fn hash(&self) -> i64 {
        let digest = Sha256::digest(self.0.as_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&digest[..8]);
        i64::from_be_bytes(head)
    }

    /// The value of the `Location` header, made once when a link is loaded.
    #[must_use]
    pub fn location(&self) -> HeaderValue {
        // Cannot fail: the characters were checked on the way in.
        HeaderValue::from_maybe_shared(in_one_piece(self.0.as_bytes())).unwrap_or(HeaderValue::from_static("/"))
    }
}

/// A text in one piece of memory with the count of its clones. Of a vector that count is elsewhere: to clone and to read
/// what nobody has asked for lately, as a redirect does, would be to wait for memory twice.
fn in_one_piece(text: &[u8]) -> Bytes {
    // As allocators deal memory out, with room for the count and the length.
    match text.len() {
        0..=55 => Piece::<55>::of(text),
        56..=119 => Piece::<119>::of(text),
        120..=183 => Piece::<183>::of(text),
        184..=247 => Piece::<247>::of(text),
        _ => Bytes::copy_from_slice(text),
    }
}

/// Up to `ROOM` bytes, 255 at most.
struct Piece<const ROOM: usize> {
    len: u8,
    bytes: [u8; ROOM],
}

impl<const ROOM: usize> Piece<ROOM> {
    fn of(text: &[u8]) -> Bytes {
        let mut bytes = [0; ROOM];
        bytes[..text.len()].copy_from_slice(text);
        Bytes::from_owner(Self { len: text.len() as u8, bytes })
    }
}

impl<const ROOM: usize> AsRef<[u8]> for Piece<ROOM> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }
}

/// Whether `url` names one of our own hosts: with either scheme, with or without a final dot, and with the usual
/// ports where none is configured.
fn own(url: &Url, hosts: &[Domain]) -> bool {
    let Some(host) = url.host_str().map(one_form) else { return false };
    // Whoever is localhost is every name of this machine for itself.
    let host = if is_local(&host) && hosts.iter().any(is_local_name) { Cow::from("localhost") } else { host };
    hosts.iter().any(|own| {
        // A colon within an IPv6 address belongs to the address.
        let port = own.as_str().rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        match port {
            None => matches!(url.port(), None | Some(80 | 443)) && one_form(own.as_str()) == host,
            Some((own, port)) => url.port().is_some_and(|asked| asked.to_string() == port) && one_form(own) == host,
        }
    })
}

fn is_local_name(host: &Domain) -> bool {
    host.as_str() == "localhost" || host.as_str().starts_with("localhost:")
}

/// Whether a host is this machine itself (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3).
fn is_local(host: &str) -> bool {
    let address = host.parse::<Ipv4Addr>().is_ok_and(|v4| v4.is_loopback() || v4.is_unspecified());
    address || host == "localhost" || host.ends_with(".localhost")
}

/// The host in one of the forms it has: without a final dot, an IPv4 address not within an IPv6 one, which leads to
/// the same place.
fn one_form(host: &str) -> Cow<'_, str> {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')?.parse::<Ipv6Addr>().ok());
    match v6.and_then(|v6| v6.to_ipv4_mapped()) {
        Some(v4) => v4.to_string().into(),
        None => host.trim_end_matches('.').into(),
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<TargetUrl, InvalidTarget> {
        let own = ["go.example.com", "127.0.0.1:5000"].map(|host| host.parse().unwrap());
        TargetUrl::parse(text, &TargetRules { own_hosts: own.into(), ..TargetRules::default() })
    }

    #[test]
    fn normalises() {
        for (text, target) in [
            ("HTTPS://Example.COM", "https://example.com/"),
            ("https://example.com/ä?q=ü#ö", "https://example.com/%C3%A4?q=%C3%BC#%C3%B6"),
            ("  https://example.com/a/../b ", "https://example.com/b"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), target);
        }
    }

    #[test]
    fn refuses() {
        for (text, why) in [
            ("javascript:alert(1)", InvalidTarget::Scheme("javascript".into())),
            ("https://u:p@example.com/", InvalidTarget::Credentials),
            ("https://example.com/\r\nSet-Cookie: x", InvalidTarget::Control),
            ("http://GO.example.com./x", InvalidTarget::Loop),
            ("http://GO.example.com:443/x", InvalidTarget::Loop),
            ("https://go.example.com:80/x", InvalidTarget::Loop),
            ("http://0x7f.1:5000/x", InvalidTarget::Loop),
            ("http://2130706433:5000/x", InvalidTarget::Loop),
            ("http://[::ffff:127.0.0.1]:5000/x", InvalidTarget::Loop),
            ("/relative", InvalidTarget::Syntax(url::ParseError::RelativeUrlWithoutBase)),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
        assert_eq!(parse(&format!("https://example.com/{}", "x".repeat(MAX_LENGTH))), Err(InvalidTarget::Length));
        // Grows threefold when it is encoded.
        assert_eq!(parse(&format!("https://example.com/{}", "ä".repeat(4_000))), Err(InvalidTarget::Length));
    }

    #[test]
    fn a_machine_has_many_names_for_itself() {
        let own_hosts = vec!["localhost:5000".parse().unwrap()];
        let rules = TargetRules { own_hosts, ..TargetRules::default() };
        for own in ["127.0.0.2:5000", "x.localhost:5000", "0:5000", "localhost.:5000"] {
            assert_eq!(TargetUrl::parse(&format!("http://{own}/"), &rules), Err(InvalidTarget::Loop), "{own}");
        }
        for other in ["127.0.0.2:5001", "192.0.2.1:5000", "localhost.example:5000"] {
            assert!(TargetUrl::parse(&format!("http://{other}/"), &rules).is_ok(), "{other}");
        }
    }

    #[test]
    fn other_ports_of_our_hosts_are_other_services() {
        assert!(parse("http://127.0.0.1:8080/").is_ok());
        assert!(parse("http://go.example.com:8080/").is_ok());
    }

    #[test]
    fn every_length_has_its_place() {
        for len in [19, 55, 56, 119, 120, 183, 184, 247, 248, MAX_LENGTH] {
            let target = format!("https://example.com{:/<1$}", "", len - 19);
            let target = TargetUrl::from_stored(&target).unwrap();
            assert_eq!((target.as_str().len(), target.location().as_bytes()), (len, target.as_str().as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_a_target_for_a_header_or_none(
            text in prop_oneof![
                any::<String>(),
                "(https?|HTTP|javascript|data|ftp)?:?//?[ -~äß\u{ff0f}\r\n\t]{0,60}",
                "https?://[a-z0-9.@:\\[\\]%_-]{0,30}[/?#\\\\][ -~]{0,40}",
            ],
        ) {
            if let Ok(target) = parse(&text) {
                prop_assert_eq!(parse(target.as_str()), Ok(target.clone()), "as it was normalised");
                let url = Url::parse(target.as_str()).unwrap();
                prop_assert!(matches!(url.scheme(), "http" | "https") && url.has_host());
                prop_assert!(url.username().is_empty() && url.password().is_none());
                let location = target.location();
                prop_assert_eq!(location.as_bytes(), target.as_str().as_bytes());
                prop_assert_eq!(TargetUrl::from_stored(target.as_str()), Some(target));
            }
        }
    }
}
