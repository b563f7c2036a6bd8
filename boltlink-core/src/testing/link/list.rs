//! Listing and finding by target.

use std::{collections::BTreeSet, time::Duration};

use super::super::{
    Fixture,
    sample::{account, inserts, link, store, target},
};
use crate::{
    Clock, Lifetime, Link, LinkId, Tag, Tags, Timestamp,
    store::{Inserted, LinkCursor, LinkFilter, LinkOrder, LinkStore, TagMatch},
};

/// Every page of a list, `size` links each.
pub(in super::super) async fn walk(links: &dyn LinkStore, filter: &LinkFilter, size: u32) -> Vec<Link> {
    walk_in(links, filter, LinkOrder::default(), size).await
}

/// The same in any order.
pub(in super::super) async fn walk_in(
    links: &dyn LinkStore,
    filter: &LinkFilter,
    order: LinkOrder,
    size: u32,
) -> Vec<Link> {
    let mut all: Vec<Link> = Vec::new();
    loop {
        let after = all.last().map(|last| LinkCursor::of(last, order));
        let page = links.list(filter, order, after, size).await.unwrap();
        assert!(page.len() <= usize::try_from(size).unwrap());
        if page.is_empty() {
            return all;
        }
        all.extend(page.into_iter().map(|stored| stored.link));
    }
}

fn ids(links: &[Link]) -> Vec<LinkId> {
    links.iter().map(|link| link.id).collect()
}

/// The order of lists.
fn newest_first(mut links: Vec<Link>) -> Vec<Link> {
    links.sort_by_key(|link| std::cmp::Reverse((link.created_at, link.id)));
    links
}

pub async fn lists_are_newest_first(fixture: &Fixture) {
    let mut all = Vec::new();
    // Made in another order than dated, as imports are.
    for (slug, age) in [("b", 20), ("d", 0), ("a", 30), ("c", 10)] {
        let created_at = fixture.clock.now().minus(Duration::from_micros(age));
        all.push(store(fixture, Link { created_at, ..link(fixture, slug) }).await);
    }
    let listed = fixture.stores.links.list(&LinkFilter::default(), LinkOrder::default(), None, 100).await.unwrap();
    let slugs: Vec<_> = listed.iter().map(|stored| stored.link.slug.as_str()).collect();
    assert_eq!(slugs, ["d", "c", "b", "a"]);
    assert_eq!(listed.into_iter().map(|stored| stored.link).collect::<Vec<_>>(), newest_first(all));
}

pub async fn pages_join_without_gap_or_overlap(fixture: &Fixture) {
    let mut all = Vec::new();
    for number in 0..23 {
        all.push(store(fixture, link(fixture, &format!("n{number}"))).await);
        fixture.clock.advance(Duration::from_micros(1));
    }
    let all = newest_first(all);
    for size in [1, 5, 23, 100] {
        assert_eq!(walk(&*fixture.stores.links, &LinkFilter::default(), size).await, all, "pages of {size}");
    }
}

pub async fn pages_join_among_equal_times(fixture: &Fixture) {
    let mut all = Vec::new();
    for number in 0..17 {
        all.push(store(fixture, link(fixture, &format!("n{number}"))).await);
    }
    let all = newest_first(all);
    for size in [1, 4, 17] {
        assert_eq!(walk(&*fixture.stores.links, &LinkFilter::default(), size).await, all, "pages of {size}");
    }
}

pub async fn lists_pass_what_the_filter_passes(fixture: &Fixture) {
    let owners = [account(fixture), account(fixture)];
    let domains = ["", "one.example", "two.example"];
    let mut all = Vec::new();
    for number in 0..24 {
        let owner = owners[number % 2];
        let domain = domains[number % 3].parse().unwrap();
        all.push(store(fixture, Link { owner, domain, ..link(fixture, &format!("n{number}")) }).await);
    }
    let all = newest_first(all);
    for owner in [None, Some(owners[0]), Some(owners[1]), Some(account(fixture))] {
        for domain in [None, Some(""), Some("one.example"), Some("three.example")] {
            let domain = domain.map(|domain| domain.parse().unwrap());
            let passes = |link: &&Link| {
                owner.is_none_or(|owner| link.owner == owner) && domain.as_ref().is_none_or(|d| link.domain == *d)
            };
            let expected: Vec<_> = all.iter().filter(passes).cloned().collect();
            let filter = LinkFilter { owner, domain: domain.clone(), ..LinkFilter::default() };
            assert_eq!(walk(&*fixture.stores.links, &filter, 3).await, expected, "{filter:?}");
        }
    }
}

