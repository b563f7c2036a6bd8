//! How long lists, searches and look-ups take with few and with many links, in one run:
//! `cargo bench --bench lists`. What has an index for itself takes the same time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink::{
    Actor, Domain, Likeness, NewLink, Shortener, SystemClock, Tags, TargetRules, TargetUrl,
    memory::MemoryLog,
    sqlite::{SqliteConfig, SqliteStore},
    store::{LinkFilter, LinkOrder, TagMatch},
};

const FEW: usize = 2_000;
const MANY: usize = 200_000;
/// How often each is asked.
const ROUNDS: usize = 300;
/// Links in one transaction.
const BATCH: usize = 1_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let (few, many) = (Shop::new(FEW).await?, Shop::new(MANY).await?);
    println!(
        "{:<44} {:>12} {:>12} {:>7}",
        "p95, microseconds",
        format!("{FEW} links"),
        format!("{MANY} links"),
        "ratio"
    );
    for (name, ask) in ASKED {
        // Turn and turn about, so that a slow moment of the machine hits both.
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            fast.push(few.time(*ask, round).await?);
            slow.push(many.time(*ask, round).await?);
        }
        let (fast, slow) = (p95(fast), p95(slow));
        let ratio = slow.as_secs_f64() / fast.as_secs_f64();
        println!("{name:<44} {:>12} {:>12} {ratio:>7.2}", fast.as_micros(), slow.as_micros());
    }
    Ok(())
}

/// What is asked, on behalf of a member who owns every second link or of the operator, who sees all.
#[derive(Clone, Copy)]
enum Ask {
    First,
    Deep,
    OneDomain,
    Off,
    Changed,
    CommonTag,
    RareTag,
    TwoTags,
    AnyTag,
    RareText,
    CommonText,
    NoText,
    TextAndTag,
    Like,
    Unlike,
    LikeAmongEqual,
}

const ASKED: &[(&str, Ask)] = &[
    ("list, first page", Ask::First),
    ("list, a page deep within", Ask::Deep),
    ("list, a domain (1 in 20)", Ask::OneDomain),
    ("list, switched off (1 in 20)", Ask::Off),
    ("list, last changed first", Ask::Changed),
    ("tag that half of the links have", Ask::CommonTag),
    ("tag that twenty links have", Ask::RareTag),
    ("two tags, all", Ask::TwoTags),
    ("two tags, any", Ask::AnyTag),
    ("text that one link has", Ask::RareText),
    ("text that every link has", Ask::CommonText),
    ("text that no link has", Ask::NoText),
    ("text and tag", Ask::TextAndTag),
    ("find_existing, there", Ask::Like),
    ("find_existing, not there", Ask::Unlike),
    ("find_existing, most links lead to one target", Ask::LikeAmongEqual),
];

/// A database with so many links.
struct Shop {
    shortener: Shortener,
    size: usize,
    middle: boltlink::store::LinkCursor,
    _dir: tempfile::TempDir,
}

