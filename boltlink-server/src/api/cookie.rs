//! What browsers keep: their session, and passes for links with a password; and what keeps other sites from using the
//! session.

use boltlink_core::Pass;
use http::{HeaderMap, Method, Uri, header};

use super::problem::{Code, Problem};
use crate::hosts::{BaseUrl, Hosts};

/// How long a browser keeps it, at most (RFC 6265bis section 5.5): when the session ends is for the server to say.
const MAX_AGE: u32 = 400 * 24 * 60 * 60;

/// The cookie's name. With HTTPS one that browsers take only from this very host, over HTTPS (RFC 6265bis section
/// 4.1.3.2), so that no neighbour can plant a session.
const fn name(https: bool) -> &'static str {
    if https { "__Host-boltlink" } else { "boltlink_session" }
}

/// The header `Set-Cookie` that gives a browser the token, or with an empty one takes it away.
pub(super) fn set(token: &str, https: bool) -> String {
    let (secure, age) = (if https { "; Secure" } else { "" }, if token.is_empty() { 0 } else { MAX_AGE });
    format!("{}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}", name(https))
}

/// The token that a browser sends. Of several cookies of the name, none: one of them is planted.
pub(super) fn token(headers: &HeaderMap, https: bool) -> Option<&str> {
    let mut own = values(headers, name(https));
    own.next().filter(|_| own.next().is_none())
}

/// All that a browser sends of a name.
fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(known, _)| *known == name).map(|(_, value)| value)
}

/// The name of passes. Each belongs to the path of its link.
const fn pass_name(https: bool) -> &'static str {
    if https { "__Secure-boltlink_pass" } else { "boltlink_pass" }
}

/// The header `Set-Cookie` that gives a browser the pass for the link whose path has this one segment.
pub(crate) fn set_pass(pass: &Pass, segment: &str, https: bool) -> String {
    let (name, pass, secure) = (pass_name(https), pass.reveal(), if https { "; Secure" } else { "" });
    let age = Pass::LIFETIME.as_secs();
    format!("{name}={pass}; Path=/{segment}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}

/// The passes that a browser sends.
pub(crate) fn passes(headers: &HeaderMap, https: bool) -> impl Iterator<Item = &str> {
    values(headers, pass_name(https))
}

/// Refuses what a page of another site has a browser send, if it could change something. Browsers say where a request
/// comes from in `Sec-Fetch-Site` (Fetch Metadata), older ones in `Origin`; whoever says nothing is none, and sends no
/// cookies either.
pub(super) fn refuse_cross_site(method: &Method, uri: &Uri, headers: &HeaderMap, hosts: &Hosts) -> Result<(), Problem> {
    if method.is_safe() || is_same_origin(uri, headers, hosts) {
        return Ok(());
    }
    let detail = "a cookie counts only for pages of this host; send the session as 'Authorization: Bearer …' instead";
    Err(Problem::new(Code::CrossSite, detail))
}

fn is_same_origin(uri: &Uri, headers: &HeaderMap, hosts: &Hosts) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let asked = uri.authority().map(|authority| authority.as_str());
    let asked = asked.or_else(|| headers.get(header::HOST)?.to_str().ok());
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let (Some(asked), Some(origin)) = (asked, origin) else { return false };
    let scheme = if hosts.is_https() { "https" } else { "http" };
    match (format!("{scheme}://{asked}").parse::<BaseUrl>(), origin.parse::<BaseUrl>()) {
        (Ok(own), Ok(origin)) => own == origin,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn hosts(base: &str) -> Hosts {
        Hosts::new(Some(&base.parse().unwrap()), &[], "127.0.0.1:5000".parse().unwrap(), false)
    }

    #[test]
    fn what_changes_something_must_come_from_our_own_pages() {
        let (secure, plain) = (hosts("https://go.example.com"), hosts("http://go.example.com:5000"));
        let uri = Uri::from_static("/api/v1/links");
        for (hosts, sent, allowed) in [
            (&secure, headers(&[("sec-fetch-site", "same-origin")]), true),
            (&secure, headers(&[("sec-fetch-site", "same-site")]), false),
            (&secure, headers(&[("sec-fetch-site", "none"), ("host", "go.example.com")]), false),
            (&secure, headers(&[("host", "go.example.com"), ("origin", "https://go.example.com")]), true),
            (&secure, headers(&[("host", "GO.example.com:443"), ("origin", "https://go.example.com")]), true),
            (&secure, headers(&[("host", "go.example.com"), ("origin", "http://go.example.com")]), false),
            (&secure, headers(&[("host", "go.example.com"), ("origin", "https://evil.example")]), false),
            (&secure, headers(&[("host", "go.example.com"), ("origin", "null")]), false),
            (&secure, headers(&[("host", "go.example.com")]), false),
            (&plain, headers(&[("host", "go.example.com:5000"), ("origin", "http://go.example.com:5000")]), true),
            (&plain, headers(&[("host", "go.example.com:5000"), ("origin", "http://go.example.com:5001")]), false),
        ] {
            assert_eq!(refuse_cross_site(&Method::POST, &uri, &sent, hosts).is_ok(), allowed, "{sent:?}");
            assert!(refuse_cross_site(&Method::GET, &uri, &sent, hosts).is_ok());
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_if_it_is_the_only_one() {
        let sent = headers(&[("cookie", "a=b; boltlink_session=x"), ("cookie", "__Host-boltlink=y")]);
        assert_eq!((token(&sent, false), token(&sent, true)), (Some("x"), Some("y")));
        assert_eq!(token(&headers(&[("cookie", "boltlink_session=x; boltlink_session=y")]), false), None);
        assert_eq!(token(&HeaderMap::new(), false), None);
        assert_eq!(set("t", true), "__Host-boltlink=t; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set("", false), "boltlink_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
