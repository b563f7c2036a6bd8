//! What operations answer with, documented.
//!
//! An operation returns `Result<S, Refused<R>>`: `S` is its own enum of successes, `R` names the problems
//! it may refuse with, and both end up in the document.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::{Mutex, PoisonError},
};

use http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::problem::{CONTENT_TYPE, Code, Details, Problem};

/// The problems with which an operation refuses.
pub(crate) trait Refusals: Send + Sync + 'static {
    /// What every operation of the kind may refuse with.
    const COMMON: &'static [Code];
    /// And what this one may.
    const CODES: &'static [Code];
}

/// Every operation may refuse with these.
pub(crate) const PUBLIC: &[Code] = &[Code::InvalidParameter, Code::RateLimited, Code::Internal, Code::Unavailable];

/// Every operation that asks who calls may refuse with these.
pub(crate) const COMMON: &[Code] = &[
    Code::InvalidParameter,
    Code::Unauthorized,
    Code::Forbidden,
    Code::CrossSite,
    Code::RateLimited,
    Code::Internal,
    Code::Unavailable,
];

/// Names sets of problems: `refusals! { OnRead: LinkNotFound; }`; of operations that anybody may call,
/// `refusals! { public OnLogin: Invalid; }`.
macro_rules! refusals {
    () => {};
    (public $name:ident: $($code:ident)*; $($rest:tt)*) => {
        refusals!(@one $name, $crate::api::answer::PUBLIC, $($code)*);
        refusals!($($rest)*);
    };
    (@one $name:ident, $common:expr, $($code:ident)*) => {
        pub(crate) struct $name;

        impl Refusals for $name {
            const COMMON: &'static [Code] = $common;
            const CODES: &'static [Code] = &[$(Code::$code),*];
        }
    };
    ($name:ident: $($code:ident)*; $($rest:tt)*) => {
        refusals!(@one $name, $crate::api::answer::COMMON, $($code)*);
        refusals!($($rest)*);
    };
}

pub(crate) use refusals;

/// A problem, of a kind that the operation's documentation names.
#[derive(Debug)]
pub(crate) struct Refused<R>(Problem, PhantomData<fn() -> R>);

impl<R> From<Problem> for Refused<R> {
    fn from(problem: Problem) -> Self {
        Self(problem, PhantomData)
    }
}

impl<R> From<boltlink_core::Error> for Refused<R> {
    fn from(error: boltlink_core::Error) -> Self {
        Problem::from(error).into()
    }
}

impl<R: Refusals> From<Refused<R>> for poem::Error {
    fn from(refused: Refused<R>) -> Self {
        debug_assert!(codes::<R>().any(|code| code == refused.0.code()), "{}", refused.0);
        Self::from(refused.0)
    }
}

impl<R: Refusals> IntoResponse for Refused<R> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<R: Refusals> ApiResponse for Refused<R> {
    fn meta() -> MetaResponses {
        let mut by_status: BTreeMap<StatusCode, Vec<Code>> = BTreeMap::new();
        for code in codes::<R>() {
            by_status.entry(code.status()).or_default().push(code);
        }
        MetaResponses { responses: by_status.into_iter().map(|(status, codes)| document(status, &codes)).collect() }
    }

    fn register(registry: &mut Registry) {
        Details::register(registry);
    }
}

fn codes<R: Refusals>() -> impl Iterator<Item = Code> {
    R::COMMON.iter().chain(R::CODES).copied()
}

fn document(status: StatusCode, codes: &[Code]) -> MetaResponse {
    let header = |name: &str, description: &str| MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: String::schema_ref(),
    };
    let headers = match status {
        StatusCode::UNAUTHORIZED => vec![header("WWW-Authenticate", "How to authenticate.")],
        StatusCode::TOO_MANY_REQUESTS => {
            let retry = header("Retry-After", "Seconds after which the next request is allowed.");
            let told = [
                header("RateLimit-Limit", "How many requests may be made at once."),
                header("RateLimit-Remaining", "How many of them are left."),
                header("RateLimit-Reset", "Seconds after which all of them are back."),
            ];
            std::iter::once(retry).chain(told).collect()
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            vec![header("Retry-After", "Seconds after which a retry is worth its while.")]
        }
        _ => vec![],
    };
    MetaResponse {
        description: descriptions(codes),
        status: Some(status.as_u16()),
        status_range: None,
        content: vec![MetaMediaType { content_type: CONTENT_TYPE, schema: Details::schema_ref() }],
        headers,
    }
}

/// The problems of one status in words. Each set is put together once: the document wants it for ever.
fn descriptions(codes: &[Code]) -> &'static str {
    static MADE: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let text: Vec<_> = codes.iter().map(|code| format!("`{}`: {}.", code.name(), code.title())).collect();
    let text = text.join(" ");
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = made.get(text.as_str()) {
        return known;
    }
    let text: &'static str = text.leak();
    made.insert(text);
    text
}
