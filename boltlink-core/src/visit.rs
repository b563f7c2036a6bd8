//! Somebody asks for a slug, and what comes of it.

use std::net::IpAddr;

use http::HeaderValue;

use crate::{domain::Domain, link::RedirectKind, trace::TraceContext};

/// One request for a slug. Borrows everything: building it costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// The host that was asked.
    pub domain: &'a Domain,
    /// The slug as it was asked for, percent-encoded or not; anything may stand here.
    pub slug: &'a str,
    /// What followed it in the path, from its slash on; empty if nothing did.
    pub rest: &'a str,
    /// The query, without its question mark; empty if there was none.
    pub query: &'a str,
    /// The [`Pass`](crate::Pass) that the visitor was given for the link's password, if any; anything may stand here.
    pub pass: Option<&'a str>,
    /// Whether the visit is to be counted.
    pub purpose: Purpose,
    /// Who asks.
    pub visitor: Visitor<'a>,
    /// The visit's span, if it is of a trace that is kept: whoever stores the click will [link](crate::Tracer) to it.
    pub trace: Option<TraceContext>,
}

impl<'a> Visit<'a> {
    /// A visit to `slug` under `domain` of which nothing else is known.
    #[must_use]
    pub fn new(domain: &'a Domain, slug: &'a str) -> Self {
        let (purpose, visitor) = (Purpose::Follow, Visitor::default());
        Self { domain, slug, rest: "", query: "", pass: None, purpose, visitor, trace: None }
    }
}

/// What a visit is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Follows the link: counted, and taken from `max_visits`.
    #[default]
    Follow,
    /// Looks where it leads (`HEAD`): neither counted nor taken.
    Peek,
}

/// What is known of who asks. Headers are as they came, whatever bytes are in them; what is kept of them is copied.
#[derive(Debug, Clone, Copy, Default)]
pub struct Visitor<'a> {
    /// The address; leaves the process only as a keyed hash and a /24 or /48 prefix.
    pub address: Option<IpAddr>,
    /// `Referer`.
    pub referrer: Option<&'a [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// `Accept-Language`.
    pub language: Option<&'a [u8]>,
}

/// What becomes of a visit. Matched exhaustively by whoever answers it: a new one must be thought
/// about everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Send the visitor on.
    Redirect(Redirect),
    /// There is no such link.
    NotFound,
    /// The link's time has not come.
    NotYetActive,
    /// The link's time is over.
    Expired,
    /// The link has given all its redirects.
    Exhausted,
    /// The owner switched the link off.
    Disabled,
    /// The link has a password, and the visit no [pass](Visit::pass) for it; see [`unlock`](crate::Shortener::unlock).
    PasswordRequired,
}

/// Where to send a visitor, and how. Made when the link is loaded; cloning costs a reference count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The status.
    pub kind: RedirectKind,
    /// The `Location` header's value.
    pub location: HeaderValue,
    /// Whether the answer may be kept by the visitor's browser: a permanent redirect of a link
    /// without bounds in time or number, and without a password.
    pub cacheable: bool,
}
