//! Changing and deleting.

use super::super::{
    Fixture, parallel,
    sample::{account, find, link, store, target, unvisited},
};
use crate::{
    Lifetime, Link, PasswordHash, RedirectKind, StoreError, Tags,
    store::{Inserted, LinkFilter, LinkOrder},
};

/// The next version of `link`, with another slug.
fn renamed(link: &Link, slug: &str) -> Link {
    Link { slug: slug.parse().unwrap(), version: link.version + 1, ..link.clone() }
}

pub async fn an_update_replaces_all_but_the_counts(fixture: &Fixture) {
    let before = Link {
        owner: account(fixture),
        title: Some("old".parse().unwrap()),
        tags: Tags::new(vec!["old".parse().unwrap()]).unwrap(),
        password: Some(PasswordHash::from_stored("old")),
        ..link(fixture, "before")
    };
    let before = store(fixture, before).await;
    fixture.clock.advance(std::time::Duration::from_secs(5));
    let after = Link {
        id: before.id,
        owner: before.owner,
        created_at: before.created_at,
        target: target("https://example.com/after"),
        note: Some("new".parse().unwrap()),
        tags: Tags::new(vec!["b".parse().unwrap(), "a".parse().unwrap()]).unwrap(),
        redirect: RedirectKind::MovedPermanently,
        lifetime: Lifetime::new(Some(before.created_at), None).unwrap(),
        password: Some(PasswordHash::from_stored("new")),
        enabled: false,
        version: 2,
        ..link(fixture, "after")
    };
    let links = &fixture.stores.links;
    assert_eq!(links.update(&after, 1).await.unwrap(), unvisited(after.clone()));
    assert_eq!(links.by_id(after.id).await.unwrap(), Some(unvisited(after.clone())));
    assert_eq!(links.by_slug(&after.domain, &after.slug).await.unwrap(), Some(unvisited(after.clone())));
    assert_eq!(links.by_slug(&before.domain, &before.slug).await.unwrap(), None);
    let open = Link { password: None, version: 3, ..after };
    assert_eq!(links.update(&open, 2).await.unwrap(), unvisited(open));
}

pub async fn an_update_stores_the_version_it_is_given(fixture: &Fixture) {
    let link = store(fixture, link(fixture, "x")).await;
    let later = Link { version: 40, ..link };
    let links = &fixture.stores.links;
    assert_eq!(links.update(&later, 1).await.unwrap().link.version, 40);
    assert_eq!(find(&**links, later.id).await.link.version, 40);
}

pub async fn an_update_of_an_old_version_changes_nothing(fixture: &Fixture) {
    let first = store(fixture, link(fixture, "first")).await;
    let second = renamed(&first, "second");
    let links = &fixture.stores.links;
    links.update(&second, 1).await.unwrap();
    let refused = links.update(&renamed(&first, "third"), 1).await;
    assert!(matches!(refused, Err(StoreError::VersionMismatch { current: 2 })), "{refused:?}");
    assert_eq!(find(&**links, first.id).await, unvisited(second));
    assert_eq!(links.by_slug(&first.domain, &"third".parse().unwrap()).await.unwrap(), None);
}

pub async fn an_update_of_nothing_is_not_found(fixture: &Fixture) {
    let missing = link(fixture, "x");
    let links = &fixture.stores.links;
    let refused = links.update(&missing, 1).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    assert_eq!(links.by_id(missing.id).await.unwrap(), None);
    assert_eq!(links.by_slug(&missing.domain, &missing.slug).await.unwrap(), None);
}

pub async fn an_update_to_a_taken_slug_changes_nothing(fixture: &Fixture) {
    let taken = store(fixture, link(fixture, "taken")).await;
    let before = store(fixture, link(fixture, "before")).await;
    let after = Link { target: target("https://elsewhere.example/"), ..renamed(&before, "taken") };
    let links = &fixture.stores.links;
    let refused = links.update(&after, 1).await;
    assert!(matches!(refused, Err(StoreError::Conflict { what: "slug" })), "{refused:?}");
    for link in [taken, before] {
        assert_eq!(links.by_slug(&link.domain, &link.slug).await.unwrap(), Some(unvisited(link)));
    }
}

