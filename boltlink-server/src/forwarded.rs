//! Whose request it is that a proxy passes on.

use std::{net::IpAddr, str::FromStr};

use boltlink_core::IpNet;
use http::{HeaderMap, HeaderValue};

/// The header in which proxies say from whom a request came. One of them is believed and never both: a proxy that sets
/// the one passes on what a client made up in the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The text names neither header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be x-forwarded-for or forwarded")]
pub struct InvalidProxyHeader;

impl ProxyHeader {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

impl FromStr for ProxyHeader {
    type Err = InvalidProxyHeader;

    fn from_str(text: &str) -> Result<Self, InvalidProxyHeader> {
        let known = [Self::XForwardedFor, Self::Forwarded];
        known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text)).ok_or(InvalidProxyHeader)
    }
}

/// The proxies in front of the server. Without any, a request is from whoever is connected.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// The networks they are in.
    pub trusted: Vec<IpNet>,
    /// Where they say from whom a request came.
    pub header: ProxyHeader,
}

impl Proxies {
    /// From whom a request came: the last one on its way who is no proxy of ours. What is further from us than that is
    /// only said, by somebody whom we do not know. `None` where a proxy says something that cannot be read: then it must
    /// not be taken for the proxy's own.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        self.client_by(peer, headers.get_all(self.header.as_str()).iter().rev().map(HeaderValue::as_bytes))
    }

    /// The same by the lines of the header, the last one first.
    pub(crate) fn client_by<'a>(&self, peer: IpAddr, lines: impl Iterator<Item = &'a [u8]>) -> Option<IpAddr> {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return Some(client);
        }
        for line in lines {
            for hop in self.hops(line) {
                client = hop?;
                if !self.trusts(client) {
                    return Some(client);
                }
            }
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The hops of one line, the nearest first; `None` for one that is no address.
    fn hops(&self, line: &[u8]) -> Vec<Option<IpAddr>> {
        match self.header {
            // Each by itself: what a client wrote must not spoil what a proxy has added to it.
            ProxyHeader::XForwardedFor => {
                let hops = line.rsplit(|byte| *byte == b',');
                hops.map(|hop| address(str::from_utf8(hop).ok()?.trim())).collect()
            }
            ProxyHeader::Forwarded => {
                let visible = |byte| matches!(byte, b'\t' | b' '..=b'~');
                let Some(line) = str::from_utf8(line).ok().filter(|line| line.bytes().all(visible)) else {
                    return vec![None];
                };
                let Some(elements) = split(line, ',') else { return vec![None] };
                elements.into_iter().rev().map(forwarded_for).collect()
            }
        }
    }
}

/// The address in an element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = split(element, ';')?;
    let mut values = pairs.into_iter().filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let value = values.next()?;
    // Twice means nothing.
    if values.next().is_some() {
        return None;
    }
    address(value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let has_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    let address: IpAddr = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(has_port) {
            return None;
        }
        IpAddr::V6(address.parse().ok()?)
    } else {
        match text.split_once(':') {
            Some((address, port)) if has_port(port) && address.contains('.') => IpAddr::V4(address.parse().ok()?),
            _ => text.parse().ok()?,
        }
    };
    Some(address.to_canonical())
}

