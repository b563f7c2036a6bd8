//! Accounts and sessions.

use std::sync::Arc;

use async_trait::async_trait;
use boltlink_core::{
    Account, AccountId, Clock, Email, PasswordHash, Role, Session, SessionId, StoreError, Timestamp, TokenDigest,
    store::{AccountCursor, AccountStore, Registered, SessionUse},
};
use boltlink_store_sql::account;

use crate::pool::Pool;

pub(crate) struct PostgresAccounts {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl AccountStore for PostgresAccounts {
    async fn insert(&self, account: &Account) -> Result<(), StoreError> {
        let (account, clock) = (account.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (account, changed) = (account.clone(), clock.now());
                Box::pin(async move { account::insert(db, &account, changed).await })
            })
            .await
    }

    async fn set_role(&self, id: AccountId, role: Role) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.pool
            .write(move |db| {
                let changed = clock.now();
                Box::pin(async move { account::set_role(db, id, role, changed).await })
            })
            .await
    }

    async fn set_disabled(&self, id: AccountId, at: Option<Timestamp>) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.pool
            .write(move |db| {
                let changed = clock.now();
                Box::pin(async move { account::set_disabled(db, id, at, changed).await })
            })
            .await
    }

    async fn set_password(
        &self,
        id: AccountId,
        password: &PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<(), StoreError> {
        let (password, clock) = (password.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (password, changed) = (password.clone(), clock.now());
                Box::pin(async move { account::set_password(db, id, &password, keep, changed).await })
            })
            .await
    }

    async fn rehash(&self, id: AccountId, from: &PasswordHash, to: &PasswordHash) -> Result<(), StoreError> {
        let (from, to) = (from.clone(), to.clone());
        self.pool
            .write(move |db| {
                let (from, to) = (from.clone(), to.clone());
                Box::pin(async move { account::rehash(db, id, &from, &to).await })
            })
            .await
    }

    async fn issue_ticket(&self, id: AccountId, ticket: TokenDigest, until: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.pool
            .write(move |db| {
                let changed = clock.now();
                Box::pin(async move { account::issue_ticket(db, id, ticket, until, changed).await })
            })
            .await
    }

    async fn redeem(
        &self,
        id: AccountId,
        ticket: TokenDigest,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (password, clock) = (password.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (password, changed) = (password.clone(), clock.now());
                Box::pin(async move { account::redeem(db, id, ticket, &password, now, changed).await })
            })
            .await
    }

    async fn delete(&self, id: AccountId, at: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.pool
            .write(move |db| {
                let changed = clock.now();
                Box::pin(async move { account::delete(db, id, at, changed).await })
            })
            .await
    }

    async fn open_session(&self, session: &Session, password: &PasswordHash, most: u32) -> Result<bool, StoreError> {
        let (session, password, clock) = (session.clone(), password.clone(), self.clock.clone());
        self.pool
            .write(move |db| {
                let (session, password, changed) = (session.clone(), password.clone(), clock.now());
                Box::pin(async move { account::open_session(db, &session, &password, most, changed).await })
            })
            .await
    }

    async fn end_session(&self, account: AccountId, id: SessionId) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        self.pool
            .write(move |db| {
                let changed = clock.now();
                Box::pin(async move { account::end_session(db, account, id, changed).await })
            })
            .await
    }

    async fn touch(&self, uses: &[SessionUse]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.pool
            .write(move |db| {
                let uses = uses.clone();
                Box::pin(async move { account::touch(db, &uses).await })
            })
            .await
    }

    async fn by_id(&self, id: AccountId) -> Result<Option<Registered>, StoreError> {
        self.pool.read(|| account::by_id(self.pool.connections(), id)).await
    }

    async fn by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        self.pool.read(|| account::by_email(self.pool.connections(), email)).await
    }

    async fn list(&self, after: Option<AccountCursor>, limit: u32) -> Result<Vec<Account>, StoreError> {
        self.pool.read(|| account::list(self.pool.connections(), after, limit)).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.pool.read(|| account::session(self.pool.connections(), id)).await
    }

    async fn sessions(&self, account: AccountId) -> Result<Vec<Session>, StoreError> {
        self.pool.read(|| account::sessions(self.pool.connections(), account)).await
    }
}
