//! The body of an answer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use tokio::sync::mpsc;
use tracing::Instrument;

use super::connections::Answering;

/// How many pieces of an answer wait to be read; one more is made meanwhile.
const AHEAD: usize = 4;

type Piece = Result<Frame<Bytes>, io::Error>;

/// Nothing, bytes that are ready, or what poem has made.
pub(crate) enum Body {
    /// A redirect's: costs nothing.
    Empty,
    /// A page's.
    Full(Bytes),
    /// The API's, which holds on to the mark that its connection is busy.
    Boxed { body: BoxBody<Bytes, io::Error>, _answering: Answering },
    /// The API's, made where the API is while it is read here. After its last piece comes `None`.
    Piped { pieces: mpsc::Receiver<Option<Piece>>, _answering: Answering },
}

impl Body {
    /// An answer of the API. One whose length is not known is made piece by piece, by the threads that call this.
    pub(super) fn of_api(body: BoxBody<Bytes, io::Error>, answering: Answering) -> Self {
        if body.size_hint().exact().is_some() {
            return Self::Boxed { body, _answering: answering };
        }
        Self::Piped { pieces: pipe(body), _answering: answering }
    }
}

impl Body {
    /// All of it, if it is here.
    pub(super) fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Empty => Some(Bytes::new()),
            Self::Full(bytes) => Some(bytes),
            Self::Boxed { .. } | Self::Piped { .. } => None,
        }
    }
}

/// Makes the pieces of a body, a few ahead, until nobody reads them any more.
fn pipe(mut body: BoxBody<Bytes, io::Error>) -> mpsc::Receiver<Option<Piece>> {
    let (sender, pieces) = mpsc::channel(AHEAD);
    let making = async move {
        loop {
            let piece = tokio::select! {
                () = sender.closed() => return,
                piece = body.frame() => piece,
            };
            let last = !matches!(piece, Some(Ok(_)));
            if sender.send(piece).await.is_err() || last {
                return;
            }
        }
    };
    tokio::spawn(making.in_current_span());
    pieces
}

/// The next piece. What ends without saying so is cut off, which must not look as if it were whole.
fn next(pieces: &mut mpsc::Receiver<Option<Piece>>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
    let cut_off = || Some(Err(io::Error::other("the answer could not be made to its end")));
    pieces.poll_recv(cx).map(|piece| piece.unwrap_or_else(cut_off))
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Boxed { body, .. } => Pin::new(body).poll_frame(cx),
            Self::Piped { pieces, .. } => next(pieces, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) | Self::Piped { .. } => false,
            Self::Boxed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Boxed { body, .. } => body.size_hint(),
            Self::Piped { .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::{
        StreamExt,
        stream::{iter, pending},
    };
    use http_body_util::StreamBody;

    use super::*;

    fn text(text: &'static str) -> Piece {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    async fn read(body: BoxBody<Bytes, io::Error>) -> (Vec<Bytes>, io::Result<()>) {
        let mut pieces = pipe(body);
        let mut read = Vec::new();
        loop {
            match poll_fn(|cx| next(&mut pieces, cx)).await {
                None => return (read, Ok(())),
                Some(Ok(frame)) => read.extend(frame.into_data()),
                Some(Err(error)) => return (read, Err(error)),
            }
        }
    }

    #[tokio::test]
    async fn a_piped_body_is_whole_or_says_that_it_is_not() {
        let whole = StreamBody::new(iter((0..10).map(|_| text("piece"))));
        let (pieces, end) = read(BodyExt::boxed(whole)).await;
        assert_eq!((pieces.len(), end.is_ok()), (10, true));

        let failing = StreamBody::new(iter([text("piece"), Err(io::Error::other("the store is away"))]));
        let (pieces, end) = read(BodyExt::boxed(failing)).await;
        assert_eq!((pieces.len(), end.unwrap_err().to_string().as_str()), (1, "the store is away"));

        let broken = StreamBody::new(iter((0..2).map(|at| if at == 0 { text("piece") } else { panic!("a bug") })));
        let (pieces, end) = read(BodyExt::boxed(broken)).await;
        assert_eq!((pieces.len(), end.is_err()), (1, true), "cut off without a word");
    }

    #[tokio::test]
    async fn nothing_is_made_for_nobody() {
        // Endless, and a store that never comes to the next piece.
        for waits in [false, true] {
            let (made, mut count) = mpsc::unbounded_channel();
            let pieces = iter(std::iter::repeat_with(move || made.send(())).map(|_| text("piece")));
            let body = match waits {
                false => BodyExt::boxed(StreamBody::new(pieces)),
                true => BodyExt::boxed(StreamBody::new(pieces.take(1).chain(pending()))),
            };
            let pieces = pipe(body);
            count.recv().await;
            drop(pieces);
            // The sender goes with the body.
            let mut more = 0;
            while count.recv().await.is_some() {
                more += 1;
            }
            assert!(more <= AHEAD + 1, "{more} pieces more");
        }
    }
}
