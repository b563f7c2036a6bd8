//! What of a visitor's request goes along to a link's target.
//!
//! - **Path** ([`Forward::path`](crate::Forward::path)): `/slug/a/b` on a link to
//!   `https://example.com/base` leads to `https://example.com/base/a/b`. Without it, or with a segment that
//!   would climb out of the base (`..`, also encoded), there is nothing at such a path.
//! - **Query** ([`Forward::query`](crate::Forward::query)): the visitor's parameters follow the target's.
//!   Those of one name replace the target's: `?a=1&b=2` visited with `?b=3` becomes `?a=1&b=3`. Without it, the
//!   visitor's query is ignored.
//! - The target's fragment stays at the end.
//!
//! Whatever a visitor sends, scheme, host and port stay the target's: what comes from the request is only ever put
//! behind a slash of the target's own path, and every character that a parser could take for something else
//! (`\`, quotes, controls, other scripts) is percent-encoded on the way.

use std::collections::HashSet;

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::{link::Forward, target::TargetUrl};

/// The parts of a target, taken apart once, and what is to be put between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forwarding {
    what: Forward,
    /// Scheme, host, port and path; never ends with a slash.
    base: Box<str>,
    /// Whether the target's path ends with a slash.
    slash: bool,
    query: Option<Box<str>>,
    /// With its `#`, or nothing.
    fragment: Box<str>,
}

/// Where a visit leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// To the target itself.
    Unchanged,
    /// To this address.
    To(HeaderValue),
    /// Nowhere: the link has nothing at this path.
    Nowhere,
}

/// What a path segment may show as it is: RFC 3986 section 3.3, and `%`, as what is encoded stays so.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// What a query may show as it is, by the rules of the URL standard for `http`.
const IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'\'').add(b'<').add(b'>').add(b'\\').add(b'`');

impl Forwarding {
    /// `None` if nothing is forwarded, or if the target has no path to add to, as `mailto:` has none.
    pub(crate) fn new(target: &TargetUrl, what: Forward) -> Option<Self> {
        if what == Forward::default() {
            return None;
        }
        let (rest, fragment) =
            target.as_str().find('#').map_or((target.as_str(), ""), |at| target.as_str().split_at(at));
        let (base, query) = rest.split_once('?').map_or((rest, None), |(base, query)| (base, Some(query)));
        let (_, after_scheme) = base.split_once("://")?;
        after_scheme.find('/')?;
        let bare = base.strip_suffix('/');
        Some(Self {
            what,
            base: bare.unwrap_or(base).into(),
            slash: bare.is_some(),
            query: query.map(Into::into),
            fragment: fragment.into(),
        })
    }

    /// Where a visit leads that asked for `rest` behind the slug, with `query`.
    pub(crate) fn apply(&self, rest: &str, query: &str) -> Forwarded {
        let path = rest.trim_start_matches('/');
        if !rest.is_empty() && (!self.what.path || climbs(path)) {
            return Forwarded::Nowhere;
        }
        let query = if self.what.query { query } else { "" };
        if path.is_empty() && query.is_empty() {
            return Forwarded::Unchanged;
        }
        let mut url = String::with_capacity(self.base.len() + path.len() + query.len() + self.fragment.len() + 64);
        url.push_str(&self.base);
        if !path.is_empty() || self.slash {
            url.push('/');
        }
        url.extend(utf8_percent_encode(path, IN_PATH));
        self.add_query(&mut url, query);
        url.push_str(&self.fragment);
        // Only visible ASCII is left.
        HeaderValue::try_from(url).map_or(Forwarded::Unchanged, Forwarded::To)
    }