pub async fn a_page_goes_on_after_a_deleted_link(fixture: &Fixture) {
    let links = &fixture.stores.links;
    for number in 0..6 {
        store(fixture, link(fixture, &format!("n{number}"))).await;
        fixture.clock.advance(Duration::from_micros(1));
    }
    let all = walk(&**links, &LinkFilter::default(), 100).await;
    for gone in &all[1..=3] {
        links.delete(gone.id, None).await.unwrap();
    }
    let page = links
        .list(&LinkFilter::default(), LinkOrder::default(), Some(LinkCursor::of(&all[2], LinkOrder::default())), 100)
        .await
        .unwrap();
    assert_eq!(page.iter().map(|stored| stored.link.id).collect::<Vec<_>>(), ids(&all[4..]));
}

pub async fn listing_while_others_write_misses_and_repeats_nothing(fixture: &Fixture) {
    let (mut staying, mut going) = (BTreeSet::new(), Vec::new());
    for number in 0..80 {
        let id = store(fixture, link(fixture, &format!("n{number}"))).await.id;
        if number % 2 == 0 {
            staying.insert(id);
        } else {
            going.push(id);
        }
        // Some of equal age.
        fixture.clock.advance(Duration::from_micros(number % 3));
    }
    let writer = {
        let (links, clock) = (fixture.stores.links.clone(), fixture.clock.clone());
        let coming: Vec<_> = (0..40)
            .map(|number| {
                let age = Duration::from_micros(number * 2);
                Link { created_at: clock.now().minus(age), ..link(fixture, &format!("new-{number}")) }
            })
            .collect();
        tokio::spawn(async move {
            for (gone, come) in going.iter().zip(&coming) {
                links.delete(*gone, None).await.unwrap();
                links.insert(come, None).await.unwrap();
            }
        })
    };
    for _ in 0..5 {
        let seen = walk(&*fixture.stores.links, &LinkFilter::default(), 7).await;
        assert_eq!(seen, newest_first(seen.clone()));
        let seen_ids: BTreeSet<_> = ids(&seen).into_iter().collect();
        assert_eq!(seen_ids.len(), seen.len(), "a link came twice");
        assert!(staying.is_subset(&seen_ids), "a link is missing");
    }
    writer.await.unwrap();
}

pub async fn links_to_a_target_come_oldest_first(fixture: &Fixture) {
    let mut all = Vec::new();
    for age in [3, 9, 1, 5, 5] {
        let created_at = fixture.clock.now().minus(Duration::from_micros(age));
        let slug = format!("n{}", all.len());
        all.push(store(fixture, Link { created_at, ..link(fixture, &slug) }).await);
    }
    all.sort_by_key(|link| link.created_at);
    let of_age = |links: &[Link]| links.iter().map(|link| link.created_at).collect::<Vec<_>>();
    for limit in [1, 3, 5, 100] {
        let found = fixture.stores.links.by_target(all[0].owner, &all[0].domain, &all[0].target, limit).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|stored| stored.link).collect();
        assert_eq!(of_age(&found), of_age(&all[..all.len().min(usize::try_from(limit).unwrap())]));
    }
}

pub async fn links_to_a_target_are_those_of_owner_and_domain(fixture: &Fixture) {
    let owner = account(fixture);
    let wanted = store(fixture, Link { owner, ..link(fixture, "wanted") }).await;
    store(fixture, link(fixture, "other-owner")).await;
    let domain = "other.example".parse().unwrap();
    store(fixture, Link { owner, domain, ..link(fixture, "other-domain") }).await;
    for (slug, other) in [("path", "https://example.com/x"), ("scheme", "http://example.com/")] {
        store(fixture, Link { owner, target: target(other), ..link(fixture, slug) }).await;
    }
    let found = fixture.stores.links.by_target(owner, &wanted.domain, &wanted.target, 9).await.unwrap();
    assert_eq!(found.iter().map(|stored| stored.link.id).collect::<Vec<_>>(), [wanted.id]);
}

