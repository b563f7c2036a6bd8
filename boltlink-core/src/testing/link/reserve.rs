//! Capped links.

use super::super::{
    Fixture, parallel,
    sample::{capped, find, link, store, stored},
};
use crate::{Link, StoreError};

pub async fn visits_are_granted_up_to_the_cap(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let id = store(fixture, capped(fixture, "x", 10)).await.id;
    let mut taken = 0;
    for (wanted, granted) in [(4, 4), (4, 4), (4, 2), (4, 0), (1, 0)] {
        assert_eq!(links.reserve(id, wanted).await.unwrap(), granted);
        taken += u64::from(granted);
        let stored = find(&**links, id).await;
        assert_eq!((stored.taken, stored.is_exhausted()), (taken, taken == 10));
        assert_eq!(stored.link.version, 1);
    }
}

pub async fn parallel_reservations_never_exceed_the_cap(fixture: &Fixture) {
    let id = store(fixture, capped(fixture, "x", 100)).await.id;
    let granted = parallel(64, |number| {
        let links = fixture.stores.links.clone();
        let wanted = 1 + u32::try_from(number).unwrap() % 3;
        async move { links.reserve(id, wanted).await.unwrap() }
    })
    .await;
    assert_eq!(granted.iter().sum::<u32>(), 100);
    assert_eq!(find(&*fixture.stores.links, id).await.taken, 100);
}

pub async fn a_link_without_a_cap_grants_all_and_notes_nothing(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let id = stored(fixture, "x").await;
    assert_eq!(links.reserve(id, u32::MAX).await.unwrap(), u32::MAX);
    assert_eq!(links.reserve(id, 3).await.unwrap(), 3);
    assert_eq!(find(&**links, id).await.taken, 0);
}

pub async fn a_missing_link_grants_nothing(fixture: &Fixture) {
    let refused = fixture.stores.links.reserve(link(fixture, "x").id, 1).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
}

pub async fn a_raised_cap_grants_the_difference(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let link = store(fixture, capped(fixture, "x", 3)).await;
    assert_eq!(links.reserve(link.id, 5).await.unwrap(), 3);
    let raised = Link { max_visits: Some(5.try_into().unwrap()), version: 2, ..link };
    assert_eq!(links.update(&raised, 1).await.unwrap().taken, 3);
    assert_eq!(links.reserve(raised.id, 5).await.unwrap(), 2);
}

pub async fn a_lowered_cap_takes_nothing_back(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let link = store(fixture, capped(fixture, "x", 5)).await;
    assert_eq!(links.reserve(link.id, 4).await.unwrap(), 4);
    let lowered = Link { max_visits: Some(2.try_into().unwrap()), version: 2, ..link };
    let stored = links.update(&lowered, 1).await.unwrap();
    assert!(stored.is_exhausted(), "{stored:?}");
    assert_eq!(links.reserve(lowered.id, 1).await.unwrap(), 0);
}

pub async fn a_cap_set_anew_remembers_what_was_granted(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let first = store(fixture, capped(fixture, "x", 5)).await;
    assert_eq!(links.reserve(first.id, 4).await.unwrap(), 4);
    let open = Link { max_visits: None, version: 2, ..first.clone() };
    links.update(&open, 1).await.unwrap();
    assert_eq!(links.reserve(first.id, 9).await.unwrap(), 9);
    let again = Link { version: 3, ..first };
    assert_eq!(links.update(&again, 2).await.unwrap().taken, 4);
    assert_eq!(links.reserve(again.id, 9).await.unwrap(), 1);
}

pub async fn updates_and_reservations_do_not_undo_each_other(fixture: &Fixture) {
    let link = store(fixture, capped(fixture, "x", 20)).await;
    let granted = parallel(2, |number| {
        let (links, link) = (fixture.stores.links.clone(), link.clone());
        async move {
            let mut granted = 0;
            for step in 1..=30 {
                if number == 0 {
                    granted += links.reserve(link.id, 1).await.unwrap();
                } else {
                    let title = Some(format!("title {step}").parse().unwrap());
                    let edited = Link { title, version: step + 1, ..link.clone() };
                    links.update(&edited, step).await.unwrap();
                }
            }
            granted
        }
    })
    .await;
    assert_eq!(granted, [20, 0]);
    let stored = find(&*fixture.stores.links, link.id).await;
    assert_eq!((stored.taken, stored.link.version), (20, 31));
}
