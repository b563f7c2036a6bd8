//! Judges who comes too often.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use boltlink_core::{
    Actor, Domain, Email, Error, IpNet, MacKey, Shortener, Slug, StoreError, hex,
    store::{Decision, Quota},
};

use crate::rates::Rates;

/// The quotas, and under what names they are kept.
#[derive(Debug)]
pub(crate) struct Throttle {
    rates: Rates,
    /// Who shares the limiter sees no addresses, of networks or of people, nor can find out one by trying.
    names: MacKey,
    allowed: AtomicU64,
    refused: AtomicU64,
}

/// How often somebody was judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decisions {
    pub(crate) allowed: u64,
    pub(crate) refused: u64,
}

/// A quota, whose, and how much is taken from it.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    key: String,
    quota: Quota,
    cost: u32,
}

impl Taken {
    const fn one(key: String, quota: Quota) -> Self {
        Self { key, quota, cost: 1 }
    }
}

impl Throttle {
    pub(crate) fn new(rates: Rates, shortener: &Shortener) -> Self {
        let names = shortener.derived_key("names of limits");
        Self { rates, names, allowed: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }

    /// How often somebody was judged so far.
    pub(crate) fn decisions(&self) -> Decisions {
        Decisions { allowed: self.allowed.load(Relaxed), refused: self.refused.load(Relaxed) }
    }

    fn note(&self, decision: Decision) -> Decision {
        (if decision.allowed { &self.allowed } else { &self.refused }).fetch_add(1, Relaxed);
        decision
    }

    /// Judges a request of a key or a session. `None`: nothing limits it.
    pub(crate) async fn api(&self, actor: &Actor) -> Result<Option<Decision>, Error> {
        let Some(quota) = self.rates.api else { return Ok(None) };
        let key = match (actor.key(), actor.session()) {
            (Some(key), _) => format!("api:{key}"),
            (None, Some(session)) => format!("session:{session}"),
            (None, None) => return Ok(None),
        };
        Ok(Some(self.take(&Taken::one(key, quota)).await?))
    }

    /// Judges an attempt to log in, or to do something else that takes as much work: the refusal, if there is one. Without
    /// an e-mail address what is tried is limited by where it comes from alone.
    pub(crate) async fn login(&self, client: Option<IpAddr>, email: Option<&Email>) -> Result<Option<Decision>, Error> {
        let address = self.work_from(client);
        let account = email
            .zip(self.rates.login_account)
            .map(|(email, quota)| Taken::one(name(&self.names, "login", email.as_str()), quota));
        self.take_all(address.iter().chain(&account)).await
    }

    /// Judges an attempt of somebody who is logged in to prove it by the password: the refusal, if there is one. As many
    /// as of logins, but not from the same: nobody else can use them up.
    pub(crate) async fn prove(&self, actor: &Actor) -> Result<Option<Decision>, Error> {
        let account = self.rates.login_account.map(|quota| Taken::one(format!("prove:{}", actor.account()), quota));
        self.take_all(account.iter()).await
    }

    /// Judges an attempt to open a link by its password: the refusal, if there is one.
    pub(crate) async fn unlock(
        &self,
        client: Option<IpAddr>,
        domain: &Domain,
        slug: Option<&Slug>,
    ) -> Result<Option<Decision>, Error> {
        let Some(slug) = slug else { return self.take_all(self.work_from(client).iter()).await };
        let here = self.rates.password.map(|quota| {
            Taken::one(name(&self.names, "password", &format!("{} {domain}/{slug}", network(client))), quota)
        });
        let anywhere = self.rates.password_link.map(|quota| Taken::one(format!("unlock:{domain}/{slug}"), quota));
        // Who has none of one's own left takes nothing from others.
        self.take_all(here.iter().chain(&self.work_from(client)).chain(&anywhere)).await
    }

    /// How many passwords of links may be set at once at most, by anybody.
    pub(crate) fn most_protected(&self) -> Option<u32> {
        self.rates.password_set.map(|quota| quota.burst())
    }

    /// Judges whether an account may set so many passwords of links: the refusal, if there is one.
    pub(crate) async fn protect(&self, actor: &Actor, links: u32) -> Result<Option<Decision>, Error> {
        let set = self.rates.password_set.filter(|_| links > 0);
        let set = set.map(|quota| Taken { key: format!("protect:{}", actor.account()), quota, cost: links });
        self.take_all(set.iter()).await
    }

    /// What is taken from by whatever takes as much work as a password does.
    fn work_from(&self, client: Option<IpAddr>) -> Option<Taken> {
        self.rates.login_address.map(|quota| Taken::one(name(&self.names, "login-from", &network(client)), quota))
    }

    /// Takes from each, up to the first that refuses: that refusal, if there is one.
    async fn take_all<'a>(&self, all: impl Iterator<Item = &'a Taken>) -> Result<Option<Decision>, Error> {
        for taken in all {
            let decision = self.take(taken).await?;
            if !decision.allowed {
                return Ok(Some(decision));
            }
        }
        Ok(None)
    }

