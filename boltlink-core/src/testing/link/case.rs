//! How slugs are told apart.

use super::super::{
    Fixture,
    sample::{find, link, store},
};
use crate::{Link, Slug, SlugCase, store::SlugCaseChange};

pub async fn how_slugs_are_told_apart_is_fixed_once(fixture: &Fixture) {
    let links = &fixture.stores.links;
    for wanted in [SlugCase::Insensitive, SlugCase::Sensitive, SlugCase::Insensitive] {
        assert_eq!(links.slug_case(wanted).await.unwrap(), SlugCase::Insensitive);
    }
}

pub async fn links_of_old_are_told_apart_by_case(fixture: &Fixture) {
    store(fixture, link(fixture, "x")).await;
    assert_eq!(fixture.stores.links.slug_case(SlugCase::Insensitive).await.unwrap(), SlugCase::Sensitive);
}

pub async fn slugs_are_spelled_anew_when_case_no_longer_matters(fixture: &Fixture) {
    let links = &fixture.stores.links;
    assert_eq!(links.slug_case(SlugCase::Sensitive).await.unwrap(), SlugCase::Sensitive);
    let plain = store(fixture, link(fixture, "plain")).await;
    let mixed = store(fixture, link(fixture, "MiXed-Ä")).await;
    let elsewhere = Link { domain: "other.example".parse().unwrap(), ..link(fixture, "PLAIN") };
    let elsewhere = store(fixture, elsewhere).await;

    let done = links.change_slug_case(SlugCase::Insensitive).await.unwrap();
    assert_eq!(done, SlugCaseChange::Done { respelled: 2 });
    assert_eq!(links.slug_case(SlugCase::Sensitive).await.unwrap(), SlugCase::Insensitive);
    assert_eq!(find(&**links, plain.id).await.link, plain, "what is right already stays");
    let respelled = |link: &Link, slug: &str| Link { slug: slug.parse().unwrap(), version: 2, ..link.clone() };
    assert_eq!(find(&**links, mixed.id).await.link, respelled(&mixed, "mixed-ä"));
    assert_eq!(find(&**links, elsewhere.id).await.link, respelled(&elsewhere, "plain"));
    let lower: Slug = "mixed-ä".parse().unwrap();
    assert_eq!(links.by_slug(&mixed.domain, &lower).await.unwrap().map(|found| found.link.id), Some(mixed.id));
    assert_eq!(links.by_slug(&mixed.domain, &mixed.slug).await.unwrap(), None);

    // The way back needs no new spelling.
    let done = links.change_slug_case(SlugCase::Sensitive).await.unwrap();
    assert_eq!(done, SlugCaseChange::Done { respelled: 0 });
    assert_eq!(links.slug_case(SlugCase::Insensitive).await.unwrap(), SlugCase::Sensitive);
}

pub async fn slugs_that_would_clash_change_nothing(fixture: &Fixture) {
    let links = &fixture.stores.links;
    links.slug_case(SlugCase::Sensitive).await.unwrap();
    let mut all = Vec::new();
    for slug in ["same", "Same", "SAME", "Two", "tWo", "Alone"] {
        all.push(store(fixture, link(fixture, slug)).await);
    }
    let domain = all[0].domain.clone();
    let clashes = ["same", "two"].map(|slug| (domain.clone(), slug.parse().unwrap()));
    let changed = links.change_slug_case(SlugCase::Insensitive).await.unwrap();
    assert_eq!(changed, SlugCaseChange::Clashes(clashes.into()));
    for link in all {
        assert_eq!(find(&**links, link.id).await.link, link);
    }
    assert_eq!(links.slug_case(SlugCase::Insensitive).await.unwrap(), SlugCase::Sensitive);
}
