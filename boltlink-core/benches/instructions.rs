//! What the engine does for a visit, to be counted in instructions: `cargo xtask instructions` runs this under Callgrind, and
//! counts in the function that it names. By itself it only shows that it runs.

#![allow(clippy::unwrap_used)] // A failure is a panic.

use std::{
    hint::black_box,
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use boltlink_core::{
    Actor, BatchId, Click, ClickBatch, Clock, Domain, Entropy, EntropyExt, FakeClock, LinkId, Network, NewLink,
    Outcome, Purpose, Shortener, SlugRules, SystemClock, SystemEntropy, TargetRules, TargetUrl, Visit, Visitor,
    VisitorHash,
    sample::{RawClicks, Sampler},
    tally::Tally,
};
use tokio::runtime::{Builder, Runtime};

/// What `cargo xtask instructions` divides by: how often each function does what it is called.
const TIMES: usize = 100;

const SLUG: &str = "aZ3kQ9x";
const REFERRER: &str = "https://www.google.com/";
const USER_AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const LANGUAGE: &str = "en-US,en;q=0.9";

fn main() {
    let named = std::env::args().nth(1).unwrap_or_default();
    let is_asked = |name: &str| named == name || named.starts_with('-') || named.is_empty();
    if is_asked("counted_visits") {
        counted_visits(&Site::new());
    }
    if is_asked("other_visits") {
        other_visits(&Site::new());
    }
    if is_asked("slugs_parsed") {
        slugs_parsed();
    }
    if is_asked("clicks_added_up") {
        clicks_added_up(SystemEntropy.link_id(SystemClock.now()));
    }
}

/// Visits of a cached link, each of which leaves a click with the recorder.
#[inline(never)]
fn counted_visits(site: &Site) {
    for _ in 0..TIMES {
        site.visit(Purpose::Follow);
    }
}

/// Visits that are not counted.
#[inline(never)]
fn other_visits(site: &Site) {
    for _ in 0..TIMES {
        site.visit(Purpose::Peek);
    }
}

#[inline(never)]
fn slugs_parsed() {
    for _ in 0..TIMES {
        black_box(SlugRules::default().parse_segment(black_box(SLUG)).is_ok());
    }
}

/// What comes of clicks later: they are made a batch, and added to the tallies of both consumers.
#[inline(never)]
fn clicks_added_up(link: LinkId) {
    let now = FakeClock::default().now();
    let click = Click {
        referrer: Some(REFERRER),
        user_agent: Some(USER_AGENT),
        language: Some(LANGUAGE),
        visitor: Some(VisitorHash(7)),
        network: Some(Network::V4([192, 0, 2])),
        ..Click::bare(link, now)
    };
    let id = BatchId { producer: SystemEntropy.producer_id(now), sequence: 1 };
    let batch = ClickBatch::new(id, std::iter::repeat_n(click, TIMES));
    for mut tally in [Tally::of_totals(), Tally::of_analytics(Sampler::new(RawClicks::default(), now))] {
        tally.add([&batch], now);
        black_box(tally.clicks());
    }
}

/// A shortener with a cached link, whose recorder empties no buffer: when it would do so is never the same. It is not
/// dropped, as its recorder does not end.
struct Site {
    shortener: ManuallyDrop<Shortener>,
    _runtime: ManuallyDrop<Runtime>,
    domain: Domain,
}

impl Site {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (domain, entropy) = (Domain::default_domain(), Arc::new(Stalling::default()));
        let shortener = runtime.block_on(async {
            let shortener = Shortener::builder().entropy(entropy.clone()).build().await.unwrap();
            let target = "https://www.example.com/articles/2026/11/000000?utm_source=newsletter&utm_medium=email";
            let target = TargetUrl::parse(target, &TargetRules::default()).unwrap();
            let link = NewLink { slug: Some(SLUG.parse().unwrap()), ..NewLink::to(target) };
            shortener.create(&Actor::OPERATOR, link).await.unwrap();
            // Now it is cached, and the recorder has something to do.
            shortener.visit(&Visit::new(&domain, SLUG)).await.unwrap();
            shortener
        });
        while !entropy.stalls.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(1));
        }
        let (shortener, runtime) = (ManuallyDrop::new(shortener), ManuallyDrop::new(runtime));
        let site = Self { shortener, _runtime: runtime, domain };
        // The buffer grows, and the recorder is woken, once for all. One of 512 would be emptied on the spot.
        for _ in 0..256 {
            site.visit(Purpose::Follow);
        }
        site
    }

    fn visit(&self, purpose: Purpose) {
        let visitor = Visitor {
            address: Some([192, 0, 2, 7].into()),
            referrer: Some(REFERRER.as_bytes()),
            user_agent: Some(USER_AGENT.as_bytes()),
            language: Some(LANGUAGE.as_bytes()),
        };
        let visit = Visit { visitor, purpose, ..Visit::new(&self.domain, SLUG) };
        let outcome = self.shortener.try_visit(black_box(&visit));
        assert!(matches!(outcome, Some(Outcome::Redirect(_))));
    }
}

/// Holds up the recorder's thread when it names its first batch.
#[derive(Default)]
struct Stalling {
    stalls: AtomicBool,
}

impl Entropy for Stalling {
    fn fill(&self, bytes: &mut [u8]) {
        while thread::current().name() == Some("boltlink-recorder") {
            self.stalls.store(true, Ordering::Release);
            thread::park();
        }
        SystemEntropy.fill(bytes);
    }
}
