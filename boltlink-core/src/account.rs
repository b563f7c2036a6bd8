//! Accounts that people log in to, and their sessions.

use std::{fmt, str::FromStr};

use email_address::{EmailAddress, Options};

use crate::{
    access::{Actor, Scope, Scopes},
    id::{AccountId, SessionId},
    password::PasswordHash,
    text::ClientName,
    time::Timestamp,
    token::TokenDigest,
};

/// An e-mail address, by which an account is named: in lower case, so that one mailbox has one account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(Box<str>);

/// The text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ada@example.com, of at most 254 bytes")]
pub struct InvalidEmail;

impl Email {
    /// The most bytes it may have, by RFC 3696, erratum 1690.
    pub const MAX: usize = 254;

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    /// Trims white space at both ends.
    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim().to_lowercase();
        // Names before the address, and addresses of machines by their number, are for headers of mails.
        let options = Options::default().without_display_text().without_domain_literal();
        let fits = text.len() <= Self::MAX && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        match EmailAddress::parse_with_options(&text, options) {
            Ok(_) if fits => Ok(Self(text.into())),
            _ => Err(InvalidEmail),
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an account may do at most; its API keys may do less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything, whoever owns it.
    Admin,
    /// All with links, counts and keys of its own.
    Editor,
    /// Seeing links and counts of its own.
    Viewer,
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be admin, editor or viewer")]
pub struct InvalidRole;

impl Role {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Editor, Self::Viewer];

    /// Its name, such as `editor`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// What it is good for.
    #[must_use]
    pub const fn scopes(self) -> Scopes {
        match self {
            Self::Admin => Scopes::ADMIN,
            Self::Editor => Scopes::MEMBER.with(Scope::KeysRead).with(Scope::KeysWrite),
            Self::Viewer => Scopes::only(Scope::LinksRead).with(Scope::AnalyticsRead),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(InvalidRole)
    }
}

/// An account as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Names it for ever; an id that was deleted is never given again.
    pub id: AccountId,
    /// Where its owner is reached.
    pub email: Email,
    /// What it may do.
    pub role: Role,
    /// `None` until somebody has set one, by a [ticket](crate::PasswordTicket).
    pub password: Option<PasswordHash>,
    /// The hash of the ticket's secret by which the password can be set, and the first moment that one works no more.
    pub ticket: Option<(TokenDigest, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it opens nothing.
    pub disabled_at: Option<Timestamp>,
    /// When somebody logged in last.
    pub last_login_at: Option<Timestamp>,
}

/// A session as a store keeps it: what somebody has from logging in until logging out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The public part of its token.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// The hash of its secret.
    pub digest: TokenDigest,
    /// When somebody logged in.
    pub created_at: Timestamp,
    /// About when it was used last, as far as it was written down.
    pub used_at: Timestamp,
    /// The first moment it opens nothing, if it is not used again before.
    pub expires_at: Timestamp,
    /// What it was opened with, as that says itself.
    pub client: Option<ClientName>,
}

impl Session {
    /// For whom the holder of a secret with this hash acts at `now`, in an account that may do this; `None` if it opens
    /// nothing.
    #[must_use]
    pub fn opened_by(&self, digest: &TokenDigest, scopes: Scopes, now: Timestamp) -> Option<Actor> {
        (self.digest == *digest && now < self.expires_at).then(|| Actor::new(self.account, scopes).by_session(self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_however_it_is_typed() {
        assert_eq!(" Ada@Example.COM ".parse::<Email>().unwrap().as_str(), "ada@example.com");
        for wrong in ["", "ada", "ada@", "@example.com", "a b@example.com", "Ada <ada@example.com>", "ada@[127.0.0.1]"]
        {
            assert_eq!(wrong.parse::<Email>(), Err(InvalidEmail), "{wrong}");
        }
        assert!(format!("{}@{}.example", "a".repeat(64), "b".repeat(60)).parse::<Email>().is_ok());
        assert!(format!("a@{}example", "b.".repeat(130)).parse::<Email>().is_err());
    }

    #[test]
    fn no_role_may_more_than_the_one_above_it() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        let [admin, editor, viewer] = Role::ALL.map(Role::scopes);
        assert!(viewer.iter().all(|scope| editor.cover(scope)) && !viewer.cover(Scope::LinksWrite));
        assert!(editor.iter().all(|scope| admin.cover(scope)) && !editor.cover(Scope::Admin));
    }
}
