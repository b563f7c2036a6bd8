//! Rollups, and reading them.

use std::{collections::BTreeMap, time::Duration};

use super::super::{
    Fixture, parallel,
    sample::{apply, batch, clicks, counted, link, producer, stored},
};
use crate::{
    Click, Clock, LinkId, Timestamp,
    click::MAX_SKEW,
    store::{Applied, Consumer, Dimension, Interval, Point, Scope, Share, Span},
};

const ANALYTICS: Consumer = Consumer::Analytics;

/// Records one click per given moment.
async fn click_at(fixture: &Fixture, link: LinkId, moments: impl IntoIterator<Item = Timestamp>) {
    let clicks = moments.into_iter().map(|at| Click::bare(link, at));
    apply(fixture, ANALYTICS, &[batch(producer(fixture), 1, clicks)]).await;
}

/// Records clicks that come from `referrers`, now.
async fn click_from(fixture: &Fixture, link: LinkId, referrers: impl IntoIterator<Item = String>) {
    let referrers: Vec<_> = referrers.into_iter().collect();
    let bare = Click::bare(link, fixture.clock.now());
    let clicks = referrers.iter().map(|referrer| Click { referrer: Some(referrer), ..bare });
    apply(fixture, ANALYTICS, &[batch(producer(fixture), 1, clicks)]).await;
}

/// The pages of `count` different hosts, from the `first`-th on.
fn pages(first: usize, count: usize) -> impl Iterator<Item = String> {
    (first..first + count).map(|number| format!("https://host-{number:04}.example/page"))
}

async fn hours(fixture: &Fixture, scope: Scope, from: i64, to: i64) -> Vec<(i64, u64)> {
    series(fixture, scope, Interval::Hour, from, to).await
}

async fn series(fixture: &Fixture, scope: Scope, interval: Interval, from: i64, to: i64) -> Vec<(i64, u64)> {
    let points = fixture.stores.reader.series(scope, interval, Span { from, to }).await.unwrap();
    points.into_iter().map(|Point { at, clicks }| (at, clicks)).collect()
}

/// What today's clicks of `link` are by `dimension`.
async fn today(fixture: &Fixture, link: LinkId, dimension: Dimension) -> Vec<(String, u64)> {
    let day = fixture.clock.now().day();
    breakdown(fixture, link, dimension, day, day + 1).await
}

async fn breakdown(fixture: &Fixture, link: LinkId, by: Dimension, from: i64, to: i64) -> Vec<(String, u64)> {
    let shares = fixture.stores.reader.breakdown(link, by, from, to, 1_000).await.unwrap();
    shares.into_iter().map(|Share { value, clicks }| (value, clicks)).collect()
}

fn shares<const N: usize>(shares: [(&str, u64); N]) -> Vec<(String, u64)> {
    shares.map(|(value, clicks)| (value.to_owned(), clicks)).into()
}

pub async fn rollups_add_up_to_totals(fixture: &Fixture) {
    let links = [stored(fixture, "x").await, stored(fixture, "y").await];
    let producer = producer(fixture);
    for sequence in 1..=12 {
        let clicks = (0..sequence).map(|number| Click {
            language: ["de", "en-GB", "*", "fr"].get(usize::try_from(number % 5).unwrap()).copied(),
            ..Click::bare(links[usize::from(number % 3 == 0)], fixture.clock.now())
        });
        let batch = batch(producer, sequence, clicks);
        for consumer in Consumer::ALL {
            apply(fixture, consumer, &[batch.clone(), batch.clone()]).await;
        }
        fixture.clock.advance(Duration::from_secs(4 * 3600));
    }
    let mut all = 0;
    for link in links {
        let total = counted(fixture, Consumer::Totals, link).await;
        let scope = Scope::Link(link);
        assert_eq!(fixture.stores.reader.total(scope).await.unwrap(), total);
        for interval in [Interval::Hour, Interval::Day] {
            let points = series(fixture, scope, interval, 0, i64::from(u32::MAX)).await;
            assert_eq!(points.iter().map(|(_, clicks)| clicks).sum::<u64>(), total, "{points:?}");
        }
        for dimension in Dimension::ALL {
            let shares = breakdown(fixture, link, dimension, 0, i64::from(u32::MAX)).await;
            assert_eq!(shares.iter().map(|(_, clicks)| clicks).sum::<u64>(), total, "{shares:?}");
        }
        all += total;
    }
    assert_eq!(all, (1..=12).sum::<u64>());
    assert_eq!(fixture.stores.reader.total(Scope::Global).await.unwrap(), all);
}

