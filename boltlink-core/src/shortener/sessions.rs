//! Logging in and out, and passwords.

use std::sync::Arc;

use tracing::instrument;

use super::{
    AuthError, Caches, Error, Shortener,
    accounts::forget,
    audit::{deed, detail, if_so},
    cache::Weigh,
};
use crate::{
    access::Actor,
    account::{Account, Email, Session},
    audit::{Action, Author},
    id::SessionId,
    password::{Password, PasswordHash},
    random::EntropyExt,
    store::{Change, Registered},
    text::ClientName,
    token::{PasswordTicket, SessionToken},
};

/// How many sessions an account may have; the least used one makes room for another.
const MOST: u32 = 100;

/// What somebody has who logged in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The account.
    pub account: Account,
    /// The session.
    pub session: Session,
    /// What opens it: told here and never again.
    pub token: SessionToken,
}

impl Weigh for Arc<Session> {
    fn weight(&self) -> u64 {
        (size_of::<Session>() + self.client.as_ref().map_or(0, |client| client.as_str().len())) as u64
    }
}

impl Shortener {
    /// Opens a session for whoever knows the password of the account. Takes as long whether there is such an account or
    /// not. What comes too often is for the caller to send away.
    ///
    /// # Errors
    /// [`Error::Credentials`], whatever is wrong; [`Error::Busy`] if too many passwords are being checked; if the store
    /// fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn login(&self, email: &Email, password: &str, client: Option<ClientName>) -> Result<Login, Error> {
        let account = self.0.within(self.0.stores.accounts.by_email(email)).await?;
        let hash = account.as_ref().filter(|account| account.disabled_at.is_none()).and_then(|a| a.password.clone());
        let right = self.0.hasher.verify(password, hash.as_ref()).await?;
        let (Some(account), Some(hash), true) = (account, hash, right) else { return Err(Error::Credentials) };
        let hash = self.renew(&account, password, hash).await;
        let now = self.now();
        let token = SessionToken::generate(self.0.entropy.session_id(now), &*self.0.entropy);
        let session = Session {
            id: token.id(),
            account: account.id,
            digest: token.digest(),
            created_at: now,
            used_at: now,
            expires_at: now.plus(self.0.session_lifetime),
            client,
        };
        let (accounts, new) = (self.0.stores.accounts.clone(), session.clone());
        let deed = deed(Action::SessionOpened, session.id, None);
        let call = async move { accounts.open_session(&new, &hash, MOST).await };
        // Disabled, deleted or with another password by now.
        let deeds = |done: Option<&bool>| if_so(done, deed);
        if !self.audited_as(Author::of(account.id), (1, deeds), |_| {}, call).await? {
            return Err(Error::Credentials);
        }
        Ok(Login { account: Account { last_login_at: Some(now), ..account }, session, token })
    }

    /// Hashes a password anew if hashes cost something else now; the hash that the account has then, as far as is known.
    async fn renew(&self, account: &Account, password: &str, hash: PasswordHash) -> PasswordHash {
        if !self.0.hasher.is_outdated(&hash) {
            return hash;
        }
        let renew = async {
            let new = self.0.hasher.hash(password, &*self.0.entropy).await?;
            self.0.within(self.0.stores.accounts.rehash(account.id, &hash, &new)).await?;
            Ok::<_, Error>(new)
        };
        // The old one is as good for this login.
        renew.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a password could not be hashed anew");
            hash
        })
    }

    /// Whom a session's token stands for.
    pub(super) async fn authenticate_session(&self, token: &SessionToken) -> Result<Actor, AuthError> {
        let (id, now) = (token.id(), self.now());
        let mut session = self.load_session(id).await?.ok_or(AuthError::Rejected)?;
        if session.expires_at <= now {
            // Other processes may have prolonged it since it was read.
            self.0.caches.sessions.evict(&id);
            session = self.load_session(id).await?.ok_or(AuthError::Rejected)?;
        }
        let standing = self.standing(session.account).await.map_err(AuthError::Store)?;
        let scopes = standing.and_then(|standing| standing.scopes()).ok_or(AuthError::Rejected)?;
        let actor = session.opened_by(&token.digest(), scopes, now).ok_or(AuthError::Rejected)?;
        self.0.used.note_session(id, now, now.plus(self.0.session_lifetime));
        Ok(actor)
    }

    async fn load_session(&self, id: SessionId) -> Result<Option<Arc<Session>>, AuthError> {
        let load = || {
            let accounts = self.0.stores.accounts.clone();
            async move { Ok(accounts.session(id).await?.map(Arc::new)) }
        };
        self.0.caches.sessions.get_or_load(&id, load).await.map_err(AuthError::Store)
    }

    /// The sessions of the actor's account that are open, oldest first.
    ///
    /// # Errors
    /// [`Error::NoSession`] if the actor did not log in; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn list_sessions(&self, actor: &Actor) -> Result<Vec<Session>, Error> {
        own_session(actor)?;
        let mut sessions = self.0.within(self.0.stores.accounts.sessions(actor.account())).await?;
        let now = self.now();
        sessions.retain(|session| now < session.expires_at);
        Ok(sessions)
    }

    /// Ends a session of the actor's account: here at once, on other processes within a second.
    ///
    /// # Errors
    /// [`Error::NoSession`] if the actor did not log in; [`Error::NotFound`].
    #[instrument(level = "debug", skip_all)]
    pub async fn end_session(&self, actor: &Actor, id: SessionId) -> Result<(), Error> {
        own_session(actor)?;
        let (accounts, account) = (self.0.stores.accounts.clone(), actor.account());
        let call = async move { accounts.end_session(account, id).await };
        let forget = move |caches: &Caches| caches.evict(Change::Session(id));
        self.audited(actor, deed(Action::SessionEnded, id, None), forget, call).await
    }

    /// Ends the session that the actor came by.
    ///
    /// # Errors
    /// As [`end_session`](Self::end_session).
    #[instrument(level = "debug", skip_all)]
    pub async fn logout(&self, actor: &Actor) -> Result<(), Error> {
        self.end_session(actor, own_session(actor)?).await
    }

    /// Changes the password of the actor's account, and ends all its other sessions.
    ///
    /// # Errors
    /// [`Error::NoSession`] if the actor did not log in; [`Error::Credentials`] if `current` is not the password;
    /// [`Error::Busy`] if too many passwords are being checked; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn change_password(&self, actor: &Actor, current: &str, new: &Password) -> Result<(), Error> {
        let keep = own_session(actor)?;
        self.confirm_password(actor, current).await?;
        let hash = self.0.hasher.hash(new.reveal(), &*self.0.entropy).await?;
        let (accounts, account) = (self.0.stores.accounts.clone(), actor.account());
        let call = async move { accounts.set_password(account, &hash, Some(keep)).await };
        self.audited(actor, deed(Action::AccountPassword, account, None), forget(account), call).await
    }

    /// Makes sure that it is the account's owner who asks.
    ///
    /// # Errors
    /// As [`change_password`](Self::change_password).
    #[instrument(level = "debug", skip_all)]
    pub async fn confirm_password(&self, actor: &Actor, password: &str) -> Result<(), Error> {
        own_session(actor)?;
        let hash = match self.0.within(self.0.stores.accounts.by_id(actor.account())).await? {
            Some(Registered::Account(account)) => account.password,
            _ => None,
        };
        if self.0.hasher.verify(password, hash.as_ref()).await? { Ok(()) } else { Err(Error::Credentials) }
    }

    /// Sets the password of the account that the ticket is for, which is worth nothing any more then, and ends all its
    /// sessions.
    ///
    /// # Errors
    /// [`Error::Ticket`]; [`Error::Busy`] if too many passwords are being checked; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn redeem_ticket(&self, ticket: &PasswordTicket, new: &Password) -> Result<(), Error> {
        self.find_ticket(ticket).await?;
        let hash = self.0.hasher.hash(new.reveal(), &*self.0.entropy).await?;
        let (accounts, account, digest, now) =
            (self.0.stores.accounts.clone(), ticket.id(), ticket.digest(), self.now());
        let deed = deed(Action::AccountPassword, account, detail("by a ticket"));
        let call = async move { accounts.redeem(account, digest, &hash, now).await };
        let deeds = |done: Option<&bool>| if_so(done, deed);
        let redeemed = self.audited_as(Author::of(account), (1, deeds), forget(account), call).await?;
        if redeemed { Ok(()) } else { Err(Error::Ticket) }
    }

    /// The account whose password the ticket lets its holder set.
    ///
    /// # Errors
    /// [`Error::Ticket`] if it does not; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn find_ticket(&self, ticket: &PasswordTicket) -> Result<Account, Error> {
        let Some(Registered::Account(account)) = self.0.within(self.0.stores.accounts.by_id(ticket.id())).await? else {
            return Err(Error::Ticket);
        };
        let good = account.ticket.is_some_and(|(digest, until)| digest == ticket.digest() && self.now() < until);
        if good && account.disabled_at.is_none() { Ok(account) } else { Err(Error::Ticket) }
    }
}

/// Refuses an actor who did not log in: an API key is for programs, and must not change how people log in.
fn own_session(actor: &Actor) -> Result<SessionId, Error> {
    actor.session().ok_or(Error::NoSession)
}