pub async fn a_link_is_found_by_its_new_target_only(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let before = store(fixture, link(fixture, "x")).await;
    let after = Link { target: target("https://example.com/after"), version: 2, ..before.clone() };
    links.update(&after, 1).await.unwrap();
    assert_eq!(links.by_target(before.owner, &before.domain, &before.target, 9).await.unwrap(), []);
    let found = links.by_target(after.owner, &after.domain, &after.target, 9).await.unwrap();
    assert_eq!(found.iter().map(|stored| &stored.link).collect::<Vec<_>>(), [&after]);
}

/// Links of all kinds, at different ages.
async fn motley(fixture: &Fixture) -> Vec<Link> {
    let owners = [account(fixture), account(fixture)];
    let tags: [Tag; 4] = ["red", "green", "blue", "Ünder"].map(|tag| tag.parse().unwrap());
    let mut all = Vec::new();
    for number in 0..60_usize {
        let now = fixture.clock.now();
        let of = |wanted: &[usize]| wanted.iter().map(|at| tags[*at].clone()).collect();
        all.push(Link {
            owner: owners[number % 2],
            domain: ["", "one.example"][number % 3 % 2].parse().unwrap(),
            target: target(&format!("https://example.com/Page-{number}/{}", ["", "path_%25", "büro"][number % 3])),
            title: (number % 4 == 0).then(|| format!("Title {number} of GRÜSSE").parse().unwrap()),
            note: (number % 5 == 0).then(|| "two\nlines of NOTES".parse().unwrap()),
            tags: Tags::new(of([&[][..], &[0], &[0, 1], &[1, 2, 3], &[3]][number % 5])).unwrap(),
            enabled: !number.is_multiple_of(7),
            crawlable: number.is_multiple_of(6),
            created_at: now,
            updated_at: now.plus(Duration::from_secs((number as u64 * 37) % 60)),
            ..link(fixture, &format!("Slug-{number}"))
        });
        // Some of equal age.
        fixture.clock.advance(Duration::from_secs(number as u64 % 3));
    }
    let inserted = fixture.stores.links.insert_many(&inserts(&all)).await.unwrap();
    assert!(inserted.iter().all(|inserted| *inserted == Inserted::Created));
    all
}

/// Filters of every kind, and some together.
fn filters(all: &[Link]) -> Vec<LinkFilter> {
    let none = LinkFilter::default;
    let tags = |tags: &[&str]| Tags::new(tags.iter().map(|tag| tag.parse().unwrap()).collect()).unwrap();
    let text = |text: &str| Some(text.parse().unwrap());
    let (from, to) = (Some(all[20].created_at), Some(all[40].created_at));
    let mut filters = vec![none()];
    for wanted in [&["red"][..], &["red", "Ünder"], &["green", "blue"], &["red", "green"], &["none"], &["Red"]] {
        for tag_match in [TagMatch::Any, TagMatch::All] {
            filters.push(LinkFilter { tags: tags(wanted), tag_match, ..none() });
        }
    }
    for wanted in ["page-1", "grüsse", "GRÜSSE title", "notes", "slug-5", "_%25", "büro", "100%", "nothing", "e/ com"]
    {
        filters.push(LinkFilter { text: text(wanted), ..none() });
    }
    for flag in [true, false] {
        filters.push(LinkFilter { enabled: Some(flag), ..none() });
        filters.push(LinkFilter { crawlable: Some(flag), domain: Some("".parse().unwrap()), ..none() });
        filters.push(LinkFilter { crawlable: Some(flag), ..none() });
    }
    filters.push(LinkFilter { created_from: from, ..none() });
    filters.push(LinkFilter { created_to: to, ..none() });
    filters.push(LinkFilter { created_from: to, created_to: from, ..none() });
    filters.push(LinkFilter { created_from: from, created_to: to, enabled: Some(true), ..none() });
    let owner = Some(all[0].owner);
    filters.push(LinkFilter { owner, text: text("page"), tags: tags(&["red", "Ünder"]), ..none() });
    filters.push(LinkFilter { owner, enabled: Some(false), ..none() });
    let domain = Some("one.example".parse().unwrap());
    filters.push(LinkFilter { domain, text: text("example"), tags: tags(&["green"]), created_from: from, ..none() });
    filters
}

