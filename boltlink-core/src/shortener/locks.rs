//! Passwords of links: what visitors have to know.

use tracing::instrument;

use super::{Error, Shortener, error::require};
use crate::{
    access::{Actor, Scope},
    pass::Pass,
    password::{LinkPassword, PasswordHash},
    random::EntropyExt,
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
    /// [`Error::Forbidden`] if the actor changes no links; [`Error::Busy`] if too many passwords are being checked.
    #[instrument(level = "debug", skip_all)]
    pub async fn hash_link_password(
        &self,
        actor: &Actor,
        password: &LinkPassword,
        once: Option<&IdempotencyKey>,
    ) -> Result<PasswordHash, Error> {
        require(actor, Scope::LinksWrite)?;
        let salt = once.map_or_else(|| self.0.entropy.bytes(), |key| self.salt(actor, key));
        self.0.hasher.hash_for_link(password.reveal(), salt).await
    }

    /// A salt that nobody can know before, for the one password of one request.
    fn salt(&self, actor: &Actor, once: &IdempotencyKey) -> [u8; 16] {
        let key = self.derived_key("salts of link passwords");
        let tag = key.tag(&[actor.account().as_uuid().as_bytes(), once.as_str().as_bytes()]);
        let mut salt = [0; 16];
        salt.copy_from_slice(&tag[..16]);
        salt
    }

    /// Follows a link for a visitor who says its password. With the right one it is a [visit](Self::visit) like any, and
    /// counted; with a wrong one nothing happens. How often somebody may try is for the caller to say.
    ///
    /// # Errors
    /// Those of [`visit`](Self::visit); [`Error::Busy`] if too many passwords are being checked.
    #[instrument(level = "debug", skip_all)]
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
