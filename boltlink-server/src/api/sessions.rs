//! `/api/v1/session` and `/api/v1/sessions`: logging in and out.

use std::sync::Arc;

use boltlink_core::{Email, Session, SessionId, Shortener};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Path, payload::Json};
use uuid::Uuid;

use super::{
    Tag,
    accounts::AccountView,
    answer::{Refusals, Refused, refusals},
    auth::{Caller, Guest},
    body::{self, Body},
    cookie,
    problem::{Code, Problem},
    scalar::{EmailText, IdText, Moment, Nullable, PasswordText},
};
use crate::{hosts::Hosts, throttle::Throttle};

/// Sessions of people.
pub(crate) struct Sessions {
    shortener: Shortener,
    hosts: Arc<Hosts>,
    throttle: Arc<Throttle>,
}

refusals! {
    public OnLogin: MalformedBody WrongCredentials CrossSite BodyTimeout BodyTooLarge UnsupportedMediaType Invalid;
    OnOwn: SessionRequired;
    OnSession: SessionRequired SessionNotFound;
}

/// A session, without its token.
#[derive(Debug, Object)]
#[oai(rename = "Session")]
pub(crate) struct SessionView {
    /// Its id, which is the first part of its token.
    id: Uuid,
    /// Whether it is the one of this request.
    current: bool,
    /// When somebody logged in, UTC.
    created_at: Moment,
    /// About when it was used last, UTC: written down once a minute.
    used_at: Moment,
    /// When it ends if it is not used before, UTC.
    expires_at: Moment,
    /// What it was opened with, as that says itself (`User-Agent`).
    client: Nullable<String>,
}

impl SessionView {
    fn new(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: *session.id.as_uuid(),
            current: current == Some(session.id),
            created_at: Moment(session.created_at),
            used_at: Moment(session.used_at),
            expires_at: Moment(session.expires_at),
            client: Nullable(session.client.map(|client| client.as_str().to_owned())),
        }
    }
}

/// The open sessions of an account.
#[derive(Debug, Object)]
#[oai(rename = "Sessions")]
pub(crate) struct SessionList {
    /// The sessions, oldest first.
    items: Vec<SessionView>,
}

/// Whoever logs in.
#[derive(Debug, Object)]
#[oai(rename = "Credentials")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct CredentialsBody {
    /// The account's address.
    email: EmailText,
    /// The password.
    password: PasswordText,
    /// Whether the token comes as a cookie, which no script can read, instead of in the answer.
    cookie: Option<Nullable<bool>>,
}

/// A session that was opened.
#[derive(Debug, Object)]
pub(crate) struct LoggedIn {
    /// The account.
    account: AccountView,
    /// The session.
    session: SessionView,
    /// What to send as `Authorization: Bearer …`, told this once; null if it came as a cookie.
    token: Nullable<String>,
}

#[derive(ApiResponse)]
enum Opened {
    /// The session is open.
    #[oai(status = 201)]
    Session(
        Json<LoggedIn>,
        /// The session for browsers, if it was asked for.
        #[oai(header = "Set-Cookie")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum Closed {
    /// The session is closed.
    #[oai(status = 204)]
    Gone(
        /// Takes a browser's session away.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Listed {
    /// The sessions.
    #[oai(status = 200)]
    All(Json<SessionList>),
}

#[derive(ApiResponse)]
enum Ended {
    /// The session opens nothing any more.
    #[oai(status = 204)]
    Gone,
}

impl Sessions {
    pub(crate) const fn new(shortener: Shortener, hosts: Arc<Hosts>, throttle: Arc<Throttle>) -> Self {
        Self { shortener, hosts, throttle }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Accounts")]
impl Sessions {
    /// Log in
    ///
    /// Opens a session, always a new one, which ends when it is not used for some time. Programs send its token as
    /// `Authorization: Bearer …`; pages of this host ask for a cookie instead.
    #[oai(path = "/session", method = "post", operation_id = "log_in")]
    async fn log_in(
        &self,
        guest: Guest,
        request: &Request,
        body: Body<CredentialsBody>,
    ) -> Result<Opened, Refused<OnLogin>> {
        let mut fields = body.0;
        let email = fields.required("email", body::text::<Email>);
        let password = fields.required("password", body::password);
        let cookie = fields.optional("cookie", body::boolean).unwrap_or(false);
        let (email, password) = fields.both(email, password)?;
        if cookie {
            cookie::refuse_cross_site(request.method(), request.original_uri(), request.headers(), &self.hosts)?;
        }
        guest.may_try(&self.throttle, Some(&email)).await?;
        let login = self.shortener.login(&email, &password, guest.client).await?;
        let token = login.token.reveal();
        let (told, set) =
            if cookie { (None, Some(cookie::set(&token, self.hosts.is_https()))) } else { (Some(token), None) };
        let session = SessionView::new(login.session, Some(login.token.id()));
        let answer = LoggedIn { account: login.account.into(), session, token: Nullable(told) };
        Ok(Opened::Session(Json(answer), set))
    }

    /// Log out
    ///
    /// Ends the session of this request.
    #[oai(path = "/session", method = "delete", operation_id = "log_out")]
    async fn log_out(&self, caller: Caller) -> Result<Closed, Refused<OnOwn>> {
        self.shortener.logout(&caller.0).await?;
        Ok(Closed::Gone(cookie::set("", self.hosts.is_https())))
    }

    /// List sessions
    ///
    /// All that are open of one's own account.
    #[oai(path = "/sessions", method = "get", operation_id = "list_sessions")]
    async fn list(&self, caller: Caller) -> Result<Listed, Refused<OnOwn>> {
        let sessions = self.shortener.list_sessions(&caller.0).await?;
        let current = caller.0.session();
        let items = sessions.into_iter().map(|session| SessionView::new(session, current)).collect();
        Ok(Listed::All(Json(SessionList { items })))
    }

    /// End a session
    ///
    /// Within a second it opens nothing on any node.
    #[oai(path = "/sessions/:id", method = "delete", operation_id = "end_session")]
    async fn end(
        &self,
        caller: Caller,
        /// The session's `id`.
        id: Path<IdText>,
    ) -> Result<Ended, Refused<OnSession>> {
        let id = id.0.0.parse().map_err(|_| Problem::no_such_session())?;
        self.shortener.end_session(&caller.0, id).await?;
        Ok(Ended::Gone)
    }
}
