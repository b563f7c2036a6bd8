//! What a visitor of a short link gets.
//!
//! | outcome | status | `Cache-Control` |
//! |---|---|---|
//! | redirect, permanent and without bounds in time or number | 301, 308 | `private, max-age=90` |
//! | any other redirect | 301, 302, 307, 308 | `no-store` |
//! | no such link, and the domain has a `not_found_url` | 302, to there | `no-store` |
//! | a password is asked for, or was wrong | 403, with a form | `no-store` |
//! | the password is right: on to the target, whatever the link's redirect | 303 | `no-store` |
//! | no such link, or not yet active | 404 | `no-store` |
//! | disabled, expired, exhausted | 410 | `no-store` |
//! | too often, where that is limited | 429, with `Retry-After` | `no-store` |
//! | the engine cannot tell at the moment | 503, with `Retry-After` | `no-store` |
//!
//! A redirect that a browser keeps is a visit nobody counts, and an edit nobody sees: so even permanent
//! ones are kept for 90 seconds only, by the visitor's own browser and by no cache between.
//!
//! Whoever accepts HTML (browsers) gets a small page, everybody else problem details (RFC 9457).

pub(crate) mod html;

use std::collections::BTreeMap;

use boltlink_core::{Domain, Error, Outcome, Pass, Redirect, RedirectKind, TargetUrl, store::Decision};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::{
    api::{
        Problem, cookie, harden,
        problem::{self, Code, rate_limit_headers},
    },
    front::Body,
    hosts::are_several,
};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const BRIEFLY: HeaderValue = HeaderValue::from_static("private, max-age=90");

/// The answers to visits, made once.
pub(crate) struct Pages {
    https: bool,
    /// Where visitors of unknown links are sent, by domain.
    elsewhere: BTreeMap<Domain, HeaderValue>,
    not_found: Page,
    not_yet_active: Page,
    expired: Page,
    exhausted: Page,
    disabled: Page,
    locked: Page,
    wrong_password: Page,
    unknown_host: Page,
    several_hosts: Page,
    method_not_allowed: Page,
    too_often: Page,
    unavailable: Page,
    failed: Page,
}

struct Page {
    status: StatusCode,
    html: Bytes,
    json: Bytes,
}

impl Page {
    fn new(code: Code, detail: &str) -> Self {
        let problem = Problem::new(code, detail);
        Self { status: code.status(), html: html::page(code.title(), detail).into(), json: problem.to_bytes() }
    }

    /// A page that asks for a password, and says what was wrong with the last one.
    fn with_form(text: &str, wrong: Option<&str>) -> Self {
        let code = Code::PasswordRequired;
        let form = html::Form { title: code.title(), text, wrong, hidden: None, autocomplete: "off", button: "Go on" };
        let html = html::password_form(&form).into();
        Self { html, ..Self::new(code, wrong.unwrap_or("Send the field password as a form (POST) to this URL.")) }
    }
}

/// Why a link with a password does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// Nothing was tried.
    Locked,
    /// What was tried is not the password.
    Wrong,
}

impl Pages {
    pub(crate) fn new(https: bool, not_found_urls: &BTreeMap<Domain, TargetUrl>) -> Self {
        Self {
            https,
            elsewhere: not_found_urls.iter().map(|(domain, url)| (domain.clone(), url.location())).collect(),
            not_found: Page::new(Code::LinkNotFound, "There is no link of this name. Is it spelled right?"),
            not_yet_active: Page::new(Code::LinkNotYetActive, "This link does not work yet. Try again later."),
            expired: Page::new(Code::LinkExpired, "This link has expired."),
            exhausted: Page::new(Code::LinkExhausted, "This link has been used as often as it may be."),
            disabled: Page::new(Code::LinkDisabled, "This link has been switched off."),
            locked: Page::with_form("This link is protected. Its owner can tell you the password.", None),
            wrong_password: Page::with_form(
                "This link is protected. Its owner can tell you the password.",
                Some("This is not the password."),
            ),
            unknown_host: Page::new(Code::UnknownHost, "This server does not answer for the host that was asked."),
            several_hosts: Page::new(Code::InvalidParameter, "The header Host must be there once."),
            method_not_allowed: Page::new(Code::MethodNotAllowed, "A short link can only be followed, by GET or HEAD."),
            too_often: Page::new(Code::RateLimited, "This is too often. Try again in a moment."),
            unavailable: Page::new(Code::Unavailable, "This is not possible just now. Try again in a moment."),
            failed: Page::new(Code::Internal, "The server failed. The cause is in its log."),
        }
    }

    /// Answers a visit. A redirect is put together from parts that exist: nothing is allocated but the
    /// header map.
    pub(crate) fn answer(&self, outcome: &Outcome, domain: &Domain, asked: &HeaderMap) -> Response<Body> {
        let page = match outcome {
            Outcome::Redirect(redirect) => return send_on(redirect),
            Outcome::NotFound => match self.elsewhere.get(domain) {
                // Never kept: the link may be made any moment.
                Some(location) => {
                    let location = location.clone();
                    return send_on(&Redirect { kind: RedirectKind::Found, location, cacheable: false });
                }
                None => &self.not_found,
            },
            Outcome::NotYetActive => &self.not_yet_active,
            Outcome::Expired => &self.expired,
            Outcome::Exhausted => &self.exhausted,
            Outcome::Disabled => &self.disabled,
            Outcome::PasswordRequired => return self.shut(Shut::Locked, asked),
        };
        self.show(page, asked)
    }

