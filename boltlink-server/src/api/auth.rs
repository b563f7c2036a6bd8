//! Who calls: an API key or a session, by `Authorization: Bearer`, `X-API-Key` or a browser's cookie; or anybody.

use std::{net::IpAddr, sync::Arc};

use boltlink_core::{Actor, ClientName, Email, Shortener, store::Decision};
use http::{HeaderMap, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::{cookie, finish::Quota, methods::Methods, problem::Problem};
use crate::{hosts::Hosts, throttle::Throttle};

/// The actor that the presented key or session stands for. As an argument of an operation it comes first, so that
/// strangers learn nothing of what else is wrong with their request.
///
/// Written by hand because `#[derive(SecurityScheme)]` over two schemes answers every failure of a
/// checker with 401, an unreachable store included.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Actor);

const BEARER: &str = "bearer";
const HEADER: &str = "api_key";

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            BEARER,
            MetaSecurityScheme {
                ty: "http",
                description: Some("An API key, as `boltlink keys create` prints it; or a session, as `POST /api/v1/session` tells it."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: Some("blt_<id>_<secret> or bls_<id>_<secret>"),
                flows: None,
                openid_connect_url: None,
            },
        );
        registry.create_security_scheme(
            HEADER,
            MetaSecurityScheme {
                ty: "apiKey",
                description: Some("The same, for clients that cannot set `Authorization`."),
                name: Some("X-API-Key"),
                key_in: Some("header"),
                scheme: None,
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, HEADER]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let presented = presented(request)?.ok_or_else(|| {
            Problem::unauthorized("send an API key or a session as 'Authorization: Bearer …' or as 'X-API-Key: …'")
        })?;
        let shortener: &Shortener = request.data().ok_or_else(|| Problem::unauthorized("no API keys are kept here"))?;
        let actor = shortener.authenticate(presented, address(request)).await.map_err(Problem::from)?;
        limit(request, &actor).await?;
        if let Some(methods) = request.data::<Arc<Methods>>() {
            methods.check(request, Some(&actor))?;
        }
        Ok(Self(actor))
    }
}

/// Anybody, of whom only the address and the program are known. As an argument of an operation it comes
/// first.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) address: Option<IpAddr>,
    pub(crate) client: Option<ClientName>,
}

impl<'a> ApiExtractor<'a> for Guest {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::PoemExtractor];

    type ParamType = ();
    type ParamRawType = ();

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        if let Some(methods) = request.data::<Arc<Methods>>() {
            methods.check(request, None)?;
        }
        Ok(Self::of(request))
    }
}

impl Guest {
    pub(super) fn of(request: &Request) -> Self {
        let client = request.headers().get(header::USER_AGENT).and_then(|name| name.to_str().ok());
        let client = client.map(|name| name.chars().take(ClientName::MAX).collect::<String>());
        Self { address: address(request), client: client.and_then(|name| name.parse().ok()) }
    }

    /// Refuses who tries too often to log in to an account, or to do what takes as much work.
    pub(super) async fn may_try(&self, throttle: &Throttle, account: Option<&Email>) -> Result<(), Problem> {
        may(throttle.login(self.address, account).await?)
    }
}

/// Refuses who tries too often to prove by the password who they are.
pub(super) async fn may_prove(throttle: &Throttle, actor: &Actor) -> Result<(), Problem> {
    may(throttle.prove(actor).await?)
}

/// Refuses who sets passwords of links, of so many at once, too often.
pub(super) async fn may_protect(throttle: &Throttle, actor: &Actor, links: u32) -> Result<(), Problem> {
    may(throttle.protect(actor, links).await?)
}

fn may(refusal: Option<Decision>) -> Result<(), Problem> {
    refusal.map_or(Ok(()), |refusal| Err(Problem::too_often(refusal)))
}

/// Where a request comes from, as far as is known.
fn address(request: &Request) -> Option<IpAddr> {
    request.remote_addr().as_socket_addr().map(|address| address.ip())
}

/// Refuses a key or session that comes too often.
async fn limit(request: &Request, actor: &Actor) -> Result<(), Problem> {
    let Some(throttle) = request.data::<Arc<Throttle>>() else { return Ok(()) };
    let Some(decision) = throttle.api(actor).await? else { return Ok(()) };
    if !decision.allowed {
        return Err(Problem::too_often(decision));
    }
    if let Some(Quota(told)) = request.data() {
        // Set once: a request has one caller.
        let _ = told.set(decision);
    }
    Ok(())
}

/// The token that a request presents. A cookie, which browsers send by themselves, is believed only where no other site
/// can be behind it.
fn presented(request: &Request) -> Result<Option<&str>, Problem> {
    let headers = request.headers();
    if let Some(told) = told(headers) {
        return Ok(Some(told));
    }
    let Some(hosts) = request.data::<Arc<Hosts>>() else { return Ok(None) };
    let Some(token) = cookie::token(headers, hosts.is_https()) else { return Ok(None) };
    cookie::refuse_cross_site(request.method(), request.original_uri(), headers, hosts)?;
    Ok(Some(token))
}

/// Whether a token is presented, whether or not it is to be believed.
pub(super) fn is_presented(request: &Request) -> bool {
    !matches!(presented(request), Ok(None))
}

fn told(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())
}
