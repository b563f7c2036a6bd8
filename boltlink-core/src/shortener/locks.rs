//! Passwords of links: what visitors have to know.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Error, Shortener, error::require};
use crate::{
    access::{Actor, Scope},
    pass::Pass,
    password::{LinkPassword, PasswordHash},
    store::IdempotencyKey,
    visit::{Outcome, Visit},
};

/// What became of an attempt to open a link by its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlocked {
    /// The password is right: what becomes of the visit, and what opens the link for the next ones.
    Open(Outcome, Pass),
    /// The password is wrong.
    Wrong,
    /// The link has none.
    Unprotected,
    /// The link redirects nobody, whatever the password: why.
    Closed(Outcome),
}

impl Shortener {
    /// What is to be kept of a link's password, for [`NewLink`](crate::NewLink) and [`LinkEdit`](crate::LinkEdit). Takes
    /// as long as the hash of an account's password, some 20 ms of a core. Repetitions of a creation say the creation's
    /// idempotency key, so that they get the same hash.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if the actor changes no links; [`Error::Unavailable`] if too many passwords are being checked.
    pub async fn hash_link_password(
        &self,
        actor: &Actor,
        password: &LinkPassword,
        once: Option<&IdempotencyKey>,
    ) -> Result<PasswordHash, Error> {
        require(actor, Scope::LinksWrite)?;
        let hasher = &self.0.hasher;
        Ok(match once {
            Some(key) => hasher.hash_with(password.reveal(), self.salt(actor, key)).await?,
            None => hasher.hash(password.reveal(), &*self.0.entropy).await?,
        })
    }

    /// A salt that nobody can know before, for the one password of one request.
    fn salt(&self, actor: &Actor, once: &IdempotencyKey) -> [u8; 16] {
        let mut salt = [0; 16];
        // HMAC takes keys of any length, so this cannot fail.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.derived_key("salts of link passwords")) {
            mac.update(actor.account().as_uuid().as_bytes());
            mac.update(once.as_str().as_bytes());
            salt.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        }
        salt
    }

    /// Follows a link for a visitor who says its password. With the right one it is a [visit](Self::visit) like any, and
    /// counted; with a wrong one nothing happens. How often somebody may try is for the caller to say.
    ///
    /// # Errors
    /// Those of [`visit`](Self::visit); [`Error::Unavailable`] also if too many passwords are being checked.
    pub async fn unlock(&self, visit: &Visit<'_>, password: &str) -> Result<Unlocked, Error> {
        let Some(gate) = self.gate(visit).await? else { return Ok(Unlocked::Closed(Outcome::NotFound)) };
        let visit = Visit { pass: None, ..*visit };
        let outcome = gate.judge(&visit, self.now(), &self.0.pass_key);
        let hash = match (outcome, &gate.password) {
            (Outcome::PasswordRequired, Some(hash)) => hash,
            (Outcome::Redirect(_), _) => return Ok(Unlocked::Unprotected),
            (outcome, _) => return Ok(Unlocked::Closed(outcome)),
        };
        if !self.0.hasher.verify(password, Some(hash)).await? {
            return Ok(Unlocked::Wrong);
        }
        let pass = Pass::issue(&self.0.pass_key, gate.link, hash, self.now());
        let outcome = self.visit(&Visit { pass: Some(pass.reveal()), ..visit }).await?;
        Ok(Unlocked::Open(outcome, pass))
    }
}
