//! A part of a Redis server of one test's own.

use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

use crate::{database::named, error::Error, resp};

/// Names a Redis server.
pub(crate) const REDIS: &str = "BOLTLINK_TEST_REDIS_URL";

/// Deletes all keys that begin with the argument. One pass over everything: for a test's server only.
const DELETE: &str = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end";

/// A part of a Redis server of one test's own: the keys with a prefix that nobody else has. They are
/// deleted (best effort) when this is dropped.
///
/// It is one of the server that `BOLTLINK_TEST_REDIS_URL` names, as `cargo xtask test` does for a
/// whole run; else of a throw-away server, without persistence, that the tests of one process share.
pub struct KeySpace {
    url: Url,
    prefix: String,
}

impl KeySpace {
    /// Makes up a prefix.
    ///
    /// # Errors
    /// If no server is named and none can be started, with the command that installs what is missing.
    pub async fn new() -> Result<Self, Error> {
        Ok(Self { url: server().await?, prefix: format!("t-{}:", Uuid::now_v7()) })
    }

    /// The address of the server.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// What the test's keys and channels have to begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Drop for KeySpace {
    fn drop(&mut self) {
        // A server that is gone has taken them along.
        let _ = resp::call(&self.url, &["EVAL", DELETE, "0", &self.prefix]);
    }
}

async fn server() -> Result<Url, Error> {
    let url = match named(REDIS) {
        Some(url) => url,
        None => throw_away().await?,
    };
    Url::parse(&url).map_err(|error| Error::new(format!("{REDIS} is no address: {error}")))
}

/// Starts this process' own server at the first call.
#[cfg(unix)]
async fn throw_away() -> Result<String, Error> {
    use crate::redis::{Persistence, RedisServer};

    // Never dropped: the server ends with the process.
    static SERVER: OnceCell<RedisServer> = OnceCell::const_new();
    Ok(SERVER.get_or_try_init(|| RedisServer::start(Persistence::None)).await?.url().to_owned())
}

#[cfg(not(unix))]
async fn throw_away() -> Result<String, Error> {
    Err(Error::new(format!("on this system the tests start no Redis: name a running one by {REDIS}")))
}
