//! Who may do what: scopes, and the actor who has them.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use ipnet::{IpNet, Ipv4Net};

use crate::{
    domain::Domain,
    id::{AccountId, ApiKeyId, SessionId},
    time::Timestamp,
};

/// One thing that an account or an API key may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// Reading links.
    LinksRead = 1,
    /// Making, changing and deleting links.
    LinksWrite = 1 << 1,
    /// Reading counts and single clicks.
    AnalyticsRead = 1 << 2,
    /// Listing API keys.
    KeysRead = 1 << 3,
    /// Making, rotating and revoking API keys that can do no more than the one that is used.
    KeysWrite = 1 << 4,
    /// Everything, whoever owns it, and the queue.
    Admin = 1 << 5,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::LinksRead, Self::LinksWrite, Self::AnalyticsRead, Self::KeysRead, Self::KeysWrite, Self::Admin];

    /// Its name, such as `links:read`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinksRead => "links:read",
            Self::LinksWrite => "links:write",
            Self::AnalyticsRead => "analytics:read",
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no scope, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of links:read, links:write, analytics:read, keys:read, keys:write, admin")]
pub struct InvalidScope;

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(InvalidScope)
    }
}

/// Scopes: at least one. As text, their names with spaces between them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// [`Scope::Admin`] alone, which covers all others.
    pub const ADMIN: Self = Self(Scope::Admin as u8);

    /// What a key can do unless it is said: all with links and counts of its own account.
    pub const MEMBER: Self = Self(Scope::LinksRead as u8 | Scope::LinksWrite as u8 | Scope::AnalyticsRead as u8);

    /// This one.
    #[must_use]
    pub const fn only(scope: Scope) -> Self {
        Self(scope as u8)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope as u8)
    }

    /// What both these and others are good for; `None` if there is nothing.
    #[must_use]
    pub fn within(self, other: Self) -> Option<Self> {
        if self.cover(Scope::Admin) && other.cover(Scope::Admin) {
            return Some(Self::ADMIN);
        }
        Self::new(Scope::ALL.into_iter().filter(|scope| self.cover(*scope) && other.cover(*scope)))
    }

    /// These scopes; `None` if there are none.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Option<Self> {
        let bits = scopes.into_iter().fold(0, |bits, scope| bits | scope as u8);
        (bits != 0).then_some(Self(bits))
    }

    /// Whether they are good for something.
    #[must_use]
    pub const fn cover(self, scope: Scope) -> bool {
        self.0 & (scope as u8 | Scope::Admin as u8) != 0
    }

    /// Each, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & *scope as u8 != 0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let scopes = text.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>()?;
        Self::new(scopes).ok_or(InvalidScope)
    }
}

/// Where an API key is good: under which domains, from which networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The domains of the links that it sees and changes; empty: all.
    pub domains: Vec<Domain>,
    /// The networks it may be used from; empty: all.
    pub networks: Vec<IpNet>,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a network such as 203.0.113.0/24 or 2001:db8::/32, or a single address")]
pub struct InvalidNetwork;

impl Bounds {
    /// Reads a network, or the network of a single address. What is beyond the prefix is dropped.
    ///
    /// # Errors
    /// If it is neither.
    pub fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse::<IpNet>().map(|net| net.trunc()).or_else(|_| single()).map_err(|_| InvalidNetwork)?;
        // Requests come from addresses of IPv4, however they were written on the way.
        Ok(match network {
            IpNet::V6(mapped) if mapped.prefix_len() >= 96 => mapped
                .addr()
                .to_ipv4_mapped()
                .map_or(network, |address| Ipv4Net::new(address, mapped.prefix_len() - 96).map_or(network, IpNet::V4)),
            _ => network,
        })
    }

    /// No bounds.
    pub const NONE: Self = Self { domains: Vec::new(), networks: Vec::new() };

    /// Whether links of the domain are within them.
    #[must_use]
    pub fn allow_domain(&self, domain: &Domain) -> bool {
        self.domains.is_empty() || self.domains.contains(domain)
    }

    /// Whether they allow a request from this address. One that is not known is in no network.
    #[must_use]
    pub fn allow_address(&self, from: Option<IpAddr>) -> bool {
        // An IPv4 address that came by an IPv6 socket is in IPv4's networks.
        let from = from.map(|from| from.to_canonical());
        self.networks.is_empty() || from.is_some_and(|from| self.networks.iter().any(|net| net.contains(&from)))
    }

    /// Whether all that is within them is within `other` too.
    #[must_use]
    pub fn are_within(&self, other: &Self) -> bool {
        let domains = other.domains.is_empty()
            || !self.domains.is_empty() && self.domains.iter().all(|domain| other.allow_domain(domain));
        let within = |net: &IpNet| other.networks.iter().any(|other| other.contains(net));
        let networks = other.networks.is_empty() || !self.networks.is_empty() && self.networks.iter().all(within);
        domains && networks
    }
}

/// On whose behalf something is done, and what that one may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    account: AccountId,
    scopes: Scopes,
    /// `None`: no bounds.
    bounds: Option<Arc<Bounds>>,
    key: Option<ApiKeyId>,
    session: Option<SessionId>,
    /// `None`: without an end.
    expires_at: Option<Timestamp>,
}

