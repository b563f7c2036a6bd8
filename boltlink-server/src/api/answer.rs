//! What operations answer with, documented.
//!
//! An operation returns `Result<S, Refused<R>>`: `S` is its own enum of successes, `R` names the statuses
//! it may refuse with, and both end up in the document.

use std::marker::PhantomData;

use http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::problem::{CONTENT_TYPE, Details, Problem};

/// The statuses with which an operation refuses.
pub(crate) trait Refusals: Send + Sync + 'static {
    /// In ascending order; [`COMMON`] need not be said.
    const STATUSES: &'static [u16];
}

/// Every operation on data may refuse with these.
const COMMON: &[u16] = &[401, 500, 503];

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
        debug_assert!(documented::<R>().any(|status| status == refused.0.code().status()), "{}", refused.0);
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
        MetaResponses { responses: documented::<R>().map(document).collect() }
    }

    fn register(registry: &mut Registry) {
        Details::register(registry);
    }
}

fn documented<R: Refusals>() -> impl Iterator<Item = StatusCode> {
    let mut statuses: Vec<_> =
        COMMON.iter().chain(R::STATUSES).filter_map(|status| StatusCode::from_u16(*status).ok()).collect();
    statuses.sort();
    statuses.into_iter()
}

fn document(status: StatusCode) -> MetaResponse {
    let header = |name: &str, description: &str| MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: String::schema_ref(),
    };
    let (description, headers) = match status.as_u16() {
        400 => ("The body is no JSON, or a parameter or header is not valid.", vec![]),
        401 => {
            ("There is no API key, or none that is valid.", vec![header("WWW-Authenticate", "How to authenticate.")])
        }
        403 => ("The API key does not allow this.", vec![]),
        404 => ("There is no such thing, or the API key may not see it.", vec![]),
        408 => ("The body took too long to arrive.", vec![]),
        409 => ("The slug is taken by another link.", vec![]),
        410 => ("The link that this idempotency key made has been deleted.", vec![]),
        412 => ("The link has changed since the version that `If-Match` names.", vec![]),
        413 => ("The body is too large.", vec![]),
        415 => ("The body is not declared as JSON.", vec![]),
        422 => {
            ("Fields are not valid (`errors` has all of them), or the idempotency key was used differently.", vec![])
        }
        503 => {
            ("A store does not answer.", vec![header("Retry-After", "Seconds after which a retry is worth its while.")])
        }
        _ => ("The server failed. The cause is in its log.", vec![]),
    };
    MetaResponse {
        description,
        status: Some(status.as_u16()),
        status_range: None,
        content: vec![MetaMediaType { content_type: CONTENT_TYPE, schema: Details::schema_ref() }],
        headers,
    }
}
