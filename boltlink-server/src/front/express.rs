//! Visits without hyper.
//!
//! Of a redirect's cost on a cached link hyper's share is larger than ours: a map of headers, each a counted piece of the
//! buffer, there and back. So the requests that nearly all visits are (`plain.rs`) are read where they stand, and answered
//! (`writer.rs`). At the first other one, whatever it is, hyper takes the connection over, with all that was not answered.

use std::{
    cell::Cell,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use boltlink_core::{Begun, Outcome, Recorded};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    answer::Answer,
    connections::{Answering, Command, Connection},
    plain::{self, Beginning, Headers},
    relay,
    service::Service,
    writer::Writer,
};
use crate::metrics::{Given, Visits};

/// Bytes read at a time.
const READ: usize = 16 << 10;

/// Bytes of answers beyond which they are sent before more are made.
const FULL: usize = 64 << 10;

/// A connection on which only visits were asked for so far.
pub(super) struct Express<S> {
    stream: S,
    connection: Arc<Connection>,
    visits: Arc<Visits>,
    /// When something was read for the last time, and the redirects that were given since.
    read_at: Instant,
    given: Given,
    /// Bytes that may be read and not answered.
    most: usize,
    /// What was read, but is no whole request yet.
    unread: Vec<u8>,
    /// What was answered, but not taken by the network yet.
    unsent: Vec<u8>,
    /// An answer that takes its time.
    waiting: Option<Waiting>,
    /// The last answer was given.
    is_over: bool,
    /// There is something that is not for us.
    is_other: bool,
    /// More could be answered than is sent at once.
    is_full: bool,
    /// Something was written, and perhaps not sent.
    must_flush: bool,
}

/// For what the next answer waits.
struct Waiting {
    what: What,
    /// How many bytes of what is not read yet are its request's.
    len: usize,
    is_last: bool,
}

enum What {
    Answer(Answer),
    /// A redirect, whose click has to be durable first; and that it is being answered.
    Recorded {
        recorded: Recorded,
        request_id: Option<Box<[u8]>>,
        _answering: Answering,
    },
}

/// How it ended.
pub(super) enum End {
    /// There is nobody any more, or nothing to say.
    Closed,
    /// There is something else to be answered.
    Other,
}

/// What a thread works with, whatever connection it is at: warm, and no memory of connections that rest.
struct Desk {
    input: Box<[u8; READ]>,
    output: Writer,
}

thread_local! {
    static DESK: Cell<Option<Desk>> = const { Cell::new(None) };
}

