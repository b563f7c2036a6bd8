//! Errors as clients see them: problem details (RFC 9457).

use std::{borrow::Cow, fmt, time::Duration};

use boltlink_core::{AuthError, Error, StoreError, store::Decision};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::{Object, types::ToJSON};

/// What problems are served as.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// How many errors a problem names: a body has room for a million unknown fields.
const MOST_ERRORS: usize = 100;

/// What went wrong (RFC 9457).
#[derive(Debug, Clone, Object)]
#[oai(rename = "Problem")]
pub(crate) struct Details {
    /// Names the kind of problem, as a URI that stays: `urn:boltlink:problem:` and the code.
    #[oai(rename = "type")]
    kind: String,
    /// The same as one word, for programs.
    code: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request, and what to do about it.
    detail: String,
    /// What is wrong field by field: all of it at once, but not more than 100.
    #[oai(skip_serializing_if_is_none)]
    errors: Option<Vec<FieldError>>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub(crate) struct FieldError {
    /// Where in the body, as a JSON pointer (RFC 6901).
    #[oai(skip_serializing_if_is_none)]
    pub(crate) pointer: Option<String>,
    /// Which parameter or header of the request.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) parameter: Option<String>,
    /// What it must be.
    pub(crate) detail: String,
}

impl FieldError {
    pub(crate) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, detail: detail.into() }
    }

    pub(crate) fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.into()), detail: detail.into() }
    }
}

