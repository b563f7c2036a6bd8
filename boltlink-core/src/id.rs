//! Identifiers. All are UUIDs of version 7 (RFC 9562), so that they sort by the time they were made.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::time::Timestamp;

/// The text is no UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID such as 019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID read from a store or a request as such an identifier.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId)
            }
        }
    )*};
}

ids! {
    /// Names a link for ever; its slug may change.
    LinkId;
    /// Names a click, derived from its place in a batch: see [`ClickBatch::click_id`](crate::ClickBatch::click_id).
    ClickId;
    /// Names who owns links and keys: an account that people log in to, or one that keys alone have.
    AccountId;
    /// Names an API key: the public part of the token.
    ApiKeyId;
    /// Names a session: the public part of its token.
    SessionId;
    /// Names an entry of the audit log.
    AuditId;
    /// Names one run of a click recorder; its time is when that run began.
    ProducerId;
}

impl AccountId {
    /// The operator's own account; exists from the beginning.
    pub const OPERATOR: Self = Self(Uuid::nil());
}

impl ProducerId {
    /// When the producer began; the epoch if the id is no UUIDv7.
    #[must_use]
    pub fn began_at(&self) -> Timestamp {
        let millis = self.0.get_timestamp().map_or(0, |at| {
            let (seconds, nanos) = at.to_unix();
            seconds.saturating_mul(1_000).saturating_add(u64::from(nanos) / 1_000_000)
        });
        let micros = i64::try_from(millis.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Timestamp::from_micros(micros).unwrap_or(Timestamp::EPOCH)
    }
}

/// Makes a UUIDv7 of the given moment and 74 other bits.
pub(crate) fn uuid_v7(at: Timestamp, bits: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, bits).into_uuid()
}
