//! A property test that compares what a [`LinkStore`](crate::store::LinkStore) lists with what
//! [`LinkFilter::passes`] says of each link.

use std::time::Duration;

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    Fixture, explore,
    link::walk_in,
    sample::{inserts, link, target},
};
use crate::{
    AccountId, Clock, Link, Tags, Timestamp,
    store::{LinkFilter, LinkOrder, TagMatch},
};

/// What of a link a filter may ask for. Few different values, so that filters pass some links and not others.
#[derive(Debug, Clone)]
struct Parts {
    owner: u128,
    domain: &'static str,
    path: &'static str,
    title: Option<&'static str>,
    note: Option<&'static str>,
    tags: Vec<&'static str>,
    enabled: bool,
    crawlable: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<Parts>),
    Update(usize, Parts),
    Delete(usize),
    Pass(u64),
}

/// As a caller asks for it; times are counted in microseconds from the fixture's beginning.
#[derive(Debug, Clone)]
struct Wanted {
    owner: Option<u128>,
    domain: Option<&'static str>,
    text: Option<&'static str>,
    tags: Vec<&'static str>,
    all: bool,
    from: Option<u64>,
    to: Option<u64>,
    enabled: Option<bool>,
    crawlable: Option<bool>,
}

const DOMAINS: [&str; 2] = ["", "one.example"];
const TAGS: [&str; 4] = ["red", "Red", "ünder", "a,b"];
const WORDS: [&str; 10] = [
    "Straße",
    "STRASSE 9",
    "100%_sure",
    "a\"b*c",
    "say 'NOT'",
    "ÄÖÜ äöü",
    "日本語テキスト",
    "ΣΊΣΥΦΟΣ",
    "İstanbul",
    "\u{212a}elvin",
];
const TEXTS: [&str; 18] = [
    "straße",
    "STRASSE",
    "%_s",
    "100%",
    "sur_",
    "\"b*",
    "'not'",
    "not say",
    "äöü",
    "本語テ",
    "page",
    "slug-1",
    "σίσυφος",
    "ΣΊΣΥΦΟΣ",
    "istanbul",
    "kelvin",
    "a%25",
    "zzz",
];

fn parts() -> impl Strategy<Value = Parts> {
    let words = || prop::option::of(select(&WORDS[..]));
    let tags = prop::sample::subsequence(&TAGS[..], 0..=3);
    let path = select(&["", "Page", "page/büro", "a%2525"][..]);
    (1..3_u128, select(&DOMAINS[..]), path, words(), words(), tags, any::<bool>(), any::<bool>()).prop_map(
        |(owner, domain, path, title, note, tags, enabled, crawlable)| Parts {
            owner,
            domain,
            path,
            title,
            note,
            tags,
            enabled,
            crawlable,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => vec(parts(), 1..6).prop_map(Step::Insert),
        3 => (0..12_usize, parts()).prop_map(|(which, parts)| Step::Update(which, parts)),
        2 => (0..12_usize).prop_map(Step::Delete),
        2 => (0..3_u64).prop_map(Step::Pass),
    ];
    vec(step, 1..16)
}

fn wanted() -> impl Strategy<Value = Wanted> {
    // Most say little: a filter of everything passes nothing.
    let owner = prop::option::weighted(0.2, 1..3_u128);
    let domain = prop::option::weighted(0.2, select(&DOMAINS[..]));
    let text = prop::option::weighted(0.5, select(&TEXTS[..]));
    let tags = prop_oneof![Just(Vec::new()), prop::sample::subsequence(&TAGS[..], 1..=2)];
    let time = || prop::option::weighted(0.2, 0..12_u64);
    let flag = || prop::option::weighted(0.2, any::<bool>());
    (owner, domain, text, tags, any::<bool>(), time(), time(), flag(), flag()).prop_map(
        |(owner, domain, text, tags, all, from, to, enabled, crawlable)| Wanted {
            owner,
            domain,
            text,
            tags,
            all,
            from,
            to,
            enabled,
            crawlable,
        },
    )
}

/// Whatever was made, changed and deleted, a list has what its filter passes, in order, on pages that join.
///
/// # Panics
/// If not.
pub fn lists_show_what_the_filter_passes_whatever_happened_before(fixture: impl AsyncFn() -> Fixture) {
    let order = select(&LinkOrder::ALL[..]);
    explore(&(steps(), vec((wanted(), order, 1..5_u32), 1..12)), fixture, async |fixture: &Fixture, (steps, lists)| {
        let begin = fixture.clock.now();
        let mut links: Vec<Link> = Vec::new();
        let mut made = 0;
        for step in steps {
            take(fixture, &mut links, &mut made, step).await;
        }
        for (wanted, order, size) in lists {
            let filter = filter(&wanted, begin);
            let mut expected: Vec<_> = links.iter().filter(|link| filter.passes(link)).cloned().collect();
            expected.sort_by_key(|link| (order.time(link), link.id));
            if order.is_descending() {
                expected.reverse();
            }
            let listed = walk_in(&*fixture.stores.links, &filter, order, size).await;
            assert_eq!(listed, expected, "{order:?} for {filter:?}");
        }
    });
}

async fn take(fixture: &Fixture, links: &mut Vec<Link>, made: &mut usize, step: Step) {
    let store = &fixture.stores.links;
    match step {
        Step::Insert(many) => {
            let many: Vec<_> = many
                .into_iter()
                .map(|parts| {
                    *made += 1;
                    describe(parts, link(fixture, &format!("Slug-{made}")))
                })
                .collect();
            store.insert_many(&inserts(&many)).await.unwrap();
            links.extend(many);
        }
        Step::Update(which, parts) => {
            let Some(link) = links.get_mut(which) else { return };
            let (owner, expected) = (link.owner, link.version);
            let changed = Link { updated_at: fixture.clock.now(), version: expected + 1, ..link.clone() };
            // The owner is what no update changes.
            *link = Link { owner, ..describe(parts, changed) };
            store.update(link, expected).await.unwrap();
        }
        Step::Delete(which) if which < links.len() => {
            let link = links.remove(which);
            store.delete(link.id, None).await.unwrap();
        }
        Step::Delete(_) => {}
        Step::Pass(micros) => fixture.clock.advance(Duration::from_micros(micros)),
    }
}

fn account(number: u128) -> AccountId {
    AccountId::from_uuid(uuid::Uuid::from_u128(number))
}

fn tags(tags: &[&str]) -> Tags {
    Tags::new(tags.iter().map(|tag| tag.parse().unwrap()).collect()).unwrap()
}

fn describe(parts: Parts, link: Link) -> Link {
    Link {
        owner: account(parts.owner),
        domain: parts.domain.parse().unwrap(),
        target: target(&format!("https://example.com/{}", parts.path)),
        title: parts.title.map(|title| title.parse().unwrap()),
        note: parts.note.map(|note| note.parse().unwrap()),
        tags: tags(&parts.tags),
        enabled: parts.enabled,
        crawlable: parts.crawlable,
        ..link
    }
}

fn filter(wanted: &Wanted, begin: Timestamp) -> LinkFilter {
    let at = |micros: u64| begin.plus(Duration::from_micros(micros));
    LinkFilter {
        owner: wanted.owner.map(account),
        domain: wanted.domain.map(|domain| domain.parse().unwrap()),
        text: wanted.text.map(|text| text.parse().unwrap()),
        tags: tags(&wanted.tags),
        tag_match: if wanted.all { TagMatch::All } else { TagMatch::Any },
        created_from: wanted.from.map(at),
        created_to: wanted.to.map(at),
        enabled: wanted.enabled,
        crawlable: wanted.crawlable,
    }
}
