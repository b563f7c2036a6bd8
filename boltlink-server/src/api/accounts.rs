//! `/api/v1/accounts`: the accounts of people, for admins.

use std::sync::Arc;

use boltlink_core::{
    Account, AccountId, Email, Orphans, PasswordTicket, Role, Shortener, TICKET_LIFETIME, store::AccountCursor,
};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use uuid::Uuid;

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::Caller,
    body::{self, Body},
    cursor::Cursors,
    links::default_limit,
    problem::{Code, Problem},
    scalar::{CursorText, EmailText, IdText, Moment, Nullable, RoleName, TicketText},
    tickets,
};
use crate::{hosts::Hosts, server::Registration};

/// Accounts of people.
pub(crate) struct Accounts {
    shortener: Shortener,
    hosts: Arc<Hosts>,
    cursors: Cursors,
    registration: Registration,
}

refusals! {
    OnInvite: MalformedBody RegistrationClosed BodyTimeout EmailTaken BodyTooLarge UnsupportedMediaType Invalid;
    OnList: ;
    OnAccount: AccountNotFound;
    OnEdit: MalformedBody AccountNotFound BodyTimeout BodyTooLarge UnsupportedMediaType Invalid;
}

/// What becomes of the links of an account that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Orphans", rename_all = "snake_case")]
pub(crate) enum OrphansName {
    /// They go on working; from now on only admins see and change them.
    Keep,
    /// They are deleted too.
    Delete,
}

impl From<OrphansName> for Orphans {
    fn from(name: OrphansName) -> Self {
        match name {
            OrphansName::Keep => Self::Keep,
            OrphansName::Delete => Self::Delete,
        }
    }
}

/// The account of a person, without the password.
#[derive(Debug, Object)]
#[oai(rename = "Account")]
pub(crate) struct AccountView {
    /// Its id, which is the `owner` of its API keys.
    id: Uuid,
    /// By what it is named, in lower case.
    email: String,
    /// What it may do at most.
    role: RoleName,
    /// Whether a password was ever set: without one nobody can log in.
    has_password: bool,
    /// When it was made, UTC.
    created_at: Moment,
    /// Since when it and its API keys open nothing, UTC.
    disabled_at: Nullable<Moment>,
    /// When somebody logged in last, UTC.
    last_login_at: Nullable<Moment>,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        Self {
            id: *account.id.as_uuid(),
            email: account.email.as_str().to_owned(),
            role: RoleName(account.role.to_string()),
            has_password: account.password.is_some(),
            created_at: Moment(account.created_at),
            disabled_at: Nullable(account.disabled_at.map(Moment)),
            last_login_at: Nullable(account.last_login_at.map(Moment)),
        }
    }
}

/// A page of accounts.
#[derive(Debug, Object)]
pub(crate) struct AccountPage {
    /// The accounts, oldest first.
    items: Vec<AccountView>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    next_cursor: Nullable<String>,
}

/// An account, and the one-time link by which its password is set. Nobody sends it but you.
#[derive(Debug, Object)]
pub(crate) struct AccountWithLink {
    /// The account.
    account: AccountView,
    /// What `POST /api/v1/passwords` takes. It is told this once and stored nowhere.
    ticket: TicketText,
    /// A page that takes the new password, for whoever has a browser.
    link: String,
    /// When both are worth nothing any more, UTC.
    expires_at: Moment,
}

/// Somebody to be invited.
#[derive(Debug, Object)]
#[oai(rename = "NewAccount")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct NewAccountBody {
    /// By what the account is named: nobody writes there.
    email: EmailText,
    /// What it may do at most.
    role: RoleName,
}

/// What is to be another about an account. What is absent stays.
#[derive(Debug, Object)]
#[oai(rename = "AccountPatch")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct AccountPatchBody {
    /// What it may do at most.
    role: Option<RoleName>,
    /// Whether it, its sessions and its API keys open nothing. Sessions end for good.
    disabled: Option<bool>,
}

#[derive(ApiResponse)]
enum Invited {
    /// The account is made.
    #[oai(status = 201)]
    Account(
        Json<AccountWithLink>,
        /// Where the account is found in this API.
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of accounts.
    #[oai(status = 200)]
    Page(Json<AccountPage>),
}

#[derive(ApiResponse)]
enum Shown {
    /// The account.
    #[oai(status = 200)]
    Account(Json<AccountView>),
}

#[derive(ApiResponse)]
enum Reset {
    /// The one-time link.
    #[oai(status = 200)]
    Account(Json<AccountWithLink>),
}

#[derive(ApiResponse)]
enum Deleted {
    /// The account is gone.
    #[oai(status = 204)]
    Gone,
}

impl Accounts {
    pub(crate) fn new(shortener: Shortener, hosts: Arc<Hosts>, registration: Registration) -> Self {
        Self { cursors: Cursors::new(&shortener), shortener, hosts, registration }
    }

