//! The answers to visits, as hyper writes them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use boltlink_core::{Redirect, RedirectKind};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::body::Body;
use crate::{
    pages::{cache_control, status},
    traces::RequestId,
};

/// Writes answers one behind the other. What many of them have in common is made once.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    /// By kind, and by whether browsers may keep them.
    redirects: [[Around; 2]; RedirectKind::ALL.len()],
    /// `content-length: 0`, the date, and the line that ends a head.
    end: Vec<u8>,
    /// When the date is another.
    end_until: Option<Instant>,
}

/// What a redirect has before its address, and after.
#[derive(Debug)]
struct Around {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Around {
    fn new(kind: RedirectKind, cacheable: bool) -> Self {
        let redirect = Redirect { kind, cacheable, location: HeaderValue::from_static("") };
        let (mut before, mut after) = (Vec::new(), b"\r\n".to_vec());
        put_status(&mut before, status(&redirect));
        before.extend_from_slice(header::LOCATION.as_str().as_bytes());
        before.extend_from_slice(b": ");
        put_line(&mut after, &header::CACHE_CONTROL, cache_control(&redirect).as_bytes());
        Self { before, after }
    }
}

const NO_LENGTH: &[u8] = b"content-length: 0";

impl Writer {
    pub(super) fn new() -> Self {
        let redirects = RedirectKind::ALL.map(|kind| [false, true].map(|cacheable| Around::new(kind, cacheable)));
        Self { bytes: Vec::new(), redirects, end: Vec::new(), end_until: None }
    }

    /// The redirect that nearly all answers are, to a request that is called this. `now` is when it was read, or later.
    pub(super) fn redirect(&mut self, redirect: &Redirect, request_id: Option<&[u8]>, is_last: bool, now: Instant) {
        let Around { before, after } = &self.redirects[redirect.kind as usize][usize::from(redirect.cacheable)];
        self.bytes.extend_from_slice(before);
        self.bytes.extend_from_slice(redirect.location.as_bytes());
        self.bytes.extend_from_slice(after);
        if let Some(id) = request_id {
            put_line(&mut self.bytes, &RequestId::HEADER, id);
        }
        self.end(&[], is_last, now);
    }

    /// Any other answer to a visit. `None` if its body is not here.
    pub(super) fn response(&mut self, response: Response<Body>, is_last: bool) -> Option<()> {
        let (head, body) = response.into_parts();
        let body = body.into_bytes()?;
        put_status(&mut self.bytes, head.status);
        for (name, value) in &head.headers {
            put_line(&mut self.bytes, name, value.as_bytes());
        }
        self.end(&body, is_last, Instant::now());
        Some(())
    }

    fn end(&mut self, body: &[u8], is_last: bool, now: Instant) {
        if is_last {
            self.bytes.extend_from_slice(b"connection: close\r\n");
        }
        if self.end_until.is_none_or(|until| now >= until) {
            self.begin_second(now);
        }
        if body.is_empty() {
            self.bytes.extend_from_slice(&self.end);
        } else {
            self.bytes.extend_from_slice(format!("content-length: {}", body.len()).as_bytes());
            self.bytes.extend_from_slice(&self.end[NO_LENGTH.len()..]);
            self.bytes.extend_from_slice(body);
        }
    }

    /// Makes the date anew. Told by a clock that does not jump when it is to be so again, it costs no call of its own.
    fn begin_second(&mut self, now: Instant) {
        let time = SystemTime::now();
        let gone = time.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        self.end_until = Some(now + Duration::from_nanos(1_000_000_000 - u64::from(gone)));
        self.end.clear();
        self.end.extend_from_slice(NO_LENGTH);
        self.end.extend_from_slice(b"\r\ndate: ");
        self.end.extend_from_slice(httpdate::fmt_http_date(time).as_bytes());
        self.end.extend_from_slice(b"\r\n\r\n");
    }
}

fn put_status(bytes: &mut Vec<u8>, status: StatusCode) {
    bytes.extend_from_slice(b"HTTP/1.1 ");
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(status.canonical_reason().unwrap_or("Other").as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

fn put_line(bytes: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    bytes.extend_from_slice(name.as_str().as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(writer: &Writer) -> SystemTime {
        let text = std::str::from_utf8(&writer.bytes).unwrap();
        let dates: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("date: ")).collect();
        assert_eq!((dates.len(), text.matches("content-length: ").count()), (1, 1), "{text}");
        httpdate::parse_http_date(dates[0]).unwrap()
    }

    #[test]
    fn the_date_is_that_of_the_second() {
        let (mut writer, begin) = (Writer::new(), Instant::now());
        let location = HeaderValue::from_static("https://example.com/");
        let redirect = Redirect { kind: RedirectKind::Found, cacheable: false, location };
        writer.redirect(&redirect, None, false, begin);
        let end = writer.end_until.unwrap();
        assert!(begin < end && end <= begin + Duration::from_secs(1));
        assert!(date(&writer).elapsed().unwrap() < Duration::from_secs(60));

        for (now, until) in [(end - Duration::from_nanos(1), end), (end, end)] {
            writer.bytes.clear();
            writer.redirect(&redirect, Some(b"one"), true, now);
            date(&writer);
            assert_eq!(writer.end_until == Some(until), now < end, "made anew when the second is over, not before");
        }
    }

    #[test]
    fn an_answer_has_its_length() {
        let mut writer = Writer::new();
        writer.response(Response::new(Body::Full("not here".into())), false).unwrap();
        date(&writer);
        let text = String::from_utf8(writer.bytes).unwrap();
        assert!(text.contains("content-length: 8\r\n") && text.ends_with("\r\n\r\nnot here"), "{text}");
    }
}