    /// Takes from one, without waiting where that can be.
    async fn take(&self, Taken { key, quota, cost }: &Taken) -> Result<Decision, StoreError> {
        let decision = match self.rates.limiter.try_check(key, quota, *cost) {
            Some(decision) => decision,
            None => self.rates.limiter.check(key, quota, *cost).await?,
        };
        Ok(self.note(decision))
    }

    /// Whether visits are limited at all.
    pub(crate) const fn limit_visits(&self) -> bool {
        self.rates.link.is_some() || self.rates.address.is_some()
    }

    /// What a visit takes from, one each. However the slug is spelled, it is the same link; what is no slug is none.
    pub(crate) fn of_visit(&self, client: Option<IpAddr>, domain: &Domain, slug: Option<&Slug>) -> Vec<Taken> {
        let address = self.rates.address.map(|quota| Taken::one(name(&self.names, "address", &network(client)), quota));
        let link = self.rates.link.zip(slug).map(|(quota, slug)| Taken::one(format!("link:{domain}/{slug}"), quota));
        address.into_iter().chain(link).collect()
    }

    /// Judges a visit as far as that can be without waiting: the refusal, if there is one, or what is still to be
    /// judged by [`visit`](Self::visit).
    pub(crate) fn try_visit<'a>(&self, mut taken: &'a [Taken]) -> Result<&'a [Taken], Decision> {
        while let [Taken { key, quota, cost }, rest @ ..] = taken {
            match self.rates.limiter.try_check(key, quota, *cost).map(|decision| self.note(decision)) {
                None => break,
                Some(decision) if decision.allowed => taken = rest,
                Some(decision) => return Err(decision),
            }
        }
        Ok(taken)
    }

    /// Judges a visit: the refusal, if there is one.
    pub(crate) async fn visit(&self, taken: &[Taken]) -> Result<Option<Decision>, Error> {
        self.take_all(taken.iter()).await
    }
}

/// The name of something that is nobody's business where it is kept. Purposes are words without blanks, so no two pairs have one tag.
fn name(key: &MacKey, purpose: &'static str, what: &str) -> String {
    let tag = key.tag(&[purpose.as_bytes(), b" ", what.as_bytes()]);
    let mut name = format!("{purpose}:");
    hex::write(&mut name, &tag[..16]);
    name
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
    fn who_has_not_the_key_cannot_find_out_a_name() {
        let [ours, others] = [1, 2].map(|byte| MacKey::new(&[byte; 32]));
        assert_eq!(name(&ours, "login", "ada@example.com"), name(&ours, "login", "ada@example.com"));
        assert_ne!(name(&ours, "login", "ada@example.com"), name(&others, "login", "ada@example.com"));
        assert_ne!(name(&ours, "login", "ada@example.com"), name(&ours, "login", "eve@example.com"));
        assert_eq!(name(&ours, "login", "ada@example.com").len(), "login:".len() + 32);
    }

    #[test]
    fn a_household_has_one_quota() {
        for (client, network) in [("203.0.113.9", "203.0.113.9/32"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64")] {
            assert_eq!(network_of(client.parse().unwrap()).to_string(), network);
        }
    }
}