impl<S: AsyncRead + AsyncWrite + Unpin> Express<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>, visits: Arc<Visits>, most: usize) -> Self {
        Self {
            stream,
            connection,
            visits,
            read_at: Instant::now(),
            given: Given::default(),
            most,
            unread: Vec::new(),
            unsent: Vec::new(),
            waiting: None,
            is_over: false,
            is_other: false,
            is_full: false,
            must_flush: false,
        }
    }

    /// The stream, and what was read of it and not answered.
    pub(super) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.unread)
    }

    /// Answers visits, one after the other.
    pub(super) fn poll(&mut self, service: &Service, cx: &mut Context<'_>) -> Poll<End> {
        let new = || Desk { input: Box::new([0; READ]), output: Writer::new() };
        let mut desk = DESK.take().unwrap_or_else(new);
        let end = self.poll_at(&mut desk, service, cx);
        desk.output.bytes.clear();
        desk.output.bytes.shrink_to(2 * FULL);
        DESK.set(Some(desk));
        end
    }

    fn poll_at(&mut self, desk: &mut Desk, service: &Service, cx: &mut Context<'_>) -> Poll<End> {
        let Desk { input, output } = desk;
        // Also where somebody does not take what was answered.
        if self.connection.command(cx) == Command::Stop {
            return Poll::Ready(End::Closed);
        }
        // What is left from before.
        let mut next = if self.waiting.is_some() || self.is_full {
            self.answer_all(None, output, service, cx)
        } else if self.is_other {
            Next::Other
        } else {
            Next::Read
        };
        loop {
            self.is_other = matches!(next, Next::Other);
            if matches!(next, Next::Fail) {
                return Poll::Ready(End::Closed);
            }
            let sent = self.send(&mut output.bytes, cx);
            if self.given != Given::default() {
                self.visits.observe(&mem::take(&mut self.given), self.read_at.elapsed());
            }
            if ready!(sent).is_err() {
                return Poll::Ready(End::Closed);
            }
            let rests = self.unread.is_empty() && self.waiting.is_none();
            if self.is_over || rests && self.connection.command(cx) >= Command::Drain {
                return Poll::Ready(End::Closed);
            }
            next = match next {
                Next::Other => return Poll::Ready(End::Other),
                Next::Wait => return Poll::Pending,
                Next::Again => self.answer_all(None, output, service, cx),
                Next::Read | Next::Fail => {
                    let mut read = ReadBuf::new(&mut input[..]);
                    if ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)).is_err() || read.filled().is_empty()
                    {
                        return Poll::Ready(End::Closed);
                    }
                    self.connection.note_read();
                    self.read_at = Instant::now();
                    let len = read.filled().len();
                    self.answer_all(Some(&input[..len]), output, service, cx)
                }
            };
        }
    }

    /// Answers the requests in what was read, `new` behind what is left from before, and says how to go on.
    fn answer_all(&mut self, new: Option<&[u8]>, output: &mut Writer, service: &Service, cx: &mut Context<'_>) -> Next {
        let joined;
        let all = match new {
            Some(new) if self.unread.is_empty() => new,
            new => {
                self.unread.extend_from_slice(new.unwrap_or_default());
                joined = mem::take(&mut self.unread);
                &joined[..]
            }
        };
        let mut left = all;
        self.is_full = false;
        // What was read before may have waited for long.
        let now = if new.is_some() { self.read_at } else { Instant::now() };
        let next = loop {
            if let Some(waiting) = &mut self.waiting {
                let Waiting { len, is_last, .. } = *waiting;
                let written = match &mut waiting.what {
                    What::Answer(answer) => answer.poll_response(cx).map(|response| output.response(response, is_last)),
                    What::Recorded { recorded, request_id, .. } => relay::poll(recorded, cx).map(|done| match done {
                        Ok(Outcome::Redirect(redirect)) => {
                            self.given.one(redirect.kind);
                            output.redirect(&redirect, request_id.as_deref(), is_last, now);
                            Some(())
                        }
                        Ok(_) => None,
                        Err(error) => {
                            output.response(service.failed(error, &plain::headers(left), self.read_at), is_last)
                        }
                    }),
                };
                match written {
                    Poll::Pending => break Next::Wait,
                    Poll::Ready(None) => break Next::Fail,
                    Poll::Ready(Some(())) => {}
                }
                left = &left[len..];
                self.is_over = is_last;
                self.waiting = None;
            }
            if self.is_over || left.is_empty() {
                break Next::Read;
            }
            if output.bytes.len() > FULL {
                self.is_full = true;
                break Next::Again;
            }
            let mut headers: Headers<'_> = [const { mem::MaybeUninit::uninit() }; _];
            match Beginning::of(left, &mut headers) {
                Beginning::Part => break if left.len() > self.most { Next::Other } else { Next::Read },
                Beginning::Other => break Next::Other,
                Beginning::Plain(plain) => {
                    self.connection.note_request(http::Version::HTTP_11);
                    let is_last = plain.is_last || self.connection.command(cx) != Command::Serve;
                    let goes = service.traces(plain.traceparent);
                    let begun = if goes.is_some() { None } else { service.begin_visit(&plain) };
                    let (what, len) = match begun {
                        Some(Begun::Done(Outcome::Redirect(redirect))) => {
                            self.given.one(redirect.kind);
                            output.redirect(&redirect, plain.request_id, is_last, now);
                            self.is_over = is_last;
                            left = &left[plain.len..];
                            continue;
                        }
                        // Should it fail, its request says in what form that is to be told.
                        Some(Begun::Recorded(recorded)) => {
                            let _answering = self.connection.answer();
                            let request_id = plain.request_id.map(Into::into);
                            (What::Recorded { recorded, request_id, _answering }, plain.len)
                        }
                        _ => match plain.to_request() {
                            Some(request) => {
                                left = &left[plain.len..];
                                (What::Answer(service.visit_told(request, goes)), 0)
                            }
                            None => break Next::Other,
                        },
                    };
                    self.waiting = Some(Waiting { what, len, is_last });
                }
            }
        };
        if left.len() > self.waiting.as_ref().map_or(0, |waiting| waiting.len) {
            // The beginning of the next one is here.
            self.connection.note_read();
        }
        self.unread = left.to_vec();
        next
    }

    /// Sends what was answered.
    fn send(&mut self, output: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() {
            let sent = self.write(output, cx);
            self.unsent.append(output);
            return sent;
        }
        self.unsent.append(output);
        let mut unsent = mem::take(&mut self.unsent);
        let sent = self.write(&mut unsent, cx);
        // Nothing is kept of a connection that rests.
        self.unsent = if unsent.is_empty() { Vec::new() } else { unsent };
        sent
    }

    /// Writes `bytes`, takes away what was written, and sees to it that it is on its way.
    fn write(&mut self, bytes: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let end = loop {
            if written == bytes.len() {
                // With TLS what was written may not be sent yet.
                if mem::take(&mut self.must_flush) {
                    let flushed = Pin::new(&mut self.stream).poll_flush(cx);
                    self.must_flush = flushed.is_pending();
                    break flushed;
                }
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[written..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(some)) => {
                    self.connection.note_written();
                    self.must_flush = true;
                    written += some;
                }
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        bytes.drain(..written);
        end
    }
}

/// How to go on once what was read is answered, and the answers are sent.
enum Next {
    /// Read on.
    Read,
    /// There is more to be answered.
    Again,
    /// An answer takes its time.
    Wait,
    /// Something else is asked.
    Other,
    /// An answer cannot be given.
    Fail,
}
