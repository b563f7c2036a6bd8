//! Listing and finding by target.

use std::{collections::BTreeSet, time::Duration};

use super::super::{
    Fixture,
    sample::{account, link, store, target},
};
use crate::{
    Clock, Link, LinkId,
    store::{LinkCursor, LinkFilter, LinkStore},
};

/// Every page of a list, `size` links each.
pub(in super::super) async fn walk(links: &dyn LinkStore, filter: &LinkFilter, size: u32) -> Vec<Link> {
    let mut all: Vec<Link> = Vec::new();
    loop {
        let page = links.list(filter, all.last().map(LinkCursor::from), size).await.unwrap();
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
    let listed = fixture.stores.links.list(&LinkFilter::default(), None, 100).await.unwrap();
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
            let filter = LinkFilter { owner, domain: domain.clone() };
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
    let page = links.list(&LinkFilter::default(), Some(LinkCursor::from(&all[2])), 100).await.unwrap();
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
