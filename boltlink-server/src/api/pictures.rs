//! `/api/v1/links/{id}/qr`.

use std::sync::Arc;

use boltlink_core::Shortener;
use fast_qr::ECL;
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse, Enum, OpenApi,
    param::{Path, Query},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::Caller,
    links::link_id,
    problem::{Code, Problem, internal},
    qr::{Color, Look, Picture},
    scalar::{BackgroundText, ColorText, IdText},
};
use crate::hosts::Hosts;

const SVG: &str = "image/svg+xml";
const PNG: &str = "image/png";

/// Pictures of links.
pub(crate) struct Pictures {
    shortener: Shortener,
    hosts: Arc<Hosts>,
}

refusals! {
    OnPicture: LinkNotFound;
}

/// What a picture is made of.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum Kind {
    /// Lines, sharp at any size.
    Svg,
    /// Pixels.
    Png,
}

/// How much of a code may be lost.
#[derive(Debug, Clone, Copy, Enum)]
enum Correction {
    /// 7 %.
    L,
    /// 15 %.
    M,
    /// 25 %.
    Q,
    /// 30 %.
    H,
}

enum Drawn {
    Svg(String),
    Png(Vec<u8>),
}

impl IntoResponse for Drawn {
    fn into_response(self) -> Response {
        match self {
            Self::Svg(picture) => Response::builder().content_type(SVG).body(picture),
            Self::Png(picture) => Response::builder().content_type(PNG).body(picture),
        }
    }
}

impl ApiResponse for Drawn {
    fn meta() -> MetaResponses {
        let picture =
            |content_type, schema| MetaMediaType { content_type, schema: MetaSchemaRef::Inline(Box::new(schema)) };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The picture.",
                status: Some(200),
                status_range: None,
                content: vec![
                    picture(SVG, MetaSchema::new_with_format("string", "binary")),
                    picture(PNG, MetaSchema::new_with_format("string", "binary")),
                ],
                headers: vec![],
            }],
        }
    }

    fn register(_: &mut Registry) {}
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Links")]
impl Pictures {
    /// Draw a link's QR code
    #[oai(path = "/links/:id/qr", method = "get", operation_id = "link_qr")]
    #[allow(clippy::too_many_arguments)] // As many as there are parameters.
    async fn qr(
        &self,
        caller: Caller,
        /// The link's `id`.
        id: Path<IdText>,
        /// The kind of picture; svg if absent.
        format: Query<Option<Kind>>,
        /// Its width and height, in pixels; 512 if absent. Must have room for every module of the code: about 40 pixels
        /// for a short link with the usual margin.
        #[oai(validator(minimum(value = "32"), maximum(value = "4096")))]
        size: Query<Option<u32>>,
        /// The empty space around the code, in modules; 4 if absent, which readers may rely on.
        #[oai(validator(minimum(value = "0"), maximum(value = "16")))]
        margin: Query<Option<u32>>,
        /// How much of the code may be lost; M if absent.
        error_correction: Query<Option<Correction>>,
        /// The colour of the code, as rrggbb; black if absent.
        color: Query<Option<ColorText>>,
        /// The colour behind it, as rrggbb, or `transparent`; white if absent.
        background: Query<Option<BackgroundText>>,
    ) -> Result<Drawn, Refused<OnPicture>> {
        let link = self.shortener.find(&caller.0, link_id(&id)?).await?.link;
        let color_of = |name, text: String| {
            let must = "must be six hexadecimal digits, such as 1f2937";
            Color::parse(&text).ok_or_else(|| Problem::parameter(name, must))
        };
        let background = match background.0 {
            None => Some(Color::WHITE),
            Some(BackgroundText(text)) if text == "transparent" => None,
            Some(BackgroundText(text)) => Some(color_of("background", text)?),
        };
        let look = Look {
            size: size.0.unwrap_or(512),
            margin: margin.0.unwrap_or(4),
            correction: match error_correction.0.unwrap_or(Correction::M) {
                Correction::L => ECL::L,
                Correction::M => ECL::M,
                Correction::Q => ECL::Q,
                Correction::H => ECL::H,
            },
            color: color.0.map_or(Ok(Color::BLACK), |color| color_of("color", color.0))?,
            background,
        };
        let picture = Picture::new(&self.hosts.short_url(&link.domain, &link.slug), look)?;
        Ok(match format.0.unwrap_or(Kind::Svg) {
            Kind::Svg => Drawn::Svg(picture.svg()),
            Kind::Png => Drawn::Png(picture.png().map_err(|error| internal(&error))?),
        })
    }
}

impl Pictures {
    pub(crate) const fn new(shortener: Shortener, hosts: Arc<Hosts>) -> Self {
        Self { shortener, hosts }
    }
}
