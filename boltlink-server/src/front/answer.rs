//! What comes of a request, now or later.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Response, header};

use super::body::Body;

/// An answer: at once, which costs no allocation, or later.
pub(super) enum Answer {
    Now(Option<Response<Body>>),
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Answer {
    pub(super) const fn now(response: Response<Body>) -> Self {
        Self::Now(Some(response))
    }

    pub(super) fn later(response: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self::Later(Box::pin(response))
    }

    pub(super) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        match self {
            Self::Now(response) => response.take().map_or(Poll::Pending, Poll::Ready),
            Self::Later(response) => response.as_mut().poll(cx),
        }
    }

    pub(super) fn map(self, change: impl FnOnce(Response<Body>) -> Response<Body> + Send + 'static) -> Self {
        match self {
            Self::Now(response) => Self::Now(response.map(change)),
            Self::Later(response) => Self::later(async move { change(response.await) }),
        }
    }
}

/// The answer to HEAD. HTTP/1 would drop the body by itself, HTTP/2 would break the protocol.
pub(super) fn without_body(response: Response<Body>) -> Response<Body> {
    response.map(|_| Body::Empty)
}

/// An answer after which the connection is closed.
pub(super) fn without_successor(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_response(cx).map(Ok)
    }
}