pub async fn lists_pass_what_every_filter_passes(fixture: &Fixture) {
    let all = motley(fixture).await;
    let mut found = 0;
    for filter in filters(&all) {
        let expected = newest_first(all.iter().filter(|link| filter.passes(link)).cloned().collect());
        for size in [3, 500] {
            let listed = walk(&*fixture.stores.links, &filter, size).await;
            assert_eq!(ids(&listed), ids(&expected), "pages of {size} for {filter:?}");
        }
        found += usize::from(!expected.is_empty() && expected.len() < all.len());
    }
    assert!(found > 20, "{found}");
}

pub async fn every_order_is_kept_on_every_page(fixture: &Fixture) {
    let all = motley(fixture).await;
    for order in LinkOrder::ALL {
        for filter in filters(&all) {
            let mut expected: Vec<_> = all.iter().filter(|link| filter.passes(link)).cloned().collect();
            expected.sort_by_key(|link| (order.time(link), link.id));
            if order.is_descending() {
                expected.reverse();
            }
            let listed = walk_in(&*fixture.stores.links, &filter, order, 4).await;
            assert_eq!(ids(&listed), ids(&expected), "{order:?} for {filter:?}");
        }
    }
}

pub async fn a_changed_link_is_found_by_what_it_is_now(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let tag = |tag: &str| Tags::new(vec![tag.parse().unwrap()]).unwrap();
    let before = Link { title: Some("before".parse().unwrap()), tags: tag("old"), ..link(fixture, "x") };
    let before = store(fixture, before).await;
    let after = Link {
        title: Some("after".parse().unwrap()),
        tags: tag("new"),
        enabled: false,
        crawlable: true,
        version: 2,
        ..before.clone()
    };
    let found = async |filter: LinkFilter| walk(&**links, &filter, 9).await.len();
    let by_text =
        async |text: &str| found(LinkFilter { text: Some(text.parse().unwrap()), ..LinkFilter::default() }).await;
    let by_tag = async |name: &str| found(LinkFilter { tags: tag(name), ..LinkFilter::default() }).await;
    let enabled = async |on| found(LinkFilter { enabled: Some(on), ..LinkFilter::default() }).await;
    assert_eq!([by_text("before").await, by_tag("old").await, enabled(true).await], [1, 1, 1]);
    links.update(&after, 1).await.unwrap();
    assert_eq!([by_text("before").await, by_tag("old").await, enabled(true).await], [0, 0, 0]);
    assert_eq!([by_text("after").await, by_tag("new").await, enabled(false).await], [1, 1, 1]);
    links.delete(after.id, None).await.unwrap();
    assert_eq!([by_text("after").await, by_tag("new").await, enabled(false).await], [0, 0, 0]);
}

pub async fn usable_links_to_a_target_leave_out_the_others(fixture: &Fixture) {
    let now = fixture.clock.now();
    let ends = |after: i64| {
        let end = Timestamp::from_micros(now.as_micros() + after).unwrap();
        Lifetime::new(None, Some(end)).unwrap()
    };
    let mut expected = Vec::new();
    for (slug, usable, change) in [
        ("off", false, Link { enabled: false, ..link(fixture, "off") }),
        ("over", false, Link { lifetime: ends(0), ..link(fixture, "over") }),
        ("ends", true, Link { lifetime: ends(1), ..link(fixture, "ends") }),
        ("plain", true, link(fixture, "plain")),
        ("later", true, Link { lifetime: ends(9), ..link(fixture, "later") }),
        ("other", false, Link { target: target("https://example.com/other"), ..link(fixture, "other") }),
        ("last", true, link(fixture, "last")),
    ] {
        fixture.clock.advance(Duration::from_micros(1));
        let made = store(fixture, Link { created_at: fixture.clock.now(), ..change }).await;
        assert_eq!(made.slug.as_str(), slug);
        if usable {
            expected.push(made);
        }
    }
    let links = &fixture.stores.links;
    let like = &expected[1];
    let found = async |limit| {
        let found = links.usable_by_target(like.owner, &like.domain, &like.target, now, limit).await.unwrap();
        found.into_iter().map(|stored| stored.link).collect::<Vec<_>>()
    };
    assert_eq!(found(9).await, expected);
    assert_eq!(found(2).await, expected[..2]);
}
