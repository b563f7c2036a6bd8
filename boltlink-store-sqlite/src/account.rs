//! Accounts and sessions.

use std::sync::Arc;

use async_trait::async_trait;
use boltlink_core::{
    Account, AccountId, Clock, Email, PasswordHash, Role, Session, SessionId, StoreError, Timestamp, TokenDigest,
    store::{AccountCursor, AccountStore, Registered, SessionUse},
};
use boltlink_store_sql::account;
use sea_orm::{DatabaseConnection, DatabaseTransaction};

use crate::{
    error::answer,
    queue::Priority,
    writer::{Work, Writer},
};

pub(crate) struct SqliteAccounts {
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SqliteAccounts {
    /// Does `work`, which is told the time when it is its turn.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a DatabaseTransaction, Timestamp) -> Work<'a, T> + Send + 'static,
    {
        let clock = self.clock.clone();
        self.writer.write(Priority::Api, move |db| work(db, clock.now())).await
    }
}

#[async_trait]
impl AccountStore for SqliteAccounts {
    async fn insert(&self, account: &Account) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(move |db, changed| Box::pin(async move { account::insert(db, &account, changed).await })).await
    }

    async fn set_role(&self, id: AccountId, role: Role) -> Result<(), StoreError> {
        self.write(move |db, changed| Box::pin(async move { account::set_role(db, id, role, changed).await })).await
    }

    async fn set_disabled(&self, id: AccountId, at: Option<Timestamp>) -> Result<(), StoreError> {
        self.write(move |db, changed| Box::pin(async move { account::set_disabled(db, id, at, changed).await })).await
    }

    async fn set_password(
        &self,
        id: AccountId,
        password: &PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<(), StoreError> {
        let password = password.clone();
        self.write(move |db, changed| {
            Box::pin(async move { account::set_password(db, id, &password, keep, changed).await })
        })
        .await
    }

    async fn rehash(&self, id: AccountId, from: &PasswordHash, to: &PasswordHash) -> Result<(), StoreError> {
        let from = from.clone();
        let to = to.clone();
        self.write(move |db, _| Box::pin(async move { account::rehash(db, id, &from, &to).await })).await
    }

    async fn issue_ticket(&self, id: AccountId, ticket: TokenDigest, until: Timestamp) -> Result<(), StoreError> {
        self.write(move |db, changed| {
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
        let password = password.clone();
        self.write(move |db, changed| {
            Box::pin(async move { account::redeem(db, id, ticket, &password, now, changed).await })
        })
        .await
    }

    async fn delete(&self, id: AccountId, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |db, changed| Box::pin(async move { account::delete(db, id, at, changed).await })).await
    }

    async fn open_session(&self, session: &Session, password: &PasswordHash, most: u32) -> Result<bool, StoreError> {
        let session = session.clone();
        let password = password.clone();
        self.write(move |db, changed| {
            Box::pin(async move { account::open_session(db, &session, &password, most, changed).await })
        })
        .await
    }

    async fn end_session(&self, account: AccountId, id: SessionId) -> Result<(), StoreError> {
        self.write(move |db, changed| Box::pin(async move { account::end_session(db, account, id, changed).await }))
            .await
    }

    async fn touch(&self, uses: &[SessionUse]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.write(move |db, _| Box::pin(async move { account::touch(db, &uses).await })).await
    }

    async fn by_id(&self, id: AccountId) -> Result<Option<Registered>, StoreError> {
        account::by_id(&self.readers, id).await.map_err(answer)
    }

    async fn by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        account::by_email(&self.readers, email).await.map_err(answer)
    }

    async fn list(&self, after: Option<AccountCursor>, limit: u32) -> Result<Vec<Account>, StoreError> {
        account::list(&self.readers, after, limit).await.map_err(answer)
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        account::session(&self.readers, id).await.map_err(answer)
    }

    async fn sessions(&self, account: AccountId) -> Result<Vec<Session>, StoreError> {
        account::sessions(&self.readers, account).await.map_err(answer)
    }
}