macro_rules! codes {
    ($($name:ident $status:literal $code:literal $title:literal;)*) => {
        /// The kinds of problems there are. Names are for ever: clients match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// All there are.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The HTTP status.
            pub(crate) fn status(self) -> StatusCode {
                let status = match self { $(Self::$name => $status,)* };
                // All in the table are valid.
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// The code itself.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    MalformedBody 400 "malformed-body" "The body is no JSON";
    InvalidParameter 400 "invalid-parameter" "A parameter or header is not valid";
    Unauthorized 401 "unauthorized" "An API key or a session is needed";
    WrongCredentials 401 "wrong-credentials" "The e-mail address or the password is wrong";
    Forbidden 403 "forbidden" "The API key or the account does not allow this";
    SessionRequired 403 "session-required" "Only for those who have logged in";
    PasswordRequired 403 "password-required" "This link asks for a password";
    CrossSite 403 "cross-site" "The request comes from a page of another site";
    RegistrationClosed 403 "registration-closed" "Accounts are not made this way here";
    NotFound 404 "not-found" "Nothing is here";
    UnknownHost 404 "unknown-host" "Unknown host";
    KeyNotFound 404 "key-not-found" "No such API key";
    AccountNotFound 404 "account-not-found" "No such account";
    SessionNotFound 404 "session-not-found" "No such session";
    LinkNotFound 404 "link-not-found" "No such link";
    DeadLetterNotFound 404 "dead-letter-not-found" "No such dead letter";
    LinkNotYetActive 404 "link-not-yet-active" "Not yet active";
    MethodNotAllowed 405 "method-not-allowed" "The method is not allowed here";
    BodyTimeout 408 "body-timeout" "The body took too long";
    KeyMade 409 "key-already-made" "The idempotency key has made an API key already";
    SlugTaken 409 "slug-taken" "The slug is taken";
    EmailTaken 409 "email-taken" "There is an account of this e-mail address";
    DeadLetterUnreadable 409 "dead-letter-unreadable" "The dead letter cannot be read";
    StillRefused 409 "still-refused" "The database still refuses it";
    TicketInvalid 410 "ticket-not-valid" "The one-time link is not valid any more";
    LinkExpired 410 "link-expired" "This link has expired";
    LinkExhausted 410 "link-exhausted" "This link is used up";
    LinkDisabled 410 "link-disabled" "This link is switched off";
    ReplayedDeleted 410 "replayed-link-deleted" "The link this key made is deleted";
    Stale 412 "stale" "The link has changed meanwhile";
    BodyTooLarge 413 "body-too-large" "The body is too large";
    UnsupportedMediaType 415 "unsupported-media-type" "The body is of another kind than expected";
    Invalid 422 "invalid" "Fields are not valid";
    KeyReused 422 "idempotency-key-reused" "The idempotency key was used before";
    RateLimited 429 "rate-limited" "Too many requests";
    Internal 500 "internal" "The server failed";
    Unavailable 503 "unavailable" "Temporarily unavailable";
}

/// A refusal on its way to the client. Boxed, as it is the rare way out of everything.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry: Option<Duration>,
    allow: Option<HeaderValue>,
    limit: Option<Decision>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = Cow::Owned(detail.into());
        Self(Box::new(Inner { code, detail, errors: Vec::new(), retry: None, allow: None, limit: None }))
    }

    /// Refuses the body because of these fields.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        Self::new(Code::Invalid, "see errors; nothing was changed").with_errors(errors)
    }

    /// Refuses a parameter or header.
    pub(crate) fn parameter(name: &str, detail: impl fmt::Display) -> Self {
        let error = FieldError::parameter(name, detail.to_string());
        Self::new(Code::InvalidParameter, format!("{name} {detail}")).with_errors(vec![error])
    }

    /// No key, or none of ours.
    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::new(Code::Unauthorized, detail)
    }

    pub(crate) fn method_not_allowed(allow: HeaderValue) -> Self {
        let mut problem = Self::new(Code::MethodNotAllowed, "the Allow header says which methods are allowed here");
        problem.0.allow = Some(allow);
        problem
    }

    /// Too often, by this decision.
    pub(crate) fn too_often(refusal: Decision) -> Self {
        let detail = format!("at most {} at once; Retry-After says when the next one is allowed", refusal.limit);
        let mut problem = Self::new(Code::RateLimited, detail);
        problem.0.limit = Some(refusal);
        problem
    }

    pub(crate) fn no_such_link() -> Self {
        Self::new(Code::LinkNotFound, "there is no link of this id, or the API key or the account may not see it")
    }

    pub(crate) fn no_such_key() -> Self {
        Self::new(Code::KeyNotFound, "there is no API key of this id, or the one that is used may not see it")
    }

    pub(crate) fn no_such_account() -> Self {
        Self::new(Code::AccountNotFound, "there is no account of this id")
    }

    pub(crate) fn no_such_session() -> Self {
        Self::new(Code::SessionNotFound, "the account has no session of this id")
    }

    fn with_errors(mut self, mut errors: Vec<FieldError>) -> Self {
        errors.truncate(MOST_ERRORS);
        self.0.errors = errors;
        self
    }

    /// The same about something that stands at `pointer` in the request.
    pub(crate) fn below(mut self, pointer: &str) -> Self {
        for error in &mut self.0.errors {
            if let Some(at) = &mut error.pointer {
                at.insert_str(0, pointer);
            }
        }
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// What is wrong with the request, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The headers that belong to it.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self.0.code {
            Code::Unauthorized | Code::WrongCredentials => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"BoltLink\""));
            }
            Code::Unavailable => {
                // Whole seconds, rounded up.
                let seconds = self.0.retry.map_or(1, |retry| retry.as_millis().div_ceil(1_000).clamp(1, 3_600));
                headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::try_from(seconds).unwrap_or(1)));
            }
            Code::BodyTimeout | Code::BodyTooLarge => {
                // What is left of the body is not worth reading.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        if let Some(refusal) = &self.0.limit {
            headers.extend(rate_limit_headers(refusal));
        }
        if let Some(allow) = &self.0.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        headers
    }

    /// What clients are told.
    pub(crate) fn details(&self) -> Details {
        let Inner { code, detail, errors, .. } = &*self.0;
        Details {
            kind: format!("urn:boltlink:problem:{}", code.name()),
            code: code.name().to_owned(),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            detail: detail.clone().into_owned(),
            errors: (!errors.is_empty()).then(|| errors.clone()),
        }
    }

    /// The same as JSON.
    pub(crate) fn to_bytes(&self) -> Bytes {
        self.details().to_json_string().into()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.title(), self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response =
            Response::builder().status(self.0.code.status()).content_type(CONTENT_TYPE).body(self.to_bytes());
        response.headers_mut().extend(self.headers());
        response
    }
}

