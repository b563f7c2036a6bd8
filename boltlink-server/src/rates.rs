//! How often somebody may come.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use boltlink_core::{
    SystemClock,
    memory::MemoryLimiter,
    store::{Quota, RateLimiter},
};

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
    /// How often anybody may try the password of one link, from wherever. Default: 300 times a minute.
    pub password_link: Option<Quota>,
    /// How many passwords of links one account may set: each takes as much work as a login. Default: 300 a minute.
    pub password_set: Option<Quota>,
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
            password_link: a_minute(300),
            password_set: a_minute(300),
            link: None,
            address: None,
        }
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limiter: _,
            api,
            login_account,
            login_address,
            password,
            password_link,
            password_set,
            link,
            address,
        } = self;
        f.debug_struct("Rates")
            .field("api", api)
            .field("login_account", login_account)
            .field("login_address", login_address)
            .field("password", password)
            .field("password_link", password_link)
            .field("password_set", password_set)
            .field("link", link)
            .field("address", address)
            .finish_non_exhaustive()
    }
}
