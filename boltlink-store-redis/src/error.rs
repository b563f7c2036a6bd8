//! What Redis's errors mean.

use boltlink_core::StoreError;
use redis::{ErrorKind, RedisError};

/// Why a Redis cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nobody answers there, or not yet.
    #[error("cannot reach {url}: {reason}; start the server, or mend the address")]
    Unreachable {
        /// The address, without the password.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The server does not let this user in, or not do what is needed.
    #[error("{url} refuses the login: {reason}; mend the user or the password, or what the user may do")]
    Login {
        /// The address, without the password.
        url: String,
        /// What the server said.
        reason: String,
    },
    /// The server's certificate is not trusted.
    #[error(
        "{url} cannot be trusted: {reason}; add the authority that signed its certificate to those that the system \
         trusts, or name a file of authorities by SSL_CERT_FILE"
    )]
    Untrusted {
        /// The address, without the password.
        url: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The server is too old.
    #[error("{url} is Redis {version}; version 6.2 or newer is needed")]
    TooOld {
        /// The address, without the password.
        url: String,
        /// The version of the server.
        version: String,
    },
    /// The server throws keys away when its memory is full.
    #[error(
        "{url} has maxmemory-policy {policy}, under which it would drop clicks that are not stored yet; set \
         maxmemory-policy noeviction"
    )]
    Evicts {
        /// The address, without the password.
        url: String,
        /// The policy.
        policy: String,
    },
}

impl OpenError {
    /// Whether the same may succeed later without anything else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    pub(crate) fn from_driver(url: String, error: &RedisError) -> Self {
        let reason = error.to_string();
        if error.kind() == ErrorKind::AuthenticationFailed || is_forbidden(error) {
            Self::Login { url, reason }
        } else if reason.contains("invalid peer certificate") {
            // In rustls' words: the driver keeps no kind for it.
            Self::Untrusted { url, reason }
        } else {
            Self::Unreachable { url, reason }
        }
    }
}

fn is_forbidden(error: &RedisError) -> bool {
    matches!(code(error), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
}

/// What the server calls the error. Before version 7 what stopped a script is an `ERR` whose text has the rest:
/// "Error running script (call to f_…): @user_script:7: -OOM command not allowed …".
fn code(error: &RedisError) -> Option<&str> {
    let code = error.code()?;
    if code != "ERR" {
        return Some(code);
    }
    let (_, inner) = error.detail()?.split_once(": -")?;
    inner.split_whitespace().next()
}

/// Everything is worth a repetition: clicks wait for a server that comes back, is mended, or gets its memory.
pub(crate) fn unavailable(error: &RedisError) -> StoreError {
    let hint = match code(error) {
        Some("OOM") => "Redis is out of memory; raise its maxmemory: ",
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => "Redis refuses the login or the command: ",
        _ => "",
    };
    StoreError::unavailable(format!("{hint}{error}"))
}

/// Whether the connection is of no more use: it is broken or answers nothing, or leads to a server that is not (or no
/// longer) the one that takes writes.
pub(crate) fn is_over(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || is_forbidden(error)
        || matches!(code(error), Some("READONLY" | "MASTERDOWN" | "LOADING"))
}