pub async fn a_link_that_does_not_exist_is_kept(fixture: &Fixture) {
    let never = link(fixture, "never").id;
    let applied = apply(fixture, ANALYTICS, &[clicks(fixture, producer(fixture), 1, never, 3)]).await;
    assert_eq!(applied, Applied { batches: 1, clicks: 3, ..Applied::default() });
    assert_eq!(counted(fixture, ANALYTICS, never).await, 3);
    assert_eq!(hours(fixture, Scope::Link(never), 0, i64::from(u32::MAX)).await.len(), 1);
}

pub async fn a_click_from_the_future_counts_now(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    fixture.clock.advance(Duration::from_secs(58 * 60));
    let now = fixture.clock.now();
    let tolerated = now.plus(MAX_SKEW);
    let skewed = tolerated.plus(Duration::from_micros(1));
    click_at(fixture, link, [tolerated, skewed, now.plus(Duration::from_secs(400 * 24 * 3600))]).await;
    let points = hours(fixture, Scope::Link(link), 0, i64::from(u32::MAX)).await;
    assert_eq!(points, [(now.hour(), 2), (now.hour() + 1, 1)]);
    assert_eq!(today(fixture, link, Dimension::Referrer).await, shares([(Dimension::NONE, 3)]));
}

pub async fn hours_are_read_within_their_span(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    let start = fixture.clock.now();
    let hour = start.hour();
    fixture.clock.advance(Duration::from_secs(24 * 3600));
    let moments = [0, 1, 3_599_999_999, 3_600_000_000, 18_000_000_000].map(Duration::from_micros);
    click_at(fixture, link, moments.map(|after| start.plus(after))).await;
    for scope in [Scope::Link(link), Scope::Global] {
        assert_eq!(hours(fixture, scope, hour - 1, hour + 9).await, [(hour, 3), (hour + 1, 1), (hour + 5, 1)]);
        assert_eq!(hours(fixture, scope, hour + 1, hour + 5).await, [(hour + 1, 1)]);
        assert_eq!(hours(fixture, scope, hour + 2, hour + 5).await, []);
        assert_eq!(hours(fixture, scope, hour + 1, hour + 1).await, []);
        assert_eq!(hours(fixture, scope, hour + 5, hour).await, []);
    }
}

pub async fn days_at_the_ends_of_a_span_count_its_hours_only(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    let start = fixture.clock.now();
    assert_eq!(start.hour() % 24, 0, "the fixture's clock begins at midnight");
    fixture.clock.advance(Duration::from_secs(4 * 24 * 3600));
    // Four clicks on each of three days, in the first hour and the last too.
    let hours = (0..3).flat_map(|day| [0, 11, 17, 23].map(|hour| day * 24 + hour));
    click_at(fixture, link, hours.map(|hour| start.plus(Duration::from_secs(hour * 3600)))).await;
    let (hour, day) = (start.hour(), start.day());
    for scope in [Scope::Link(link), Scope::Global] {
        let days = |from, to| series(fixture, scope, Interval::Day, hour + from, hour + to);
        assert_eq!(days(0, 72).await, [(day, 4), (day + 1, 4), (day + 2, 4)]);
        assert_eq!(days(1, 71).await, [(day, 3), (day + 1, 4), (day + 2, 3)]);
        assert_eq!(days(12, 65).await, [(day, 2), (day + 1, 4), (day + 2, 2)]);
        assert_eq!(days(1, 11).await, []);
        assert_eq!(days(72, 0).await, []);
    }
}

pub async fn all_links_together_include_deleted_ones(fixture: &Fixture) {
    let (x, y) = (stored(fixture, "x").await, stored(fixture, "y").await);
    let hour = fixture.clock.now().hour();
    click_at(fixture, x, [fixture.clock.now(); 2]).await;
    click_at(fixture, y, [fixture.clock.now(); 3]).await;
    fixture.stores.links.delete(x, None).await.unwrap();
    let reader = &fixture.stores.reader;
    assert_eq!(reader.total(Scope::Global).await.unwrap(), 5);
    assert_eq!(reader.total(Scope::Link(x)).await.unwrap(), 2);
    assert_eq!(hours(fixture, Scope::Global, hour, hour + 1).await, [(hour, 5)]);
    assert_eq!(hours(fixture, Scope::Link(x), hour, hour + 1).await, [(hour, 2)]);
}

pub async fn nothing_is_read_of_nothing(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    for scope in [Scope::Link(link), Scope::Global] {
        assert_eq!(fixture.stores.reader.total(scope).await.unwrap(), 0);
        assert_eq!(hours(fixture, scope, 0, i64::from(u32::MAX)).await, []);
        assert_eq!(series(fixture, scope, Interval::Day, 0, i64::from(u32::MAX)).await, []);
    }
    assert_eq!(today(fixture, link, Dimension::Referrer).await, []);
}