impl Shop {
    async fn new(size: usize) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let clock = Arc::new(SystemClock);
        let store = SqliteStore::open(&SqliteConfig::new(dir.path().join("boltlink.db")), clock.clone()).await?;
        let stores = store.stores(Arc::new(MemoryLog::new(clock, 1_000)));
        let shortener = Shortener::builder().stores(stores).visits(false).consumers([]).build().await?;
        let begin = Instant::now();
        let mut middle = None;
        for first in (0..size).step_by(BATCH) {
            let links = (first..first + BATCH).map(|number| link(number, size)).collect::<Outcome<Vec<_>>>()?;
            for made in shortener.create_many(&Actor::OPERATOR, links).await? {
                let made = made?;
                if middle.is_none() && first >= size / 2 {
                    middle = Some(boltlink::store::LinkCursor::of(&made.link, LinkOrder::Newest));
                }
            }
        }
        eprintln!("{size} links made, {:.0} a second", size as f64 / begin.elapsed().as_secs_f64());
        Ok(Self { shortener, size, middle: middle.ok_or("no links")?, _dir: dir })
    }

    async fn time(&self, ask: Ask, round: usize) -> Outcome<Duration> {
        // Spread over all links, without a pattern that a cache could like.
        let number = round * 7_919 % self.size;
        let none = LinkFilter::default;
        let tags = |tags: &[String]| -> Outcome<Tags> {
            Ok(Tags::new(tags.iter().map(|tag| tag.parse()).collect::<Result<_, _>>()?)?)
        };
        let text = |text: &str| -> Outcome<LinkFilter> { Ok(LinkFilter { text: Some(text.parse()?), ..none() }) };
        let page = async |filter, order, after| -> Outcome<usize> {
            Ok(self.shortener.list(&Actor::OPERATOR, filter, order, after, 50).await?.links.len())
        };
        let rare = || format!("rare-{}", number / 20 % (self.size / 20));
        let begin = Instant::now();
        let found = match ask {
            Ask::First => page(none(), LinkOrder::Newest, None).await?,
            Ask::Deep => page(none(), LinkOrder::Newest, Some(self.middle)).await?,
            Ask::OneDomain => {
                page(LinkFilter { domain: Some("one.example".parse()?), ..none() }, LinkOrder::Newest, None).await?
            }
            Ask::Off => page(LinkFilter { enabled: Some(false), ..none() }, LinkOrder::Newest, None).await?,
            Ask::Changed => page(none(), LinkOrder::LatestChange, None).await?,
            Ask::CommonTag => {
                page(LinkFilter { tags: tags(&["even".into()])?, ..none() }, LinkOrder::Newest, None).await?
            }
            Ask::RareTag => page(LinkFilter { tags: tags(&[rare()])?, ..none() }, LinkOrder::Newest, None).await?,
            Ask::TwoTags => {
                let tags = tags(&["even".into(), rare()])?;
                page(LinkFilter { tags, tag_match: TagMatch::All, ..none() }, LinkOrder::Newest, None).await?
            }
            Ask::AnyTag => {
                page(LinkFilter { tags: tags(&["even".into(), rare()])?, ..none() }, LinkOrder::Newest, None).await?
            }
            Ask::RareText => page(text(&format!("page-{number}-x"))?, LinkOrder::Newest, None).await?,
            Ask::CommonText => page(text("example.com")?, LinkOrder::Newest, None).await?,
            Ask::NoText => page(text("example-of-nothing")?, LinkOrder::Newest, None).await?,
            Ask::TextAndTag => {
                page(LinkFilter { tags: tags(&[rare()])?, ..text("article")? }, LinkOrder::Newest, None).await?
            }
            Ask::Like => self.find(&format!("https://example.com/article/page-{number}-x"), None).await?,
            Ask::Unlike => self.find(&format!("https://example.com/none/{number}"), None).await?,
            Ask::LikeAmongEqual => self.find("https://example.com/popular", Some("nobody has this title")).await?,
        };
        let took = begin.elapsed();
        std::hint::black_box(found);
        Ok(took)
    }

    async fn find(&self, target: &str, title: Option<&str>) -> Outcome<usize> {
        let target = TargetUrl::parse(target, &TargetRules::default())?;
        let title = title.map(str::parse).transpose()?;
        let like = Likeness { title, ..Likeness::of(Domain::default_domain(), target) };
        Ok(self.shortener.find_like(&Actor::OPERATOR, &like).await?.iter().count())
    }
}

fn link(number: usize, size: usize) -> Outcome<NewLink> {
    // Three quarters lead to pages of their own, a quarter to one and the same.
    let target = match number % 4 {
        3 => "https://example.com/popular".to_owned(),
        _ => format!("https://example.com/article/page-{number}-x"),
    };
    let mut new = NewLink::to(TargetUrl::parse(&target, &TargetRules::default())?);
    new.title = Some(format!("The article number {number}").parse()?);
    let mut tags = vec![format!("rare-{}", number / 20 % (size / 20)).parse()?];
    if number.is_multiple_of(2) {
        tags.push("even".parse()?);
    }
    new.tags = Tags::new(tags)?;
    new.enabled = !number.is_multiple_of(20);
    if number % 20 == 1 {
        new.domain = "one.example".parse()?;
    }
    Ok(new)
}

fn p95(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 95 / 100]
}
