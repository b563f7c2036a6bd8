//! Which domain a request is for, and what short links of a domain look like.

use std::{fmt, net::SocketAddr, str::FromStr};

use boltlink_core::{Domain, Slug};
use http::{HeaderMap, Request, Uri, header};
use percent_encoding::{CONTROLS, utf8_percent_encode};

/// `http://host[:port]` or `https://host[:port]`: where the default domain is found from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: &'static str,
    host: Domain,
}

/// The text is no base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be http:// or https:// and a host, without a path, such as https://go.example.com")]
pub struct InvalidBaseUrl;

impl BaseUrl {
    /// The host, with its port where that is not the scheme's own.
    #[must_use]
    pub const fn host(&self) -> &Domain {
        &self.host
    }

    /// Whether visitors come by HTTPS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = url::Url::parse(text).map_err(|_| InvalidBaseUrl)?;
        let scheme = match url.scheme() {
            "http" => "http",
            "https" => "https",
            _ => return Err(InvalidBaseUrl),
        };
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBaseUrl);
        }
        // The URL parser has dropped the scheme's own port, as `Domain` wants it.
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        Ok(Self { scheme, host: authority.parse().map_err(|_| InvalidBaseUrl)? })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)
    }
}

/// The hosts that the server answers for.
#[derive(Debug)]
pub struct Hosts {
    scheme: &'static str,
    /// With nothing configured any `Host` serves the default domain, so that `localhost`, a LAN
    /// address and a pod's address work.
    any: bool,
    /// The default domain first.
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    /// As it is written in a URL.
    authority: Domain,
    /// As links are stored under it.
    domain: Domain,
}

impl Hosts {
    /// The default domain is found at `base`, else at the address the server listens on, by `https` if it speaks
    /// `tls`; `others` have links of their own.
    #[must_use]
    pub fn new(base: Option<&BaseUrl>, others: &[Domain], listen: SocketAddr, tls: bool) -> Self {
        let authority = base.map_or_else(|| listen_authority(listen), |base| base.host.clone());
        let others = others.iter().filter(|other| !other.is_default() && **other != authority);
        let others = others.map(|other| Known { authority: other.clone(), domain: other.clone() });
        let known: Vec<_> = std::iter::once(Known { authority: authority.clone(), domain: Domain::default_domain() })
            .chain(others)
            .collect();
        let scheme = base.map_or(if tls { "https" } else { "http" }, |base| base.scheme);
        Self { scheme, any: base.is_none() && known.len() == 1, known }
    }

    /// The domain that a request is for; `None` if its host is none of ours. Allocates nothing.
    pub(crate) fn of<B>(&self, request: &Request<B>) -> Option<&Domain> {
        self.of_parts(request.uri(), request.headers())
    }

    /// The same, of a request's address and headers.
    pub(crate) fn of_parts(&self, uri: &Uri, headers: &HeaderMap) -> Option<&Domain> {
        if self.any {
            return self.known.first().map(|known| &known.domain);
        }
        // HTTP/2 and absolute-form requests name the host in the URI, which then goes before `Host`
        // (RFC 9112 section 3.2.2).
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return None;
        }
        match uri.authority() {
            Some(authority) => self.of_host(authority.as_str().as_bytes()),
            None => self.of_host(host?.as_bytes()),
        }
    }

    /// The domain of a request with this one header `Host`.
    pub(crate) fn of_host(&self, host: &[u8]) -> Option<&Domain> {
        if self.any {
            return self.known.first().map(|known| &known.domain);
        }
        let asked = str::from_utf8(host).ok()?;
        self.known.iter().find(|known| matches(asked, known.authority.as_str())).map(|known| &known.domain)
    }

    /// The domain that is written `name` in a URL.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Domain> {
        let name: Domain = name.parse().ok()?;
        self.known.iter().find(|known| known.authority == name).map(|known| known.domain.clone())
    }

    /// How `domain` is written in a URL. One that is no longer configured keeps its name.
    pub fn authority<'a>(&'a self, domain: &'a Domain) -> &'a str {
        self.known
            .iter()
            .find(|known| known.domain == *domain)
            .map_or(domain.as_str(), |known| known.authority.as_str())
    }

    /// All that are configured, as they are written in a URL, the default domain first.
    pub fn authorities(&self) -> impl Iterator<Item = &Domain> {
        self.known.iter().map(|known| &known.authority)
    }

    /// The hosts that lead back here, which no link may target. Where any host is served these are
    /// also the names this machine has for itself; names that others have for it cannot be known.
    #[must_use]
    pub fn own(&self) -> Vec<Domain> {
        let mut own: Vec<Domain> = self.authorities().cloned().collect();
        if let (true, Some(first)) = (self.any, own.first()) {
            let port = first.as_str().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80_u16);
            let names =
                ["localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"].map(|name| format!("{name}:{port}").parse());
            own.extend(names.into_iter().flatten());
        }
        own
    }

    /// The short link of `slug`, percent-encoded where it has letters of other scripts.
    #[must_use]
    pub fn short_url(&self, domain: &Domain, slug: &Slug) -> String {
        let slug = utf8_percent_encode(slug.as_str(), CONTROLS);
        format!("{}://{}/{slug}", self.scheme, self.authority(domain))
    }

    /// Scheme and host of the default domain.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority(&Domain::default_domain()))
    }

    /// Whether visitors come by HTTPS.
    pub(crate) fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

