//! Storing and finding.

use std::{collections::BTreeSet, time::Duration};

use super::super::{
    Fixture, parallel,
    sample::{capped, find, inserts, link, store, target, unvisited},
};
use crate::{
    AccountId, Clock, Lifetime, Link, PasswordHash, RedirectKind, Tags,
    store::{Fingerprint, Idempotency, Insert, Inserted, LinkFilter, LinkOrder},
};

pub async fn a_link_comes_back_as_it_was_stored(fixture: &Fixture) {
    let now = fixture.clock.now();
    let link = Link {
        owner: super::super::sample::account(fixture),
        domain: "go.example.com:8080".parse().unwrap(),
        slug: "A-b_9".repeat(25).parse().unwrap(),
        target: target(&format!("https://example.com/{}?q=%C3%A4&quote='\"#end", "x".repeat(8_000))),
        title: Some("Grüße, 世界 \u{1f980} '\"\\%_".parse().unwrap()),
        note: Some("two\nlines\tand a tab".parse().unwrap()),
        tags: Tags::new(["zebra", "ant, with comma", "\"quoted\"", "größe"].map(|tag| tag.parse().unwrap()).into())
            .unwrap(),
        redirect: RedirectKind::PermanentRedirect,
        lifetime: Lifetime::new(
            Some(now.plus(Duration::from_micros(1))),
            Some("9999-12-31T23:59:59.999999Z".parse().unwrap()),
        )
        .unwrap(),
        max_visits: Some(((1 << 53) - 1).try_into().unwrap()),
        password: Some(PasswordHash::from_stored("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaA")),
        enabled: false,
        created_at: now.plus(Duration::from_micros(123_456)),
        updated_at: now.plus(Duration::from_micros(654_321)),
        version: 7,
        ..link(fixture, "unused")
    };
    let link = store(fixture, link).await;
    let links = &fixture.stores.links;
    assert_eq!(links.by_slug(&link.domain, &link.slug).await.unwrap(), Some(unvisited(link.clone())));
    assert_eq!(links.by_id(link.id).await.unwrap(), Some(unvisited(link)));
}

pub async fn a_link_without_trimmings_comes_back_as_it_was_stored(fixture: &Fixture) {
    let link = store(fixture, link(fixture, "x")).await;
    let links = &fixture.stores.links;
    assert_eq!(links.by_slug(&link.domain, &link.slug).await.unwrap(), Some(unvisited(link.clone())));
    assert_eq!(links.by_id(link.id).await.unwrap(), Some(unvisited(link)));
}

pub async fn what_is_not_there_is_not_found(fixture: &Fixture) {
    let there = store(fixture, link(fixture, "there")).await;
    let missing = link(fixture, "missing");
    let links = &fixture.stores.links;
    assert_eq!(links.by_id(missing.id).await.unwrap(), None);
    assert_eq!(links.by_slug(&missing.domain, &missing.slug).await.unwrap(), None);
    assert_eq!(links.by_slug(&"other.example".parse().unwrap(), &there.slug).await.unwrap(), None);
    assert_eq!(links.by_target(there.owner, &there.domain, &target("https://example.com/no"), 9).await.unwrap(), []);
}

pub async fn a_slug_is_given_once(fixture: &Fixture) {
    let inserted = parallel(32, |_| {
        let (links, link) = (fixture.stores.links.clone(), link(fixture, "wanted"));
        async move { (link.id, links.insert(&link, None).await.unwrap()) }
    })
    .await;
    let (winners, losers): (Vec<_>, Vec<_>) = inserted.iter().partition(|(_, inserted)| *inserted == Inserted::Created);
    assert_eq!(winners.len(), 1, "{inserted:?}");
    assert!(losers.iter().all(|(_, inserted)| *inserted == Inserted::SlugTaken), "{inserted:?}");
    let all = fixture.stores.links.list(&LinkFilter::default(), LinkOrder::default(), None, 100).await.unwrap();
    assert_eq!(all.iter().map(|stored| stored.link.id).collect::<Vec<_>>(), [winners[0].0]);
}

pub async fn a_slug_is_told_apart_by_case(fixture: &Fixture) {
    let lower = store(fixture, link(fixture, "case")).await;
    let upper = store(fixture, link(fixture, "CASE")).await;
    for link in [lower, upper] {
        let found = fixture.stores.links.by_slug(&link.domain, &link.slug).await.unwrap();
        assert_eq!(found, Some(unvisited(link)));
    }
}

pub async fn a_slug_may_be_given_once_per_domain(fixture: &Fixture) {
    let here = store(fixture, link(fixture, "x")).await;
    let there = Link { domain: "other.example".parse().unwrap(), ..link(fixture, "x") };
    let there = store(fixture, there).await;
    for link in [here, there] {
        let found = fixture.stores.links.by_slug(&link.domain, &link.slug).await.unwrap();
        assert_eq!(found, Some(unvisited(link)));
    }
}

pub async fn an_id_is_given_once(fixture: &Fixture) {
    let first = store(fixture, link(fixture, "first")).await;
    let links = &fixture.stores.links;
    let again = Link { id: first.id, ..link(fixture, "again") };
    assert_eq!(links.insert(&again, None).await.unwrap(), Inserted::IdTaken);
    assert_eq!(links.insert(&first, None).await.unwrap(), Inserted::IdTaken, "before the slug is looked at");
    let second = link(fixture, "second");
    let twice = Link { id: second.id, ..link(fixture, "twice") };
    let inserted = links.insert_many(&inserts(&[again.clone(), second.clone(), twice])).await.unwrap();
    assert_eq!(inserted, [Inserted::IdTaken, Inserted::Created, Inserted::IdTaken]);
    assert_eq!(links.by_slug(&again.domain, &again.slug).await.unwrap(), None);
    assert_eq!(find(&**links, first.id).await, unvisited(first));
    assert_eq!(find(&**links, second.id).await, unvisited(second));
}

