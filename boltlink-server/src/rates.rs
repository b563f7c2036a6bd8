//! How often somebody may come.

use std::{fmt, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use boltlink_core::{
    Actor, Domain, Email, IpNet, Slug, StoreError, SystemClock,
    memory::MemoryLimiter,
    store::{Decision, Quota, RateLimiter},
};
use sha2::{Digest, Sha256};

/// Rate limits, and by what they are kept.
#[derive(Clone)]
pub struct Rates {
    /// What decides. Default: one in this process's memory.
    pub limiter: Arc<dyn RateLimiter>,
    /// What one API key, or one session, may ask of the API. Default: 6,000 a minute.
    pub api: Option<Quota>,
    /// How often somebody may try to log in to one account. Default: 10 times a minute.
    pub login_account: Option<Quota>,
    /// How often somebody may try to log in from one address (of IPv6, from one /64), or do what takes as much work.
    /// Default: 60 times a minute.
    pub login_address: Option<Quota>,
    /// How often somebody may try the password of one link from one address (of IPv6, from one /64). What is tried takes
    /// from `login_address`, too. Default: 10 times a minute.
    pub password: Option<Quota>,
    /// How often one link may be followed. Default: as often as visitors want.
    pub link: Option<Quota>,
    /// How many links may be followed from one address (of IPv6, from one /64). Default: as many as visitors want.
    pub address: Option<Quota>,
}

impl Default for Rates {
    fn default() -> Self {
        let a_minute = |rate| NonZeroU32::new(rate).and_then(|rate| Quota::new(rate, Duration::from_secs(60)));
        Self {
            limiter: Arc::new(MemoryLimiter::new(Arc::new(SystemClock))),
            api: a_minute(6_000),
            login_account: a_minute(10),
            login_address: a_minute(60),
            password: a_minute(10),
            link: None,
            address: None,
        }
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limiter: _, api, login_account, login_address, password, link, address } = self;
        f.debug_struct("Rates")
            .field("api", api)
            .field("login_account", login_account)
            .field("login_address", login_address)
            .field("password", password)
            .field("link", link)
            .field("address", address)
            .finish_non_exhaustive()
    }
}

impl Rates {
    /// Judges a request of a key or a session. `None`: nothing limits it.
    pub(crate) async fn api(&self, actor: &Actor) -> Result<Option<Decision>, StoreError> {
        let Some(quota) = self.api else { return Ok(None) };
        let key = match (actor.key(), actor.session()) {
            (Some(key), _) => format!("api:{key}"),
            (None, Some(session)) => format!("session:{session}"),
            (None, None) => return Ok(None),
        };
        self.take(&Taken { key, quota }).await.map(Some)
    }

    /// Judges an attempt to log in, or to do something else that takes as much work: the refusal, if there is one. Without
    /// an address what is tried is limited by where it comes from alone.
    pub(crate) async fn login(
        &self,
        client: Option<IpAddr>,
        email: Option<&Email>,
    ) -> Result<Option<Decision>, StoreError> {
        let address = self.work_from(client);
        // Addresses are nobody's business in what is kept elsewhere.
        let digest = email.map(|email| Sha256::digest(email.as_str()));
        let account = digest.zip(self.login_account).map(|(digest, quota)| {
            let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            Taken { key: format!("login:{name}"), quota }
        });
        self.take_all(address.iter().chain(&account)).await
    }

    /// Judges an attempt to open a link by its password: the refusal, if there is one.
    pub(crate) async fn unlock(
        &self,
        client: Option<IpAddr>,
        domain: &Domain,
        slug: Option<&Slug>,
    ) -> Result<Option<Decision>, StoreError> {
        let link = self.password.zip(slug).map(|(quota, slug)| {
            let key = format!("password:{}:{domain}/{slug}", network(client));
            Taken { key, quota }
        });
        self.take_all(link.iter().chain(&self.work_from(client))).await
    }

    /// What is taken from by whatever takes as much work as a password does.
    fn work_from(&self, client: Option<IpAddr>) -> Option<Taken> {
        self.login_address.map(|quota| Taken { key: format!("login-from:{}", network(client)), quota })
    }

    /// Takes one of each, up to the first that refuses: that refusal, if there is one.
    async fn take_all<'a>(&self, all: impl Iterator<Item = &'a Taken>) -> Result<Option<Decision>, StoreError> {
        for taken in all {
            let decision = self.take(taken).await?;
            if !decision.allowed {
                return Ok(Some(decision));
            }
        }
        Ok(None)
    }

    /// Takes one, without waiting where that can be.
    async fn take(&self, Taken { key, quota }: &Taken) -> Result<Decision, StoreError> {
        match self.limiter.try_check(key, quota, 1) {
            Some(decision) => Ok(decision),
            None => self.limiter.check(key, quota, 1).await,
        }
    }

    /// Whether visits are limited at all.
    pub(crate) const fn limit_visits(&self) -> bool {
        self.link.is_some() || self.address.is_some()
    }

    /// What a visit takes from, one each. However the slug is spelled, it is the same link; what is no slug is none.
    pub(crate) fn of_visit(&self, client: Option<IpAddr>, domain: &Domain, slug: Option<&Slug>) -> Vec<Taken> {
        let address = self.address.map(|quota| Taken { key: format!("address:{}", network(client)), quota });
        let link = self.link.zip(slug).map(|(quota, slug)| Taken { key: format!("link:{domain}/{slug}"), quota });
        address.into_iter().chain(link).collect()
    }

    /// Judges a visit as far as that can be without waiting: the refusal, if there is one, or what is still to be
    /// judged by [`visit`](Self::visit).
    pub(crate) fn try_visit<'a>(&self, mut taken: &'a [Taken]) -> Result<&'a [Taken], Decision> {
        while let [Taken { key, quota }, rest @ ..] = taken {
            match self.limiter.try_check(key, quota, 1) {
                None => break,
                Some(decision) if decision.allowed => taken = rest,
                Some(decision) => return Err(decision),
            }
        }
        Ok(taken)
    }

    /// Judges a visit: the refusal, if there is one.
    pub(crate) async fn visit(&self, taken: &[Taken]) -> Result<Option<Decision>, StoreError> {
        self.take_all(taken.iter()).await
    }
}

/// A quota, and whose.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    key: String,
    quota: Quota,
}

/// By what name an address is known. All of whom it is not known share one.
fn network(client: Option<IpAddr>) -> String {
    client.map_or_else(|| "unknown".to_owned(), |client| network_of(client).to_string())
}

/// An address of IPv4, or the network of one of IPv6, as whoever has one of those has all of it.
fn network_of(client: IpAddr) -> IpNet {
    let bits = if client.is_ipv4() { 32 } else { 64 };
    IpNet::new(client, bits).map_or_else(|_| client.into(), |network| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_has_one_quota() {
        for (client, network) in [("203.0.113.9", "203.0.113.9/32"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64")] {
            assert_eq!(network_of(client.parse().unwrap()).to_string(), network);
        }
    }
}
