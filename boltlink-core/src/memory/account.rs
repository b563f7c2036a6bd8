//! Accounts and sessions.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::RwLockWriteGuard;

use super::{Database, Tables};
use crate::{
    account::{Account, Email, Role, Session},
    error::StoreError,
    id::{AccountId, SessionId},
    password::PasswordHash,
    store::{AccountCursor, AccountStore, Change, Registered, SessionUse},
    time::Timestamp,
    token::TokenDigest,
};

/// Accounts and sessions in this process's memory.
#[derive(Debug, Clone)]
pub struct MemoryAccounts(pub(super) Arc<Database>);

#[derive(Debug, Default)]
pub(super) struct AccountTable {
    accounts: HashMap<AccountId, Registered>,
    sessions: HashMap<SessionId, Session>,
}

impl AccountTable {
    fn live(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter_map(|registered| match registered {
            Registered::Account(account) => Some(account),
            Registered::Deleted => None,
        })
    }

    fn find(&mut self, id: AccountId) -> Result<&mut Account, StoreError> {
        match self.accounts.get_mut(&id) {
            Some(Registered::Account(account)) => Ok(account),
            _ => Err(StoreError::NotFound { what: "account" }),
        }
    }

    /// Ends the sessions of an account of which `ends` says so.
    fn end(&mut self, account: AccountId, ends: impl Fn(&Session) -> bool) -> Vec<Change> {
        let ended = self.sessions.extract_if(|_, session| session.account == account && ends(session));
        ended.map(|(id, _)| Change::Session(id)).collect()
    }
}

impl MemoryAccounts {
    /// Changes what `change` changes, notes it, and what else has changed with it.
    fn edit<T>(
        &self,
        id: AccountId,
        change: impl FnOnce(&mut Tables) -> Result<(T, Vec<Change>), StoreError>,
    ) -> Result<T, StoreError> {
        let mut tables: RwLockWriteGuard<'_, Tables> = self.0.tables.write();
        let (done, also) = change(&mut tables)?;
        let now = self.0.clock.now();
        for change in std::iter::once(Change::Account(id)).chain(also) {
            tables.changes.push(now, change);
        }
        Ok(done)
    }
}

#[async_trait]
impl AccountStore for MemoryAccounts {
    async fn insert(&self, account: &Account) -> Result<(), StoreError> {
        self.edit(account.id, |tables| {
            let table = &mut tables.accounts;
            if table.live().any(|other| other.email == account.email) {
                return Err(StoreError::Conflict { what: "e-mail address" });
            }
            if table.accounts.contains_key(&account.id) {
                return Err(StoreError::Conflict { what: "account" });
            }
            table.accounts.insert(account.id, Registered::Account(account.clone()));
            Ok(((), Vec::new()))
        })
    }

    async fn by_id(&self, id: AccountId) -> Result<Option<Registered>, StoreError> {
        Ok(self.0.tables.read().accounts.accounts.get(&id).cloned())
    }

