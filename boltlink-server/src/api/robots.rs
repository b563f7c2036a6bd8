//! `/robots.txt` (RFC 9309): crawlers may follow the links that say so, and nothing else.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink_core::{
    Actor, Domain, Link, Shortener,
    store::{LinkFilter, LinkOrder},
};
use bytes::Bytes;
use parking_lot::Mutex;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use super::problem::{Code, Problem};
use crate::hosts::Hosts;

/// How many links are named at most, the newest: crawlers read no more than 500 KiB.
const MOST: usize = 3_000;
/// Links in memory at a time.
const PAGE: u32 = 500;
/// How long an answer is kept: a crowd of crawlers costs no more than one.
const KEPT: Duration = Duration::from_secs(60);

pub(super) struct Robots {
    shortener: Shortener,
    hosts: Arc<Hosts>,
    kept: Mutex<HashMap<Domain, (Instant, Bytes)>>,
}

impl Robots {
    pub(super) fn new(shortener: Shortener, hosts: Arc<Hosts>) -> Self {
        Self { shortener, hosts, kept: Mutex::default() }
    }

    async fn text(&self, domain: &Domain) -> std::result::Result<Bytes, Problem> {
        if let Some((made, text)) = self.kept.lock().get(domain)
            && made.elapsed() < KEPT
        {
            return Ok(text.clone());
        }
        let filter = LinkFilter { domain: Some(domain.clone()), crawlable: Some(true), ..LinkFilter::default() };
        let (mut text, mut named, mut after) = ("User-agent: *\n".to_owned(), 0, None);
        loop {
            let page = self.shortener.list(&Actor::OPERATOR, filter.clone(), LinkOrder::Newest, after, PAGE).await?;
            page.links.iter().for_each(|stored| allow(&mut text, &stored.link));
            named += page.links.len();
            after = page.next.filter(|_| named < MOST);
            if after.is_none() {
                break;
            }
        }
        text.push_str("Disallow: /\n");
        let text = Bytes::from(text);
        self.kept.lock().insert(domain.clone(), (Instant::now(), text.clone()));
        Ok(text)
    }
}

/// Lets crawlers follow one link, and no other that begins like it.
fn allow(text: &mut String, link: &Link) {
    let slug = utf8_percent_encode(link.slug.as_str(), CONTROLS);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Allow: /{slug}$");
    if link.forward.query {
        let _ = writeln!(text, "Allow: /{slug}?");
    }
    if link.forward.path {
        let _ = writeln!(text, "Allow: /{slug}/");
    }
}

impl Endpoint for Robots {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let domain = self.hosts.of_parts(request.original_uri(), request.headers());
        let domain =
            domain.ok_or_else(|| Problem::new(Code::UnknownHost, "this server does not answer for the host"))?;
        let text = self.text(domain).await?;
        Ok(text.with_content_type("text/plain; charset=utf-8").into_response())
    }
}
