//! Who asks for what: links by Zipf, with the headers of ordinary browsers.

use std::fmt::Write;

use rand::{SeedableRng, distr::Distribution, rngs::StdRng};
use rand_distr::Zipf;

/// How skewed the visits are: the exponent of Zipf's law, as web requests have it (Breslau et al., "Web caching and
/// Zipf-like distributions", 1999: 0.64 to 0.83; short links, which are shared, somewhat more).
pub(crate) const SKEW: f64 = 1.0;
/// After so many visits they begin again.
const ROUND: usize = 1 << 20;

pub(crate) const BROWSERS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 \
     Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 \
     Edg/142.0.0.0",
];
pub(crate) const LANGUAGES: [&str; 4] = ["en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr-FR,fr;q=0.9", "ja"];
const REFERRERS: [&str; 4] =
    ["https://www.google.com/", "https://www.reddit.com/", "https://t.co/", "https://news.ycombinator.com/"];

/// What servers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Links, of somebody who knows one redirect only.
    Constant,
    /// Links.
    Visits,
    /// Slugs that no link has, again and again.
    Unknown,
    /// Slugs that no link has, each once.
    Scan,
    /// Links; and every hundredth time a page of the list of links, and a new link.
    Mixed,
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Link(usize),
    Unknown(usize),
    Page,
    New,
}

impl Load {
    /// The request of this number, if a link is asked for this one.
    pub(crate) const fn ask(self, number: usize, link: usize) -> Asked {
        match (self, number % 100) {
            (Self::Mixed, 33) => Asked::Page,
            (Self::Mixed, 67) => Asked::New,
            (Self::Constant | Self::Visits | Self::Mixed, _) => Asked::Link(link),
            (Self::Unknown, _) => Asked::Unknown(link),
            (Self::Scan, _) => Asked::Unknown(number),
        }
    }
}

/// A slug that no link has, as long as those of links.
pub(crate) fn unknown_slug(number: usize) -> String {
    format!("x{number:06}")
}

/// The slug of the link of this number. As long as those that are made at random.
pub(crate) fn slug(link: usize) -> String {
    format!("b{link:06}")
}

/// Where the link of this number leads.
pub(crate) fn target(link: usize) -> String {
    format!("https://www.example.com/articles/2026/11/{link:06}?utm_source=newsletter&utm_medium=email")
}

/// What those answer who know one redirect only; as long as the others.
pub(crate) fn constant_target() -> String {
    target(0)
}

/// Which links are visited, one after the other; the same each time.
pub(crate) fn visits(links: usize) -> Vec<u32> {
    let mut random = StdRng::seed_from_u64(7);
    // There is at least one link, and the exponent is positive: so this is a distribution.
    let Ok(zipf) = Zipf::new(links.max(1) as f64, SKEW) else { return vec![0; ROUND] };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Whole numbers from 1 to the number of links.
    (0..ROUND).map(|_| zipf.sample(&mut random) as u32 - 1).collect()
}

/// The rest of a request, after the path: what a browser sends that follows a link, on its `number`th connection.
pub(crate) fn rest(host: &str, number: usize) -> String {
    let mut rest = format!(" HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n");
    let fields = [
        ("Upgrade-Insecure-Requests", "1"),
        ("User-Agent", BROWSERS[number % BROWSERS.len()]),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
        ("Referer", REFERRERS[number % REFERRERS.len()]),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", LANGUAGES[number % LANGUAGES.len()]),
    ];
    for (name, value) in fields {
        // Writing to a String cannot fail.
        let _ = write!(rest, "{name}: {value}\r\n");
    }
    rest + "\r\n"
}
