//! Which targets links may have, beyond being well formed.

use std::{
    collections::HashSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use parking_lot::RwLock;
use url::{Host, Url};

use crate::{
    access::{Actor, Bounds},
    target::TargetUrl,
};

/// Decides which targets links may have.
///
/// # Contract
/// Asked whenever a link is made or given another target, by whoever it may be, and never when one is followed. It must
/// answer at once, as it is asked on the way of requests: what takes longer is to be known beforehand. Links that are
/// there already are left alone.
pub trait TargetPolicy: Send + Sync {
    /// Whether `actor` may let a link lead to `target`.
    ///
    /// # Errors
    /// Why not.
    fn judge(&self, actor: &Actor, target: &TargetUrl) -> Result<(), TargetRefusal>;
}

/// Why a link must not lead somewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetRefusal {
    /// It is within a network of the operator's or the visitor's own.
    #[error("leads to the private network of whoever follows it; only admins may make such a link")]
    Private,
    /// It is blocked.
    #[error("leads to {entry}, which is blocked here")]
    Blocked {
        /// The entry of the blocklist.
        entry: String,
    },
    /// An embedder's own reason.
    #[error("{0}")]
    Other(String),
}

/// Allows every target.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl TargetPolicy for AllowAll {
    fn judge(&self, _: &Actor, _: &TargetUrl) -> Result<(), TargetRefusal> {
        Ok(())
    }
}

/// Who may let links lead to private networks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PrivateTargets {
    /// Admins.
    #[default]
    Admins,
    /// Everybody: where all who use the service share a network.
    Everybody,
    /// Nobody.
    Nobody,
}

/// A blocklist that may be replaced at any time, and a rule for private networks.
#[derive(Debug, Default)]
pub struct TargetFilter {
    private: PrivateTargets,
    blocked: RwLock<Blocklist>,
}

impl TargetFilter {
    /// One that blocks nothing yet.
    #[must_use]
    pub fn new(private: PrivateTargets) -> Self {
        Self { private, blocked: RwLock::default() }
    }

    /// Blocks these instead of those before.
    pub fn block(&self, blocked: Blocklist) {
        *self.blocked.write() = blocked;
    }
}

impl TargetPolicy for TargetFilter {
    fn judge(&self, actor: &Actor, target: &TargetUrl) -> Result<(), TargetRefusal> {
        let url = Url::parse(target.as_str()).ok();
        // A scheme without hosts leads to no network.
        let Some(host) = url.as_ref().and_then(Url::host) else { return Ok(()) };
        if let Some(entry) = self.blocked.read().find(&host) {
            return Err(TargetRefusal::Blocked { entry });
        }
        let allowed = match self.private {
            PrivateTargets::Everybody => true,
            PrivateTargets::Admins => actor.sees_all(),
            PrivateTargets::Nobody => false,
        };
        if !allowed && is_private(&host) { Err(TargetRefusal::Private) } else { Ok(()) }
    }
}

/// Hosts to which no link may lead: names with all below them, addresses and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocklist {
    names: HashSet<String>,
    networks: Vec<IpNet>,
}

/// A line of a blocklist that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: '{text}' must be a host name, an address or a network, such as example.com or 203.0.113.0/24")]
pub struct InvalidBlocklist {
    /// Its number, from 1.
    pub line: usize,
    /// What it says, cut after 100 characters.
    pub text: String,
}

impl Blocklist {
    /// Reads a list: one host name, address or network a line. What follows `#` is a remark, and empty lines mean
    /// nothing. A name blocks all names below it, too.
    ///
    /// # Errors
    /// The first line that is none of these.
    pub fn parse(text: &str) -> Result<Self, InvalidBlocklist> {
        let mut list = Self::default();
        for (number, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            let wrong = || InvalidBlocklist { line: number + 1, text: entry.chars().take(100).collect() };
            if let Ok(network) = Bounds::network(entry) {
                list.networks.push(network);
                continue;
            }
            // As it stands in a URL: in lower case and punycode.
            match Host::parse(entry.strip_prefix("*.").unwrap_or(entry)) {
                Ok(Host::Domain(name)) if !name.is_empty() => list.names.insert(undotted(&name).to_owned()),
                _ => return Err(wrong()),
            };
        }
        Ok(list)
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len() + self.networks.len()
    }

    /// Whether it blocks nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, host: &Host<&str>) -> Option<String> {
        match address(host) {
            Ok(address) => self.networks.iter().find(|network| network.contains(&address)).map(ToString::to_string),
            Err(name) => {
                let mut name = undotted(name);
                loop {
                    if self.names.contains(name) {
                        return Some(name.to_owned());
                    }
                    name = name.split_once('.')?.1;
                }
            }
        }
    }
}

/// The address that a host is, or its name.
fn address<'a>(host: &Host<&'a str>) -> Result<IpAddr, &'a str> {
    match host {
        Host::Domain(name) => Err(name),
        Host::Ipv4(address) => Ok((*address).into()),
        // One of IPv4 within it leads to the same place.
        Host::Ipv6(address) => Ok(IpAddr::from(*address).to_canonical()),
    }
}

