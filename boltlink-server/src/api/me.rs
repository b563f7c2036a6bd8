//! `/api/v1/me`, `/api/v1/registrations` and `/api/v1/passwords`: what people do with their own account.

use std::sync::Arc;

use boltlink_core::{Email, Error, Orphans, Password, PasswordTicket, Shortener};
use poem_openapi::{ApiResponse, Object, OpenApi, payload::Json};
use uuid::Uuid;

use super::{
    Tag,
    accounts::{AccountView, OrphansName},
    answer::{Refusals, Refused, refusals},
    auth::{Caller, Guest, may_prove},
    body::{self, Body, must},
    problem::{Code, FieldError, Problem},
    scalar::{EmailText, Nullable, PasswordText, RoleName, ScopeName, TicketText},
};
use crate::{passwords, server::Registration, throttle::Throttle};

/// One's own account.
pub(crate) struct Me {
    shortener: Shortener,
    throttle: Arc<Throttle>,
    registration: Registration,
}

refusals! {
    OnMe: ;
    OnChange: MalformedBody SessionRequired BodyTimeout BodyTooLarge UnsupportedMediaType Invalid;
    public OnRegister: MalformedBody RegistrationClosed BodyTimeout EmailTaken BodyTooLarge UnsupportedMediaType Invalid;
    public OnTicket: MalformedBody BodyTimeout TicketInvalid BodyTooLarge UnsupportedMediaType Invalid;
}

/// Who asks, and what that one may do.
#[derive(Debug, Object)]
#[oai(rename = "Me")]
pub(crate) struct MeView {
    /// The account: what is made belongs to it.
    account: Uuid,
    /// The account's address; null of one that only API keys have.
    email: Nullable<String>,
    /// The account's role; null of one that only API keys have.
    role: Nullable<RoleName>,
    /// What may be done: what both the account and the API key are good for.
    scopes: Vec<ScopeName>,
    /// The API key of this request.
    api_key: Nullable<Uuid>,
    /// The session of this request.
    session: Nullable<Uuid>,
}

/// A new password for one's own account.
#[derive(Debug, Object)]
#[oai(rename = "PasswordChange")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct PasswordChangeBody {
    /// The password until now.
    current_password: PasswordText,
    /// The new one: 12 to 128 characters, and not easy to guess.
    password: PasswordText,
}

/// What makes sure that it is the account's owner who deletes it.
#[derive(Debug, Object)]
#[oai(rename = "PasswordProof")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct PasswordProofBody {
    /// The password.
    password: PasswordText,
    /// What becomes of the account's links.
    links: OrphansName,
}

/// Whoever wants an account.
#[derive(Debug, Object)]
#[oai(rename = "Registration")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct RegistrationBody {
    /// By what the account is named: nobody writes there.
    email: EmailText,
    /// The password: 12 to 128 characters, and not easy to guess.
    password: PasswordText,
}

/// A password for the account that a one-time link is for.
#[derive(Debug, Object)]
#[oai(rename = "NewPassword")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct NewPasswordBody {
    /// The `ticket` of the one-time link.
    ticket: TicketText,
    /// The password: 12 to 128 characters, and not easy to guess.
    password: PasswordText,
}

#[derive(ApiResponse)]
enum Shown {
    /// Who asks.
    #[oai(status = 200)]
    Me(Json<MeView>),
}

#[derive(ApiResponse)]
enum Changed {
    /// The password is another one.
    #[oai(status = 204)]
    Done,
}

#[derive(ApiResponse)]
enum Deleted {
    /// The account is gone.
    #[oai(status = 204)]
    Gone,
}

#[derive(ApiResponse)]
enum Registered {
    /// The account is made. Log in to use it.
    #[oai(status = 201)]
    Account(Json<AccountView>),
}

impl Me {
    pub(crate) const fn new(shortener: Shortener, throttle: Arc<Throttle>, registration: Registration) -> Self {
        Self { shortener, throttle, registration }
    }

