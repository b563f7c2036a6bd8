//! How often somebody may come.

use std::{fmt, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use boltlink_core::{
    ApiKeyId, Domain, IpNet, Slug, StoreError, SystemClock,
    memory::MemoryLimiter,
    store::{Decision, Quota, RateLimiter},
};

/// Rate limits, and by what they are kept.
#[derive(Clone)]
pub struct Rates {
    /// What decides. Default: one in this process's memory.
    pub limiter: Arc<dyn RateLimiter>,
    /// What one API key may ask of the API. Default: 6,000 a minute.
    pub api: Option<Quota>,
    /// How often one link may be followed. Default: as often as visitors want.
    pub link: Option<Quota>,
    /// How many links may be followed from one address (of IPv6, from one /64). Default: as many as visitors want.
    pub address: Option<Quota>,
}

impl Default for Rates {
    fn default() -> Self {
        let api = NonZeroU32::new(6_000).and_then(|rate| Quota::new(rate, Duration::from_secs(60)));
        Self { limiter: Arc::new(MemoryLimiter::new(Arc::new(SystemClock))), api, link: None, address: None }
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, link, address, .. } = self;
        f.debug_struct("Rates").field("api", api).field("link", link).field("address", address).finish_non_exhaustive()
    }
}

impl Rates {
    /// Judges a request of a key. `None`: nothing limits it.
    pub(crate) async fn api(&self, key: ApiKeyId) -> Result<Option<Decision>, StoreError> {
        let Some(quota) = &self.api else { return Ok(None) };
        let key = format!("api:{key}");
        if let Some(decision) = self.limiter.try_check(&key, quota, 1) {
            return Ok(Some(decision));
        }
        self.limiter.check(&key, quota, 1).await.map(Some)
    }

    /// Whether visits are limited at all.
    pub(crate) const fn limit_visits(&self) -> bool {
        self.link.is_some() || self.address.is_some()
    }

    /// What a visit takes from, one each. However the slug is spelled, it is the same link; what is no slug is none.
    pub(crate) fn of_visit(&self, client: Option<IpAddr>, domain: &Domain, slug: Option<&Slug>) -> Vec<Taken> {
        // All of whom it is not known share one.
        let network = client.map_or_else(|| "unknown".to_owned(), |client| network_of(client).to_string());
        let address = self.address.map(|quota| Taken { key: format!("address:{network}"), quota });
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
        for Taken { key, quota } in taken {
            let decision = self.limiter.check(key, quota, 1).await?;
            if !decision.allowed {
                return Ok(Some(decision));
            }
        }
        Ok(None)
    }
}

/// A quota, and whose.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    key: String,
    quota: Quota,
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
