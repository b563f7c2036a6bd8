//! The requests that nearly all visits are, as they stand on the wire.

use std::{mem::MaybeUninit, net::IpAddr};

use boltlink_core::{Domain, Visit, Visitor};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use httparse::{Header, Status};

use super::service::asked;
use crate::traces::RequestId;

/// Room for the headers of a request: more than browsers send.
pub(super) type Headers<'b> = [MaybeUninit<Header<'b>>; 64];

/// What stands at the beginning of a buffer.
pub(super) enum Beginning<'h, 'b> {
    /// A part of a request, or nothing.
    Part,
    /// A request for a short link.
    Plain(Plain<'h, 'b>),
    /// Something else, perhaps no HTTP at all.
    Other,
}

/// `GET /slug[/rest][?query]` by HTTP/1.1, of one host and without a body. Nothing in it changes how the connection is
/// spoken on, unless it ends.
pub(super) struct Plain<'h, 'b> {
    /// How many bytes it takes.
    pub(super) len: usize,
    /// The header `Host`.
    pub(super) host: &'b [u8],
    /// Whether the connection is to end with its answer.
    pub(super) is_last: bool,
    /// What the request says that it is called.
    pub(super) request_id: Option<&'b [u8]>,
    /// The header `traceparent`.
    pub(super) traceparent: Option<&'b [u8]>,
    target: &'b str,
    slug: &'b str,
    rest: &'b str,
    query: &'b str,
    referrer: Option<&'b [u8]>,
    user_agent: Option<&'b [u8]>,
    language: Option<&'b [u8]>,
    headers: &'h [Header<'b>],
}

impl<'h, 'b> Beginning<'h, 'b> {
    /// Reads by the parser that hyper reads by, too.
    pub(super) fn of(buffer: &'b [u8], headers: &'h mut Headers<'b>) -> Self {
        let mut request = httparse::Request::new(&mut []);
        let len = match request.parse_with_uninit_headers(buffer, headers) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => return Self::Part,
            Err(_) => return Self::Other,
        };
        let (Some("GET"), Some(1), Some(target)) = (request.method, request.version, request.path) else {
            return Self::Other;
        };
        Plain::new(len, target, request.headers).map_or(Self::Other, Self::Plain)
    }
}

impl<'h, 'b> Plain<'h, 'b> {
    fn new(len: usize, target: &'b str, headers: &'h [Header<'b>]) -> Option<Self> {
        // What may be written otherwise, or not at all, is for others to judge.
        let ordinary = |byte| matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'Z' | b'_' | b'a'..=b'z' | b'~');
        if !target.bytes().all(ordinary) {
            return None;
        }
        let (mut host, mut is_last) = (None, false);
        let (mut referrer, mut user_agent, mut language) = (None, None, None);
        let (mut request_id, mut traceparent) = (None, None);
        for Header { name, value } in headers {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            match name.len() {
                4 if is("host") && host.replace(*value).is_some() => return None,
                6 if is("expect") => return None,
                7 if is("upgrade") => return None,
                7 if is("referer") => referrer = referrer.or(Some(*value)),
                10 if is("user-agent") => user_agent = user_agent.or(Some(*value)),
                10 if is("connection") => match value {
                    value if value.eq_ignore_ascii_case(b"keep-alive") => {}
                    value if value.eq_ignore_ascii_case(b"close") => is_last = true,
                    _ => return None,
                },
                11 if is("traceparent") => traceparent = traceparent.or(Some(*value)),
                12 if is("x-request-id") => request_id = request_id.or(Some(*value)),
                14 if is("content-length") => return None,
                15 if is("accept-language") => language = language.or(Some(*value)),
                17 if is("transfer-encoding") => return None,
                _ => {}
            }
        }
        let (path, query) = match target.bytes().position(|byte| byte == b'?') {
            Some(mark) => (&target[..mark], &target[mark + 1..]),
            None => (target, ""),
        };
        let (slug, rest) = asked(path)?;
        let host = host?;
        let request_id = request_id.filter(|id| RequestId::is_valid(id));
        Some(Self {
            len,
            host,
            is_last,
            request_id,
            traceparent,
            target,
            slug,
            rest,
            query,
            referrer,
            user_agent,
            language,
            headers,
        })
    }

    /// The lines of a header, the last one first.
    pub(super) fn lines(&self, name: &'static str) -> impl Iterator<Item = &'b [u8]> {
        let named = move |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name);
        self.headers.iter().rev().filter(named).map(|header| header.value)
    }

    /// The visit that it is.
    pub(super) fn visit<'d>(&self, domain: &'d Domain, address: Option<IpAddr>) -> Visit<'d>
    where
        'b: 'd,
    {
        let Self { slug, rest, query, referrer, user_agent, language, .. } = *self;
        let visitor = Visitor { address, referrer, user_agent, language };
        Visit { rest, query, visitor, ..Visit::new(domain, slug) }
    }

    /// The same with a life of its own.
    pub(super) fn to_request(&self) -> Option<Request<()>> {
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.target.parse().ok()?;
        *request.headers_mut() = self.to_headers()?;
        Some(request)
    }

    fn to_headers(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for Header { name, value } in self.headers {
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        Some(headers)
    }
}

/// The headers of the request at the beginning of a buffer, if one is there.
pub(super) fn headers(buffer: &[u8]) -> HeaderMap {
    let mut headers: Headers<'_> = [const { MaybeUninit::uninit() }; _];
    match Beginning::of(buffer, &mut headers) {
        Beginning::Plain(plain) => plain.to_headers().unwrap_or_default(),
        Beginning::Part | Beginning::Other => HeaderMap::new(),
    }
}