    fn add_query(&self, url: &mut String, query: &str) {
        if query.is_empty() {
            if let Some(own) = &self.query {
                url.push('?');
                url.push_str(own);
            }
            return;
        }
        let own = self.query.as_deref().unwrap_or_default();
        // Looked up, not compared one by one: either query may have thousands.
        let replaced: HashSet<String> = if own.is_empty() { HashSet::new() } else { pairs(query).map(name).collect() };
        let mut mark = '?';
        for pair in pairs(own).filter(|pair| !replaced.contains(&name(pair))) {
            url.push(mark);
            url.push_str(pair);
            mark = '&';
        }
        for pair in pairs(query) {
            url.push(mark);
            url.extend(utf8_percent_encode(pair, IN_QUERY));
            mark = '&';
        }
    }
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

/// The parameter that a pair sets, however it is encoded.
fn name(pair: &str) -> String {
    // One pair in, one pair out.
    url::form_urlencoded::parse(pair.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

/// Whether a path has segments that mean "here" or "up", in a way that some server might understand:
/// percent-encoded, with a backslash, or with parameters (`..;x`).
fn climbs(path: &str) -> bool {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    decoded.split(['/', '\\']).any(dots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    const BOTH: Forward = Forward { query: true, path: true };

    fn target(url: &str) -> TargetUrl {
        TargetUrl::parse(url, &crate::TargetRules::default()).unwrap()
    }

    fn apply(url: &str, what: Forward, rest: &str, query: &str) -> String {
        match Forwarding::new(&target(url), what).unwrap().apply(rest, query) {
            Forwarded::Unchanged => target(url).to_string(),
            Forwarded::To(location) => location.to_str().unwrap().to_owned(),
            Forwarded::Nowhere => "nowhere".to_owned(),
        }
    }

    #[test]
    fn paths_are_appended() {
        for (url, rest, led) in [
            ("https://example.com", "/a/b", "https://example.com/a/b"),
            ("https://example.com/base", "/a", "https://example.com/base/a"),
            ("https://example.com/base/", "/a/", "https://example.com/base/a/"),
            ("https://example.com/base/?q=1#f", "/a%20b", "https://example.com/base/a%20b?q=1#f"),
            ("https://example.com/base/?q=1#f", "/", "https://example.com/base/?q=1#f"),
            ("https://example.com/base", "//evil.example", "https://example.com/base/evil.example"),
            ("https://example.com", "//evil.example", "https://example.com/evil.example"),
            ("https://example.com", "/\\evil.example", "https://example.com/%5Cevil.example"),
            ("https://example.com", "/@evil.example", "https://example.com/@evil.example"),
            ("https://example.com", "/%2F%2Fevil.example", "https://example.com/%2F%2Fevil.example"),
            ("https://example.com", "/a?b#c", "https://example.com/a%3Fb%23c"),
            ("https://example.com", "/ä", "https://example.com/%C3%A4"),
            ("https://example.com", "/x%0d%0aSet-Cookie:%20a", "https://example.com/x%0d%0aSet-Cookie:%20a"),
        ] {
            assert_eq!(apply(url, BOTH, rest, ""), led, "{url} {rest}");
        }
    }

    #[test]
    fn no_path_climbs_out_of_the_base() {
        for rest in ["/..", "/a/../b", "/%2e%2E/x", "/a/.", "/..%2fx", "/..\\x", "/..;a/x", "/.%2e", "/%2e%2e%5cx"] {
            assert_eq!(apply("https://example.com/base", BOTH, rest, ""), "nowhere", "{rest}");
        }
        assert_eq!(apply("https://example.com/base", BOTH, "/..a/b..", ""), "https://example.com/base/..a/b..");
    }

    #[test]
    fn queries_are_merged() {
        for (url, query, led) in [
            ("https://example.com/", "a=1", "https://example.com/?a=1"),
            ("https://example.com/x?a=1&b=2#f", "c=3", "https://example.com/x?a=1&b=2&c=3#f"),
            ("https://example.com/x?a=1&b=2", "b=3", "https://example.com/x?a=1&b=3"),
            ("https://example.com/x?a=1&a=2&b", "%61=3&a=4", "https://example.com/x?b&%61=3&a=4"),
            ("https://example.com/x?", "&&", "https://example.com/x"),
            ("https://example.com/x?a", "", "https://example.com/x?a"),
            ("https://example.com/x", "q=a'b\"<\\#", "https://example.com/x?q=a%27b%22%3C%5C%23"),
        ] {
            assert_eq!(apply(url, BOTH, "", query), led, "{url} {query}");
        }
    }

    #[test]
    fn each_option_is_one_of_its_own() {
        let (path, query) = (Forward { path: true, query: false }, Forward { path: false, query: true });
        assert_eq!(apply("https://example.com/x?a=1", path, "/y", "b=2"), "https://example.com/x/y?a=1");
        assert_eq!(apply("https://example.com/x?a=1", query, "", "b=2"), "https://example.com/x?a=1&b=2");
        assert_eq!(apply("https://example.com/x?a=1", query, "/y", "b=2"), "nowhere");
        assert_eq!(Forwarding::new(&target("https://example.com/"), Forward::default()), None);
        assert_eq!(Forwarding::new(&TargetUrl::from_stored("mailto:a@example.com").unwrap(), BOTH), None);
    }

    proptest! {
        #[test]
        fn the_origin_stays_the_targets(
            url in "https?://[a-z]{1,5}\\.example(:[1-9][0-9]{0,3})?(/[a-z/]{0,9})?(\\?[a-z=&]{0,9})?(#[a-z]{0,3})?",
            rest in "(/[/\\\\@:;.%a-z0-9?# é\t\r\n\"<>^`{|}\u{0}-\u{20}]{0,30})?",
            query in "[/\\\\@:;.%a-z0-9?#&= é\t\r\n\"'<>^`{|}]{0,30}",
        ) {
            let target = target(&url);
            let before = Url::parse(target.as_str()).unwrap();
            if let Forwarded::To(location) = Forwarding::new(&target, BOTH).unwrap().apply(&rest, &query) {
                let after = Url::parse(location.to_str().unwrap()).unwrap();
                prop_assert_eq!(after.origin(), before.origin());
                prop_assert!(after.username().is_empty() && after.password().is_none());
                prop_assert!(after.path().starts_with(before.path().trim_end_matches('/')), "{} {}", after, before);
                prop_assert_eq!(after.fragment(), before.fragment());
            }
        }
    }
}