    /// The address of the caller's account, if it may try its password now.
    async fn try_password(&self, caller: &Caller) -> Result<Email, Problem> {
        let account = self.shortener.find_account(&caller.0, caller.0.account()).await?;
        may_prove(&self.throttle, &caller.0).await?;
        Ok(account.email)
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Accounts")]
impl Me {
    /// Tell who asks
    #[oai(path = "/me", method = "get", operation_id = "who_am_i")]
    async fn me(&self, caller: Caller) -> Result<Shown, Refused<OnMe>> {
        let actor = caller.0;
        let account = match self.shortener.find_account(&actor, actor.account()).await {
            Ok(account) => Some(account),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Shown::Me(Json(MeView {
            account: *actor.account().as_uuid(),
            role: Nullable(account.as_ref().map(|account| RoleName(account.role.to_string()))),
            email: Nullable(account.map(|account| account.email.as_str().to_owned())),
            scopes: actor.scopes().iter().map(|scope| ScopeName(scope.to_string())).collect(),
            api_key: Nullable(actor.key().map(|key| *key.as_uuid())),
            session: Nullable(actor.session().map(|session| *session.as_uuid())),
        })))
    }

    /// Change one's password
    ///
    /// Ends all other sessions of the account.
    #[oai(path = "/me/password", method = "put", operation_id = "change_password")]
    async fn change_password(
        &self,
        caller: Caller,
        body: Body<PasswordChangeBody>,
    ) -> Result<Changed, Refused<OnChange>> {
        let mut fields = body.0;
        let current = fields.required("current_password", body::password);
        let new = fields.required("password", body::password);
        let (current, new) = fields.both(current, new)?;
        let email = self.try_password(&caller).await?;
        let new = good_enough(new, Some(email)).await?;
        let changed = self.shortener.change_password(&caller.0, &current, &new).await;
        changed.map_err(|error| about_password(error, "/current_password"))?;
        Ok(Changed::Done)
    }

    /// Delete one's account
    ///
    /// For good: its sessions end, its API keys are revoked.
    #[oai(path = "/me", method = "delete", operation_id = "delete_me")]
    async fn delete(&self, caller: Caller, body: Body<PasswordProofBody>) -> Result<Deleted, Refused<OnChange>> {
        let mut fields = body.0;
        let password = fields.required("password", body::password);
        let links = fields.required("links", |value| match body::string(value)? {
            "keep" => Ok(Orphans::Keep),
            "delete" => Ok(Orphans::Delete),
            _ => Err(must("must be keep or delete")),
        });
        let (password, links) = fields.both(password, links)?;
        self.try_password(&caller).await?;
        let confirmed = self.shortener.confirm_password(&caller.0, &password).await;
        confirmed.map_err(|error| about_password(error, "/password"))?;
        self.shortener.delete_account(&caller.0, caller.0.account(), links).await?;
        Ok(Deleted::Gone)
    }

    /// Make an account for oneself
    ///
    /// With the role `editor`. Refused where registration is not open; there an admin can invite you.
    #[oai(path = "/registrations", method = "post", operation_id = "register")]
    async fn register(&self, guest: Guest, body: Body<RegistrationBody>) -> Result<Registered, Refused<OnRegister>> {
        if self.registration != Registration::Open {
            let detail = "registration is not open here; ask an admin for an invitation";
            return Err(Problem::new(Code::RegistrationClosed, detail).into());
        }
        let mut fields = body.0;
        let email = fields.required("email", body::text::<Email>);
        let password = fields.required("password", body::password);
        let (email, password) = fields.both(email, password)?;
        guest.may_try(&self.throttle, None).await?;
        let password = good_enough(password, Some(email.clone())).await?;
        let account = self.shortener.register(email, &password).await?;
        Ok(Registered::Account(Json(account.into())))
    }

    /// Set a password by a one-time link
    ///
    /// Ends all sessions of the account, and uses the link up.
    #[oai(path = "/passwords", method = "post", operation_id = "set_password")]
    async fn set_password(&self, guest: Guest, body: Body<NewPasswordBody>) -> Result<Changed, Refused<OnTicket>> {
        let mut fields = body.0;
        let ticket = fields.required("ticket", |value| {
            PasswordTicket::parse(body::string(value)?).map_err(|_| must("must be the ticket of a one-time link"))
        });
        let password = fields.required("password", body::password);
        let (ticket, password) = fields.both(ticket, password)?;
        guest.may_try(&self.throttle, None).await?;
        let account = self.shortener.find_ticket(&ticket).await?;
        let password = good_enough(password, Some(account.email)).await?;
        self.shortener.redeem_ticket(&ticket, &password).await?;
        Ok(Changed::Done)
    }
}

/// A password that may be an account's, or why it may not.
async fn good_enough(text: String, email: Option<Email>) -> Result<Password, Problem> {
    let judged = passwords::judge_apart(text, email).await;
    let judged = judged.map_err(|error| super::problem::internal(&error))?;
    judged.map_err(|why| Problem::invalid(vec![FieldError::at("/password", why.to_string())]))
}

/// Of a password that somebody who is logged in repeats, a wrong one is a field like others.
fn about_password(error: Error, pointer: &str) -> Problem {
    match error {
        Error::Credentials => Problem::invalid(vec![FieldError::at(pointer, "is not the account's password")]),
        other => other.into(),
    }
}
