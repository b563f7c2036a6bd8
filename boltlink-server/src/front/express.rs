//! Visits without hyper.
//!
//! Of a redirect's cost on a cached link hyper's share is larger than ours: a map of headers, each a counted piece of the
//! buffer, there and back. So the requests that nearly all visits are (`plain.rs`) are read and answered where they stand.
//! At the first other one, whatever it is, hyper takes the connection over, with all that was not answered.

use std::{
    cell::Cell,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use boltlink_core::Outcome;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    connections::{Command, Connection},
    plain::{Beginning, Headers, Writer},
    service::{Answer, Service},
};

/// Bytes read at a time.
const READ: usize = 16 << 10;

/// A connection on which only visits were asked for so far.
pub(super) struct Express<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Bytes that may be read and not answered.
    most: usize,
    /// What was read, but is no whole request yet.
    unread: Vec<u8>,
    /// What was answered, but not taken by the network yet.
    unsent: Vec<u8>,
    /// An answer that takes its time, and whether it is the last one.
    answer: Option<(Answer, bool)>,
    /// The last answer was given.
    is_over: bool,
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
    pub(super) const fn new(stream: S, connection: Arc<Connection>, most: usize) -> Self {
        Self { stream, connection, most, unread: Vec::new(), unsent: Vec::new(), answer: None, is_over: false }
    }

    /// The stream, and what was read of it and not answered.
    pub(super) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.unread)
    }

    /// Answers visits, one after the other.
    pub(super) fn poll(&mut self, service: &Service, cx: &mut Context<'_>) -> Poll<End> {
        let new = || Desk { input: Box::new([0; READ]), output: Writer::default() };
        let mut desk = DESK.take().unwrap_or_else(new);
        let end = self.poll_at(&mut desk, service, cx);
        desk.output.bytes.clear();
        DESK.set(Some(desk));
        end
    }

    fn poll_at(&mut self, desk: &mut Desk, service: &Service, cx: &mut Context<'_>) -> Poll<End> {
        let Desk { input, output } = desk;
        // What is left from before.
        let mut other = match self.answer_all(None, output, service, cx) {
            Ok(other) => other,
            Err(Gone) => return Poll::Ready(End::Closed),
        };
        loop {
            if ready!(self.send(&mut output.bytes, cx)).is_err() {
                return Poll::Ready(End::Closed);
            }
            if other && self.answer.is_none() {
                return Poll::Ready(End::Other);
            }
            let rests = self.unread.is_empty() && self.answer.is_none();
            match self.connection.command(cx) {
                Command::Stop => return Poll::Ready(End::Closed),
                _ if self.is_over => return Poll::Ready(End::Closed),
                Command::Drain if rests => return Poll::Ready(End::Closed),
                Command::Serve | Command::Drain => {}
            }
            if self.answer.is_some() {
                return Poll::Pending;
            }
            let mut read = ReadBuf::new(&mut input[..]);
            if ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)).is_err() || read.filled().is_empty() {
                return Poll::Ready(End::Closed);
            }
            self.connection.note_read();
            let len = read.filled().len();
            other = match self.answer_all(Some(&input[..len]), output, service, cx) {
                Ok(other) => other,
                Err(Gone) => return Poll::Ready(End::Closed),
            };
        }
    }

    /// Answers all whole requests in what was read, `new` behind what is left from before. Says whether there is something
    /// else then.
    fn answer_all(
        &mut self,
        new: Option<&[u8]>,
        output: &mut Writer,
        service: &Service,
        cx: &mut Context<'_>,
    ) -> Result<bool, Gone> {
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
        let other = loop {
            if let Some((answer, is_last)) = &mut self.answer {
                let Poll::Ready(response) = answer.poll_response(cx) else { break false };
                output.response(response, *is_last).ok_or(Gone)?;
                self.is_over = *is_last;
                self.answer = None;
            }
            if self.is_over || left.is_empty() {
                break false;
            }
            let mut headers: Headers<'_> = [const { mem::MaybeUninit::uninit() }; _];
            match Beginning::of(left, &mut headers) {
                Beginning::Part => break left.len() > self.most,
                Beginning::Other => break true,
                Beginning::Plain(plain) => {
                    self.connection.note_request(http::Version::HTTP_11);
                    let is_last = plain.is_last || self.connection.command(cx) != Command::Serve;
                    match service.try_visit(&plain) {
                        Some(Outcome::Redirect(redirect)) => {
                            output.redirect(&redirect, is_last);
                            self.is_over = is_last;
                        }
                        _ => match plain.to_request() {
                            Some(request) => self.answer = Some((service.visit(request), is_last)),
                            None => break true,
                        },
                    }
                    left = &left[plain.len..];
                }
            }
        };
        if !left.is_empty() {
            // The beginning of the next one is here.
            self.connection.note_read();
        }
        self.unread = left.to_vec();
        Ok(other)
    }

    /// Sends what was answered.
    fn send(&mut self, output: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unsent.is_empty() {
            self.unsent.append(output);
            let mut unsent = mem::take(&mut self.unsent);
            let sent = self.write(&mut unsent, cx);
            self.unsent = unsent;
            return sent;
        }
        if output.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let sent = self.write(output, cx);
        self.unsent.append(output);
        sent
    }

    /// Writes `bytes`, and takes away what was written.
    fn write(&mut self, bytes: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let end = loop {
            if written == bytes.len() {
                break Pin::new(&mut self.stream).poll_flush(cx);
            }
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[written..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(some)) => {
                    self.connection.note_written();
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

/// Nobody can be answered any more.
struct Gone;
