//! Who may know how the server is from within: an admin, or whoever is on the same machine or inside the same network.

use std::net::IpAddr;

use boltlink_core::{Scope, Shortener};
use http::{Request, header};
use poem::{RequestBody, Result};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, registry::Registry};

use super::{
    answer::{Refusals, refusals},
    auth::{Caller, is_presented},
    problem::Code,
};

refusals! {
    OnMetrics:;
}

/// Marks a request that came from this machine, or on the operators' own listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Insider;

/// Headers by which a proxy says that it asks for somebody else: who is on this machine then is only the proxy.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

impl Insider {
    /// Whether a request from `peer` came from this machine, and was made for it.
    pub(crate) fn is<B>(peer: IpAddr, request: &Request<B>) -> bool {
        let headers = request.headers();
        peer.to_canonical().is_loopback()
            && FORWARDED.iter().all(|name| !headers.contains_key(*name))
            // A page that has its own name lead here, in a browser of this machine, does not get in.
            && headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_none_or(is_of_machine)
    }
}

/// Whether a host, perhaps with a port, is an address or `localhost`.
fn is_of_machine(host: &str) -> bool {
    let port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, last)| port(last)).map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// Whether somebody may know. As an argument of an operation: refuses nobody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MayKnow(pub(crate) bool);

/// Who may know. As an argument of an operation: refuses everybody else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator;

async fn may_know(request: &poem::Request, body: &mut RequestBody) -> Result<bool> {
    // Who says who they are is judged by that.
    let judges = request.data::<Shortener>().is_some();
    if request.data::<Insider>().is_some() && !(judges && is_presented(request)) {
        return Ok(true);
    }
    let Caller(actor) = Caller::from_request(request, body, ExtractParamOptions::default()).await?;
    Ok(actor.may(Scope::Admin))
}

impl<'a> ApiExtractor<'a> for MayKnow {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::PoemExtractor];

    type ParamType = ();
    type ParamRawType = ();

    async fn from_request(
        request: &'a poem::Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        Ok(Self(may_know(request, body).await.unwrap_or(false)))
    }
}

impl<'a> ApiExtractor<'a> for Operator {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Caller::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        Caller::security_schemes()
    }

    async fn from_request(
        request: &'a poem::Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        // That it must be an admin is the operation's rule, by which every caller is judged.
        may_know(request, body).await.map(|_| Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_no_insider() {
        let mut request = Request::new(());
        for (peer, inside) in [("127.0.0.1", true), ("::1", true), ("::ffff:127.0.0.1", true), ("192.0.2.1", false)] {
            assert_eq!(Insider::is(peer.parse().unwrap(), &request), inside, "{peer}");
        }
        let hosts = [("localhost:5000", true), ("[::1]:5000", true), ("127.0.0.1", true), ("evil.example", false)];
        for (host, inside) in hosts {
            request.headers_mut().insert("host", host.parse().unwrap());
            assert_eq!(Insider::is([127, 0, 0, 1].into(), &request), inside, "{host}");
        }
        request.headers_mut().insert("host", "localhost".parse().unwrap());
        request.headers_mut().insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        assert!(!Insider::is([127, 0, 0, 1].into(), &request));
    }
}
