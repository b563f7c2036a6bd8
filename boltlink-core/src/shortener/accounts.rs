//! Accounts that people log in to: who makes them, changes them, deletes them.

use std::time::Duration;

use tracing::instrument;

use super::{
    Caches, Error, Shortener,
    audit::{deed, detail},
    cache::Weigh,
    error::require_all,
};
use crate::{
    access::{Actor, Scopes},
    account::{Account, Email, Role},
    audit::{Action, Author},
    error::StoreError,
    id::{AccountId, LinkId},
    password::Password,
    random::EntropyExt,
    store::{AccountCursor, LinkFilter, LinkOrder, Registered},
    token::PasswordTicket,
};

/// How long a [`PasswordTicket`] is good for.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How many links are read at once to be deleted.
const PAGE: u32 = 500;

/// A page of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountListing {
    /// The accounts, oldest first.
    pub accounts: Vec<Account>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<AccountCursor>,
}

/// What becomes of the links of an account that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// They go on working; from now on only admins see and change them.
    Keep,
    /// They are deleted too.
    Delete,
}

/// What an account may do: what a cache keeps of it. Nothing of one that is disabled or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing(Option<Scopes>);

impl Standing {
    /// The actor within what the account may do; `None` if nothing is left.
    pub(super) fn limit(self, actor: Actor) -> Option<Actor> {
        actor.limited_to(self.0?)
    }

    pub(super) const fn scopes(self) -> Option<Scopes> {
        self.0
    }
}

impl From<Registered> for Standing {
    fn from(registered: Registered) -> Self {
        match registered {
            Registered::Account(account) if account.disabled_at.is_none() => Self(Some(account.role.scopes())),
            Registered::Account(_) | Registered::Deleted => Self(None),
        }
    }
}

impl Weigh for Standing {
    fn weight(&self) -> u64 {
        0
    }
}

impl Shortener {
    /// What an account may do; `None` of one that nobody can log in to, such as the operator's: there only keys say. Of
    /// one that was asked for before it costs no store call.
    pub(super) async fn standing(&self, id: AccountId) -> Result<Option<Standing>, StoreError> {
        if id == AccountId::OPERATOR {
            return Ok(None);
        }
        let load = || {
            let accounts = self.0.stores.accounts.clone();
            async move { Ok(accounts.by_id(id).await?.map(Standing::from)) }
        };
        self.0.caches.accounts.get_or_load(&id, load).await
    }