pub async fn referrers_and_languages_are_broken_down(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    let bare = Click::bare(link, fixture.clock.now());
    let clicks = [
        Click { referrer: Some("https://www.News.example/a"), language: Some("de-CH,en"), ..bare },
        Click { referrer: Some("http://news.example:8080/b?c"), language: Some("DE"), ..bare },
        Click { referrer: Some("https://blog.example/"), language: Some("en"), ..bare },
        bare,
    ];
    apply(fixture, ANALYTICS, &[batch(producer(fixture), 1, clicks)]).await;
    let referrers = today(fixture, link, Dimension::Referrer).await;
    assert_eq!(referrers, shares([("news.example", 2), (Dimension::NONE, 1), ("blog.example", 1)]));
    let languages = today(fixture, link, Dimension::Language).await;
    assert_eq!(languages, shares([("de", 2), (Dimension::NONE, 1), ("en", 1)]));
}

pub async fn a_breakdown_covers_its_days_only(fixture: &Fixture) {
    let (link, other) = (stored(fixture, "x").await, stored(fixture, "other").await);
    let day = fixture.clock.now().day();
    for number in 0..3 {
        click_from(fixture, link, pages(number, 2)).await;
        click_from(fixture, other, pages(0, 9)).await;
        fixture.clock.advance(Duration::from_secs(24 * 3600));
    }
    let referrers = |from, to| breakdown(fixture, link, Dimension::Referrer, day + from, day + to);
    let [a, b, c, d] = [0, 1, 2, 3].map(|number| format!("host-{number:04}.example"));
    assert_eq!(referrers(0, 1).await, shares([(&a, 1), (&b, 1)]));
    assert_eq!(referrers(1, 3).await, shares([(&c, 2), (&b, 1), (&d, 1)]));
    assert_eq!(referrers(0, 3).await, shares([(&b, 2), (&c, 2), (&a, 1), (&d, 1)]));
    assert_eq!(referrers(1, 1).await, []);
    assert_eq!(referrers(3, 9).await, []);
}

pub async fn a_breakdown_has_the_most_first_and_ties_by_value(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    // Byte by byte, whatever the database's locale makes of hyphens.
    let hosts = ["ab.example", "a-c.example", "b.example", "b.example", "a.example", "a\"b\\c.example"];
    click_from(fixture, link, hosts.iter().map(|host| format!("https://{host}/"))).await;
    let expected =
        shares([("b.example", 2), ("a\"b\\c.example", 1), ("a-c.example", 1), ("a.example", 1), ("ab.example", 1)]);
    let day = fixture.clock.now().day();
    for limit in [1, 2, 3, 4, 5, 100] {
        let reader = &fixture.stores.reader;
        let found = reader.breakdown(link, Dimension::Referrer, day, day + 1, limit).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|Share { value, clicks }| (value, clicks)).collect();
        assert_eq!(found, expected[..expected.len().min(usize::try_from(limit).unwrap())]);
    }
}

pub async fn what_many_apply_at_once_counts_in_each_value(fixture: &Fixture) {
    let links = [stored(fixture, "x").await, stored(fixture, "y").await];
    let day = fixture.clock.now().day() - 1;
    let day_began = Timestamp::EPOCH.plus(Duration::from_secs(day.unsigned_abs() * 24 * 3600));
    // Each with a producer and in an hour of its own: they have nothing in common but the links' day.
    parallel(8, |task| {
        let (sink, producer) = (fixture.stores.analytics.clone(), producer(fixture));
        let at = day_began.plus(Duration::from_secs(task as u64 * 3600));
        async move {
            let referrer = format!("https://of-{task}.example/");
            for sequence in 1..=6 {
                let clicks = links.map(|link| Click { referrer: Some(&referrer), ..Click::bare(link, at) });
                sink.apply(&[batch(producer, sequence, clicks)]).await.unwrap();
            }
        }
    })
    .await;
    let expected: Vec<_> = (0..8).map(|task| (format!("of-{task}.example"), 6)).collect();
    for link in links {
        assert_eq!(breakdown(fixture, link, Dimension::Referrer, day, day + 1).await, expected);
        assert_eq!(breakdown(fixture, link, Dimension::Language, day, day + 1).await, shares([(Dimension::NONE, 48)]));
    }
}