/// A name without the dot that it may end with.
fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether a host is in a network that is not the internet: an address of the IANA special-purpose registries (RFC 6890)
/// that is not globally reachable, or a name that no public zone has (RFC 6761, RFC 6762, RFC 8375, or without a dot).
/// Names are not looked up: what they mean to a visitor is known only there.
fn is_private(host: &Host<&str>) -> bool {
    match address(host) {
        Ok(IpAddr::V4(address)) => is_private_v4(address),
        Ok(IpAddr::V6(address)) => is_private_v6(address),
        Err(name) => {
            let name = undotted(name);
            let last = name.rsplit('.').next().unwrap_or_default();
            !name.contains('.')
                || matches!(last, "localhost" | "local" | "internal" | "home" | "lan" | "corp" | "test")
                || name.ends_with(".home.arpa")
        }
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Shared by providers (RFC 6598), and benchmarks (RFC 2544).
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // What is carried by NAT64 (RFC 6052) or 6to4 (RFC 3056) is where it leads.
    let embedded = match address.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] | [0x20, 0x02, a, b, c, d, ..] => {
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    };
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || (first == 0x2001 && second == 0xdb8)
        || embedded.is_some_and(is_private_v4)
}

impl fmt::Display for PrivateTargets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admins => "admins",
            Self::Everybody => "everybody",
            Self::Nobody => "nobody",
        })
    }
}

/// The text names none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be admins, everybody or nobody")]
pub struct InvalidPrivateTargets;

impl std::str::FromStr for PrivateTargets {
    type Err = InvalidPrivateTargets;

    fn from_str(text: &str) -> Result<Self, InvalidPrivateTargets> {
        let known = [Self::Admins, Self::Everybody, Self::Nobody];
        known.into_iter().find(|known| known.to_string() == text).ok_or(InvalidPrivateTargets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountId, Scopes, TargetRules};

    fn target(url: &str) -> TargetUrl {
        TargetUrl::parse(url, &TargetRules::default()).unwrap()
    }

    #[test]
    fn private_targets_are_for_those_who_may() {
        let member = Actor::new(AccountId::OPERATOR, Scopes::MEMBER);
        let judge = |private, actor: &Actor, url: &str| TargetFilter::new(private).judge(actor, &target(url));
        for url in [
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://router/",
            "http://printer.local/",
            "http://db.internal/",
            "http://nas.home.arpa/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://0/",
            "http://10.1.2.3:8080/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:0a00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[ff02::1]/",
        ] {
            assert_eq!(judge(PrivateTargets::Admins, &member, url), Err(TargetRefusal::Private), "{url}");
            assert_eq!(judge(PrivateTargets::Nobody, &Actor::OPERATOR, url), Err(TargetRefusal::Private), "{url}");
            assert_eq!(judge(PrivateTargets::Admins, &Actor::OPERATOR, url), Ok(()), "{url}");
            assert_eq!(judge(PrivateTargets::Everybody, &member, url), Ok(()), "{url}");
        }
        for url in [
            "https://example.com/",
            "https://localhost.example.com/",
            "https://local.example/",
            "http://8.8.8.8/",
            "http://172.32.0.1/",
            "http://100.128.0.1/",
            "http://[2606:4700::1111]/",
            "http://[64:ff9b::8.8.8.8]/",
        ] {
            assert_eq!(judge(PrivateTargets::Nobody, &member, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_is_blocked_is_blocked_for_all() {
        let filter = TargetFilter::new(PrivateTargets::Everybody);
        let list =
            "# bad places\n\nEvil.example # since May\n*.worse.example.\nbücher.example\n203.0.113.0/24\n2001:db8::1\n";
        let list = Blocklist::parse(list).unwrap();
        assert_eq!(list.len(), 5);
        filter.block(list);
        for (url, entry) in [
            ("https://evil.example/", "evil.example"),
            ("https://evil.example./", "evil.example"),
            ("https://a.b.EVIL.example:8443/x", "evil.example"),
            ("https://worse.example/", "worse.example"),
            ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
            ("http://203.0.113.9/", "203.0.113.0/24"),
            ("http://[::ffff:203.0.113.9]/", "203.0.113.0/24"),
            ("http://0xcb007109/", "203.0.113.0/24"),
            ("http://[2001:db8::1]/", "2001:db8::1/128"),
        ] {
            let refused = filter.judge(&Actor::OPERATOR, &target(url));
            assert_eq!(refused, Err(TargetRefusal::Blocked { entry: entry.to_owned() }), "{url}");
        }
        for url in ["https://notevil.example/", "https://example/", "https://evil.example.org/", "http://203.0.114.1/"]
        {
            assert_eq!(filter.judge(&Actor::OPERATOR, &target(url)), Ok(()), "{url}");
        }
        filter.block(Blocklist::default());
        assert_eq!(filter.judge(&Actor::OPERATOR, &target("https://evil.example/")), Ok(()));
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        for (text, line) in [("a.example\nhttps://b.example/", 2), ("a b", 1), ("\n\n10.0.0.0/99", 3), ("*.", 1)] {
            assert_eq!(Blocklist::parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
