//! The audit log: who did what to which object.

use std::{fmt, str::FromStr};

use crate::{
    access::Actor,
    id::{AccountId, ApiKeyId, AuditId, SessionId},
    text::AuditDetail,
    time::Timestamp,
};

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its name for ever, by which entries are in the order of time.
    pub id: AuditId,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub author: Author,
    /// What.
    pub action: Action,
    /// To what.
    pub object: ObjectId,
    /// Whether it is known to have been done. The store may have gone away before it answered.
    pub certain: bool,
    /// What else is worth knowing, never a secret: which fields were changed, which slug was deleted.
    pub detail: Option<AuditDetail>,
}

/// Who did something, and by which means: whoever runs the program by neither a key nor a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// On behalf of which account.
    pub account: AccountId,
    /// With which API key.
    pub key: Option<ApiKeyId>,
    /// In which session.
    pub session: Option<SessionId>,
}

impl Author {
    /// Whoever showed to be this account's owner by other means: its password, or a ticket.
    #[must_use]
    pub const fn of(account: AccountId) -> Self {
        Self { account, key: None, session: None }
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        Self { account: actor.account(), key: actor.key(), session: actor.session() }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What was done. As text, such as `link.edited`, it begins with the kind of object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

actions! {
    /// A link was made. The detail is where: domain and slug.
    LinkCreated = "link.created";
    /// A link was changed. The detail is which fields.
    LinkEdited = "link.edited";
    /// A link was deleted. The detail is where it was.
    LinkDeleted = "link.deleted";
    /// An API key was made. The detail is its scopes.
    KeyCreated = "key.created";
    /// An API key was given another secret.
    KeyRotated = "key.rotated";
    /// An API key was revoked.
    KeyRevoked = "key.revoked";
    /// Somebody made an account of his own.
    AccountRegistered = "account.registered";
    /// An account was made for somebody. The detail is its role.
    AccountInvited = "account.invited";
    /// An account was changed. The detail is what it became.
    AccountEdited = "account.edited";
    /// A ticket was made by which the account's password can be set.
    AccountTicket = "account.ticket";
    /// The account's password was changed, or set by a ticket.
    AccountPassword = "account.password";
    /// An account was deleted.
    AccountDeleted = "account.deleted";
    /// Somebody logged in.
    SessionOpened = "session.opened";
    /// A session was ended by its account's owner.
    SessionEnded = "session.ended";
    /// What waited of a batch of clicks was stored after all.
    DeadLetterReplayed = "dead_letter.replayed";
    /// What waited of a batch of clicks was dropped.
    DeadLetterPurged = "dead_letter.purged";
    /// What only a newer release knows.
    Unknown = "unknown";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Action {
    /// What has no such name is [`Unknown`](Self::Unknown).
    fn from(text: &str) -> Self {
        Self::ALL.iter().copied().find(|action| action.as_str() == text).unwrap_or(Self::Unknown)
    }
}

/// The id of a link, a key, an account, a session or a dead letter, as text: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectId(Box<str>);

/// The text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a link, a key, an account, a session or a dead letter")]
pub struct InvalidObjectId;

impl ObjectId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectId {
    type Err = InvalidObjectId;

    fn from_str(text: &str) -> Result<Self, InvalidObjectId> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into())).ok_or(InvalidObjectId)
    }
}

macro_rules! objects {
    ($($kind:path),*) => {$(
        impl From<$kind> for ObjectId {
            fn from(id: $kind) -> Self {
                Self(id.to_string().into())
            }
        }
    )*};
}

objects!(crate::id::LinkId, ApiKeyId, AccountId, SessionId, crate::shortener::DeadLetterId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_survive_their_text_form() {
        for action in Action::ALL {
            assert_eq!(Action::from(action.as_str()), *action);
        }
        assert_eq!(Action::from("link.teleported"), Action::Unknown);
    }
}
