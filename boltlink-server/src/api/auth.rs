//! Who calls: an API key, by `Authorization: Bearer` or `X-API-Key`.

use std::sync::Arc;

use boltlink_core::{Actor, Shortener};
use http::{HeaderMap, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::{finish::Quota, methods::Methods, problem::Problem};
use crate::rates::Rates;

/// The actor that the presented key stands for. As an argument of an operation it comes first, so that
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
                description: Some("An API key, as `boltlink keys create` prints it."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: Some("blt_<id>_<secret>"),
                flows: None,
                openid_connect_url: None,
            },
        );
        registry.create_security_scheme(
            HEADER,
            MetaSecurityScheme {
                ty: "apiKey",
                description: Some("The same key, for clients that cannot set `Authorization`."),
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
        let presented = presented(request.headers()).ok_or_else(|| {
            Problem::unauthorized("send an API key as 'Authorization: Bearer …' or as 'X-API-Key: …'")
        })?;
        let shortener: &Shortener = request.data().ok_or_else(|| Problem::unauthorized("no API keys are kept here"))?;
        let from = request.remote_addr().as_socket_addr().map(|address| address.ip());
        let actor = shortener.authenticate(presented, from).await.map_err(Problem::from)?;
        limit(request, &actor).await?;
        if let Some(methods) = request.data::<Arc<Methods>>() {
            methods.check(request, &actor)?;
        }
        Ok(Self(actor))
    }
}

/// Refuses a key that comes too often.
async fn limit(request: &Request, actor: &Actor) -> Result<(), Problem> {
    let (Some(rates), Some(key)) = (request.data::<Rates>(), actor.key()) else { return Ok(()) };
    let Some(decision) = rates.api(key).await.map_err(boltlink_core::Error::from)? else { return Ok(()) };
    if !decision.allowed {
        return Err(Problem::too_often(decision));
    }
    if let Some(Quota(told)) = request.data() {
        // Set once: a request has one caller.
        let _ = told.set(decision);
    }
    Ok(())
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())
}