impl Actor {
    /// Whoever runs the program: the command line, the first admin key, an embedder without accounts.
    pub const OPERATOR: Self = Self::new(AccountId::OPERATOR, Scopes::ADMIN);

    /// Someone of this account, with these scopes.
    #[must_use]
    pub const fn new(account: AccountId, scopes: Scopes) -> Self {
        Self { account, scopes, bounds: None, key: None, session: None, expires_at: None }
    }

    /// The same within bounds.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        let bounds = (bounds != Bounds::NONE).then(|| Arc::new(bounds));
        Self { bounds, ..self }
    }

    /// The same as the holder of this key, which ends then.
    #[must_use]
    pub const fn by_key(mut self, key: ApiKeyId, expires_at: Option<Timestamp>) -> Self {
        self.key = Some(key);
        self.expires_at = expires_at;
        self
    }

    /// The key that was presented, if one was.
    #[must_use]
    pub const fn key(&self) -> Option<ApiKeyId> {
        self.key
    }

    /// The same as somebody who has logged in.
    #[must_use]
    pub const fn by_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// The same with these scopes instead, and no bounds: for what follows from something that the actor may do.
    pub(crate) fn with_scopes(self, scopes: Scopes) -> Self {
        Self { scopes, bounds: None, ..self }
    }

    /// The same with no more than these scopes; `None` if none is left.
    #[must_use]
    pub fn limited_to(self, scopes: Scopes) -> Option<Self> {
        Some(Self { scopes: self.scopes.within(scopes)?, ..self })
    }

    /// The session, if somebody has logged in.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// What a key with these scopes and bounds, that ends then, would be good for and the actor is not; `None` if there is
    /// nothing.
    #[must_use]
    pub fn lacks(&self, scopes: Scopes, bounds: &Bounds, expires_at: Option<Timestamp>) -> Option<&'static str> {
        if !scopes.iter().all(|scope| self.may(scope)) {
            return Some("scopes");
        }
        if !bounds.are_within(self.bounds()) {
            return Some("domains or networks");
        }
        let outlives = self.expires_at.is_some_and(|end| expires_at.is_none_or(|other| other > end));
        outlives.then_some("time")
    }

    /// The account that owns what the actor makes.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What the actor may do.
    #[must_use]
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Where.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        static NONE: Bounds = Bounds::NONE;
        self.bounds.as_deref().unwrap_or(&NONE)
    }

    /// Whether the actor may do what needs this scope.
    #[must_use]
    pub const fn may(&self, scope: Scope) -> bool {
        self.scopes.cover(scope)
    }

    /// Whether the actor may see things of every owner.
    #[must_use]
    pub const fn sees_all(&self) -> bool {
        self.may(Scope::Admin)
    }

    /// Whether the actor may see and change what `owner` owns, as far as the scopes go.
    #[must_use]
    pub fn may_see(&self, owner: AccountId) -> bool {
        self.sees_all() || self.account == owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_their_text_form() {
        for bits in 1..64 {
            let scopes = Scopes(bits);
            assert_eq!(scopes.to_string().parse(), Ok(scopes));
        }
        assert_eq!("".parse::<Scopes>(), Err(InvalidScope));
        assert_eq!("links:read everything".parse::<Scopes>(), Err(InvalidScope));
    }

    #[test]
    fn an_admin_may_do_everything_and_nobody_else_what_was_not_given() {
        for scope in Scope::ALL {
            assert!(Scopes::ADMIN.cover(scope));
            let alone = Scopes::new([scope]).unwrap();
            assert!(
                Scope::ALL.into_iter().all(|other| alone.cover(other) == (other == scope || scope == Scope::Admin))
            );
        }
        assert!(!Scopes::MEMBER.cover(Scope::KeysWrite));
    }

    #[test]
    fn what_two_are_good_for_is_what_each_is_good_for() {
        for (one, other) in (1..64).flat_map(|one| (1..64).map(move |other| (Scopes(one), Scopes(other)))) {
            let both = one.within(other);
            for scope in Scope::ALL {
                let covered = both.is_some_and(|both| both.cover(scope));
                assert_eq!(covered, one.cover(scope) && other.cover(scope), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn bounds_are_within_those_that_allow_no_less() {
        let bounds = |domains: &[&str], networks: &[&str]| Bounds {
            domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        };
        let outer = bounds(&["a.example", "b.example"], &["10.0.0.0/8", "2001:db8::/32"]);
        assert!(outer.are_within(&Bounds::NONE) && outer.are_within(&outer));
        assert!(bounds(&["b.example"], &["10.1.0.0/16"]).are_within(&outer));
        for wider in [
            bounds(&[], &["10.1.0.0/16"]),
            bounds(&["b.example"], &[]),
            bounds(&["c.example"], &["10.1.0.0/16"]),
            bounds(&["b.example"], &["10.1.0.0/16", "11.0.0.0/8"]),
            bounds(&["b.example"], &["0.0.0.0/0"]),
        ] {
            assert!(!wider.are_within(&outer), "{wider:?}");
        }
        assert!(outer.allow_address(Some("::ffff:10.2.3.4".parse().unwrap())));
        assert!(!outer.allow_address(Some("11.2.3.4".parse().unwrap())) && !outer.allow_address(None));
        assert!(Bounds::NONE.allow_address(None));
        for (text, network) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(Bounds::network(text).unwrap().to_string(), network);
        }
    }
}
