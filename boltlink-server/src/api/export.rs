//! Single clicks: a page of them as JSON, or all of them as one file, sent as it is read.

use std::ops::Range;

use boltlink_core::{
    Actor, LinkId, Shortener, Timestamp,
    store::{ClickCursor, RawClick},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::{ToJSON, Type},
};

use super::counts::{ClickPage, ClickView};

/// Clicks in memory at a time.
const PAGE: u32 = 500;

/// What clicks are sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
    Ndjson,
}

impl Format {
    const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Ndjson];

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// The same without parameters.
    fn media_type(self) -> &'static str {
        self.content_type().split(';').next().unwrap_or_default()
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// The format that the client likes best (RFC 9110 section 12.5.1); JSON if it does not say.
pub(super) fn accepted(headers: &HeaderMap) -> Format {
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut best = (Format::Json, 0.0);
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        let named = match name {
            "*/*" | "application/*" => Some(Format::Json),
            "text/*" => Some(Format::Csv),
            _ => Format::ALL.into_iter().find(|format| format.media_type().eq_ignore_ascii_case(name)),
        };
        if let Some(format) = named.filter(|_| quality > best.1) {
            best = (format, quality);
        }
    }
    best.0
}

/// The answer to a request for clicks.
pub(super) enum Clicks {
    Page(ClickPage),
    File(Body, Format, LinkId),
}

impl IntoResponse for Clicks {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => {
                Response::builder().content_type(Format::Json.content_type()).body(page.to_json_string())
            }
            Self::File(body, format, link) => {
                let name = format!("attachment; filename=\"clicks-{link}.{}\"", format.ending());
                Response::builder()
                    .content_type(format.content_type())
                    .header(header::CONTENT_DISPOSITION, name)
                    .body(body)
            }
        }
    }
}

impl ApiResponse for Clicks {
    fn meta() -> MetaResponses {
        let text = || MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content = Format::ALL.map(|format| MetaMediaType {
            content_type: format.content_type(),
            schema: if format == Format::Json { ClickPage::schema_ref() } else { text() },
        });
        MetaResponses {
            responses: vec![MetaResponse {
                description: "A page of clicks as JSON, or all of them as CSV (with a header line) or NDJSON, with the same \
                              fields.",
                status: Some(200),
                status_range: None,
                content: content.into(),
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        ClickPage::register(registry);
    }
}

/// All clicks of the span, read page by page while they are sent. A store that goes away cuts the answer off, which
/// the client sees.
pub(super) fn file(shortener: Shortener, actor: Actor, link: LinkId, span: Range<Timestamp>, format: Format) -> Body {
    let state = Reading { shortener, actor, link, span, format, place: Place::Start };
    Body::from_bytes_stream(pages(state))
}

struct Reading {
    shortener: Shortener,
    actor: Actor,
    link: LinkId,
    span: Range<Timestamp>,
    format: Format,
    place: Place,
}

enum Place {
    Start,
    After(ClickCursor),
    End,
}

fn pages(reading: Reading) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::try_unfold(reading, async |mut reading| {
        let (after, is_first) = match reading.place {
            Place::Start => (None, true),
            Place::After(after) => (Some(after), false),
            Place::End => return Ok(None),
        };
        let Reading { shortener, actor, link, span, .. } = &reading;
        let clicks = shortener.clicks(actor, *link, span.clone(), after, PAGE).await.map_err(std::io::Error::other)?;
        let last = clicks.last().filter(|_| clicks.len() == PAGE as usize).map(ClickCursor::from);
        let page = write(clicks, reading.format, is_first).map_err(std::io::Error::other)?;
        reading.place = last.map_or(Place::End, Place::After);
        Ok(Some((page, reading)))
    })
}

const COLUMNS: [&str; 8] = ["id", "at", "weight", "referrer", "user_agent", "language", "visitor", "network"];

fn write(clicks: Vec<RawClick>, format: Format, is_first: bool) -> Result<Bytes, csv::Error> {
    let clicks = clicks.into_iter().map(ClickView::from);
    if format == Format::Ndjson {
        return Ok(clicks.map(|click| click.to_json_string() + "\n").collect::<String>().into());
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    if is_first {
        table.write_record(COLUMNS)?;
    }
    for click in clicks {
        let text = |text: &super::scalar::Nullable<String>| text.0.clone().unwrap_or_default();
        table.write_record([
            click.id.to_string(),
            click.at.0.to_string(),
            click.weight.to_string(),
            text(&click.referrer),
            text(&click.user_agent),
            text(&click.language),
            text(&click.visitor),
            text(&click.network),
        ])?;
    }
    table.into_inner().map(Bytes::from).map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_format_is_taken() {
        for (accept, format) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/csv", Format::Csv),
            ("TEXT/CSV; charset=utf-8", Format::Csv),
            ("application/json;q=0.5, application/x-ndjson;q=0.9", Format::Ndjson),
            ("text/csv;q=0", Format::Json),
            ("text/csv;q=0.5, */*;q=0.8", Format::Json),
            ("text/csv, */*;q=0.1", Format::Csv),
            ("text/*", Format::Csv),
            ("text/html, image/png", Format::Json),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(accepted(&headers), format, "{accept}");
        }
    }
}