pub async fn an_opening_balance_is_counted_and_taken(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let (plain, capped) = (link(fixture, "plain"), capped(fixture, "capped", 10));
    let opened = [plain.clone(), capped.clone()].map(|link| Insert { opening: 7, ..link.into() });
    assert_eq!(links.insert_many(&opened).await.unwrap(), [Inserted::Created; 2]);
    let (plain, capped) = (find(&**links, plain.id).await, find(&**links, capped.id).await);
    assert_eq!((plain.clicks, plain.taken), (7, 0));
    assert_eq!((capped.clicks, capped.taken), (7, 7));
    assert_eq!(links.reserve(capped.link.id, 5).await.unwrap(), 3);
}

pub async fn a_taken_slug_leaves_the_first_link_alone(fixture: &Fixture) {
    let first = store(fixture, link(fixture, "x")).await;
    let second = Link { target: target("https://elsewhere.example/"), ..link(fixture, "x") };
    let links = &fixture.stores.links;
    assert_eq!(links.insert(&second, None).await.unwrap(), Inserted::SlugTaken);
    assert_eq!(links.by_id(second.id).await.unwrap(), None);
    assert_eq!(links.by_slug(&first.domain, &first.slug).await.unwrap(), Some(unvisited(first)));
}

pub async fn a_dropped_insert_is_whole_or_not_there(fixture: &Fixture) {
    let links = &fixture.stores.links;
    for patience in 0..30 {
        let link = link(fixture, &format!("dropped-{patience}"));
        let key = Idempotency {
            owner: AccountId::OPERATOR,
            key: format!("key-{patience}").parse().unwrap(),
            fingerprint: Fingerprint([0; 32]),
            at: fixture.clock.now(),
        };
        let insert = links.insert(&link, Some(&key));
        // However far it came: its repetition finds nothing, or all of it.
        let _ = tokio::time::timeout(Duration::from_micros(patience * 40), insert).await;
        let again = links.insert(&link, Some(&key)).await.unwrap();
        assert!([Inserted::Created, Inserted::Replayed(link.id)].contains(&again), "{again:?}");
        assert_eq!(find(&**links, link.id).await, unvisited(link.clone()));
        assert_eq!(links.by_slug(&link.domain, &link.slug).await.unwrap(), Some(unvisited(link)));
    }
}

pub async fn many_links_are_judged_one_by_one(fixture: &Fixture) {
    store(fixture, link(fixture, "taken")).await;
    let links = &fixture.stores.links;
    let many = ["a", "taken", "b"].map(|slug| link(fixture, slug));
    let inserted = links.insert_many(&inserts(&many)).await.unwrap();
    assert_eq!(inserted, [Inserted::Created, Inserted::SlugTaken, Inserted::Created]);
    let [a, taken, b] = many;
    assert_eq!(links.by_id(taken.id).await.unwrap(), None);
    assert_eq!(links.by_id(a.id).await.unwrap(), Some(unvisited(a)));
    assert_eq!(links.by_id(b.id).await.unwrap(), Some(unvisited(b)));
    assert_eq!(links.insert_many(&[]).await.unwrap(), []);
}

pub async fn many_links_of_one_slug_leave_the_first(fixture: &Fixture) {
    let links = &fixture.stores.links;
    let many = ["twice", "Twice", "twice"].map(|slug| link(fixture, slug));
    let inserted = links.insert_many(&inserts(&many)).await.unwrap();
    assert_eq!(inserted, [Inserted::Created, Inserted::Created, Inserted::SlugTaken]);
    let found = links.by_slug(&many[0].domain, &many[0].slug).await.unwrap();
    assert_eq!(found.map(|stored| stored.link.id), Some(many[0].id));
}

pub async fn many_means_thousands(fixture: &Fixture) {
    let many: Vec<_> = (0..3_000).map(|number| link(fixture, &format!("n{number}"))).collect();
    let inserted = fixture.stores.links.insert_many(&inserts(&many)).await.unwrap();
    assert_eq!(inserted.len(), many.len());
    assert!(inserted.iter().all(|inserted| *inserted == Inserted::Created));
    for link in [&many[0], &many[1_500], &many[2_999]] {
        assert_eq!(find(&*fixture.stores.links, link.id).await, unvisited(link.clone()));
    }
}

pub async fn many_calls_at_once_give_each_slug_once(fixture: &Fixture) {
    let inserted = parallel(8, |caller| {
        let links = fixture.stores.links.clone();
        // Every caller wants the same slugs, each begins elsewhere.
        let many: Vec<_> = (0..20).map(|n| link(fixture, &format!("s{}", (n + caller * 3) % 20))).collect();
        async move {
            let inserted = links.insert_many(&inserts(&many)).await.unwrap();
            let created = many.into_iter().zip(inserted).filter(|(_, inserted)| *inserted == Inserted::Created);
            created.map(|(link, _)| link.slug).collect::<Vec<_>>()
        }
    })
    .await;
    let created: Vec<_> = inserted.into_iter().flatten().collect();
    assert_eq!(created.len(), 20);
    assert_eq!(created.iter().collect::<BTreeSet<_>>().len(), 20);
}

pub async fn the_store_answers_a_ping(fixture: &Fixture) {
    fixture.stores.links.ping().await.unwrap();
}