/// Whether a request names more than one host: then it is for none (RFC 9112 section 3.2).
pub(crate) fn are_several(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().nth(1).is_some()
}

/// Whether `asked` names `known`: in any case, with or without a final dot, and with or without the
/// port that is usual where `known` has none.
fn matches(asked: &str, known: &str) -> bool {
    let (asked, asked_port) = split_port(asked);
    let (known, known_port) = split_port(known);
    let ports = match (asked_port, known_port) {
        (asked, Some(known)) => asked == Some(known),
        (None | Some("80" | "443"), None) => true,
        (Some(_), None) => false,
    };
    ports && asked.strip_suffix('.').unwrap_or(asked).eq_ignore_ascii_case(known)
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // A colon within an IPv6 address belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// The listen address as a client on the same machine would write it.
fn listen_authority(listen: SocketAddr) -> Domain {
    let text = if listen.ip().is_unspecified() { format!("localhost:{}", listen.port()) } else { listen.to_string() };
    // An address with a port is always a domain; only a zone index (`%eth0`) is not.
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let base = "https://go.example.com".parse().unwrap();
        let others = ["go.example.org:8080", "[2001:db8::1]"].map(|other| other.parse().unwrap());
        Hosts::new(Some(&base), &others, "0.0.0.0:5000".parse().unwrap(), false)
    }

    fn asked(hosts: &Hosts, host: &str) -> Option<String> {
        let request = Request::builder().uri("/x").header("host", host).body(()).unwrap();
        hosts.of(&request).map(|domain| domain.as_str().to_owned())
    }

    #[test]
    fn knows_its_hosts_in_every_spelling() {
        let hosts = hosts();
        for host in ["go.example.com", "GO.Example.com.", "go.example.com:443", "go.example.com:80"] {
            assert_eq!(asked(&hosts, host).as_deref(), Some(""), "{host}");
        }
        assert_eq!(asked(&hosts, "go.example.org:8080").as_deref(), Some("go.example.org:8080"));
        assert_eq!(asked(&hosts, "[2001:DB8::1]").as_deref(), Some("[2001:db8::1]"));
        for host in ["", "go.example.org", "go.example.com:8080", "x.go.example.com", "127.0.0.1:5000", "localhost"] {
            assert_eq!(asked(&hosts, host), None, "{host}");
        }
    }

    #[test]
    fn its_own_hosts_are_those_it_can_know() {
        let own = |hosts: &Hosts| hosts.own().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(own(&hosts()), ["go.example.com", "go.example.org:8080", "[2001:db8::1]"]);
        let any = own(&Hosts::new(None, &[], "127.0.0.1:5000".parse().unwrap(), false));
        for host in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert!(any.iter().any(|own| own == host), "{host} in {any:?}");
        }
    }

    #[test]
    fn the_uri_goes_before_the_header() {
        let request = Request::builder().uri("http://GO.example.com/x").header("host", "other").body(()).unwrap();
        assert!(hosts().of(&request).is_some());
    }

    #[test]
    fn with_nothing_configured_every_host_is_ours() {
        let hosts = Hosts::new(None, &[], "0.0.0.0:5000".parse().unwrap(), false);
        assert_eq!(asked(&hosts, "whatever").as_deref(), Some(""));
        assert_eq!(hosts.base_url(), "http://localhost:5000");
    }

    #[test]
    fn with_tls_links_begin_with_https_unless_the_base_url_knows_better() {
        let listen = "0.0.0.0:5000".parse().unwrap();
        let hosts = Hosts::new(None, &[], listen, true);
        assert_eq!((&*hosts.base_url(), hosts.is_https()), ("https://localhost:5000", true));
        let hosts = Hosts::new(Some(&"http://go.example.com".parse().unwrap()), &[], listen, true);
        assert_eq!((&*hosts.base_url(), hosts.is_https()), ("http://go.example.com", false));
    }

    #[test]
    fn base_urls() {
        for (text, shown) in [
            ("https://Go.Example.com", "https://go.example.com"),
            ("https://go.example.com:443/", "https://go.example.com"),
            ("http://[::1]:5000", "http://[::1]:5000"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().to_string(), shown);
        }
        for bad in ["go.example.com", "ftp://x", "https://x/y", "https://u@x", "https://x?y"] {
            assert_eq!(bad.parse::<BaseUrl>(), Err(InvalidBaseUrl), "{bad}");
        }
    }

    #[test]
    fn short_urls() {
        let hosts = hosts();
        let slug: Slug = "abc".parse().unwrap();
        assert_eq!(hosts.short_url(&Domain::default_domain(), &slug), "https://go.example.com/abc");
        assert_eq!(hosts.short_url(&"go.example.org:8080".parse().unwrap(), &slug), "https://go.example.org:8080/abc");
        assert_eq!(hosts.named("GO.example.com"), Some(Domain::default_domain()));
        assert_eq!(hosts.named("elsewhere"), None);
    }
}