pub async fn of_parallel_updates_one_wins(fixture: &Fixture) {
    let first = store(fixture, link(fixture, "x")).await;
    let outcomes = parallel(16, |number| {
        let links = fixture.stores.links.clone();
        let title = Some(format!("by {number}").parse().unwrap());
        let edited = Link { title, version: 2, ..first.clone() };
        async move { links.update(&edited, 1).await.map(|stored| stored.link) }
    })
    .await;
    let winners: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let losers = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    for refused in losers {
        assert!(matches!(refused, StoreError::VersionMismatch { current: 2 }), "{refused:?}");
    }
    assert_eq!(find(&*fixture.stores.links, first.id).await.link, *winners[0]);
}

pub async fn of_parallel_updates_to_one_slug_one_wins(fixture: &Fixture) {
    let mut all = Vec::new();
    for number in 0..8 {
        all.push(store(fixture, link(fixture, &format!("own-{number}"))).await);
    }
    let outcomes = parallel(8, |number| {
        let (links, wanted) = (fixture.stores.links.clone(), renamed(&all[number], "wanted"));
        async move { links.update(&wanted, 1).await }
    })
    .await;
    let (mut won, links) = (0, &fixture.stores.links);
    for (link, outcome) in all.into_iter().zip(outcomes) {
        match outcome {
            Ok(stored) => {
                won += 1;
                let found = links.by_slug(&stored.link.domain, &stored.link.slug).await.unwrap();
                assert_eq!(found, Some(stored));
            }
            Err(refused) => {
                assert!(matches!(refused, StoreError::Conflict { what: "slug" }), "{refused:?}");
                assert_eq!(links.by_slug(&link.domain, &link.slug).await.unwrap(), Some(unvisited(link)));
            }
        }
    }
    assert_eq!(won, 1);
}

pub async fn an_update_may_keep_the_slug(fixture: &Fixture) {
    let first = store(fixture, link(fixture, "x")).await;
    let second = renamed(&first, "x");
    assert_eq!(fixture.stores.links.update(&second, 1).await.unwrap(), unvisited(second));
}

pub async fn a_slug_that_is_given_up_is_free_again(fixture: &Fixture) {
    let first = store(fixture, link(fixture, "before")).await;
    fixture.stores.links.update(&renamed(&first, "after"), 1).await.unwrap();
    let second = store(fixture, link(fixture, "before")).await;
    let found = fixture.stores.links.by_slug(&second.domain, &second.slug).await.unwrap();
    assert_eq!(found, Some(unvisited(second)));
}

pub async fn a_deleted_link_is_gone_and_its_slug_free(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let first = store(fixture, link(fixture, "x")).await;
    links.delete(first.id, None).await.unwrap();
    assert_eq!(links.by_id(first.id).await.unwrap(), None);
    assert_eq!(links.by_slug(&first.domain, &first.slug).await.unwrap(), None);
    assert_eq!(links.by_target(first.owner, &first.domain, &first.target, 9).await.unwrap(), []);
    assert_eq!(links.list(&LinkFilter::default(), LinkOrder::default(), None, 9).await.unwrap(), []);
    let again = links.delete(first.id, None).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
    assert_eq!(links.insert(&link(fixture, "x"), None).await.unwrap(), Inserted::Created);
}

pub async fn a_link_is_deleted_at_the_expected_version_only(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let first = store(fixture, link(fixture, "x")).await;
    links.update(&renamed(&first, "y"), 1).await.unwrap();
    let refused = links.delete(first.id, Some(1)).await;
    assert!(matches!(refused, Err(StoreError::VersionMismatch { current: 2 })), "{refused:?}");
    assert_eq!(find(&**links, first.id).await, unvisited(renamed(&first, "y")));
    links.delete(first.id, Some(2)).await.unwrap();
    let gone = links.delete(first.id, Some(2)).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
}

pub async fn of_parallel_deletes_one_finds_the_link(fixture: &Fixture) {
    let id = store(fixture, link(fixture, "x")).await.id;
    let outcomes = parallel(16, |number| {
        let links = fixture.stores.links.clone();
        async move { links.delete(id, (number % 2 == 0).then_some(1)).await }
    })
    .await;
    assert_eq!(outcomes.iter().flatten().count(), 1, "{outcomes:?}");
    let losers = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    for refused in losers {
        assert!(matches!(refused, StoreError::NotFound { .. }), "{refused:?}");
    }
}