pub async fn each_link_of_a_large_call_has_its_day_and_its_values(fixture: &Fixture) {
    let mut links: Vec<_> = (0..2_500).map(|number| link(fixture, &format!("n{number}")).id).collect();
    links.sort_unstable();
    let now = fixture.clock.now();
    // Those that are written last have most.
    let number_of = |place: usize| if place < 2_000 { 1 } else { 2 };
    let clicks = links.iter().enumerate().flat_map(|(place, link)| {
        let click = Click { language: Some("de"), ..Click::bare(*link, now) };
        std::iter::repeat_n(click, number_of(place))
    });
    apply(fixture, ANALYTICS, &[batch(producer(fixture), 1, clicks)]).await;
    let top = fixture.stores.reader.top(now.day(), now.day() + 1, 500).await.unwrap();
    assert_eq!(
        top.iter().map(|top| (top.link, top.clicks)).collect::<Vec<_>>(),
        links[2_000..].iter().map(|link| (*link, 2)).collect::<Vec<_>>()
    );
    for (place, link) in links.iter().enumerate().step_by(83) {
        let clicks = number_of(place) as u64;
        assert_eq!(today(fixture, *link, Dimension::Language).await, shares([("de", clicks)]), "{place}");
        assert_eq!(hours(fixture, Scope::Link(*link), i64::MIN, i64::MAX).await, [(now.hour(), clicks)], "{place}");
    }
}

pub async fn a_hundred_values_are_kept(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    click_from(fixture, link, pages(0, Dimension::MAX_VALUES / 2)).await;
    click_from(fixture, link, pages(Dimension::MAX_VALUES / 2, Dimension::MAX_VALUES / 2)).await;
    let referrers = today(fixture, link, Dimension::Referrer).await;
    assert_eq!(referrers.len(), Dimension::MAX_VALUES);
    assert!(referrers.iter().all(|(value, clicks)| value != Dimension::OTHER && *clicks == 1), "{referrers:?}");
}

pub async fn values_beyond_the_bound_are_other(fixture: &Fixture) {
    for portion in [150, 60, 1] {
        let link = stored(fixture, &format!("by-{portion}")).await;
        // Each host twice, in calls of `portion` hosts.
        for _ in 0..2 {
            for first in (0..150).step_by(portion) {
                click_from(fixture, link, pages(first, portion.min(150 - first))).await;
            }
        }
        let mut referrers: BTreeMap<_, _> = today(fixture, link, Dimension::Referrer).await.into_iter().collect();
        assert_eq!(referrers.remove(Dimension::OTHER), Some(100), "{referrers:?}");
        assert_eq!(referrers.len(), Dimension::MAX_VALUES);
        assert!(referrers.values().all(|clicks| *clicks == 2), "{referrers:?}");
        assert_eq!(counted(fixture, ANALYTICS, link).await, 300);
    }
}

pub async fn values_that_are_kept_go_on_counting_beside_other(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    click_from(fixture, link, pages(0, Dimension::MAX_VALUES)).await;
    let more = ["https://host-0000.example/", "https://new.example/", "https://(other)/", "https://host-0000.example/"];
    click_from(fixture, link, more.map(str::to_owned)).await;
    let referrers = today(fixture, link, Dimension::Referrer).await;
    assert_eq!(referrers[..2], shares([("host-0000.example", 3), (Dimension::OTHER, 2)]));
    assert_eq!(referrers.iter().map(|(_, clicks)| clicks).sum::<u64>(), 104);
}

pub async fn other_is_not_one_of_the_hundred(fixture: &Fixture) {
    let link = stored(fixture, "x").await;
    // A host that calls itself what the rest is called, before there is a rest.
    click_from(fixture, link, ["https://(other)/".to_owned()]).await;
    click_from(fixture, link, pages(0, Dimension::MAX_VALUES)).await;
    let referrers = today(fixture, link, Dimension::Referrer).await;
    assert_eq!(referrers.len(), Dimension::MAX_VALUES + 1);
    assert!(referrers.iter().all(|(_, clicks)| *clicks == 1), "{referrers:?}");
}

pub async fn values_are_bounded_per_link_day_and_dimension(fixture: &Fixture) {
    let (full, fresh) = (stored(fixture, "full").await, stored(fixture, "fresh").await);
    let day = fixture.clock.now().day();
    click_from(fixture, full, pages(0, Dimension::MAX_VALUES + 5)).await;
    click_from(fixture, fresh, pages(200, 2)).await;
    assert_eq!(today(fixture, fresh, Dimension::Referrer).await.len(), 2);
    assert_eq!(today(fixture, full, Dimension::Language).await, shares([(Dimension::NONE, 105)]));
    fixture.clock.advance(Duration::from_secs(24 * 3600));
    click_from(fixture, full, pages(200, 2)).await;
    assert_eq!(today(fixture, full, Dimension::Referrer).await.len(), 2);
    let both = breakdown(fixture, full, Dimension::Referrer, day, day + 2).await;
    assert_eq!(both.iter().map(|(_, clicks)| clicks).sum::<u64>(), 107);
}