    /// Asks for the password of a link.
    pub(crate) fn shut(&self, why: Shut, asked: &HeaderMap) -> Response<Body> {
        let mut response = self.show(if why == Shut::Wrong { &self.wrong_password } else { &self.locked }, asked);
        let policy = HeaderValue::from_static(html::FORM_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }

    /// Answers a visitor who has said the password of a link, with the pass to be kept for the path of this one segment. The
    /// form must not go along to the target, whatever the link's redirect: so it is 303 (RFC 9110 section 15.4.4).
    pub(crate) fn unlocked(
        &self,
        outcome: &Outcome,
        domain: &Domain,
        asked: &HeaderMap,
        (pass, segment): (&Pass, &str),
    ) -> Response<Body> {
        let mut response = self.answer(outcome, domain, asked);
        if response.status().is_redirection() {
            *response.status_mut() = StatusCode::SEE_OTHER;
        }
        if let Ok(cookie) = HeaderValue::try_from(cookie::set_pass(pass, segment, self.https)) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Answers a form that cannot be read.
    pub(crate) fn refused(&self, problem: &Problem, asked: &HeaderMap) -> Response<Body> {
        let mut response = self.show(&Page::new(problem.code(), problem.detail()), asked);
        response.headers_mut().extend(problem.headers());
        response
    }

    /// Answers a visit of which the outcome is unknown.
    pub(crate) fn failed(&self, error: Error, asked: &HeaderMap) -> Response<Body> {
        let problem = Problem::from(error);
        let page = if problem.code() == Code::Unavailable { &self.unavailable } else { &self.failed };
        let mut response = self.show(page, asked);
        response.headers_mut().extend(problem.headers());
        response
    }

    /// Answers whatever is asked of a host that is none of ours.
    pub(crate) fn unknown_host(&self, asked: &HeaderMap) -> Response<Body> {
        self.show(if are_several(asked) { &self.several_hosts } else { &self.unknown_host }, asked)
    }

    pub(crate) fn method_not_allowed(&self, asked: &HeaderMap) -> Response<Body> {
        let mut response = self.show(&self.method_not_allowed, asked);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    }

    /// Answers a visit that would be one too many.
    pub(crate) fn too_often(&self, refusal: &Decision, asked: &HeaderMap) -> Response<Body> {
        let mut response = self.show(&self.too_often, asked);
        response.headers_mut().extend(rate_limit_headers(refusal));
        response
    }

    fn show(&self, page: &Page, asked: &HeaderMap) -> Response<Body> {
        let (body, kind) = if accepts_html(asked) {
            (page.html.clone(), html::CONTENT_TYPE)
        } else {
            (page.json.clone(), problem::CONTENT_TYPE)
        };
        let mut response = Response::new(Body::Full(body));
        *response.status_mut() = page.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
        harden(headers, self.https);
        response
    }
}

fn send_on(redirect: &Redirect) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status(redirect);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, redirect.location.clone());
    headers.insert(header::CACHE_CONTROL, cache_control(redirect));
    response
}

/// The status of a redirect.
pub(crate) fn status(redirect: &Redirect) -> StatusCode {
    // Every kind is a valid one.
    StatusCode::from_u16(redirect.kind.code()).unwrap_or(StatusCode::FOUND)
}

/// What caches may do with a redirect.
pub(crate) const fn cache_control(redirect: &Redirect) -> HeaderValue {
    if redirect.cacheable { BRIEFLY } else { NO_STORE }
}

/// Whether the client names HTML among what it accepts, as browsers do and programs do not.
fn accepts_html(asked: &HeaderMap) -> bool {
    asked.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |range| {
            let mut parts = range.split(';').map(str::trim);
            let html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
            html && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(accept).unwrap())])
    }

    #[test]
    fn browsers_get_html_and_programs_problem_details() {
        for (accept, html) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/json, Text/HTML;q=0.5", true),
            ("text/html;q=0", false),
            ("*/*", false),
            ("application/json", false),
        ] {
            assert_eq!(accepts_html(&accepting(accept)), html, "{accept}");
        }
        assert!(!accepts_html(&HeaderMap::new()));
    }

    #[test]
    fn only_unbounded_permanent_redirects_are_kept() {
        for (kind, cacheable, control) in [
            (RedirectKind::MovedPermanently, true, "private, max-age=90"),
            (RedirectKind::PermanentRedirect, false, "no-store"),
            (RedirectKind::Found, false, "no-store"),
        ] {
            let location = HeaderValue::from_static("https://example.com/");
            let response = send_on(&Redirect { kind, location, cacheable });
            assert_eq!(response.status().as_u16(), kind.code());
            assert_eq!(response.headers()[header::CACHE_CONTROL], control);
        }
    }
}