    async fn by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        Ok(self.0.tables.read().accounts.live().find(|account| account.email == *email).cloned())
    }

    async fn list(&self, after: Option<AccountCursor>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let tables = self.0.tables.read();
        let wanted =
            tables.accounts.live().filter(|account| after.is_none_or(|after| AccountCursor::of(account) > after));
        let mut accounts: Vec<_> = wanted.cloned().collect();
        accounts.sort_by_key(AccountCursor::of);
        accounts.truncate(limit as usize);
        Ok(accounts)
    }

    async fn set_role(&self, id: AccountId, role: Role) -> Result<(), StoreError> {
        self.edit(id, |tables| {
            tables.accounts.find(id)?.role = role;
            Ok(((), Vec::new()))
        })
    }

    async fn set_disabled(&self, id: AccountId, at: Option<Timestamp>) -> Result<(), StoreError> {
        self.edit(id, |tables| {
            let account = tables.accounts.find(id)?;
            account.disabled_at = at.map(|at| account.disabled_at.unwrap_or(at));
            Ok(((), tables.accounts.end(id, |_| at.is_some())))
        })
    }

    async fn set_password(
        &self,
        id: AccountId,
        password: &PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<(), StoreError> {
        self.edit(id, |tables| {
            let account = tables.accounts.find(id)?;
            (account.password, account.ticket) = (Some(password.clone()), None);
            Ok(((), tables.accounts.end(id, |session| Some(session.id) != keep)))
        })
    }

    async fn rehash(&self, id: AccountId, from: &PasswordHash, to: &PasswordHash) -> Result<(), StoreError> {
        let mut tables = self.0.tables.write();
        if let Ok(account) = tables.accounts.find(id)
            && account.password.as_ref() == Some(from)
        {
            account.password = Some(to.clone());
        }
        Ok(())
    }

    async fn issue_ticket(&self, id: AccountId, ticket: TokenDigest, until: Timestamp) -> Result<(), StoreError> {
        self.edit(id, |tables| {
            tables.accounts.find(id)?.ticket = Some((ticket, until));
            Ok(((), Vec::new()))
        })
    }

    async fn redeem(
        &self,
        id: AccountId,
        ticket: TokenDigest,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.edit(id, |tables| {
            let Ok(account) = tables.accounts.find(id) else { return Ok((false, Vec::new())) };
            let good = account.ticket.is_some_and(|(digest, until)| digest == ticket && now < until);
            if !good || account.disabled_at.is_some() {
                return Ok((false, Vec::new()));
            }
            (account.password, account.ticket) = (Some(password.clone()), None);
            Ok((true, tables.accounts.end(id, |_| true)))
        })
    }

    async fn delete(&self, id: AccountId, at: Timestamp) -> Result<(), StoreError> {
        self.edit(id, |tables| {
            tables.accounts.find(id)?;
            tables.accounts.accounts.insert(id, Registered::Deleted);
            tables.keys.revoke_all(id, at);
            Ok(((), tables.accounts.end(id, |_| true)))
        })
    }

    async fn open_session(&self, session: &Session, password: &PasswordHash, most: u32) -> Result<bool, StoreError> {
        let id = session.account;
        self.edit(id, |tables| {
            let Ok(account) = tables.accounts.find(id) else { return Ok((false, Vec::new())) };
            if account.disabled_at.is_some() || account.password.as_ref() != Some(password) {
                return Ok((false, Vec::new()));
            }
            account.last_login_at = Some(session.created_at);
            let table = &mut tables.accounts;
            let mut changes = table.end(id, |other| other.expires_at <= session.created_at);
            let mut kept: Vec<_> = table
                .sessions
                .values()
                .filter(|other| other.account == id)
                .map(|other| (other.used_at, other.id))
                .collect();
            kept.sort_unstable();
            let surplus = (kept.len() + 1).saturating_sub(most as usize);
            let surplus: Vec<_> = kept.into_iter().take(surplus).map(|(_, id)| id).collect();
            changes.extend(table.end(id, |other| surplus.contains(&other.id)));
            table.sessions.insert(session.id, session.clone());
            Ok((true, changes))
        })
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.0.tables.read().accounts.sessions.get(&id).cloned())
    }

    async fn sessions(&self, account: AccountId) -> Result<Vec<Session>, StoreError> {
        let tables = self.0.tables.read();
        let own = tables.accounts.sessions.values().filter(|session| session.account == account);
        let mut sessions: Vec<_> = own.cloned().collect();
        sessions.sort_by_key(|session| (session.created_at, session.id));
        Ok(sessions)
    }

    async fn end_session(&self, account: AccountId, id: SessionId) -> Result<(), StoreError> {
        self.edit(account, |tables| {
            let ended = tables.accounts.end(account, |session| session.id == id);
            if ended.is_empty() { Err(StoreError::NotFound { what: "session" }) } else { Ok(((), ended)) }
        })
    }

    async fn touch(&self, uses: &[SessionUse]) -> Result<(), StoreError> {
        let mut tables = self.0.tables.write();
        for SessionUse { id, at, expires_at } in uses {
            if let Some(session) = tables.accounts.sessions.get_mut(id).filter(|session| session.used_at < *at) {
                (session.used_at, session.expires_at) = (*at, *expires_at);
            }
        }
        Ok(())
    }
}