    /// Makes an editor's account for whoever comes. Whether anybody may come is for the caller to say.
    ///
    /// # Errors
    /// [`Error::EmailTaken`]; [`Error::Busy`] if too many passwords are being checked; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn register(&self, email: Email, password: &Password) -> Result<Account, Error> {
        let hash = self.0.hasher.hash(password.reveal(), &*self.0.entropy).await?;
        let account = Account { password: Some(hash), ..self.describe_account(email, Role::Editor) };
        self.insert_account(&account, Author::of(account.id), Action::AccountRegistered).await?;
        Ok(account)
    }

    /// Makes an account with a password.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::EmailTaken`]; [`Error::Busy`] if too many passwords are being checked; if the store
    /// fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn add_account(
        &self,
        actor: &Actor,
        email: Email,
        role: Role,
        password: &Password,
    ) -> Result<Account, Error> {
        require_all(actor)?;
        let hash = self.0.hasher.hash(password.reveal(), &*self.0.entropy).await?;
        let account = Account { password: Some(hash), ..self.describe_account(email, role) };
        self.insert_account(&account, actor.into(), Action::AccountInvited).await?;
        Ok(account)
    }

    /// Makes an account without a password, and the ticket by which one is set within [`TICKET_LIFETIME`].
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::EmailTaken`]; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn invite(&self, actor: &Actor, email: Email, role: Role) -> Result<(Account, PasswordTicket), Error> {
        require_all(actor)?;
        let account = self.describe_account(email, role);
        let ticket = PasswordTicket::generate(account.id, &*self.0.entropy);
        let until = self.now().plus(TICKET_LIFETIME);
        let account = Account { ticket: Some((ticket.digest(), until)), ..account };
        self.insert_account(&account, actor.into(), Action::AccountInvited).await?;
        Ok((account, ticket))
    }

    fn describe_account(&self, email: Email, role: Role) -> Account {
        let now = self.now();
        Account {
            id: self.0.entropy.account_id(now),
            email,
            role,
            password: None,
            ticket: None,
            created_at: now,
            disabled_at: None,
            last_login_at: None,
        }
    }

    async fn insert_account(&self, account: &Account, author: Author, action: Action) -> Result<(), Error> {
        let (accounts, new) = (self.0.stores.accounts.clone(), account.clone());
        let deed = deed(action, account.id, detail(account.role));
        let id = account.id;
        // It is new: there are no sessions to forget.
        let forget = move |caches: &Caches| caches.accounts.evict(&id);
        self.audited(author, deed, forget, async move { accounts.insert(&new).await }).await
    }

    /// Up to `limit` accounts, oldest first, after `after`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; if the store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn list_accounts(
        &self,
        actor: &Actor,
        after: Option<AccountCursor>,
        limit: u32,
    ) -> Result<AccountListing, Error> {
        require_all(actor)?;
        // One more than asked for tells whether there is a next page.
        let mut accounts = self.0.within(self.0.stores.accounts.list(after, limit.saturating_add(1))).await?;
        let mut next = None;
        if accounts.len() > limit as usize {
            accounts.truncate(limit as usize);
            next = accounts.last().map(AccountCursor::of);
        }
        Ok(AccountListing { accounts, next })
    }

    /// An account.
    ///
    /// # Errors
    /// [`Error::Forbidden`], but of one's own; [`Error::NotFound`].
    #[instrument(level = "debug", skip_all)]
    pub async fn find_account(&self, actor: &Actor, id: AccountId) -> Result<Account, Error> {
        if id != actor.account() {
            require_all(actor)?;
        }
        match self.0.within(self.0.stores.accounts.by_id(id)).await? {
            Some(Registered::Account(account)) => Ok(account),
            _ => Err(Error::NotFound { what: "account" }),
        }
    }

    /// The account of this address.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    #[instrument(level = "debug", skip_all)]
    pub async fn find_email(&self, actor: &Actor, email: &Email) -> Result<Account, Error> {
        require_all(actor)?;
        self.0.within(self.0.stores.accounts.by_email(email)).await?.ok_or(Error::NotFound { what: "account" })
    }

    /// Gives an account a role, or disables it, which ends its sessions, or enables it. `None` leaves what is. Its API
    /// keys can do no more than it can, on other processes within a second.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    #[instrument(level = "debug", skip_all)]
    pub async fn edit_account(
        &self,
        actor: &Actor,
        id: AccountId,
        role: Option<Role>,
        disabled: Option<bool>,
    ) -> Result<Account, Error> {
        require_all(actor)?;
        if let Some(role) = role {
            let accounts = self.0.stores.accounts.clone();
            let deed = deed(Action::AccountEdited, id, detail(role));
            self.audited(actor, deed, forget(id), async move { accounts.set_role(id, role).await }).await?;
        }
        if let Some(disabled) = disabled {
            let (accounts, at) = (self.0.stores.accounts.clone(), disabled.then(|| self.now()));
            let deed = deed(Action::AccountEdited, id, detail(if disabled { "disabled" } else { "enabled" }));
            self.audited(actor, deed, forget(id), async move { accounts.set_disabled(id, at).await }).await?;
        }
        self.find_account(actor, id).await
    }

    /// Makes a ticket by which somebody can set the password of an account within [`TICKET_LIFETIME`]. One made before is
    /// worth nothing any more; the password stays until then.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    #[instrument(level = "debug", skip_all)]
    pub async fn reset_password(&self, actor: &Actor, id: AccountId) -> Result<PasswordTicket, Error> {
        require_all(actor)?;
        let ticket = PasswordTicket::generate(id, &*self.0.entropy);
        let until = self.now().plus(TICKET_LIFETIME);
        let (accounts, digest) = (self.0.stores.accounts.clone(), ticket.digest());
        let call = async move { accounts.issue_ticket(id, digest, until).await };
        self.audited(actor, deed(Action::AccountTicket, id, None), |_| {}, call).await?;
        Ok(ticket)
    }

    /// Deletes an account, for good: ends its sessions, revokes its API keys, and does with its links as `orphans` says.
    /// If it fails on the way, calling it again goes on.
    ///
    /// # Errors
    /// [`Error::Forbidden`], but of one's own when logged in; [`Error::NotFound`]; if a store fails.
    #[instrument(level = "debug", skip_all)]
    pub async fn delete_account(&self, actor: &Actor, id: AccountId, orphans: Orphans) -> Result<(), Error> {
        if actor.session().is_none() || id != actor.account() {
            require_all(actor)?;
        }
        self.find_account(&Actor::OPERATOR, id).await?;
        // On behalf of whoever asks, though perhaps without the scopes for it.
        let deleter = actor.clone().with_scopes(Scopes::ADMIN);
        if orphans == Orphans::Delete {
            self.delete_links_of(id, &deleter).await?;
        }
        let (accounts, now) = (self.0.stores.accounts.clone(), self.now());
        let call = async move { accounts.delete(id, now).await };
        self.audited(actor, deed(Action::AccountDeleted, id, None), forget(id), call).await?;
        if orphans == Orphans::Delete {
            // What was made meanwhile.
            self.delete_links_of(id, &deleter).await?;
        }
        Ok(())
    }

    async fn delete_links_of(&self, owner: AccountId, deleter: &Actor) -> Result<(), Error> {
        loop {
            let filter = LinkFilter { owner: Some(owner), ..LinkFilter::default() };
            let links = self.0.stores.links.list(&filter, LinkOrder::default(), None, PAGE);
            let ids: Vec<LinkId> = self.0.within(links).await?.iter().map(|link| link.link.id).collect();
            if ids.is_empty() {
                return Ok(());
            }
            for id in ids {
                match self.delete(deleter, id, None).await {
                    // Somebody else was quicker.
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Drops what the caches have of an account, without waiting for the change log. Which of the sessions were its own only
/// the store knows.
pub(super) fn forget(id: AccountId) -> impl FnOnce(&Caches) + Send + 'static {
    move |caches| {
        caches.accounts.evict(&id);
        caches.sessions.clear();
    }
}