/// Splits a text, but not within double quotes; `None` if these do not end.
fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == at && !quoted => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(header: ProxyHeader, peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header.as_str(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let client = Proxies { trusted, header }.client(peer.parse().unwrap(), &headers);
        client.map_or_else(|| "unknown".to_owned(), |client| client.to_string())
    }

    #[test]
    fn the_nearest_who_is_no_proxy_is_the_client() {
        for (peer, lines, expected) in [
            // Who is connected and no proxy of ours may say what he likes.
            ("203.0.113.9", &["198.51.100.1"] as &[_], "203.0.113.9"),
            ("::ffff:203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // What a client made up stands to the left of what our proxy adds.
            ("10.0.0.1", &["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["127.0.0.1", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, 10.0.0.2,10.0.0.3"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1", "10.0.0.2", " 10.0.0.3 "], "198.51.100.1"),
            ("2001:db8:ffff::1", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            // Proxies all the way: the first of them.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &[], "10.0.0.1"),
            // What is no address is not the proxy's own.
            ("10.0.0.1", &["198.51.100.1, unknown"], "unknown"),
            ("10.0.0.1", &["198.51.100.1, "], "unknown"),
            // What a client made up must not spoil what our proxy adds.
            ("10.0.0.1", &["\u{ff}, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["\u{ff}"], "unknown"),
            ("10.0.0.1", &["198.51.100.1, 10.0.0.256, 10.0.0.2"], "unknown"),
            ("10.0.0.1", &["[198.51.100.1]"], "unknown"),
            ("10.0.0.1", &["198.51.100.1:99999"], "unknown"),
        ] {
            assert_eq!(client(ProxyHeader::XForwardedFor, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_the_rfc_has_it() {
        for (line, expected) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1", "2001:db8::7"),
            ("by=10.0.0.1 ; for=198.51.100.1", "198.51.100.1"),
            ("for=127.0.0.1, for=\"198.51.100.1\"", "198.51.100.1"),
            ("for=198.51.100.1, for=10.0.0.2", "198.51.100.1"),
            ("host=\"a,b;for=1.2.3.4\";for=198.51.100.1", "198.51.100.1"),
            ("host=\"\\\"\";for=198.51.100.1", "198.51.100.1"),
            ("for=198.51.100.1, for=_hidden", "unknown"),
            ("for=198.51.100.1, for=unknown", "unknown"),
            ("for=198.51.100.1, proto=https", "unknown"),
            ("for=198.51.100.1;for=198.51.100.2", "unknown"),
            ("for=198.51.100.1, for=\"10.0.0.2", "unknown"),
            ("for=\", for=198.51.100.1", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &[line]), expected, "{line}");
        }
    }

    #[test]
    fn only_the_header_that_was_named_is_believed() {
        let mut headers = HeaderMap::new();
        headers.insert("forwarded", HeaderValue::from_static("for=198.51.100.1"));
        let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() };
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(proxies.client(peer, &headers), Some(peer));
    }

    proptest! {
        #[test]
        fn no_header_makes_a_client_of_a_network_that_no_proxy_of_ours_named(
            lines in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..60),
                    "[a-z0-9.:,;=\" \\[\\]\\\\]{0,60}".prop_map(String::into_bytes),
                    "(for=)?(10\\.0\\.0\\.[0-9]|198\\.51\\.100\\.1|\"\\[2001:db8::7\\]:1\")(, ?)?".prop_map(String::into_bytes),
                ],
                0..4,
            ),
            rfc: bool,
            inside: bool,
        ) {
            let header = if rfc { ProxyHeader::Forwarded } else { ProxyHeader::XForwardedFor };
            let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], header };
            let mut headers = HeaderMap::new();
            for line in &lines {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(header.as_str(), value);
                }
            }
            let peer: IpAddr = if inside { "10.0.0.1" } else { "203.0.113.9" }.parse().unwrap();
            let client = proxies.client(peer, &headers);
            if !inside {
                prop_assert_eq!(client, Some(peer), "a stranger's word counts for nothing");
            } else if headers.is_empty() {
                prop_assert_eq!(client, Some(peer));
            } else {
                // What our proxy added behind it is the client whatever stood before: in a line of its own, or in the
                // last one, where a quote that is left open can swallow it.
                let added = if rfc { "for=192.0.2.7" } else { "192.0.2.7" };
                let expected = Some("192.0.2.7".parse().unwrap());
                let last = headers.get_all(header.as_str()).iter().next_back().unwrap().as_bytes();
                let longer = [last, b", ", added.as_bytes()].concat();
                let alone = HeaderMap::from_iter([(header.as_str().parse().unwrap(), HeaderValue::from_bytes(&longer).unwrap())]);
                let client = proxies.client(peer, &alone);
                prop_assert!(client == expected || rfc && client.is_none(), "{:?}", client);
                headers.append(header.as_str(), HeaderValue::from_static(added));
                prop_assert_eq!(proxies.client(peer, &headers), expected);
            }
        }
    }
}