impl poem::error::ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    fn as_response(&self) -> Response {
        self.clone().into_response()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound { what: "API key" | "key" } => Self::no_such_key(),
            Error::NotFound { what: "account" } => Self::no_such_account(),
            Error::NotFound { what: "session" } => Self::no_such_session(),
            Error::NotFound { .. } => Self::no_such_link(),
            Error::EmailTaken => Self::new(Code::EmailTaken, detail)
                .with_errors(vec![FieldError::at("/email", "has an account already")]),
            Error::Credentials => Self::new(Code::WrongCredentials, detail),
            Error::Ticket => Self::new(Code::TicketInvalid, detail),
            Error::NoSession => Self::new(Code::SessionRequired, detail),
            Error::SlugTaken => Self::new(Code::SlugTaken, detail)
                .with_errors(vec![FieldError::at("/slug", "is taken by another link")]),
            Error::Stale { .. } => Self::new(Code::Stale, detail),
            Error::KeyReused => Self::new(Code::KeyReused, detail),
            Error::ReplayedDeleted => Self::new(Code::ReplayedDeleted, detail),
            Error::Target(why) => Self::invalid(vec![FieldError::at("/target", why.to_string())]),
            Error::Lifetime(why) => Self::invalid(vec![FieldError::at("/expires_at", why.to_string())]),
            Error::Forbidden { .. } | Error::OtherDomain | Error::Exceeds { .. } => Self::new(Code::Forbidden, detail),
            Error::WhichDomain => Self::parameter("domain", "must be one of the domains that the API key is for"),
            Error::KeyMade { .. } => Self::new(Code::KeyMade, detail),
            Error::Unavailable { reason, retry } => unavailable(&reason, retry),
            Error::Busy { retry, .. } => {
                let mut problem = Self::new(Code::Unavailable, detail);
                problem.0.retry = Some(retry);
                problem
            }
            // The cause is for the operator, not for the client.
            Error::Internal(error) => internal(&error),
            other => internal(&other),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Rejected => Self::unauthorized("the API key or session is not known, or revoked, or expired"),
            AuthError::Elsewhere => Self::new(Code::Forbidden, error.to_string()),
            AuthError::Store(StoreError::Unavailable { reason, retry }) => unavailable(&reason, retry),
            other => internal(&other),
        }
    }
}

/// How much of a quota is left: `RateLimit-Limit`, `-Remaining` and `-Reset` (draft-ietf-httpapi-ratelimit-headers-07),
/// and `Retry-After` if nothing is. In whole seconds, rounded up.
pub(crate) fn rate_limit_headers(decision: &Decision) -> HeaderMap {
    let seconds = |time: Duration| u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    let mut headers = HeaderMap::new();
    headers.insert("ratelimit-limit", decision.limit.into());
    headers.insert("ratelimit-remaining", decision.remaining.into());
    headers.insert("ratelimit-reset", seconds(decision.reset_after).into());
    if !decision.allowed {
        headers.insert(header::RETRY_AFTER, decision.retry_after.map_or(1, seconds).max(1).into());
    }
    headers
}

fn unavailable(reason: &str, retry: Option<Duration>) -> Problem {
    tracing::warn!(reason, "a request was refused because a store is away");
    let mut problem =
        Problem::new(Code::Unavailable, "a store does not answer; it is not known whether the request took effect");
    problem.0.retry = retry;
    problem
}

pub(crate) fn internal(error: &dyn fmt::Display) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::new(Code::Internal, "the cause is in the server's log")
}