    fn told(&self, account: Account, ticket: &PasswordTicket) -> Json<AccountWithLink> {
        Json(AccountWithLink {
            account: account.into(),
            ticket: TicketText(ticket.reveal()),
            link: tickets::link(&self.hosts, ticket),
            expires_at: Moment(self.shortener.now().plus(TICKET_LIFETIME)),
        })
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Accounts")]
impl Accounts {
    /// Invite somebody
    ///
    /// Makes an account without a password, and the one-time link by which its owner sets one: hand it over. Where
    /// registration is closed it is refused; an operator can use `boltlink users invite`.
    #[oai(path = "/accounts", method = "post", operation_id = "invite_account")]
    async fn invite(&self, caller: Caller, body: Body<NewAccountBody>) -> Result<Invited, Refused<OnInvite>> {
        if self.registration == Registration::Closed {
            let detail = "registration is closed; an operator can use boltlink users invite";
            return Err(Problem::new(Code::RegistrationClosed, detail).into());
        }
        let mut fields = body.0;
        let email = fields.required("email", body::text::<Email>);
        let role = fields.required("role", body::text::<Role>);
        let (email, role) = fields.both(email, role)?;
        let (account, ticket) = self.shortener.invite(&caller.0, email, role).await?;
        let location = format!("/api/v1/accounts/{}", account.id);
        Ok(Invited::Account(self.told(account, &ticket), location))
    }

    /// List accounts
    ///
    /// Oldest first.
    #[oai(path = "/accounts", method = "get", operation_id = "list_accounts")]
    async fn list(
        &self,
        caller: Caller,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<CursorText>>,
    ) -> Result<Listed, Refused<OnList>> {
        let after = cursor.0.map(|cursor| self.cursors.open("accounts", &cursor.0)).transpose()?;
        let after = after.map(|(at, id)| AccountCursor { at, id: AccountId::from_uuid(id) });
        let page = self.shortener.list_accounts(&caller.0, after, limit.0).await?;
        let next = page.next.map(|next| self.cursors.seal("accounts", next.at, next.id.as_uuid()));
        let items = page.accounts.into_iter().map(AccountView::from).collect();
        Ok(Listed::Page(Json(AccountPage { items, next_cursor: Nullable(next) })))
    }

    /// Read an account
    #[oai(path = "/accounts/:id", method = "get", operation_id = "read_account")]
    async fn read(
        &self,
        caller: Caller,
        /// The account's `id`.
        id: Path<IdText>,
    ) -> Result<Shown, Refused<OnAccount>> {
        let account = self.shortener.find_account(&caller.0, account_id(&id)?).await?;
        Ok(Shown::Account(Json(account.into())))
    }

    /// Change an account
    ///
    /// Within a second its sessions and API keys can do no more than it can, on all nodes.
    #[oai(path = "/accounts/:id", method = "patch", operation_id = "edit_account")]
    async fn edit(
        &self,
        caller: Caller,
        /// The account's `id`.
        id: Path<IdText>,
        body: Body<AccountPatchBody>,
    ) -> Result<Shown, Refused<OnEdit>> {
        let mut fields = body.0;
        let role = fields.solid("role", body::text::<Role>);
        let disabled = fields.solid("disabled", body::boolean);
        fields.finish()?;
        let account = self.shortener.edit_account(&caller.0, account_id(&id)?, role, disabled).await?;
        Ok(Shown::Account(Json(account.into())))
    }

    /// Make a one-time link to set a password
    ///
    /// For whoever has forgotten it: hand the link over. The old password goes on working until a new one is set, and a
    /// link that was made before does no more.
    #[oai(path = "/accounts/:id/reset", method = "post", operation_id = "reset_password")]
    async fn reset(
        &self,
        caller: Caller,
        /// The account's `id`.
        id: Path<IdText>,
    ) -> Result<Reset, Refused<OnAccount>> {
        let id = account_id(&id)?;
        let ticket = self.shortener.reset_password(&caller.0, id).await?;
        let account = self.shortener.find_account(&caller.0, id).await?;
        Ok(Reset::Account(self.told(account, &ticket)))
    }

    /// Delete an account
    ///
    /// For good: its sessions end, its API keys are revoked.
    #[oai(path = "/accounts/:id", method = "delete", operation_id = "delete_account")]
    async fn delete(
        &self,
        caller: Caller,
        /// The account's `id`.
        id: Path<IdText>,
        /// What becomes of its links.
        #[oai(default = "default_orphans")]
        links: Query<OrphansName>,
    ) -> Result<Deleted, Refused<OnAccount>> {
        self.shortener.delete_account(&caller.0, account_id(&id)?, links.0.into()).await?;
        Ok(Deleted::Gone)
    }
}

const fn default_orphans() -> OrphansName {
    OrphansName::Keep
}

/// What is no id names no account.
fn account_id(id: &IdText) -> Result<AccountId, Problem> {
    id.0.parse().map_err(|_| Problem::no_such_account())
}
