use std::time::Duration;

use super::*;
use crate::{
    link::{Forward, Lifetime, RedirectKind},
    memory::Memory,
    random::{EntropyExt, SeededEntropy},
    store::{ChangeCursor, ChangeLog, Changes, Fingerprint},
    text::Tags,
    time::FakeClock,
};

fn memory() -> Memory {
    Memory::new(Arc::new(FakeClock::default()))
}

fn target(n: u64) -> TargetUrl {
    TargetUrl::from_stored(&format!("https://example.com/{n}")).unwrap()
}

/// The link number `n`: made at `n`, with the slug `s{n}`.
fn link(n: u64) -> Link {
    let at = Timestamp::from_micros(n.cast_signed()).unwrap();
    Link {
        id: SeededEntropy::new(n).link_id(at),
        owner: AccountId::OPERATOR,
        domain: Domain::default_domain(),
        slug: format!("s{n}").parse().unwrap(),
        target: target(n),
        title: None,
        note: None,
        tags: Tags::default(),
        redirect: RedirectKind::default(),
        lifetime: Lifetime::default(),
        max_visits: None,
        password: None,
        forward: Forward::default(),
        crawlable: false,
        enabled: true,
        created_at: at,
        updated_at: at,
        version: 1,
    }
}

fn capped(n: u64, max: u64) -> Link {
    Link { max_visits: Some(max.try_into().unwrap()), ..link(n) }
}

#[tokio::test]
async fn keys_are_remembered_for_a_day() {
    let links = memory().links;
    let key = |hours: u64, print: u8| Idempotency {
        owner: AccountId::OPERATOR,
        key: "k".parse().unwrap(),
        fingerprint: Fingerprint([print; 32]),
        at: Timestamp::EPOCH.plus(Duration::from_secs(hours * 3600)),
    };
    let insert = async |link: Link, key: &Idempotency| links.insert(&link, Some(key)).await.unwrap();
    links.insert(&link(0), None).await.unwrap();
    assert_eq!(insert(Link { slug: link(0).slug, ..link(1) }, &key(0, 1)).await, Inserted::SlugTaken);
    assert_eq!(insert(link(1), &key(0, 1)).await, Inserted::Created);
    assert_eq!(insert(link(1), &key(23, 1)).await, Inserted::Replayed(link(1).id));
    assert_eq!(insert(link(2), &key(23, 2)).await, Inserted::KeyReused);
    assert_eq!(insert(link(2), &key(24, 2)).await, Inserted::Created);
    assert_eq!(insert(link(3), &key(47, 1)).await, Inserted::KeyReused);
    assert_eq!(links.0.tables.read().links.once.len(), 1);
}

#[tokio::test]
async fn an_update_moves_every_index_and_tells_both_slugs() {
    let memory = memory();
    let links = &memory.links;
    links.insert_many(&[link(1), link(2)].map(Into::into)).await.unwrap();
    let taken = Link { slug: link(2).slug, version: 2, ..link(1) };
    assert!(matches!(links.update(&taken, 1).await, Err(StoreError::Conflict { .. })));
    let head = memory.changes.head().await.unwrap();

    let moved = Link { slug: link(9).slug, target: target(9), version: 2, ..link(1) };
    assert_eq!(links.update(&moved, 1).await.unwrap().link, moved);
    assert!(matches!(links.update(&moved, 1).await, Err(StoreError::VersionMismatch { current: 2 })));
    assert_eq!(links.by_slug(&moved.domain, &link(1).slug).await.unwrap(), None);
    assert_eq!(links.by_slug(&moved.domain, &moved.slug).await.unwrap().unwrap().link, moved);
    assert_eq!(links.by_target(moved.owner, &moved.domain, &target(1), 9).await.unwrap(), []);
    assert_eq!(links.by_target(moved.owner, &moved.domain, &target(9), 9).await.unwrap().len(), 1);
    let changes = vec![change(&link(1)), change(&moved)];
    assert_eq!(memory.changes.since(head, 9).await.unwrap(), Changes::Some { changes, next: ChangeCursor(head.0 + 2) });

    links.delete(moved.id, Some(2)).await.unwrap();
    assert!(matches!(links.delete(moved.id, None).await, Err(StoreError::NotFound { .. })));
    assert_eq!(links.insert(&Link { id: link(3).id, ..moved }, None).await.unwrap(), Inserted::Created);
}

#[tokio::test]
async fn emptied_indexes_leave_nothing_behind() {
    let links = memory().links;
    links.insert(&link(1), None).await.unwrap();
    links.delete(link(1).id, None).await.unwrap();
    assert_eq!(format!("{:?}", links.0.tables.read().links), format!("{:?}", LinkTable::default()));
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_links_come_and_go() {
    let links = memory().links;
    let other = SeededEntropy::new(0).account_id(Timestamp::EPOCH);
    for n in 0..20 {
        let owner = if n % 2 == 0 { AccountId::OPERATOR } else { other };
        links.insert(&Link { owner, ..link(n) }, None).await.unwrap();
    }
    let filter = LinkFilter { owner: Some(other), ..LinkFilter::default() };
    let first = links.list(&filter, LinkOrder::default(), None, 4).await.unwrap();
    let last = first.last().unwrap();
    links.insert(&Link { owner: other, ..link(21) }, None).await.unwrap();
    links.delete(last.link.id, None).await.unwrap();
    let second = links
        .list(&filter, LinkOrder::default(), Some(LinkCursor::of(&last.link, LinkOrder::default())), 100)
        .await
        .unwrap();
    let seen: Vec<_> = first.iter().chain(&second).map(|row| row.link.created_at.as_micros()).collect();
    assert_eq!(seen, [19, 17, 15, 13, 11, 9, 7, 5, 3, 1]);
}

#[tokio::test]
async fn grants_end_at_the_cap() {
    let links = memory().links;
    links.insert_many(&[capped(1, 5), link(2)].map(Into::into)).await.unwrap();
    assert_eq!(links.reserve(link(1).id, 3).await.unwrap(), 3);
    assert_eq!(links.reserve(link(1).id, 3).await.unwrap(), 2);
    assert_eq!(links.reserve(link(1).id, 3).await.unwrap(), 0);
    assert!(links.by_id(link(1).id).await.unwrap().unwrap().is_exhausted());
    assert_eq!(links.reserve(link(2).id, 7).await.unwrap(), 7);
    assert_eq!(links.by_id(link(2).id).await.unwrap().unwrap().taken, 0);
    assert!(matches!(links.reserve(link(3).id, 1).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_cap_set_later_counts_what_was_clicked() {
    let links = memory().links;
    links.insert(&link(1), None).await.unwrap();
    assert_eq!(links.0.tables.write().links.count([(link(1).id, 4), (link(2).id, 2)]), 2);
    let row = links.update(&Link { version: 2, ..capped(1, 5) }, 1).await.unwrap();
    assert_eq!((row.clicks, row.taken), (4, 4));
    // A raised cap keeps what is taken; so does one that was gone for a while.
    let row = links.update(&Link { version: 3, ..capped(1, 9) }, 2).await.unwrap();
    assert_eq!(row.taken, 4);
    assert_eq!(links.reserve(link(1).id, 9).await.unwrap(), 5);
    links.update(&Link { version: 4, ..link(1) }, 3).await.unwrap();
    let row = links.update(&Link { version: 5, ..capped(1, 9) }, 4).await.unwrap();
    assert_eq!(row.taken, 9);
}
