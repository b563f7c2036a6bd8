//! Where accounts and sessions live.

use async_trait::async_trait;

use crate::{
    account::{Account, Email, Role, Session},
    error::StoreError,
    id::{AccountId, SessionId},
    password::PasswordHash,
    time::Timestamp,
    token::TokenDigest,
};

/// A place in the list of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountCursor {
    /// When the last account before it was made.
    pub at: Timestamp,
    /// Which it is.
    pub id: AccountId,
}

impl AccountCursor {
    /// The place after this account.
    #[must_use]
    pub const fn of(account: &Account) -> Self {
        Self { at: account.created_at, id: account.id }
    }
}

/// What a store has of an account's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// An account.
    Account(Account),
    /// One that was deleted: what still says that it is of this account opens nothing.
    Deleted,
}

/// A use of a session, which prolongs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionUse {
    /// Which.
    pub id: SessionId,
    /// When.
    pub at: Timestamp,
    /// When it expires by that.
    pub expires_at: Timestamp,
}

/// Keeps accounts and sessions (the hashes of their secrets).
///
/// # Contract
/// Every write but [`touch`](Self::touch) and [`rehash`](Self::rehash) also writes, in the same transaction,
/// [`Change::Account`](crate::store::Change::Account) of its account, and
/// [`Change::Session`](crate::store::Change::Session) of each session that it ends. Writes on one account take effect one
/// after the other. Those that answer with `()`, but `rehash`, refuse an account that does not exist, or was deleted, as
/// [`StoreError::NotFound`].
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Stores an account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its id or its e-mail address exists.
    async fn insert(&self, account: &Account) -> Result<(), StoreError>;

    /// What there is of this id; `None` if it never was an account that people log in to.
    async fn by_id(&self, id: AccountId) -> Result<Option<Registered>, StoreError>;

    /// The account of this address.
    async fn by_email(&self, email: &Email) -> Result<Option<Account>, StoreError>;

    /// Up to `limit` accounts after a place, oldest first and by id among equals. Deleted ones are left out.
    async fn list(&self, after: Option<AccountCursor>, limit: u32) -> Result<Vec<Account>, StoreError>;

    /// Gives an account a role.
    async fn set_role(&self, id: AccountId, role: Role) -> Result<(), StoreError>;

    /// Disables an account as of `at`, unless it is already, and ends its sessions; or enables it.
    async fn set_disabled(&self, id: AccountId, at: Option<Timestamp>) -> Result<(), StoreError>;

    /// Sets the password, takes the ticket away and ends all sessions but `keep`.
    async fn set_password(
        &self,
        id: AccountId,
        password: &PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<(), StoreError>;

    /// Replaces `from` by another hash of the same password, if the account still has it; else does nothing.
    async fn rehash(&self, id: AccountId, from: &PasswordHash, to: &PasswordHash) -> Result<(), StoreError>;

    /// Lets whoever has the secret of this hash set the password before `until`; a ticket given before is worth nothing
    /// any more.
    async fn issue_ticket(&self, id: AccountId, ticket: TokenDigest, until: Timestamp) -> Result<(), StoreError>;

    /// Does as [`set_password`](Self::set_password) does, if the account has this ticket, which is good before its end,
    /// and is not disabled; says whether it did. Of parallel calls exactly one does.
    async fn redeem(
        &self,
        id: AccountId,
        ticket: TokenDigest,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Deletes an account: forgets all of it but its id, ends its sessions and revokes its API keys as of `at`. For these
    /// no change is written, as that of the account says enough.
    async fn delete(&self, id: AccountId, at: Timestamp) -> Result<(), StoreError>;

    /// Stores a session and notes the login, if its account is not disabled and still has this password; says whether it
    /// did. Drops sessions of the account that have expired, and the least used of those beyond `most`.
    async fn open_session(&self, session: &Session, password: &PasswordHash, most: u32) -> Result<bool, StoreError>;

    /// The session of this id, expired or not.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// The sessions of an account, expired ones too, oldest first and by id among equals.
    async fn sessions(&self, account: AccountId) -> Result<Vec<Session>, StoreError>;

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the account has none of this id.
    async fn end_session(&self, account: AccountId, id: SessionId) -> Result<(), StoreError>;

    /// Notes when sessions were used, unless a later use is noted already. Unknown ones are passed over.
    async fn touch(&self, uses: &[SessionUse]) -> Result<(), StoreError>;
}
